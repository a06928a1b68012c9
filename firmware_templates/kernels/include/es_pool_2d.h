/* SPDX-License-Identifier: Apache-2.0 */
/* AVERAGE_POOL_2D and MAX_POOL_2D, int8, batch 1, NHWC; input and output have one quantization.
 * Taps outside of the image do not count. The average rounds to nearest, ties away from zero. */
#ifndef ES_POOL_2D_H
#define ES_POOL_2D_H

#include "es_types.h"

typedef struct {
    uint16_t in_h, in_w, channels;
    uint16_t out_h, out_w;
    uint16_t filter_h, filter_w;
    uint16_t stride_h, stride_w;
    uint16_t pad_top, pad_left;
    int8_t activation_min, activation_max;
} es_pool_2d;

void es_average_pool_2d_s8(const es_pool_2d *p, const int8_t *input, int8_t *output);
void es_average_pool_2d_s8_dsp(const es_pool_2d *p, const int8_t *input, int8_t *output);
void es_max_pool_2d_s8(const es_pool_2d *p, const int8_t *input, int8_t *output);
void es_max_pool_2d_s8_dsp(const es_pool_2d *p, const int8_t *input, int8_t *output);

#endif
