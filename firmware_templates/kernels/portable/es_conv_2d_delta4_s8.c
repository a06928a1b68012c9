/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_four_pixels.h"

static inline const void *es_delta4_filter(const es_conv_2d *p, const void *filter,
                                           const int8_t *patches, int32_t stride, int32_t *sums) {
    (void)p;
    const int8_t *stream = filter;
    do {
        const uint8_t gaps = (uint8_t)stream[0];
        patches += gaps & 15;
        es_add_products(sums, stream[1], patches, stride);
        patches += gaps >> 4;
        es_add_products(sums, stream[2], patches, stride);
        stream += 3;
    } while (*stream != 0);
    return stream + 1;
}

void es_conv_2d_delta4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    es_conv_2d_four_pixels(p, input, output, scratch, p->weights, es_delta4_filter);
}
