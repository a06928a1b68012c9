/* Where the convolutions in dsp/ put the sums of 4 pixels, and which 4 pixels these are. */
#ifndef ES_CONV_2D_STORE_H
#define ES_CONV_2D_STORE_H

#include "es_conv_2d.h"
#include "es_dsp.h"

/* What all channels share. */
typedef struct {
    int32_t pixel; /* bytes from pixel to pixel of a group; 0 where all are the same (es_patch.h) */
    int32_t rounding; /* es_scale_down */
    int32_t narrow;   /* the activation needs more than int8's own saturation */
} es_conv_2d_output;

static inline es_conv_2d_output es_conv_2d_output_of(const es_conv_2d *p, int32_t lane) {
    const es_conv_2d_output output = {
        .pixel = lane * p->out_c,
        .rounding = 2 * p->output_zero_point + 1,
        .narrow = p->activation_max - p->activation_min < 255,
    };
    return output;
}

/* One channel of 4 pixels. */
static inline void es_conv_2d_store(const es_conv_2d *p, const es_conv_2d_output *output,
                                    int8_t *to, int32_t c, es_sums sums) {
    const int32_t multiplier = p->multipliers[c & p->channel_mask];
    const int32_t shift = p->shifts[c & p->channel_mask];
    const int32_t rounding = output->rounding;
    if (__builtin_expect(shift < 0, 1)) {
        sums.pixel_0 = es_scale_down(sums.pixel_0, multiplier, ~shift, rounding);
        sums.pixel_1 = es_scale_down(sums.pixel_1, multiplier, ~shift, rounding);
        sums.pixel_2 = es_scale_down(sums.pixel_2, multiplier, ~shift, rounding);
        sums.pixel_3 = es_scale_down(sums.pixel_3, multiplier, ~shift, rounding);
    } else {
        sums.pixel_0 = es_scale_up(sums.pixel_0, multiplier, shift, rounding);
        sums.pixel_1 = es_scale_up(sums.pixel_1, multiplier, shift, rounding);
        sums.pixel_2 = es_scale_up(sums.pixel_2, multiplier, shift, rounding);
        sums.pixel_3 = es_scale_up(sums.pixel_3, multiplier, shift, rounding);
    }
    sums.pixel_0 = es_ssat8(sums.pixel_0);
    sums.pixel_1 = es_ssat8(sums.pixel_1);
    sums.pixel_2 = es_ssat8(sums.pixel_2);
    sums.pixel_3 = es_ssat8(sums.pixel_3);
    if (__builtin_expect(output->narrow, 0)) {
        const int32_t low = p->activation_min, high = p->activation_max;
        sums.pixel_0 = es_clamp(sums.pixel_0, low, high);
        sums.pixel_1 = es_clamp(sums.pixel_1, low, high);
        sums.pixel_2 = es_clamp(sums.pixel_2, low, high);
        sums.pixel_3 = es_clamp(sums.pixel_3, low, high);
    }
    const int32_t pixel = output->pixel;
    to[0] = (int8_t)sums.pixel_0;
    to[pixel] = (int8_t)sums.pixel_1;
    to += 2 * pixel;
    to[0] = (int8_t)sums.pixel_2;
    to[pixel] = (int8_t)sums.pixel_3;
}

#endif
