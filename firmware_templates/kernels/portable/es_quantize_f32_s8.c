/* SPDX-License-Identifier: Apache-2.0 */
#include "es_quantize.h"
#include "es_real.h"

void es_quantize_f32_s8(const es_quantize *p, const float *input, int8_t *output) {
    for (uint32_t i = 0; i < p->elements; i++) {
        output[i] = es_from_real(input[i], p->scale, p->zero_point);
    }
}
