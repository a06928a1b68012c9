/* ADD, int8, of two tensors of equal size. Both are moved to twice the larger of the two scales
 * with 20 fractional bits, added, and moved to the output's scale. Input 1 is the one with the
 * larger scale (the generator swaps them), so that its factor is exactly one half. */
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

#endif
