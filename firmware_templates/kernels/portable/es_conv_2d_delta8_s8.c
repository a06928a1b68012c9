/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_four_pixels.h"

static inline const void *es_delta8_filter(const es_conv_2d *p, const void *filter,
                                           const int8_t *patches, int32_t stride, int32_t *sums) {
    (void)p;
    const uint16_t *pairs = filter;
    uint32_t pair = *pairs++;
    do {
        patches += pair & 0xffu;
        es_add_products(sums, (int8_t)(uint8_t)(pair >> 8), patches, stride);
        pair = *pairs++;
    } while ((pair & 0xffu) != 0);
    return pairs;
}

void es_conv_2d_delta8_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    es_conv_2d_four_pixels(p, input, output, scratch, p->pairs, es_delta8_filter);
}
