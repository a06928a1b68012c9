/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected_store.h"
#include "es_pairs.h"

void es_fully_connected_block2x4_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                        int8_t *output, void *scratch) {
    const int32_t rounding = 2 * p->output_zero_point + 1;
    es_scale scale_c = es_scale_of(p, 0), scale_d = scale_c;
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_pairs(input, p->in_dim, scratch);
        const uint8_t *gaps = p->gaps;
        es_pair_sums s;
        s.weights = p->weights;
        for (uint32_t c = 0; c < p->out_dim; c += 2) {
            /* An odd last output is its own partner, whose weights are zeros. */
            const uint32_t d = c + (c + 1 < p->out_dim);
            s.a = p->bias[c];
            s.b = p->bias[d];
            gaps = es_blocks_2(&s, scratch, gaps, p->counts[c / 2]);
            if (p->channel_mask) {
                scale_c = es_scale_of(p, c);
                scale_d = es_scale_of(p, d);
            }
            output[d] = es_output_of_double(s.b >> 7, scale_d, rounding);
            output[c] = es_output_of_double(s.a >> 7, scale_c, rounding);
        }
        es_clamp_outputs(p, output);
        input += p->in_dim;
        output += p->out_dim;
    }
}
