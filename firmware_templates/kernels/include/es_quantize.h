/* SPDX-License-Identifier: Apache-2.0 */
/* QUANTIZE from float32 and DEQUANTIZE to float32: real = scale * (q - zero_point). */
#ifndef ES_QUANTIZE_H
#define ES_QUANTIZE_H

#include "es_types.h"

typedef struct {
    float scale;
    uint32_t elements;
    int8_t zero_point;
} es_quantize;

/* Rounds to nearest, ties away from zero, and saturates; NaN becomes the zero point. */
void es_quantize_f32_s8(const es_quantize *p, const float *input, int8_t *output);
void es_dequantize_s8_f32(const es_quantize *p, const int8_t *input, float *output);

#endif
