/* SPDX-License-Identifier: Apache-2.0 */
/* MEAN, int8, over one run of neighbouring axes:
 * input [outer, reduced, inner] -> output [outer, inner]. */
#ifndef ES_MEAN_H
#define ES_MEAN_H

#include "es_types.h"

typedef struct {
    uint32_t outer, reduced, inner;
    int32_t offset;     /* -input_zero_point * reduced */
    int32_t multiplier; /* 1 / reduced is folded in; in [0, 2^31) */
    int8_t shift;       /* in [-31, 30] */
    int8_t output_zero_point;
} es_mean;

void es_mean_s8(const es_mean *p, const int8_t *input, int8_t *output);
void es_mean_s8_dsp(const es_mean *p, const int8_t *input, int8_t *output);

#endif
