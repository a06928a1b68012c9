/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected_store.h"
#include "es_pairs.h"

void es_fully_connected_block1x4_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                        int8_t *output, void *scratch) {
    const int32_t rounding = 2 * p->output_zero_point + 1;
    es_scale scale = es_scale_of(p, 0);
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_pairs(input, p->in_dim, scratch);
        const uint8_t *gaps = p->gaps;
        es_pair_sums s;
        s.weights = p->weights;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            s.a = p->bias[c];
            gaps = es_blocks_1(&s, scratch, gaps, p->counts[c]);
            if (p->channel_mask) {
                scale = es_scale_of(p, c);
            }
            output[c] = es_output_of_double(s.a >> 7, scale, rounding);
        }
        es_clamp_outputs(p, output);
        input += p->in_dim;
        output += p->out_dim;
    }
}
