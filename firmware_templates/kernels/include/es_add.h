/* SPDX-License-Identifier: Apache-2.0 */
/* ADD, int8, of two tensors of equal size. Both are moved to twice the larger of the two scales
 * with 20 fractional bits, added, and moved to the output's scale. Input 1 is the one with the
 * larger scale (the generator swaps them), so that its factor is exactly one half. output may be
 * one of the inputs. */
#ifndef ES_ADD_H
#define ES_ADD_H

#include "es_types.h"

typedef struct {
    uint32_t elements;
    int32_t multiplier_2, multiplier_out; /* in [0, 2^31) */
    int8_t shift_2;                       /* in [-31, 0] */
    int8_t shift_out;                     /* in [-31, -1] */
    int8_t zero_point_1, zero_point_2, zero_point_out;
    int8_t activation_min, activation_max;
} es_add;

void es_add_s8(const es_add *p, const int8_t *input_1, const int8_t *input_2, int8_t *output);
void es_add_s8_dsp(const es_add *p, const int8_t *input_1, const int8_t *input_2, int8_t *output);

/* ADD or SUB where one linear form gives every output (the generator compares all 65,536 pairs):
 *
 *     saturate((factor_1 * x / 2^8 + factor_2 * y / 2^8 + constant) / 2^20)
 *
 * each division rounded down. No sum leaves int32. output may be one of the inputs. */
typedef struct {
    uint32_t elements;
    int32_t factor_1, factor_2; /* in (-2^31, 2^31) */
    int32_t constant;
} es_add_linear;

void es_add_linear_s8(const es_add_linear *p, const int8_t *input_1, const int8_t *input_2,
                      int8_t *output);
void es_add_linear_s8_dsp(const es_add_linear *p, const int8_t *input_1, const int8_t *input_2,
                          int8_t *output);

/* ADD or SUB where input 2 is repeated, or where neither of the others can do it. input_1 and
 * output [outer, inner]; the value of input 2 for (o, i) is at o * step_outer + i * step_inner.
 * output may be input_1, or input_2 where that has as many values. */
typedef struct {
    uint32_t outer, inner, step_outer, step_inner;
    int32_t multiplier_1, multiplier_2, multiplier_out; /* in [0, 2^31) */
    int8_t shift_1, shift_2;                            /* in [-31, 0] */
    int8_t shift_out;                                   /* in [-31, -1] */
    int8_t sign_1, sign_2;                              /* 1 or -1 */
    int8_t zero_point_1, zero_point_2, zero_point_out;
    int8_t activation_min, activation_max;
} es_add_broadcast;

void es_add_broadcast_s8(const es_add_broadcast *p, const int8_t *input_1, const int8_t *input_2,
                         int8_t *output);

#endif
