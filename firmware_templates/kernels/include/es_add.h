/* ADD, int8, of two tensors of equal size. The inputs have scales of their own: both are moved to
 * twice the larger scale with 20 fractional bits, added, and moved to the output's scale. */
#ifndef ES_ADD_H
#define ES_ADD_H

#include "es_types.h"

typedef struct {
    uint32_t elements;
    int32_t multiplier_1, multiplier_2, multiplier_out; /* in [0, 2^31) */
    int8_t shift_1, shift_2, shift_out;                 /* in [-31, 0] */
    int8_t zero_point_1, zero_point_2, zero_point_out;
    int8_t activation_min, activation_max;
} es_add;

void es_add_s8(const es_add *p, const int8_t *input_1, const int8_t *input_2, int8_t *output);

#endif
