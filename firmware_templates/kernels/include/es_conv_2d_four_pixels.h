/* SPDX-License-Identifier: Apache-2.0 */
/* What the portable kernels of CONV_2D share: four output pixels at a time, filter by filter. */
#ifndef ES_CONV_2D_FOUR_PIXELS_H
#define ES_CONV_2D_FOUR_PIXELS_H

#include "es_patch.h"
#include "es_requantize.h"

/* Adds one filter's products with four patches [4][stride] to sums [4]; returns the next filter. */
typedef const void *es_filter_function(const es_conv_2d *p, const void *filter,
                                       const int8_t *patches, int32_t stride, int32_t *sums);

/* weight * x of the four patches; x points into the first. */
static inline void es_add_products(int32_t *sums, int32_t weight, const int8_t *x, int32_t stride) {
    sums[0] += weight * x[0];
    sums[1] += weight * x[stride];
    sums[2] += weight * x[2 * stride];
    sums[3] += weight * x[3 * stride];
}

/* The same for four columns. */
static inline void es_add_products_of_four(int32_t *sums, const int8_t *weights, const int8_t *x,
                                           int32_t stride) {
    if (ES_FEW_REGISTERS) {
        for (int32_t k = 0; k < 4; k++) {
            es_add_products(sums, weights[k], x + k, stride);
        }
    } else {
        es_add_products(sums, weights[0], x, stride);
        es_add_products(sums, weights[1], x + 1, stride);
        es_add_products(sums, weights[2], x + 2, stride);
        es_add_products(sums, weights[3], x + 3, stride);
    }
}

/* Channel c of four pixels, `step` bytes apart. */
static inline void es_store_four(const es_conv_2d *p, int32_t c, const int32_t *sums, int8_t *to,
                                 int32_t step) {
    const int32_t multiplier = p->scales[2 * c + 1], shift = ~p->shifts[c];
    const int32_t zero_point = p->output_zero_point;
    const int32_t low = p->activation_min, high = p->activation_max;
    if (shift < 0) { /* known outside of the loop: it is so almost always */
        for (int32_t i = 0; i < 4; i++, to += step) {
            *to = es_requantize(sums[i], multiplier, shift, zero_point, low, high);
        }
    } else {
        for (int32_t i = 0; i < 4; i++, to += step) {
            *to = es_requantize(sums[i], multiplier, shift, zero_point, low, high);
        }
    }
}

/* Inlined with the filter function of each kernel. patches: [4][r4(patch)]. */
__attribute__((always_inline)) static inline void
es_conv_2d_four_pixels(const es_conv_2d *p, const int8_t *input, int8_t *output, int8_t *patches,
                       const void *filters, es_filter_function *add_filter) {
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    const es_patch_groups groups = es_patch_groups_of(p, 4);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_s8(p, input, first, groups.lane, patches);
        const void *filter = filters;
        for (int32_t c = 0; c < p->out_c; c++) {
            const int32_t bias = p->scales[2 * c];
            int32_t sums[4] = {bias, bias, bias, bias};
            filter = add_filter(p, filter, patches, stride, sums);
            es_store_four(p, c, sums, output + first * p->out_c + c, groups.lane * p->out_c);
        }
    }
}

#endif
