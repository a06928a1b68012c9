/* SPDX-License-Identifier: Apache-2.0 */
#include "es_quantize.h"
#include "es_real.h"

/* The reference multiplies in double and rounds to float once; a float product of a float and a
 * small integer rounds the same exact product once, so it is equal. */
void es_dequantize_s8_f32(const es_quantize *p, const int8_t *input, float *output) {
    for (uint32_t i = 0; i < p->elements; i++) {
        output[i] = es_to_real(input[i], p->scale, p->zero_point);
    }
}
