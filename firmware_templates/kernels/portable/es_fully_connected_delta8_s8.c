#include "es_fully_connected.h"
#include "es_requantize.h"

void es_fully_connected_delta8_s8(const es_fully_connected *p, const int8_t *input,
                                  int8_t *output) {

    for (uint32_t row = 0; row < p->rows; row++) {
        const uint16_t *pairs = p->pairs;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            int32_t sum = p->bias[c];
            const int8_t *x = input;
            for (int32_t entry = p->counts[c]; entry > 0; entry--) {
                const uint32_t pair = *pairs++;
                x += pair & 0xffu;
                sum += (int32_t)(int8_t)(uint8_t)(pair >> 8) * *x;
            }
            const uint32_t channel = c & p->channel_mask;
            *output++ = es_requantize(sum, p->multipliers[channel], p->shifts[channel],
                                      p->output_zero_point, p->activation_min, p->activation_max);
        }
        input += p->in_dim;
    }
}
