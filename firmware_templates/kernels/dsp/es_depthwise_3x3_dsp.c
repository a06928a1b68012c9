/* SPDX-License-Identifier: Apache-2.0 */
#include "es_depthwise_3x3.h"

/* One column of two rows of four channels. */
static inline void es_store_pairs(int32_t upper, int32_t lower, int32_t *to, int32_t plane) {
    const int32_t upper_02 = es_sxtb16(upper), upper_13 = es_sxtb16_ror8(upper);
    const int32_t lower_02 = es_sxtb16(lower), lower_13 = es_sxtb16_ror8(lower);
    to[0] = es_pack_bottoms(upper_02, lower_02);
    to += plane;
    to[0] = es_pack_bottoms(upper_13, lower_13);
    to += plane;
    to[0] = es_pack_tops_reversed(lower_02, upper_02);
    to += plane;
    to[0] = es_pack_tops_reversed(lower_13, upper_13);
}

typedef struct {
    const int8_t *at;
    int32_t step;
} es_row;

/* A row outside of the image is one word of zero points, read again and again. */
static inline es_row es_row_of(const es_depthwise_conv_2d *p, const int8_t *input, int32_t y,
                               const int8_t *outside) {
    const int inside = (uint32_t)y < p->in_h;
    return inside ? (es_row){input + y * p->in_w * p->in_c, p->in_c} : (es_row){outside, 0};
}

/* Where both rows, or the column, are outside of the image, es_pair leaves what this wrote. */
static void es_clear_pairs(const es_depthwise_conv_2d *p, int32_t plane, int32_t *pairs) {
    const int32_t zero_points = es_pack_bottoms(p->input_zero_point, p->input_zero_point);
    for (const int32_t *end = pairs + 4 * plane; pairs < end;) {
        *pairs++ = zero_points;
    }
}

/* input: at the first of the four channels */
static void es_pair(const es_depthwise_conv_2d *p, const int8_t *input, int32_t y, int32_t count,
                    int32_t columns, int32_t *pairs) {
    int8_t outside[4];
    __builtin_memset(outside, p->input_zero_point, sizeof(outside));
    const int32_t plane = count * columns;
    const int32_t image = es_min(p->in_w, columns - p->pad_left);
    pairs += p->pad_left;
    for (const int32_t end = y + 2 * count; y < end; y += 2) {
        es_row upper = es_row_of(p, input, y, outside);
        es_row lower = es_row_of(p, input, y + 1, outside);
        int32_t *to = pairs;
        for (const int32_t *last = to + image; to < last; to++) {
            es_store_pairs(es_load_4(upper.at), es_load_4(lower.at), to, plane);
            upper.at += upper.step;
            lower.at += lower.step;
        }
        pairs += columns;
    }
}

/* Bytes 0 and 2 (or 1 and 3) of four weights, doubled. */
static inline int32_t es_twice_02(int32_t word) { return es_sxtab16(es_sxtb16(word), word); }
static inline int32_t es_twice_13(int32_t word) {
    return es_sxtab16_ror8(es_sxtb16_ror8(word), word);
}

static inline void es_load_weights(const int8_t *w, es_depthwise_channel *channel) {
    const int32_t first = es_load_4(w), middle = es_load_4(w + 3), last = es_load_4(w + 5);
    const int32_t w02 = es_twice_02(first), w13 = es_twice_13(first);
    const int32_t w35 = es_twice_02(middle), w46 = es_twice_13(middle);
    const int32_t w57 = es_twice_02(last), w68 = es_twice_13(last);
    channel->weights[0][0] = es_pack_bottoms(w02, w35);
    channel->weights[0][1] = es_pack_bottoms(w35, w68);
    channel->weights[1][0] = es_pack_bottoms(w13, w46);
    channel->weights[1][1] = es_pack_bottoms(w46, w57 >> 16);
    channel->weights[2][0] = es_pack_tops_reversed(w35, w02);
    channel->weights[2][1] = es_pack_tops_reversed(w68, w35);
}

static void es_load_channel(const es_depthwise_conv_2d *p, int32_t c,
                            es_depthwise_channel *channel) {
    /* bias >> 2 and the shift to the right less 1; the lower bits of the bias and the multiplier */
    const int8_t *scale = p->scales + p->record * c;
    const int32_t unused = 64 - 8 * p->record;
    const int32_t first = (int32_t)((uint32_t)es_load_4(scale) << unused) >> unused;
    const uint32_t second = (uint32_t)es_load_4(scale + p->record - 4);
    const int32_t less_1 = first & 31;
    es_load_weights(p->weights + 9 * c, channel);
    channel->bias = 2 * ((first >> 5) * 4 + (int32_t)(second >> 30));
    channel->multiplier = (int32_t)((second & 0x3fffffffu) | 0x40000000u);
    channel->rounding = (2 * p->output_zero_point + 1) * (1 << less_1);
    channel->shift = less_1 + 1;
}

void es_depthwise_3x3_dsp(const es_depthwise_conv_2d *p, const int8_t *input, int8_t *output,
                          int32_t *pairs, es_depthwise_rows *compute) {
    /* With stride 1 two rows of outputs, and then two columns, come from one row of pairs. */
    const int32_t stride = p->stride_h, halves = 2 - stride;
    const int32_t columns = stride * (p->out_w - 1) + 3;
    const int32_t row = p->out_w * p->out_c;
    es_depthwise_channel channel;
    channel.pixel = p->out_c;
    channel.odd = p->out_w & halves;
    channel.pitch = 4 * columns;
    for (int32_t top = 0; top < p->out_h; top += p->strip) {
        const int32_t rows = es_min(p->strip, p->out_h - top);
        const int32_t count = ((rows + halves) >> halves) + 1;
        es_clear_pairs(p, count * columns, pairs);
        for (int32_t group = 0; group < p->out_c; group += 4) {
            const int32_t first = es_min(group, p->out_c - 4);
            es_pair(p, input + first, stride * top - p->pad_top, count, columns, pairs);
            const int32_t *upper = pairs;
            for (int32_t c = first; c < first + 4; c++) {
                es_load_channel(p, c, &channel);
                channel.to = output + top * row + c;
                channel.end = upper + (stride * p->out_w - channel.odd);
                channel.row = row;
                channel.left = rows >> halves;
                if (channel.left > 0) {
                    compute(&channel, upper, upper + columns);
                }
                upper += count * columns;
                if (rows & halves) { /* the last row alone: the one below it lies on it */
                    const int32_t *last = upper - 2 * columns;
                    channel.end = last + (p->out_w - channel.odd);
                    channel.row = 0;
                    channel.left = 1;
                    compute(&channel, last, last + columns);
                }
            }
        }
    }
}
