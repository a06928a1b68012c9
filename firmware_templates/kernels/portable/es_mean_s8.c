/* SPDX-License-Identifier: Apache-2.0 */
#include "es_mean.h"
#include "es_requantize.h"

void es_mean_s8(const es_mean *p, const int8_t *input, int8_t *output) {
    for (uint32_t o = 0; o < p->outer; o++) {
        for (uint32_t i = 0; i < p->inner; i++) {
            int32_t sum = p->offset;
            const int8_t *from = input + i;
            for (uint32_t r = 0; r < p->reduced; r++) {
                sum += *from;
                from += p->inner;
            }
            *output++ =
                es_requantize(sum, p->multiplier, p->shift, p->output_zero_point, -128, 127);
        }
        input += p->reduced * p->inner;
    }
}
