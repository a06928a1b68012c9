/* SPDX-License-Identifier: Apache-2.0 */
#include "es_channelwise.h"
#include "es_dsp.h"

typedef struct {
    int32_t factor_1, constant_1, factor_2, constant_2;
} es_lines;

static inline int8_t es_twice(es_lines by, int8_t x) {
    const int32_t between = es_ssat8_asr16(by.factor_1 * x + by.constant_1);
    return (int8_t)es_ssat8_asr16(by.factor_2 * between + by.constant_2);
}

void es_channelwise_twice_s8_dsp(const es_channelwise *p, const int8_t *input, int8_t *output) {
    const uint32_t channels = p->channels;
    const uint32_t pixels = p->elements / channels;
    const int32_t *line = p->lines;
    for (uint32_t channel = 0; channel < channels; channel++, line += 4) {
        const es_lines by = {line[0], line[1], line[2], line[3]};
        const int8_t *x = input + channel;
        int8_t *y = output + channel;
        if (by.factor_1 <= ES_IN_PIECES) {
            es_channelwise_odd(p, line, 2, x, y);
            continue;
        }
        for (uint32_t pairs = pixels / 2; pairs; pairs--) {
            y[0] = es_twice(by, x[0]);
            y[channels] = es_twice(by, x[channels]);
            x += 2 * channels;
            y += 2 * channels;
        }
        if (pixels % 2) {
            *y = es_twice(by, *x);
        }
    }
}
