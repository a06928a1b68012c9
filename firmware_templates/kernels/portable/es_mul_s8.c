/* SPDX-License-Identifier: Apache-2.0 */
#include "es_mul.h"
#include "es_requantize.h"

void es_mul_s8(const es_mul *p, const int8_t *input_1, const int8_t *input_2, int8_t *output) {
    for (uint32_t o = 0; o < p->outer; o++) {
        const int8_t *y = input_2 + o * p->step_outer;
        for (uint32_t i = 0; i < p->inner; i++, y += p->step_inner) {
            const int32_t product = (*input_1++ - p->zero_point_1) * (*y - p->zero_point_2);
            *output++ = es_requantize(product, p->multiplier, p->shift, p->zero_point_out,
                                      p->activation_min, p->activation_max);
        }
    }
}
