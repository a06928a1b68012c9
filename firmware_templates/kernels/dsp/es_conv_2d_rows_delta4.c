#include "es_conv_2d_rows.h"

enum { ES_BOTH = ES_PAIR_PIXELS / 2 };

static inline void es_add_products(int64_t *both, int32_t weight, const int32_t *x) {
    for (int32_t i = 0; i < ES_BOTH; i++) {
        both[i] += (int64_t)x[i] * weight;
    }
}

/* As delta8, with two entries in three bytes; in C alone, since it is taken for its bytes. */
void es_conv_2d_rows_delta4(const es_conv_2d_rows *rows) {
    const int8_t *stream = rows->weights;
    const int32_t channels = (int32_t)(rows->end - rows->to);
    for (int32_t c = 0; c < channels; c++) {
        int64_t both[ES_BOTH];
        for (int32_t i = 0; i < ES_BOTH; i++) {
            both[i] = (int64_t)es_conv_2d_rows_bias(rows, c) * rows->entry;
        }
        const int32_t *x = rows->patches;
        const int32_t pairs = (uint8_t)stream[0] + 256 * (uint8_t)stream[1];
        stream += 2;
        for (const int8_t *end = stream + 3 * pairs; stream < end; stream += 3) {
            const uint8_t gaps = (uint8_t)stream[0];
            x += ES_BOTH * (gaps & 15);
            es_add_products(both, stream[1], x);
            x += ES_BOTH * (gaps >> 4);
            es_add_products(both, stream[2], x);
        }
        int32_t sums[ES_PAIR_PIXELS];
        for (int32_t i = 0; i < ES_BOTH; i++) {
            const int32_t low = (int32_t)((uint32_t)both[i] << 9) >> 9;
            sums[i] = low;
            sums[i + ES_BOTH] = (int32_t)((both[i] - low) >> 23);
        }
        es_conv_2d_rows_store(rows, c, ES_PAIR_PIXELS, sums);
    }
}
