/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the image in flash is whole and computes what it did when it was made.
 *
 * selftest_run() does it all, for an application to call: it needs no debugger. The harness takes
 * its parts.
 */

#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdint.h>

enum selftest_result {
    SELFTEST_PASS = 0,
    SELFTEST_WEIGHTS = 1, /* the CRC-32 of the weights is not MODEL_WEIGHTS_CRC */
    SELFTEST_OUTPUTS = 2, /* a vector of vectors.c gave another output than the reference */
};

/* Checks the weights, then runs the vectors of vectors.c. Overwrites the arena; nothing of the
 * model may be running. The vectors come into flash where this is called. */
enum selftest_result selftest_run(void);

/* CRC-32 (ISO 3309, as in zip and Ethernet) of the packed weights where the kernels read them, with
 * the padding between them. Order and padding are those of sections.ld. */
uint32_t selftest_weights_crc(void);

/* CRC-32 of model_output(). */
uint32_t selftest_output_crc(void);

/* Writes an input of vectors.c to model_input(). */
void selftest_load(uint32_t vector);

#endif
