/* SPDX-License-Identifier: Apache-2.0 */
/* MUL, int8. input_1 and output [outer, inner]; the value of input 2 for (o, i) is at
 * o * step_outer + i * step_inner: equal shapes, one value per channel, per position, or for all.
 * output may be input_1, or input_2 where that has as many values. */
#ifndef ES_MUL_H
#define ES_MUL_H

#include "es_types.h"

typedef struct {
    uint32_t outer, inner, step_outer, step_inner;
    int32_t multiplier; /* in [0, 2^31) */
    int8_t shift;       /* in [-31, 13] */
    int8_t zero_point_1, zero_point_2, zero_point_out;
    int8_t activation_min, activation_max;
} es_mul;

void es_mul_s8(const es_mul *p, const int8_t *input_1, const int8_t *input_2, int8_t *output);
void es_mul_s8_dsp(const es_mul *p, const int8_t *input_1, const int8_t *input_2, int8_t *output);

#endif
