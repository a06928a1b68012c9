/* SPDX-License-Identifier: Apache-2.0 */
#include "es_add.h"

/* factor * x / 2^8, rounded down, without a 64-bit product: only the low 8 bits of the factor are
 * lost by the division. */
static inline int32_t es_scale(int32_t high, int32_t low, int32_t x) {
    return high * x + ((low * x) >> 8);
}

void es_add_linear_s8(const es_add_linear *p, const int8_t *input_1, const int8_t *input_2,
                      int8_t *output) {
    const int32_t high_1 = p->factor_1 >> 8, low_1 = p->factor_1 & 0xff;
    const int32_t high_2 = p->factor_2 >> 8, low_2 = p->factor_2 & 0xff;
    const int32_t constant = p->constant;
    for (const int8_t *end = output + p->elements; output < end; output++) {
        const int32_t sum =
            constant + es_scale(high_1, low_1, *input_1++) + es_scale(high_2, low_2, *input_2++);
        *output = (int8_t)es_clamp(sum >> 20, -128, 127);
    }
}
