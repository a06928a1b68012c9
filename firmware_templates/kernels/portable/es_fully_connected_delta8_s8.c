/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected.h"
#include "es_requantize.h"

void es_fully_connected_delta8_s8(const es_fully_connected *p, const int8_t *input,
                                  int8_t *output) {
    for (uint32_t row = 0; row < p->rows; row++) {
        const uint8_t *gaps = p->gaps;
        const int8_t *weights = p->weights;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            int32_t sum = p->bias[c];
            const int8_t *x = input;
            for (const uint8_t *end = gaps + p->counts[c]; gaps < end;) {
                x += *gaps++;
                sum += *x * *weights++;
            }
            const uint32_t channel = c & p->channel_mask;
            *output++ = es_requantize(sum, p->multipliers[channel], p->shifts[channel],
                                      p->output_zero_point, p->activation_min, p->activation_max);
        }
        input += p->in_dim;
    }
}
