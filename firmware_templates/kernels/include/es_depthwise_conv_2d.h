/* SPDX-License-Identifier: Apache-2.0 */
/* DEPTHWISE_CONV_2D, int8, batch 1: input [in_h, in_w, in_c] -> output [out_h, out_w, out_c], NHWC,
 * out_c = in_c * multiplier; output channel c reads input channel c / multiplier. */
#ifndef ES_DEPTHWISE_CONV_2D_H
#define ES_DEPTHWISE_CONV_2D_H

#include "es_types.h"

typedef struct {
    const int32_t *bias;        /* [out_c] bias - input_zero_point * sum of the filter; s8: bias */
    const int32_t *multipliers; /* [out_c] or [1], see channel_mask; in [0, 2^31) */
    const int8_t *shifts;       /* as multipliers; in [-31, 30], negative is to the right */
    const int8_t *scales;       /* 3x3: [out_c][record] instead of these three, see FORMAT.md */
    const int8_t *weights;      /* s8: [kernel_h, kernel_w, out_c];
                                 * x4: [out_c / 4, kernel_h, kernel_w, 4]; 3x3: [out_c, 3, 3] */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c;
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left;
    uint16_t depth_multiplier; /* out_c / in_c */
    uint16_t channel_mask;     /* 0xffff where multipliers and shifts are per channel, else 0 */
    uint16_t strip;            /* 3x3: output rows that scratch holds the input of, even */
    uint16_t record;           /* 3x3: 7 or 8, the bytes of a channel in scales */
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t activation_min, activation_max;
} es_depthwise_conv_2d;

/* Any multiplier. No scratch. */
void es_depthwise_conv_2d_s8(const es_depthwise_conv_2d *p, const int8_t *input, int8_t *output);

/* Multiplier 1, channels in groups of 4: in_c == out_c, out_c % 4 == 0; multipliers and shifts
 * always [out_c]; dsp: |sum| << shift < 2^30. Scratch: es_depthwise_x4_scratch_bytes, 4-byte
 * aligned. */
static inline int32_t es_depthwise_x4_scratch_bytes(const es_depthwise_conv_2d *p) {
    return es_round_up_4(p->in_c) + (int32_t)p->kernel_h * p->kernel_w * 4; /* es_tap.h */
}
void es_depthwise_conv_2d_x4_s8(const es_depthwise_conv_2d *p, const int8_t *input, int8_t *output,
                                void *scratch);
void es_depthwise_conv_2d_x4_s8_dsp(const es_depthwise_conv_2d *p, const int8_t *input,
                                    int8_t *output, void *scratch);

/* dsp only. Multiplier 1, in_c == out_c >= 4, kernel 3x3, stride 1 (or 2, both ways: stride2), no
 * dilation, activation_min -128 and activation_max 127; multipliers in [2^30, 2^31), shifts in
 * [-23, -1], -2^28 <= bias < 2^28, with records of 7 bytes 2^20; _relu: output_zero_point -128.
 * Scratch: es_depthwise_3x3_scratch_bytes, 4-byte aligned. */
static inline int32_t es_depthwise_3x3_scratch_bytes(const es_depthwise_conv_2d *p) {
    const int32_t rows_of_pairs = p->strip * p->stride_h / 2 + 1;
    return 16 * rows_of_pairs * ((p->out_w - 1) * p->stride_w + 3);
}
void es_depthwise_conv_2d_3x3_s8_dsp(const es_depthwise_conv_2d *p, const int8_t *input,
                                     int8_t *output, void *scratch);
void es_depthwise_conv_2d_3x3_relu_s8_dsp(const es_depthwise_conv_2d *p, const int8_t *input,
                                          int8_t *output, void *scratch);
void es_depthwise_conv_2d_3x3_stride2_s8_dsp(const es_depthwise_conv_2d *p, const int8_t *input,
                                             int8_t *output, void *scratch);

#endif
