/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_four_pixels.h"

static inline const void *es_dense_filter(const es_conv_2d *p, const void *filter,
                                          const int8_t *patches, int32_t stride, int32_t *sums) {
    (void)p;
    const int8_t *weights = filter;
    const int8_t *end = weights + stride; /* a multiple of 4 */
    const int32_t step = ES_FEW_REGISTERS ? 1 : 4;
    for (; weights < end; weights += step, patches += step) {
        if (ES_FEW_REGISTERS) {
            es_add_products(sums, *weights, patches, stride);
        } else {
            es_add_products_of_four(sums, weights, patches, stride);
        }
    }
    return weights;
}

void es_conv_2d_dense_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    es_conv_2d_four_pixels(p, input, output, scratch, p->weights, es_dense_filter);
}
