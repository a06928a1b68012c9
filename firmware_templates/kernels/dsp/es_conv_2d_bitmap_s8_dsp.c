/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_groups.h"

void es_conv_2d_bitmap_s8_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                              void *scratch) {
    const int32_t values = es_patch_values(p);
    es_conv_2d_rows rows = {.weights = p->weights, .entry = (values + 7) / 8};
    es_conv_2d_groups_dsp(p, input, output, scratch, ES_BLOCK_PIXELS, (values + 3) & ~3, &rows,
                          es_conv_2d_rows_bitmap_dsp);
}
