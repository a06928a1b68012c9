#include "es_expand.h"
#include "es_fully_connected.h"

static void es_store(const es_fully_connected *p, uint32_t c, int32_t sum, int8_t *output) {
    const uint32_t channel = p->per_channel ? c : 0;
    const es_scale scale = es_scale_of(p->multipliers[channel], p->shifts[channel]);
    output[c] =
        es_scale_to_s8(sum, scale, p->output_zero_point, p->activation_min, p->activation_max);
}

/* Two outputs at a time share the loads of x. An odd last output is paired with itself. */
void es_fully_connected_dense_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                 void *scratch) {
    const uint32_t stride = (p->in_dim + 3u) & ~3u;
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_s16(input, p->in_dim, scratch);
        const int8_t *weights = p->weights;
        for (uint32_t c = 0; c < p->out_dim; c += 2) {
            const uint32_t d = c + 1 < p->out_dim ? c + 1 : c;
            const int8_t *weights_d = weights + (d - c) * stride;
            const int8_t *end = weights + stride;
            const int32_t *x = scratch;
            int32_t sum_c = p->bias[c], sum_d = p->bias[d];
            while (weights < end) {
                const int32_t word_c = es_load_4(weights);
                const int32_t word_d = es_load_4(weights_d);
                const int32_t x02 = x[0], x13 = x[1];
                weights += 4;
                weights_d += 4;
                x += 2;
                sum_c = es_smlad(es_sxtb16(word_c), x02, sum_c);
                sum_d = es_smlad(es_sxtb16(word_d), x02, sum_d);
                sum_c = es_smlad(es_sxtb16_ror8(word_c), x13, sum_c);
                sum_d = es_smlad(es_sxtb16_ror8(word_d), x13, sum_d);
            }
            es_store(p, c, sum_c, output);
            es_store(p, d, sum_d, output);
            weights = weights_d;
        }
        input += p->in_dim;
        output += p->out_dim;
    }
}
