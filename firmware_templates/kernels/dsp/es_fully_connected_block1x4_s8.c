#include "es_expand.h"
#include "es_fully_connected.h"

void es_fully_connected_block1x4_s8(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch) {
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_s16(input, p->in_dim, scratch);
        const int8_t *weights = p->weights;
        const uint8_t *gaps = p->gaps;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            const uint8_t *end = gaps + p->counts[c];
            const int32_t *x = scratch;
            int32_t sum = p->bias[c];
            while (gaps < end) {
                x += 2 * *gaps++;
                sum = es_dot_4(es_load_4(weights), es_load_pair(x), sum);
                weights += 4;
            }
            const uint32_t channel = c & p->channel_mask;
            *output++ =
                es_requantize_dsp(sum, p->multipliers[channel], p->shifts[channel],
                                  p->output_zero_point, p->activation_min, p->activation_max);
        }
        input += p->in_dim;
    }
}
