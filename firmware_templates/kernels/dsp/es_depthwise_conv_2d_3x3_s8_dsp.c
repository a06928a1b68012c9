/* SPDX-License-Identifier: Apache-2.0 */
#include "es_depthwise_3x3_stride1.h"

ES_DEPTHWISE_ROWS(es_rows, 1, ES_DEPTHWISE_SCALE_SIGNS)

void es_depthwise_conv_2d_3x3_s8_dsp(const es_depthwise_conv_2d *p, const int8_t *input,
                                     int8_t *output, void *scratch) {
    es_depthwise_3x3_dsp(p, input, output, scratch, es_rows);
}
