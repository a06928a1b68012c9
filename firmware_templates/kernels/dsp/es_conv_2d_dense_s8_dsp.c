/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_groups.h"

void es_conv_2d_dense_s8_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                             void *scratch) {
    const int32_t values = (es_patch_values(p) + 3) & ~3;
    const int32_t behind_first = values / 4 - 1;
    es_conv_2d_rows rows = {.weights = p->weights,
                            .entry = behind_first > 0 ? -(behind_first & 1) : 1};
    es_conv_2d_groups_dsp(p, input, output, scratch, ES_BLOCK_PIXELS, values, &rows,
                          es_conv_2d_rows_dense_dsp);
}
