/* SPDX-License-Identifier: Apache-2.0 */
/* RESIZE_NEAREST_NEIGHBOR, int8, batch 1, NHWC; input and output have one quantization. */
#ifndef ES_RESIZE_NEAREST_H
#define ES_RESIZE_NEAREST_H

#include "es_types.h"

typedef struct {
    const uint16_t *rows;    /* [out_h] the row of the input that each row is a copy of */
    const uint16_t *columns; /* [out_w] and the column */
    uint16_t in_w, channels, out_h, out_w;
} es_resize_nearest;

void es_resize_nearest_s8(const es_resize_nearest *p, const int8_t *input, int8_t *output);

#endif
