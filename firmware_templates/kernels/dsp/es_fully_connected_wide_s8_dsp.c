/* SPDX-License-Identifier: Apache-2.0 */
#include "es_expand.h"
#include "es_fully_connected.h"

static int8_t es_output(const es_fully_connected *p, uint32_t c, int32_t sum) {
    const uint32_t channel = c & p->channel_mask;
    return es_requantize_dsp(sum, p->multipliers[channel], p->shifts[channel], p->output_zero_point,
                             p->activation_min, p->activation_max);
}

/* Two outputs share the loads of x, and eight columns a turn of the loop. */
typedef struct {
    int32_t c, d;
} es_two_sums;

static inline es_two_sums es_four_columns(es_two_sums sums, const int8_t *weights_c,
                                          const int8_t *weights_d, const int32_t *x) {
    const int64_t pair = es_load_pair(x);
    sums.c = es_dot_4(es_load_4(weights_c), pair, sums.c);
    sums.d = es_dot_4(es_load_4(weights_d), pair, sums.d);
    return sums;
}

void es_fully_connected_wide_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch) {
    const uint32_t stride = (p->in_dim + 3u) & ~3u;
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_s16(input, p->in_dim, scratch);
        const int8_t *weights = p->weights;
        for (uint32_t c = 0; c < p->out_dim; c += 2) {
            /* An odd last output is its own partner. */
            const uint32_t d = (uint32_t)es_min((int32_t)c + 1, (int32_t)p->out_dim - 1);
            const int8_t *weights_d = weights + (d - c) * stride;
            const int8_t *end = weights + (stride & ~7u);
            const int32_t *x = scratch;
            es_two_sums sums = {p->bias[c], p->bias[d]};
            while (weights < end) {
                sums = es_four_columns(sums, weights, weights_d, x);
                sums = es_four_columns(sums, weights + 4, weights_d + 4, x + 2);
                weights += 8;
                weights_d += 8;
                x += 4;
            }
            if (stride & 4u) {
                sums = es_four_columns(sums, weights, weights_d, x);
                weights_d += 4;
            }
            output[c] = es_output(p, c, sums.c);
            output[d] = es_output(p, d, sums.d);
            weights = weights_d;
        }
        input += p->in_dim;
        output += p->out_dim;
    }
}
