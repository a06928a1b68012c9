/* SPDX-License-Identifier: Apache-2.0 */
#include "es_channelwise.h"
#include "es_dsp.h"

static inline int8_t es_line(int32_t factor, int32_t constant, int8_t x) {
    return (int8_t)es_ssat8_asr16(factor * x + constant);
}

void es_channelwise_s8_dsp(const es_channelwise *p, const int8_t *input, int8_t *output) {
    const uint32_t channels = p->channels;
    const uint32_t pixels = p->elements / channels;
    const int32_t *line = p->lines;
    for (uint32_t channel = 0; channel < channels; channel++, line += 2) {
        const int32_t factor = line[0], constant = line[1];
        const int8_t *x = input + channel;
        int8_t *y = output + channel;
        if (factor <= ES_IN_PIECES) {
            es_channelwise_odd(p, line, 1, x, y);
            continue;
        }
        for (uint32_t fours = pixels / 4; fours; fours--) {
            y[0] = es_line(factor, constant, x[0]);
            y[channels] = es_line(factor, constant, x[channels]);
            x += 2 * channels;
            y += 2 * channels;
            y[0] = es_line(factor, constant, x[0]);
            y[channels] = es_line(factor, constant, x[channels]);
            x += 2 * channels;
            y += 2 * channels;
        }
        for (uint32_t left = pixels % 4; left; left--, x += channels, y += channels) {
            *y = es_line(factor, constant, *x);
        }
    }
}
