/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected_pairs.h"

/* The sums of `together` outputs, whose weights lie side by side: they share the loads of the
 * input. */
__attribute__((always_inline)) static inline const int8_t *
es_sum_outputs(const int8_t *weights, const es_lane *x, const es_lane *end, uint32_t together,
               uint32_t *sums) {
    for (; x < end; x += 4) {
#pragma GCC unroll 4
        for (uint32_t i = 0; i < together; i++) {
            sums[i] += es_four_columns(weights + 4 * i, x);
        }
        weights += 4 * together;
    }
    return weights;
}

void es_fully_connected_dense_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                 void *scratch) {
    const es_lane *end = (const es_lane *)scratch + ((p->in_dim + 3u) & ~3u);
    for (uint32_t row = 0; row < p->rows; row++) {
        const int8_t *weights = p->weights;
        es_expand_lanes(input, p->in_dim, scratch);
        uint32_t c = 0;
        for (; c + 4 <= p->out_dim; c += 4) {
            const uint32_t *bias = (const uint32_t *)p->bias + c;
            uint32_t sums[4] = {bias[0], bias[1], bias[2], bias[3]};
            weights = es_sum_outputs(weights, scratch, end, 4, sums);
            for (uint32_t i = 0; i < 4; i++) {
                output[c + i] = es_output_of_pairs(p, c + i, sums[i]);
            }
        }
        for (; c < p->out_dim; c++) {
            uint32_t sum = (uint32_t)p->bias[c];
            weights = es_sum_outputs(weights, scratch, end, 1, &sum);
            output[c] = es_output_of_pairs(p, c, sum);
        }
        input += p->in_dim;
        output += p->out_dim;
    }
}
