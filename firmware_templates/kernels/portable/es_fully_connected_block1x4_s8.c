#include "es_fully_connected.h"
#include "es_requantize.h"

void es_fully_connected_block1x4_s8(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch) {
    const uint32_t stride = (p->in_dim + 3u) & ~3u;
    int8_t *padded = scratch;

    for (uint32_t row = 0; row < p->rows; row++) {
        const int8_t *weights = p->weights;
        const uint8_t *gaps = p->gaps;
        __builtin_memcpy(padded, input, p->in_dim);
        __builtin_memset(padded + p->in_dim, 0, stride - p->in_dim);
        for (uint32_t c = 0; c < p->out_dim; c++) {
            int32_t sum = p->bias[c];
            const int8_t *x = padded;
            for (int32_t block = p->counts[c]; block > 0; block--) {
                x += 4 * *gaps++;
                sum +=
                    weights[0] * x[0] + weights[1] * x[1] + weights[2] * x[2] + weights[3] * x[3];
                weights += 4;
            }
            const uint32_t channel = c & p->channel_mask;
            *output++ = es_requantize(sum, p->multipliers[channel], p->shifts[channel],
                                      p->output_zero_point, p->activation_min, p->activation_max);
        }
        input += p->in_dim;
    }
}
