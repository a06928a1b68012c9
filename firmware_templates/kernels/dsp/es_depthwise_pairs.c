#include "es_depthwise_pairs.h"

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
                               es_row outside) {
    const int inside = (uint32_t)y < p->in_h;
    return inside ? (es_row){input + y * p->in_w * p->in_c, p->in_c} : outside;
}

/* `columns` columns of two rows; returns where the next one goes. */
static __attribute__((noinline)) int32_t *es_pair_rows(es_row upper, es_row lower, int32_t columns,
                                                       int32_t *to, int32_t plane) {
    for (const int32_t *end = to + columns; to < end; to++) {
        es_store_pairs(es_load_4(upper.at), es_load_4(lower.at), to, plane);
        upper.at += upper.step;
        lower.at += lower.step;
    }
    return to;
}

void es_depthwise_pairs(const es_depthwise_conv_2d *p, const int8_t *input, int32_t y,
                        int32_t count, int32_t columns, int32_t *pairs) {
    const int32_t zero_points = (int32_t)((uint8_t)p->input_zero_point * 0x01010101u);
    const es_row outside = {(const int8_t *)&zero_points, 0};
    const int32_t plane = count * columns;
    const int32_t image = es_min(p->in_w, columns - p->pad_left);
    for (const int32_t *end = pairs + plane; pairs < end; y += 2) {
        const es_row upper = es_row_of(p, input, y, outside);
        const es_row lower = es_row_of(p, input, y + 1, outside);
        pairs = es_pair_rows(outside, outside, p->pad_left, pairs, plane);
        pairs = es_pair_rows(upper, lower, image, pairs, plane);
        pairs = es_pair_rows(outside, outside, columns - p->pad_left - image, pairs, plane);
    }
}
