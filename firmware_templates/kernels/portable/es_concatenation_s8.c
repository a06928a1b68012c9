/* SPDX-License-Identifier: Apache-2.0 */
#include "es_concatenation.h"

void es_concatenation_s8(const es_concatenation *p, const int8_t *input, int8_t *output) {
    output += p->offset;
    for (uint32_t i = 0; i < p->outer; i++) {
        __builtin_memcpy(output, input, p->bytes);
        input += p->bytes;
        output += p->out_stride;
    }
}
