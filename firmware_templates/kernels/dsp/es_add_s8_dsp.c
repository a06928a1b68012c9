/* SPDX-License-Identifier: Apache-2.0 */
#include "es_add.h"
#include "es_dsp.h"

void es_add_s8_dsp(const es_add *p, const int8_t *input_1, const int8_t *input_2, int8_t *output) {
    const int32_t multiplier_2 = p->multiplier_2, right_2 = -p->shift_2;
    const int32_t nudge_2 = (1 << right_2) >> 1;
    const int32_t sign_2 = right_2 > 0 ? -1 : 0; /* negative ties move down, if there is a shift */
    const int32_t multiplier_out = p->multiplier_out, shift_less_1 = ~(int32_t)p->shift_out;
    const int32_t rounding = 2 * p->zero_point_out + 1;
    const int32_t offset_1 = -p->zero_point_1 * (1 << 19);
    const int32_t low = p->activation_min, high = p->activation_max;
    const int8_t *end = output + p->elements;
    while (output < end) {
        const int32_t x2 = (*input_2++ - p->zero_point_2) * (1 << 21);
        const int32_t high_2 = es_smmulr(x2, multiplier_2);
        const int32_t y2 = (high_2 + nudge_2 + ((high_2 >> 31) & sign_2)) >> right_2;
        const int32_t sum = *input_1++ * (1 << 19) + offset_1 + y2;
        int32_t value = es_ssat8(es_scale_down(sum, multiplier_out, shift_less_1, rounding));
        if (high - low < 255) {
            value = es_clamp(value, low, high);
        }
        *output++ = (int8_t)value;
    }
}
