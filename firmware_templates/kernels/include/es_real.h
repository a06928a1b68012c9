/* SPDX-License-Identifier: Apache-2.0 */
/* Real numbers to int8 and back: real = scale * (value - zero_point). */
#ifndef ES_REAL_H
#define ES_REAL_H

#include <stdint.h>

/* Rounds to nearest, ties away from zero, and saturates; NaN becomes the zero point. */
static inline int8_t es_from_real(float real, float scale, int32_t zero_point) {
    const float steps = real / scale;
    int32_t q = zero_point;
    /* 512 steps saturate from any zero point; what lies closer converts without overflow. */
    if (steps >= 512.0f) {
        return 127;
    }
    if (steps <= -512.0f) {
        return -128;
    }
    if (steps == steps) {
        const int32_t whole = (int32_t)steps;
        const float rest = steps - (float)whole;
        q += whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
    }
    return (int8_t)(q < -128 ? -128 : q > 127 ? 127 : q);
}

static inline float es_to_real(int8_t value, float scale, int32_t zero_point) {
    return scale * (float)(value - zero_point);
}

#endif
