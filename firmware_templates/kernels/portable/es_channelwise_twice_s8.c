/* SPDX-License-Identifier: Apache-2.0 */
#include "es_channelwise.h"

void es_channelwise_twice_s8(const es_channelwise *p, const int8_t *input, int8_t *output) {
    const uint32_t channels = p->channels, elements = p->elements;
    const int32_t *line = p->lines;
    for (uint32_t channel = 0; channel < channels; channel++, line += 4) {
        const int32_t factor = line[0], constant = line[1];
        const int32_t factor_2 = line[2], constant_2 = line[3];
        if (factor <= ES_IN_PIECES) {
            es_channelwise_odd(p, line, 2, input + channel, output + channel);
        } else {
            for (uint32_t i = channel; i < elements; i += channels) {
                const int32_t x = es_clamp((factor * input[i] + constant) >> 16, -128, 127);
                output[i] = (int8_t)es_clamp((factor_2 * x + constant_2) >> 16, -128, 127);
            }
        }
    }
}
