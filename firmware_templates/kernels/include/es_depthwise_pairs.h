/* What the 3x3 depthwise convolutions in dsp/ share: the input as SMLAD takes it, two rows in the
 * lanes of a word, and one channel's constants. */
#ifndef ES_DEPTHWISE_PAIRS_H
#define ES_DEPTHWISE_PAIRS_H

#include "es_depthwise_conv_2d.h"
#include "es_dsp.h"

/* dsp/es_depthwise_pairs.c
 * Rows y and y + 1, y + 2 and y + 3, ... of four channels, from pad_left columns before the image
 * on: pairs [4 channels][count][columns], the upper row in the bottom lane. input: at the first of
 * the channels. Where both rows, or the column, are outside of the image, pairs keep what
 * es_depthwise_clear_pairs wrote before: the input's zero point; plane = count * columns. */
void es_depthwise_clear_pairs(const es_depthwise_conv_2d *p, int32_t plane, int32_t *pairs);
void es_depthwise_pairs(const es_depthwise_conv_2d *p, const int8_t *input, int32_t y,
                        int32_t count, int32_t columns, int32_t *pairs);

/* One channel on its way along rows of outputs. Assembly knows the order. Weights and bias are
 * doubled, and so are the sums: this is the first step of es_scale_down. */
typedef struct {
    int32_t weights[3][2]; /* by column: rows 0 and 1, rows 1 and 2 */
    int32_t bias, multiplier, rounding, shift;
    int8_t *to;         /* the next output */
    const int32_t *end; /* of the row of pairs that is read, less an odd column */
    int32_t row, pixel; /* bytes from output to output, down and to the right */
    int32_t odd;        /* 1 where the width is odd */
    int32_t pitch;      /* bytes from row to row of the pairs */
    int32_t left;       /* pairs of rows to compute */
} es_depthwise_channel;

static inline void es_depthwise_load(const es_depthwise_conv_2d *p, int32_t c,
                                     es_depthwise_channel *channel) {
    const int8_t *w = p->weights + 9 * c;
    const int32_t right = -p->shifts[c];
    for (int32_t kx = 0; kx < 3; kx++) {
        const int32_t middle = 2 * w[kx + 3];
        channel->weights[kx][0] = es_pack_bottoms(2 * w[kx], middle);
        channel->weights[kx][1] = es_pack_bottoms(middle, 2 * w[kx + 6]);
    }
    channel->bias = 2 * p->bias[c];
    channel->multiplier = p->multipliers[c];
    channel->rounding = (2 * p->output_zero_point + 1) * (1 << (right - 1));
    channel->shift = right;
}

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

#endif
