/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected_pairs.h"

void es_fully_connected_block1x4_s8(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch) {
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_lanes(input, p->in_dim, scratch);
        const int8_t *weights = p->weights;
        const uint8_t *gaps = p->gaps;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            const es_lane *x = scratch;
            uint32_t sum = (uint32_t)p->bias[c];
            for (uint32_t count = p->counts[c]; count > 0; count--) {
                x += *gaps++ / 2;
                sum += es_four_columns(weights, x);
                weights += 4;
            }
            output[c] = es_output_of_pairs(p, c, sum);
        }
        input += p->in_dim;
        output += p->out_dim;
    }
}
