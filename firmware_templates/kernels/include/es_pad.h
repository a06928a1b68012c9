/* SPDX-License-Identifier: Apache-2.0 */
/* PAD, int8, up to 4 axes (lower ranks are led by ones). */
#ifndef ES_PAD_H
#define ES_PAD_H

#include "es_types.h"

typedef struct {
    uint32_t in_shape[4];
    uint32_t out_shape[4];
    uint32_t before[4]; /* values added in front, per axis */
    int8_t value;       /* the output's zero point, or the op's constant */
} es_pad;

void es_pad_s8(const es_pad *p, const int8_t *input, int8_t *output);

#endif
