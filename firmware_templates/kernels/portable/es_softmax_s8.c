/* SPDX-License-Identifier: Apache-2.0 */
#include "es_requantize.h"
#include "es_softmax.h"

/* 1 / (1 + x) in Q0.31 for x in [0, 1) in Q0.31: three Newton-Raphson steps in Q2.29 on 48/17 -
 * 32/17 d with d = (1 + x) / 2, each product rounded as gemmlowp's fixed point does. */
static int32_t es_one_over_one_plus(int32_t x) {
    const int32_t half = (int32_t)(((int64_t)x + 0x7fffffff + 1) >> 1);
    int32_t guess = 1515870810 + es_doubling_high_multiply(half, -1010580540);
    for (int32_t step = 0; step < 3; step++) {
        const int32_t rest = (1 << 29) - es_doubling_high_multiply(half, guess);
        /* Q2.29 * Q2.29 is Q4.27: back to Q2.29 by a left shift of two, which cannot overflow here.
         */
        guess += es_doubling_high_multiply(guess, rest) * 4;
    }
    /* Q2.29 / 2 is Q1.30 of the same bits; to Q0.31 with saturation. */
    return guess >= (1 << 30) ? 0x7fffffff : guess * 2;
}

void es_softmax_s8(const es_softmax *p, const int8_t *input, int8_t *output) {
    for (uint32_t row = 0; row < p->rows; row++) {
        int32_t largest = -128;
        for (uint32_t i = 0; i < p->depth; i++) {
            largest = es_max(largest, input[i]);
        }
        int32_t sum = 0; /* Q12.19 */
        for (uint32_t i = 0; i < p->depth; i++) {
            const int32_t below = largest - input[i];
            if (below < p->entries) {
                sum += es_divide_by_power_of_two(p->exponentials[below], 12);
            }
        }
        const int32_t headroom = __builtin_clz((uint32_t)sum);
        const int32_t exponent = (12 - headroom) + 31 - 8;
        const int32_t fraction = (int32_t)(((uint32_t)sum << headroom) - (1u << 31));
        /* From 32 on, a sum of 512 and more: no value is half a step, and the reference has no result. */
        const int32_t scale = exponent < 32 ? es_one_over_one_plus(fraction) : 0;
        for (uint32_t i = 0; i < p->depth; i++) {
            const int32_t below = largest - input[i];
            int32_t value = -128;
            if (below < p->entries) {
                const int32_t product = es_doubling_high_multiply(scale, p->exponentials[below]);
                value += es_divide_by_power_of_two(product, exponent & 31);
            }
            output[i] = (int8_t)es_clamp(value, -128, 127);
        }
        input += p->depth;
        output += p->depth;
    }
}
