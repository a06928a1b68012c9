/* SPDX-License-Identifier: Apache-2.0 */
#include "es_add.h"
#include "es_dsp.h"

/* Two lanes of 2^8 times a byte: a product with a factor keeps all but the last 8 bits. */
static inline int32_t es_odd_bytes(uint32_t word) { return (int32_t)(word & 0xff00ff00u); }
static inline int32_t es_even_bytes(uint32_t word) { return (int32_t)((word << 8) & 0xff00ff00u); }

void es_add_linear_s8_dsp(const es_add_linear *p, const int8_t *input_1, const int8_t *input_2,
                          int8_t *output) {
    const int32_t a = p->factor_1, b = p->factor_2, c = p->constant;
    const int8_t *end = output + (p->elements & ~3u);
    for (; output < end; output += 4) {
        const uint32_t x = (uint32_t)es_load_4(input_1), y = (uint32_t)es_load_4(input_2);
        input_1 += 4;
        input_2 += 4;
        const int32_t x02 = es_even_bytes(x), y02 = es_even_bytes(y);
        const int32_t sum_0 = es_smlawb(b, y02, es_smlawb(a, x02, c));
        const int32_t sum_2 = es_smlawt(b, y02, es_smlawt(a, x02, c));
        const int32_t x13 = es_odd_bytes(x), y13 = es_odd_bytes(y);
        const int32_t sum_1 = es_smlawb(b, y13, es_smlawb(a, x13, c));
        const int32_t sum_3 = es_smlawt(b, y13, es_smlawt(a, x13, c));
        output[0] = (int8_t)es_ssat8_asr20(sum_0);
        output[1] = (int8_t)es_ssat8_asr20(sum_1);
        output[2] = (int8_t)es_ssat8_asr20(sum_2);
        output[3] = (int8_t)es_ssat8_asr20(sum_3);
    }
    for (end += p->elements & 3u; output < end; output++) {
        const int32_t x = *input_1++ * 256, y = *input_2++ * 256;
        *output = (int8_t)es_ssat8_asr20(es_smlawb(b, y, es_smlawb(a, x, c)));
    }
}
