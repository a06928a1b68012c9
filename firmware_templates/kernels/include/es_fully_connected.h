/* FULLY_CONNECTED, int8: input [rows, in_dim] -> output [rows, out_dim]; weights [out_dim, in_dim].
 */
#ifndef ES_FULLY_CONNECTED_H
#define ES_FULLY_CONNECTED_H

#include "es_types.h"

typedef struct {
    const int32_t *bias;        /* [out_dim] bias - input_zero_point * sum of the weights */
    const int32_t *multipliers; /* [out_dim] or [1], see channel_mask; in [0, 2^31) */
    const int8_t *shifts;       /* as multipliers; in [-31, 30], negative is to the right */
    const int8_t *weights;  /* dense: [out_dim][in_dim, rounded up to 4]; block1x4: [blocks][4] */
    const uint8_t *gaps;    /* block1x4: [blocks] distance to the block before, in blocks */
    const uint16_t *pairs;  /* delta8: [entries] gap | value << 8 */
    const uint16_t *counts; /* block1x4, delta8: [out_dim] blocks or entries of a row */
    uint32_t in_dim;
    uint32_t out_dim;
    uint32_t channel_mask; /* 0xffffffff where multipliers and shifts are per channel, else 0 */
    uint16_t rows;
    int8_t output_zero_point;
    int8_t activation_min, activation_max;
} es_fully_connected;

/* Scratch in bytes, 4-byte aligned, with r4(n) = n rounded up to 4:
 *   dense, block1x4: portable r4(in_dim), dsp 2 * r4(in_dim);  delta8: none. */
void es_fully_connected_dense_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                 void *scratch);
void es_fully_connected_block1x4_s8(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch);
void es_fully_connected_delta8_s8(const es_fully_connected *p, const int8_t *input, int8_t *output);

#endif
