/* SPDX-License-Identifier: Apache-2.0 */
/* CONCATENATION, int8: one call copies one input into its place. All have one quantization.
 * input [outer, bytes] -> output [outer, out_stride] at offset. */
#ifndef ES_CONCATENATION_H
#define ES_CONCATENATION_H

#include "es_types.h"

typedef struct {
    uint32_t outer;
    uint32_t bytes;
    uint32_t out_stride;
    uint32_t offset;
} es_concatenation;

void es_concatenation_s8(const es_concatenation *p, const int8_t *input, int8_t *output);

#endif
