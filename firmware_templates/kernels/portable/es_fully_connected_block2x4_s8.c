/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected_pairs.h"

void es_fully_connected_block2x4_s8(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch) {
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_lanes(input, p->in_dim, scratch);
        const int8_t *weights = p->weights;
        const uint8_t *gaps = p->gaps;
        const uint16_t *counts = p->counts;
        for (uint32_t c = 0; c < p->out_dim; c += 2) {
            /* An odd last output is its own partner, whose weights are zeros. */
            const uint32_t d = c + (c + 1 < p->out_dim);
            const es_lane *x = scratch;
            uint32_t sum_c = (uint32_t)p->bias[c], sum_d = (uint32_t)p->bias[d];
            for (uint32_t count = *counts++; count > 0; count--) {
                x += *gaps++ / 2;
                sum_c += es_four_columns(weights, x);
                sum_d += es_four_columns(weights + 4, x);
                weights += 8;
            }
            output[d] = es_output_of_pairs(p, d, sum_d);
            output[c] = es_output_of_pairs(p, c, sum_c);
        }
        input += p->in_dim;
        output += p->out_dim;
    }
}
