/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_four_pixels.h"

static inline const void *es_block1x4_filter(const es_conv_2d *p, const void *filter,
                                             const int8_t *patches, int32_t stride, int32_t *sums) {
    (void)p;
    const int8_t *stream = filter;
    uint32_t gap;
    do {
        gap = (uint8_t)*stream++;
        patches += 4 * (gap & 0x7fu);
        es_add_products_of_four(sums, stream, patches, stride);
        stream += 4;
    } while (gap < 0x80u);
    return stream;
}

void es_conv_2d_block1x4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output,
                            void *scratch) {
    es_conv_2d_four_pixels(p, input, output, scratch, p->weights, es_block1x4_filter);
}
