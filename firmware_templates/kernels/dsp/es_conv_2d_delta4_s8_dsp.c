/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_groups.h"

void es_conv_2d_delta4_s8_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                              void *scratch) {
    const int32_t values = es_patch_values(p);
    es_conv_2d_rows rows = {.weights = p->weights, .entry = (1 << 23) + 1};
    es_conv_2d_groups_dsp(p, input, output, scratch, ES_PAIR_PIXELS, values, &rows,
                          es_conv_2d_rows_delta4_dsp);
}
