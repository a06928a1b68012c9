/* SPDX-License-Identifier: Apache-2.0 */
#include "es_channelwise.h"

void es_channelwise_s8(const es_channelwise *p, const int8_t *input, int8_t *output) {
    const uint32_t channels = p->channels, elements = p->elements;
    const int32_t *line = p->lines;
    for (uint32_t channel = 0; channel < channels; channel++, line += 2) {
        const int32_t factor = line[0], constant = line[1];
        if (factor <= ES_IN_PIECES) {
            es_channelwise_odd(p, line, 1, input + channel, output + channel);
        } else {
            for (uint32_t i = channel; i < elements; i += channels) {
                output[i] = (int8_t)es_clamp((factor * input[i] + constant) >> 16, -128, 127);
            }
        }
    }
}
