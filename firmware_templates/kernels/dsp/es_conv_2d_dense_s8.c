#include "es_conv_2d_groups.h"

void es_conv_2d_dense_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    const int32_t values = (es_patch_values(p) + 3) & ~3;
    es_conv_2d_groups(p, input, output, scratch, p->weights, ES_BLOCK_PIXELS, values,
                      p->gather, es_conv_2d_rows_dense);
}
