/* SPDX-License-Identifier: Apache-2.0 */
/* What the DSP kernels of FULLY_CONNECTED share behind a sum: scale, saturate, at last clamp. */
#ifndef ES_FULLY_CONNECTED_STORE_H
#define ES_FULLY_CONNECTED_STORE_H

#include "es_dsp.h"
#include "es_fully_connected.h"

typedef struct {
    int32_t multiplier, shift_less_1;
} es_scale;

static inline es_scale es_scale_of(const es_fully_connected *p, uint32_t c) {
    const es_scale scale = {p->multipliers[c], ~(int32_t)p->shifts[c]};
    return scale;
}

/* es_scale_down on twice the sum, and to int8. */
static inline int8_t es_output_of_double(int32_t twice, es_scale scale, int32_t rounding) {
    const int32_t high = es_smmulr(twice, scale.multiplier);
    return (int8_t)es_ssat8_half(((high + (high >> 31)) >> scale.shift_less_1) + rounding);
}

/* A fused activation that is narrower than int8. */
static inline void es_clamp_outputs(const es_fully_connected *p, int8_t *output) {
    if (p->activation_min > -128 || p->activation_max < 127) {
        for (uint32_t c = 0; c < p->out_dim; c++) {
            output[c] = (int8_t)es_clamp(output[c], p->activation_min, p->activation_max);
        }
    }
}

#endif
