/* SPDX-License-Identifier: Apache-2.0 */
#include "es_dsp.h"
#include "es_mul.h"

/* es_multiply of an even number that is twice the product, see es_scale_down: one rounding shift of
 * at least one bit, which the zero point rides on, and saturation with its last bit. */
static inline int32_t es_scale_twice(int32_t twice, int32_t multiplier, int32_t shift_less_1,
                                     int32_t rounding) {
    const int32_t high = es_smmulr(twice, multiplier);
    return es_ssat8_half(((high + (high >> 31)) >> shift_less_1) + rounding);
}

void es_mul_s8_dsp(const es_mul *p, const int8_t *input_1, const int8_t *input_2, int8_t *output) {
    const int32_t multiplier = p->multiplier, shift = p->shift;
    const int32_t rounding = 2 * p->zero_point_out + 1;
    const int32_t offset_1 = -2 * p->zero_point_1, offset_2 = -p->zero_point_2;
    const int32_t low = p->activation_min, high = p->activation_max;
    const bool usual = shift < 0 && low == -128 && high == 127;
    const uint32_t step = p->step_inner;
    for (uint32_t o = 0; o < p->outer; o++) {
        const int8_t *y = input_2 + o * p->step_outer;
        const int8_t *end = output + p->inner;
        if (usual) {
            for (; output < end; y += step) {
                const int32_t twice = (2 * *input_1++ + offset_1) * (*y + offset_2);
                *output++ = (int8_t)es_scale_twice(twice, multiplier, ~shift, rounding);
            }
        } else {
            for (; output < end; y += step) {
                const int32_t product = (*input_1++ - p->zero_point_1) * (*y + offset_2);
                *output++ =
                    es_requantize_dsp(product, multiplier, shift, p->zero_point_out, low, high);
            }
        }
    }
}
