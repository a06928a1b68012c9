/* SPDX-License-Identifier: Apache-2.0 */
/* Where the pixel under one tap of a filter lies, in four bytes on every target: scratch has the
 * size that the generator planned on hosts with wider pointers too. */
#ifndef ES_TAP_H
#define ES_TAP_H

#include "es_types.h"

#if UINTPTR_MAX == 0xffffffffu

typedef const int8_t *es_tap;

static inline es_tap es_tap_inside(const int8_t *input, int32_t offset) { return input + offset; }
static inline es_tap es_tap_outside(const int8_t *outside) { return outside; }
static inline const int8_t *es_tap_pixel(es_tap tap, const int8_t *input, const int8_t *outside) {
    (void)input;
    (void)outside;
    return tap;
}

#else

typedef int32_t es_tap; /* offset from the input; negative for the pixel that is outside of it */

static inline es_tap es_tap_inside(const int8_t *input, int32_t offset) {
    (void)input;
    return offset;
}
static inline es_tap es_tap_outside(const int8_t *outside) {
    (void)outside;
    return -1;
}
static inline const int8_t *es_tap_pixel(es_tap tap, const int8_t *input, const int8_t *outside) {
    return tap < 0 ? outside : input + tap;
}

#endif
#endif
