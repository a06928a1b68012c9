/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_rows.h"
#include "es_dsp.h"

/* The word of four weights of a block, zeros included; bits 0 to 3 say which are stored. */
static inline int32_t es_spread_4(uint32_t bits, const int8_t **weights) {
    const uint8_t *from = (const uint8_t *)*weights;
    uint32_t word = 0;
    for (uint32_t i = 0; i < 4; i++) {
        if (bits >> i & 1u) {
            word |= (uint32_t)*from++ << 8 * i;
        }
    }
    *weights = (const int8_t *)from;
    return (int32_t)word;
}

/* In C alone: the format is taken for its bytes. */
void es_conv_2d_rows_bitmap_dsp(const es_conv_2d_rows *rows) {
    const int8_t *weights = rows->weights;
    const int32_t channels = (int32_t)(rows->end - rows->to);
    for (int32_t c = 0; c < channels; c++) {
        int32_t sums[ES_BLOCK_PIXELS];
        for (int32_t i = 0; i < ES_BLOCK_PIXELS; i++) {
            sums[i] = es_conv_2d_rows_bias(rows, c);
        }
        const uint8_t *mask = (const uint8_t *)weights;
        const int32_t *eight = rows->patches;
        weights += rows->entry;
        for (const uint8_t *end = mask + rows->entry; mask < end; eight += 4 * ES_BLOCK_PIXELS) {
            const int32_t *x = eight;
            for (uint32_t bits = *mask++; bits != 0; bits >>= 4, x += 2 * ES_BLOCK_PIXELS) {
                if (bits & 15u) {
                    const int32_t four = es_spread_4(bits, &weights);
                    for (int32_t i = 0; i < ES_BLOCK_PIXELS; i++) {
                        sums[i] = es_dot_4(four, es_load_pair(x + 2 * i), sums[i]);
                    }
                }
            }
        }
        es_conv_2d_rows_store(rows, c, ES_BLOCK_PIXELS, sums);
    }
}
