/* SPDX-License-Identifier: Apache-2.0 */
/* What the 3x3 depthwise convolutions in dsp/ share. They read the input as SMLAD takes it: two
 * rows in the lanes of a word. Pairs are rows y and y + 1, y + 2 and y + 3, ... of four channels,
 * from pad_left columns before the image on: [4 channels][count][columns], the upper row in the
 * bottom lane, the input's zero point outside of the image. */
#ifndef ES_DEPTHWISE_3X3_H
#define ES_DEPTHWISE_3X3_H

#include "es_depthwise_conv_2d.h"
#include "es_dsp.h"

/* One channel on its way along rows of outputs. Assembly knows the order. Weights and bias are
 * doubled, and so are the sums: this is the first step of es_scale_down. */
typedef struct {
    int32_t weights[3][2]; /* by column: rows 0 and 1, rows 1 and 2 */
    int32_t bias, multiplier, rounding, shift;
    int8_t *to;         /* the next output */
    const int32_t *end; /* of the row of pairs that is read, less an odd column of outputs */
    int32_t row, pixel; /* bytes from output to output, down and to the right */
    int32_t odd;        /* 1 where the width is odd */
    int32_t pitch;      /* bytes from row to row of the pairs */
    int32_t left;       /* rows of pairs to go */
} es_depthwise_channel;

/* The rest of es_scale_down, and saturation. Negative ties are rounded away from zero where
 * `signs`; where nothing is below the zero point this makes no difference. */
static inline int8_t es_depthwise_scale(const es_depthwise_channel *channel, int32_t sum,
                                        int signs) {
    const int32_t rounding = signs ? channel->rounding + (sum >> 31) : channel->rounding;
    return (int8_t)es_ssat8(es_smmlar(sum, channel->multiplier, rounding) >> channel->shift);
}

#if defined(__ARM_FEATURE_DSP)
/* es_depthwise_scale of a register, in assembly. */
#define ES_DEPTHWISE_SCALE(sum)                                                                    \
    "smmlar " sum ", " sum ", %[a0], %[a1]\n\t"                                                    \
    "asr " sum ", " sum ", %[b0]\n\t"                                                              \
    "ssat " sum ", #8, " sum "\n\t"
#define ES_DEPTHWISE_SCALE_SIGNS(sum)                                                              \
    "add %[b1], %[a1], " sum ", asr #31\n\t"                                                       \
    "smmlar " sum ", " sum ", %[a0], %[b1]\n\t"                                                    \
    "asr " sum ", " sum ", %[b0]\n\t"                                                              \
    "ssat " sum ", #8, " sum "\n\t"
#endif

/* Computes all outputs of one channel that `left` rows of pairs give. lower: the row of pairs below
 * upper. */
typedef void es_depthwise_rows(es_depthwise_channel *channel, const int32_t *upper,
                               const int32_t *lower);

/* dsp/es_depthwise_3x3_dsp.c
 * The whole convolution, by strips, groups of four channels, and channels. */
void es_depthwise_3x3_dsp(const es_depthwise_conv_2d *p, const int8_t *input, int8_t *output,
                          int32_t *pairs, es_depthwise_rows *compute);

#endif
