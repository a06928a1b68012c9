/* SPDX-License-Identifier: Apache-2.0 */
/* FULLY_CONNECTED, int8: input [rows, in_dim], weights [out_dim, in_dim] -> [rows, out_dim]. */
#ifndef ES_FULLY_CONNECTED_H
#define ES_FULLY_CONNECTED_H

#include "es_types.h"

/* The arrays of weights are described in FORMAT.md. With b = bias - input_zero_point * sum of the
 * weights of an output, `bias` holds
 *   dense, block1x4, block2x4: 256 * b - 127 * (sum of the weights of even columns), es_pairs.h;
 *   delta8, bitmap, wide: b;  columns: bias. */
typedef struct {
    const int32_t *bias;        /* [out_dim], see above */
    const int32_t *multipliers; /* [out_dim] or [1], see channel_mask; in [0, 2^31) */
    const int8_t *shifts; /* as multipliers; < 0 is right; in [-31, -1], with wide, bitmap, columns
                             to 30 */
    const int8_t *weights;
    const uint8_t *gaps; /* block1x4, block2x4, delta8: distance of each entry to the one before */
    const uint16_t *counts; /* entries of an output, for block2x4 of two outputs */
    uint32_t in_dim;
    uint32_t out_dim;
    uint32_t channel_mask; /* 0xffffffff where multipliers and shifts are per channel, else 0 */
    uint16_t rows;
    int8_t input_zero_point; /* columns */
    int8_t output_zero_point;
    int8_t activation_min, activation_max;
} es_fully_connected;

/* Bytes of scratch, 4-byte aligned: of dense, block1x4, block2x4 and wide_s8_dsp; of the portable
 * wide; of columns. delta8 and bitmap need none. */
static inline int32_t es_fully_connected_scratch_s16(const es_fully_connected *p) {
    return 2 * es_round_up_4((int32_t)p->in_dim);
}
static inline int32_t es_fully_connected_scratch_s8(const es_fully_connected *p) {
    return es_round_up_4((int32_t)p->in_dim);
}
static inline int32_t es_fully_connected_scratch_columns(const es_fully_connected *p) {
    return 4 * (int32_t)p->in_dim;
}

/* Names end in their variant; portable ones have no ending.
 * All but wide, bitmap and columns need right shifts only; dense and the blocks also |sum| < 2^23
 * for every output; dsp |sum| < 2^30. */
void es_fully_connected_dense_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                 void *scratch);
void es_fully_connected_dense_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                     int8_t *output, void *scratch);
void es_fully_connected_block1x4_s8(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch);
void es_fully_connected_block1x4_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                        int8_t *output, void *scratch);
void es_fully_connected_block2x4_s8(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch);
void es_fully_connected_block2x4_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                        int8_t *output, void *scratch);
void es_fully_connected_delta8_s8(const es_fully_connected *p, const int8_t *input, int8_t *output);
void es_fully_connected_delta8_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                      int8_t *output);
void es_fully_connected_bitmap_s8(const es_fully_connected *p, const int8_t *input, int8_t *output);
/* Skips inputs that equal the zero point: what it costs depends on the input. */
void es_fully_connected_columns_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                   void *scratch);
void es_fully_connected_wide_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                void *scratch);
void es_fully_connected_wide_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                    int8_t *output, void *scratch);

#endif
