#include "es_dsp.h"
#include "es_fully_connected.h"

/* Two entries a word: gap, value, gap, value. */
void es_fully_connected_delta8_s8(const es_fully_connected *p, const int8_t *input,
                                  int8_t *output) {
    for (uint32_t row = 0; row < p->rows; row++) {
        const uint16_t *pairs = p->pairs;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            const uint16_t *end = pairs + p->counts[c];
            const int8_t *x = input;
            int32_t sum = p->bias[c];
            if (p->counts[c] & 1u) {
                x += *pairs & 0xffu;
                sum += *x * ((int16_t)*pairs >> 8);
                pairs++;
            }
            while (pairs < end) {
                uint32_t word;
                __builtin_memcpy(&word, pairs, 4);
                pairs += 2;
                x = es_uxtab(x, word);
                sum += *x * (int8_t)(word >> 8);
                x = es_uxtab_ror16(x, word);
                sum += *x * ((int32_t)word >> 24);
            }
            const uint32_t channel = c & p->channel_mask;
            *output++ =
                es_requantize_dsp(sum, p->multipliers[channel], p->shifts[channel],
                                  p->output_zero_point, p->activation_min, p->activation_max);
        }
        input += p->in_dim;
    }
}
