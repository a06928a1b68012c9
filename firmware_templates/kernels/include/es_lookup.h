/* SPDX-License-Identifier: Apache-2.0 */
/* Any function of one int8 as a table: LOGISTIC, TANH, RELU, RELU6, QUANTIZE from int8 to int8. */
#ifndef ES_LOOKUP_H
#define ES_LOOKUP_H

#include "es_types.h"

typedef struct {
    const int8_t *table; /* [256], indexed by the input + 128 */
    uint32_t elements;
} es_lookup;

void es_lookup_s8(const es_lookup *p, const int8_t *input, int8_t *output);

#endif
