/* Where the convolutions in dsp/ put the sums of 4 pixels, and which 4 pixels these are. */
#ifndef ES_CONV_2D_STORE_H
#define ES_CONV_2D_STORE_H

#include "es_conv_2d.h"
#include "es_dsp.h"

/* One channel: 4 bytes, `pixel` apart, or 4 times the same byte where pixel == 0 (es_patch.h). */
static inline void es_conv_2d_store(const es_conv_2d *p, int8_t *to, int32_t pixel, int32_t c,
                                    int32_t sum_0, int32_t sum_1, int32_t sum_2, int32_t sum_3) {
    const int32_t multiplier = p->multipliers[c & p->channel_mask];
    const int32_t shift = p->shifts[c & p->channel_mask];
    const int32_t zero_point = p->output_zero_point;
    const int32_t low = p->activation_min, high = p->activation_max;
    if (shift < 0) {
        const int32_t right = -shift, nudge = 1 << (right - 1);
        sum_0 = es_multiply_down(sum_0, multiplier, right, nudge);
        sum_1 = es_multiply_down(sum_1, multiplier, right, nudge);
        sum_2 = es_multiply_down(sum_2, multiplier, right, nudge);
        sum_3 = es_multiply_down(sum_3, multiplier, right, nudge);
    } else {
        const int32_t left = shift + 1;
        sum_0 = es_smmulr((int32_t)((uint32_t)sum_0 << left), multiplier);
        sum_1 = es_smmulr((int32_t)((uint32_t)sum_1 << left), multiplier);
        sum_2 = es_smmulr((int32_t)((uint32_t)sum_2 << left), multiplier);
        sum_3 = es_smmulr((int32_t)((uint32_t)sum_3 << left), multiplier);
    }
    sum_0 = es_ssat8(sum_0 + zero_point);
    sum_1 = es_ssat8(sum_1 + zero_point);
    sum_2 = es_ssat8(sum_2 + zero_point);
    sum_3 = es_ssat8(sum_3 + zero_point);
    if (high - low < 255) {
        sum_0 = es_clamp(sum_0, low, high);
        sum_1 = es_clamp(sum_1, low, high);
        sum_2 = es_clamp(sum_2, low, high);
        sum_3 = es_clamp(sum_3, low, high);
    }
    to[0] = (int8_t)sum_0;
    to[pixel] = (int8_t)sum_1;
    to += 2 * pixel;
    to[0] = (int8_t)sum_2;
    to[pixel] = (int8_t)sum_3;
}

#endif
