/* SPDX-License-Identifier: Apache-2.0 */
#include "es_channelwise.h"

void es_channelwise_odd(const es_channelwise *p, const int32_t *line, uint32_t functions,
                        const int8_t *input, int8_t *output) {
    const uint32_t channels = p->channels, elements = p->elements;
    if (line[0] == ES_BY_TABLE) {
        const int8_t *middle = p->tables + line[1] + 128;
        for (uint32_t i = 0; i < elements; i += channels) {
            output[i] = middle[input[i]];
        }
        return;
    }
    const int32_t *piece = p->pieces + line[1];
    for (; functions; functions--, piece += 5, input = output) {
        const int32_t pivot = piece[0], factor_below = piece[1], constant_below = piece[2];
        const int32_t factor = piece[3], constant = piece[4];
        for (uint32_t i = 0; i < elements; i += channels) {
            const int32_t x = input[i];
            const int32_t y = x < pivot ? factor_below * x + constant_below : factor * x + constant;
            output[i] = (int8_t)es_clamp(y >> 16, -128, 127);
        }
    }
}
