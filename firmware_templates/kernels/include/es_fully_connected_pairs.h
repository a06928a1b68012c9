/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of es_pairs.h without DSP instructions, for the same bytes of weights. */
#ifndef ES_FULLY_CONNECTED_PAIRS_H
#define ES_FULLY_CONNECTED_PAIRS_H

#include "es_fully_connected.h"
#include "es_requantize.h"

/* An input row as [r4(count)] int16: x1, x3, 256 * x0 - x1 + 127, 256 * x2 - x3 + 127 of each four;
 * zeros behind its end. */
static inline void es_expand_lanes(const int8_t *from, uint32_t count, es_lane *to) {
    for (uint32_t i = 0; i < count; i += 4, to += 4) {
        int32_t x[4] = {from[i], 0, 0, 0};
        for (uint32_t k = 1; k < 4 && i + k < count; k++) {
            x[k] = from[i + k];
        }
        to[0] = (es_lane)x[1];
        to[1] = (es_lane)x[3];
        to[2] = (es_lane)(256 * x[0] - x[1] + 127);
        to[3] = (es_lane)(256 * x[2] - x[3] + 127);
    }
}

/* 256 * sum(w * x) + 127 * (w0 + w2) of four columns; weights are 4-byte aligned. */
static inline uint32_t es_four_columns(const int8_t *weights, const es_lane *x) {
    const es_lane *pairs = (const es_lane *)(const void *)weights;
    return (uint32_t)(pairs[0] * x[0] + pairs[1] * x[1] + weights[0] * x[2] + weights[2] * x[3]);
}

static inline int8_t es_output_of_pairs(const es_fully_connected *p, uint32_t c, uint32_t sum) {
    const uint32_t channel = c & p->channel_mask;
    return es_requantize((int32_t)sum >> 8, p->multipliers[channel], p->shifts[channel],
                         p->output_zero_point, p->activation_min, p->activation_max);
}

#endif
