/* SPDX-License-Identifier: Apache-2.0 */
/* A fully connected layer's input as int16, in blocks of 4 in the order 0 2 1 3 (as SXTB16 leaves
 * those of the weights), padded with zeros to a multiple of 4. */
#ifndef ES_EXPAND_H
#define ES_EXPAND_H

#include "es_dsp.h"

/* to [r4(count)] int16 */
static inline void es_expand_s16(const int8_t *from, uint32_t count, int32_t *to) {
    for (; count >= 4; count -= 4) {
        const int32_t word = es_load_4(from);
        *to++ = es_sxtb16(word);
        *to++ = es_sxtb16_ror8(word);
        from += 4;
    }
    if (count > 0) {
        int8_t last[4] = {0, 0, 0, 0};
        for (uint32_t i = 0; i < count; i++) {
            last[i] = from[i];
        }
        const int32_t word = es_load_4(last);
        to[0] = es_sxtb16(word);
        to[1] = es_sxtb16_ror8(word);
    }
}

#endif
