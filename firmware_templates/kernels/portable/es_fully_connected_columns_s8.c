/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected.h"
#include "es_requantize.h"

/* The inputs that are not zero, as index | value << 16; returns the end of the list. */
static uint32_t *es_nonzero_inputs(const int8_t *input, uint32_t count, int32_t zero_point,
                                   uint32_t *list) {
    for (uint32_t i = 0; i < count; i++) {
        const int32_t value = input[i] - zero_point;
        if (value != 0) {
            *list++ = i | (uint32_t)value << 16;
        }
    }
    return list;
}

void es_fully_connected_columns_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                   void *scratch) {
    for (uint32_t row = 0; row < p->rows; row++) {
        const uint32_t *end = es_nonzero_inputs(input, p->in_dim, p->input_zero_point, scratch);
        const int8_t *columns = p->weights;
        for (uint32_t c = 0; c < p->out_dim; c += 4) {
            int32_t sums[4] = {0, 0, 0, 0};
            for (const uint32_t *entry = scratch; entry < end; entry++) {
                const int32_t value = (int32_t)*entry >> 16;
                const int8_t *weights = columns + 4 * (*entry & 0xffffu);
                sums[0] += value * weights[0];
                sums[1] += value * weights[1];
                sums[2] += value * weights[2];
                sums[3] += value * weights[3];
            }
            const uint32_t outputs = (uint32_t)es_min((int32_t)(p->out_dim - c), 4);
            for (uint32_t i = 0; i < outputs; i++) {
                const uint32_t channel = (c + i) & p->channel_mask;
                output[c + i] = es_requantize(p->bias[c + i] + sums[i], p->multipliers[channel],
                                              p->shifts[channel], p->output_zero_point,
                                              p->activation_min, p->activation_max);
            }
            columns += 4 * p->in_dim;
        }
        input += p->in_dim;
        output += p->out_dim;
    }
}
