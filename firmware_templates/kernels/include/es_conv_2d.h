/* CONV_2D, int8, batch 1: input [in_h, in_w, in_c] -> output [out_h, out_w, out_c], NHWC.
 *
 * Every variant gathers the patches of 4 output pixels into scratch, then walks the filters: a
 * weight and its index are decoded once and applied to 4 pixels. A patch is kernel_h * kernel_w *
 * in_c values in the order of the filter [kernel_h, kernel_w, in_c]; taps outside of the image hold
 * the input's zero point. The caller owns scratch: the sizes are named below, in bytes, 4-byte
 * aligned. */
#ifndef ES_CONV_2D_H
#define ES_CONV_2D_H

#include "es_types.h"

typedef struct {
    const int32_t *bias;        /* [out_c] bias - input_zero_point * sum of the filter */
    const int32_t *multipliers; /* [out_c] or [1], see channel_mask; in [0, 2^31) */
    const int8_t *shifts;       /* as multipliers; in [-31, 30], negative is to the right */
    const int8_t *weights;      /* dense: [out_c][patch, rounded up to 4]; block1x4: [blocks][4] */
    const uint8_t *gaps;        /* block1x4: [blocks] distance to the block before, in blocks */
    const uint16_t *pairs;      /* delta8: [entries] gap | value << 8 */
    const uint16_t *counts;     /* block1x4, delta8: [out_c] blocks or entries of a filter */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c;
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left;
    uint16_t channel_mask; /* 0xffff where multipliers and shifts are per channel, else 0 */
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t activation_min, activation_max;
} es_conv_2d;

/* Scratch, with patch = kernel_h * kernel_w * in_c and r4(n) = n rounded up to 4:
 *   portable: 4 * r4(patch);
 *   dsp: 8 * r4(patch) + r4(in_c), and where in_c % 4 != 0: 8 * r4(patch) + r4(in_c + patch + 3).
 */
void es_conv_2d_dense_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch);
void es_conv_2d_block1x4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output,
                            void *scratch);
void es_conv_2d_delta8_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch);

#endif
