/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected.h"
#include "es_requantize.h"

void es_fully_connected_wide_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                void *scratch) {
    const uint32_t stride = (p->in_dim + 3u) & ~3u;
    int8_t *padded = scratch;

    for (uint32_t row = 0; row < p->rows; row++) {
        const int8_t *weights = p->weights;
        __builtin_memcpy(padded, input, p->in_dim);
        __builtin_memset(padded + p->in_dim, 0, stride - p->in_dim);
        for (uint32_t c = 0; c < p->out_dim; c++) {
            int32_t sum = p->bias[c];
            for (uint32_t k = 0; k < stride; k++) {
                sum += (int32_t)*weights++ * padded[k];
            }
            const uint32_t channel = c & p->channel_mask;
            *output++ = es_requantize(sum, p->multipliers[channel], p->shifts[channel],
                                      p->output_zero_point, p->activation_min, p->activation_max);
        }
        input += p->in_dim;
    }
}
