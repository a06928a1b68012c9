/* Where the convolutions in dsp/ put the sums of 4 pixels. Past the last pixel of the image the
 * last one is written again, with the same value. */
#ifndef ES_CONV_2D_STORE_H
#define ES_CONV_2D_STORE_H

#include "es_conv_2d.h"
#include "es_dsp.h"

typedef struct {
    int8_t *pixel[4]; /* channel 0 of each pixel */
} es_conv_2d_outputs;

static inline es_conv_2d_outputs es_conv_2d_outputs_at(const es_conv_2d *p, int8_t *output,
                                                       int32_t first_pixel) {
    es_conv_2d_outputs outputs;
    const int32_t last = (int32_t)p->out_h * p->out_w - 1;
    for (int32_t i = 0; i < 4; i++) {
        outputs.pixel[i] = output + es_min(first_pixel + i, last) * p->out_c;
    }
    return outputs;
}

static inline void es_conv_2d_store(const es_conv_2d *p, const es_conv_2d_outputs *outputs,
                                    int32_t c, int32_t sum_0, int32_t sum_1, int32_t sum_2,
                                    int32_t sum_3) {
    const int32_t channel = p->per_channel ? c : 0;
    const es_scale scale = es_scale_of(p->multipliers[channel], p->shifts[channel]);
    const int32_t zero_point = p->output_zero_point;
    const int32_t low = p->activation_min, high = p->activation_max;
    outputs->pixel[0][c] = es_scale_to_s8(sum_0, scale, zero_point, low, high);
    outputs->pixel[1][c] = es_scale_to_s8(sum_1, scale, zero_point, low, high);
    outputs->pixel[2][c] = es_scale_to_s8(sum_2, scale, zero_point, low, high);
    outputs->pixel[3][c] = es_scale_to_s8(sum_3, scale, zero_point, low, high);
}

#endif
