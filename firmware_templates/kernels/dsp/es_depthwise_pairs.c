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
                               const int8_t *outside) {
    const int inside = (uint32_t)y < p->in_h;
    return inside ? (es_row){input + y * p->in_w * p->in_c, p->in_c} : (es_row){outside, 0};
}

void es_depthwise_clear_pairs(const es_depthwise_conv_2d *p, int32_t plane, int32_t *pairs) {
    const int32_t zero_points = es_pack_bottoms(p->input_zero_point, p->input_zero_point);
    for (const int32_t *end = pairs + 4 * plane; pairs < end;) {
        *pairs++ = zero_points;
    }
}

void es_depthwise_pairs(const es_depthwise_conv_2d *p, const int8_t *input, int32_t y,
                        int32_t count, int32_t columns, int32_t *pairs) {
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
