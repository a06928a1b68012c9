/* SPDX-License-Identifier: Apache-2.0 */
#include "es_add.h"
#include "es_requantize.h"

void es_add_broadcast_s8(const es_add_broadcast *p, const int8_t *input_1, const int8_t *input_2,
                         int8_t *output) {
    for (uint32_t o = 0; o < p->outer; o++) {
        const int8_t *y = input_2 + o * p->step_outer;
        for (uint32_t i = 0; i < p->inner; i++, y += p->step_inner) {
            const int32_t x1 = (*input_1++ - p->zero_point_1) * (1 << 20);
            const int32_t x2 = (*y - p->zero_point_2) * (1 << 20);
            const int32_t sum = p->sign_1 * es_multiply(x1, p->multiplier_1, p->shift_1) +
                                p->sign_2 * es_multiply(x2, p->multiplier_2, p->shift_2);
            *output++ = es_requantize(sum, p->multiplier_out, p->shift_out, p->zero_point_out,
                                      p->activation_min, p->activation_max);
        }
    }
}
