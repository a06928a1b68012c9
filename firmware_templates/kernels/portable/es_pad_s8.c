/* SPDX-License-Identifier: Apache-2.0 */
#include "es_pad.h"

void es_pad_s8(const es_pad *p, const int8_t *input, int8_t *output) {
    const uint32_t *in = p->in_shape;
    const uint32_t *out = p->out_shape;
    const uint32_t *before = p->before;
    __builtin_memset(output, p->value, out[0] * out[1] * out[2] * out[3]);
    for (uint32_t a = 0; a < in[0]; a++) {
        for (uint32_t b = 0; b < in[1]; b++) {
            for (uint32_t c = 0; c < in[2]; c++) {
                const uint32_t row =
                    ((a + before[0]) * out[1] + b + before[1]) * out[2] + c + before[2];
                __builtin_memcpy(output + row * out[3] + before[3], input, in[3]);
                input += in[3];
            }
        }
    }
}
