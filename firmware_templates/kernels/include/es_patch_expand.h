/* SPDX-License-Identifier: Apache-2.0 */
/* int8 of one pixel to the lanes of its blocks; blocks of a group of pixels lie side by side. */
#ifndef ES_PATCH_EXPAND_H
#define ES_PATCH_EXPAND_H

#include "es_conv_2d_rows.h"
#include "es_dsp.h"

/* `count` bytes, a multiple of 4, more than 0; returns where the next block of the pixel goes. */
static inline int32_t *es_expand_run(const int8_t *from, int32_t count, int32_t *to) {
    const int8_t *const end = from + count;
    do {
        const int32_t word = es_load_4(from);
        to[0] = es_sxtb16(word);
        to[1] = es_sxtb16_ror8(word);
        from += 4;
        to += 2 * ES_BLOCK_PIXELS;
    } while (from < end);
    return to;
}

#endif
