/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected.h"
#include "es_requantize.h"

void es_fully_connected_bitmap_s8(const es_fully_connected *p, const int8_t *input,
                                  int8_t *output) {
    const uint32_t mask_bytes = (p->in_dim + 7u) / 8u;
    for (uint32_t row = 0; row < p->rows; row++) {
        const int8_t *weights = p->weights;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            const uint8_t *mask = (const uint8_t *)weights;
            const int8_t *eight = input;
            int32_t sum = p->bias[c];
            weights += mask_bytes;
            for (const uint8_t *end = mask + mask_bytes; mask < end; eight += 8) {
                const int8_t *x = eight;
                for (uint32_t bits = *mask++; bits != 0; bits >>= 1, x++) {
                    if (bits & 1u) {
                        sum += *x * *weights++;
                    }
                }
            }
            const uint32_t channel = c & p->channel_mask;
            *output++ = es_requantize(sum, p->multipliers[channel], p->shifts[channel],
                                      p->output_zero_point, p->activation_min, p->activation_max);
        }
        input += p->in_dim;
    }
}
