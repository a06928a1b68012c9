/* SPDX-License-Identifier: Apache-2.0 */
/* What newlib asks of a system. */

#include "harness.h"

#include <stddef.h>

/* TFLite Micro aborts where an assertion of its own fails. */
void abort(void);

void abort(void) { harness_refused("-", "abort in TFLite Micro, status", 1u, 0u); }

/* Builds of TFLite Micro that have messages format them with vsnprintf, which refers to these.
 * There is no heap and no file: all of them fail. */
#define FAILS(name)                                                                                \
    int name(void);                                                                                \
    int name(void) { return -1; }

FAILS(_write)
FAILS(_close)
FAILS(_fstat)
FAILS(_isatty)
FAILS(_lseek)
FAILS(_read)

void *_sbrk(ptrdiff_t bytes);

void *_sbrk(ptrdiff_t bytes) {
    (void)bytes;
    return (void *)-1;
}
