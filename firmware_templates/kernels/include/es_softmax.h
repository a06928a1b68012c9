/* SPDX-License-Identifier: Apache-2.0 */
/* SOFTMAX, int8, over the last axis: input [rows, depth] -> output [rows, depth] at scale 1/256,
 * zero point -128. */
#ifndef ES_SOFTMAX_H
#define ES_SOFTMAX_H

#include "es_types.h"

typedef struct {
    const int32_t
        *exponentials; /* [entries] Q0.31: exp(-i * scale * beta), as gemmlowp computes it */
    uint32_t rows;
    uint32_t depth;
    uint16_t entries; /* 1 to 256; values further below the row's maximum count as zero */
} es_softmax;

void es_softmax_s8(const es_softmax *p, const int8_t *input, int8_t *output);

#endif
