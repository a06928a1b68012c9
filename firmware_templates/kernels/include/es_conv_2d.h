/* SPDX-License-Identifier: Apache-2.0 */
/* CONV_2D, int8, batch 1: input [in_h, in_w, in_c] -> output [out_h, out_w, out_c], NHWC.
 *
 * Every variant gathers the patches of several output pixels into scratch, then walks the filters:
 * a weight and its index are decoded once and applied to all of these pixels. A patch is kernel_h *
 * kernel_w * in_c values in the order of the filter [kernel_h, kernel_w, in_c]; taps outside of the
 * image hold the input's zero point. The caller owns scratch, 4-byte aligned; es_patch.h has its
 * size. FORMAT.md describes weights and pairs. */
#ifndef ES_CONV_2D_H
#define ES_CONV_2D_H

#include "es_types.h"

typedef struct es_conv_2d es_conv_2d;

/* Gathers one group of pixels (es_patch.h). */
typedef void es_patch_function(const es_conv_2d *p, const int8_t *input, int32_t first_pixel,
                               int32_t lane, int32_t *patches, int8_t *outside);
es_patch_function es_patch_block_s16_dsp;
es_patch_function es_patch_bytes_s16_dsp;
es_patch_function es_patch_pair_s32_dsp;

struct es_conv_2d {
    /* dsp: dense, block1x4, bitmap: es_patch_block_s16_dsp, or es_patch_bytes_s16_dsp where
     * in_c % 4 != 0; delta8, delta4: es_patch_pair_s32_dsp */
    es_patch_function *gather;
    const int32_t *scales; /* [out_c][2]: bias - input_zero_point * sum of the filter, dsp: in bits
                              5 to 31, below them the shift to the right less 1, in [0, 21];
                              multiplier */
    const int8_t *shifts;  /* portable: [out_c] shift to the right less 1, in [-31, 30] */
    const int8_t *weights; /* dense: [out_c][patch, rounded up to 4]; block1x4, delta4,
                              bitmap: the stream */
    const uint16_t *pairs; /* delta8: the stream of gap | weight << 8 */
    uint16_t in_h, in_w, in_c;
    uint16_t out_h, out_w, out_c;
    uint16_t kernel_h, kernel_w;
    uint16_t stride_h, stride_w;
    uint16_t dilation_h, dilation_w;
    uint16_t pad_top, pad_left;
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t activation_min, activation_max;
};

/* Names end in their variant; portable ones have no ending.
 * Scratch: es_patch_scratch_s8; dsp: dense, block1x4, bitmap: es_patch_scratch_block_s16, delta8,
 * delta4: es_patch_scratch_pair_s32.
 * dsp needs |sum| < 2^30 and -2^26 <= bias < 2^26 for every channel, and delta8 and delta4 there
 * -2^22 <= sum < 2^22 (the packer proves them). */
void es_conv_2d_dense_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch);
void es_conv_2d_dense_s8_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                             void *scratch);
void es_conv_2d_block1x4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output,
                            void *scratch);
void es_conv_2d_block1x4_s8_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                                void *scratch);
void es_conv_2d_delta8_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch);
void es_conv_2d_delta8_s8_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                              void *scratch);
void es_conv_2d_delta4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch);
void es_conv_2d_delta4_s8_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                              void *scratch);
void es_conv_2d_bitmap_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch);
void es_conv_2d_bitmap_s8_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                              void *scratch);

#endif
