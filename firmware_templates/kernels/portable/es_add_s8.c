/* SPDX-License-Identifier: Apache-2.0 */
#include "es_add.h"
#include "es_requantize.h"

void es_add_s8(const es_add *p, const int8_t *input_1, const int8_t *input_2, int8_t *output) {
    for (uint32_t i = 0; i < p->elements; i++) {
        const int32_t x1 = (input_1[i] - p->zero_point_1) * (1 << 19);
        const int32_t x2 = (input_2[i] - p->zero_point_2) * (1 << 20);
        const int32_t sum = x1 + es_multiply(x2, p->multiplier_2, p->shift_2);
        output[i] = es_requantize(sum, p->multiplier_out, p->shift_out, p->zero_point_out,
                                  p->activation_min, p->activation_max);
    }
}
