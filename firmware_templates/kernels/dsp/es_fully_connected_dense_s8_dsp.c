/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected_store.h"
#include "es_pairs.h"

static inline void es_store_4(const es_fully_connected *p, uint32_t c, const es_pair_sums *s,
                              es_scale scale, int8_t *output) {
    const int32_t rounding = 2 * p->output_zero_point + 1;
    if (p->channel_mask) {
        const int32_t sums[4] = {s->a, s->b, s->c, s->d};
        for (uint32_t i = 0; i < 4; i++) {
            output[i] = es_output_of_double(sums[i] >> 7, es_scale_of(p, c + i), rounding);
        }
        return;
    }
    output[0] = es_output_of_double(s->a >> 7, scale, rounding);
    output[1] = es_output_of_double(s->b >> 7, scale, rounding);
    output[2] = es_output_of_double(s->c >> 7, scale, rounding);
    output[3] = es_output_of_double(s->d >> 7, scale, rounding);
}

void es_fully_connected_dense_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                     int8_t *output, void *scratch) {
    const int32_t rounding = 2 * p->output_zero_point + 1;
    const es_scale scale = es_scale_of(p, 0);
    const uint32_t blocks = (p->in_dim + 3u) / 4u;
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_pairs(input, p->in_dim, scratch);
        const int32_t *end = (const int32_t *)scratch + 2 * blocks;
        es_pair_sums s;
        s.weights = p->weights;
        uint32_t c = 0;
        for (; c + 4 <= p->out_dim; c += 4) {
            const int32_t *bias = p->bias + c;
            s.a = bias[0], s.b = bias[1], s.c = bias[2], s.d = bias[3];
            s.x = scratch;
            if (blocks & 1u) {
                es_pairs_4(&s);
            }
            while (s.x < end) {
                es_pairs_4(&s);
                es_pairs_4(&s);
            }
            es_store_4(p, c, &s, scale, output + c);
        }
        for (; c < p->out_dim; c++) {
            s.a = p->bias[c];
            s.x = scratch;
            while (s.x < end) {
                es_pairs_1(&s);
            }
            output[c] =
                es_output_of_double(s.a >> 7, es_scale_of(p, c & p->channel_mask), rounding);
        }
        es_clamp_outputs(p, output);
        input += p->in_dim;
        output += p->out_dim;
    }
}
