/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_four_pixels.h"

static inline const void *es_bitmap_filter(const es_conv_2d *p, const void *filter,
                                           const int8_t *patches, int32_t stride, int32_t *sums) {
    const uint8_t *mask = filter;
    const uint8_t *end = mask + (es_patch_values(p) + 7) / 8;
    const int8_t *weights = (const int8_t *)end;
    for (; mask < end; patches += 8) {
        const int8_t *x = patches;
        for (uint32_t bits = *mask++; bits != 0; bits >>= 1, x++) {
            if (bits & 1u) {
                es_add_products(sums, *weights++, x, stride);
            }
        }
    }
    return weights;
}

void es_conv_2d_bitmap_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    es_conv_2d_four_pixels(p, input, output, scratch, p->weights, es_bitmap_filter);
}
