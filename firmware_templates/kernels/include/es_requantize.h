/* SPDX-License-Identifier: Apache-2.0 */
/* int32 accumulator -> int8, rounding as TFLite's reference kernels do: twice.
 *
 *     x' = round_half_up(x * 2^left * multiplier / 2^31)          (left  = shift if shift > 0)
 *     y  = round_half_away_from_zero(x' / 2^right)                (right = -shift if shift < 0)
 *
 * multiplier in [0, 2^31), shift in [-31, 30]. Exact for all of them; x * 2^left wraps as int32. */
#ifndef ES_REQUANTIZE_H
#define ES_REQUANTIZE_H

#include "es_types.h"

/* round(a * b / 2^31), ties towards plus infinity; not for a == b == INT32_MIN. */
static inline int32_t es_doubling_high_multiply(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* round(x / 2^exponent), ties away from zero; exponent in [0, 31]. */
static inline int32_t es_divide_by_power_of_two(int32_t x, int32_t exponent) {
    const int32_t mask = (int32_t)((1u << exponent) - 1u);
    const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
    return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

static inline int32_t es_multiply(int32_t x, int32_t multiplier, int32_t shift) {
    if (shift < 0) { /* es_divide_by_power_of_two for an exponent of at least 1 */
        const int32_t high = es_doubling_high_multiply(x, multiplier);
        return (((high + (high >> 31)) >> ~shift) + 1) >> 1;
    }
    return es_doubling_high_multiply((int32_t)((uint32_t)x << shift), multiplier);
}

/* One output: scaled, moved to the output's zero point, clamped to the fused activation. */
static inline int8_t es_requantize(int32_t accumulator, int32_t multiplier, int32_t shift,
                                   int32_t zero_point, int32_t low, int32_t high) {
    return (int8_t)es_clamp(es_multiply(accumulator, multiplier, shift) + zero_point, low, high);
}

#endif
