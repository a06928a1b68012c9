/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of four neighbouring int8 over many pixels: AVERAGE_POOL_2D and MEAN in dsp/. */
#ifndef ES_SUM_4_H
#define ES_SUM_4_H

#include "es_dsp.h"

/* Adds the four values at from, from + stride, ... to sums. A lane takes 255 of them. */
static inline void es_sum_4(const int8_t *from, int32_t count, int32_t stride, int32_t sums[4]) {
    while (count > 0) {
        const int32_t turn = es_min(count, 255);
        int32_t lanes_02 = 0, lanes_13 = 0;
        for (int32_t i = turn; i > 0; i--) {
            const int32_t word = es_load_4(from);
            from += stride;
            lanes_02 = es_sxtab16(lanes_02, word);
            lanes_13 = es_sxtab16_ror8(lanes_13, word);
        }
        sums[0] += (int16_t)(uint16_t)((uint32_t)lanes_02 & 0xffffu);
        sums[1] += (int16_t)(uint16_t)((uint32_t)lanes_13 & 0xffffu);
        sums[2] += lanes_02 >> 16;
        sums[3] += lanes_13 >> 16;
        count -= turn;
    }
}

#endif
