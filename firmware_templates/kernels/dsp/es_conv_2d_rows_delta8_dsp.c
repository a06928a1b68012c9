/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_rows_pairs.h"

/* No row is empty: the first entry is taken before the end is looked for. */
#if ES_CONV_2D_ASSEMBLY

__attribute__((naked)) void es_conv_2d_rows_delta8_dsp(const es_conv_2d_rows *rows
                                                       __attribute__((unused))) {
    /* clang-format off */
    __asm__(ES_ASM_ENTER
            "1:\n\t"
            ES_ASM_START_PAIRS
            "ldrsh r0, [lr], #2\n\t"
            "and r1, r0, #255\n"
            "2:\n\t"
            "add r12, r12, r1, lsl #4\n\t"
            "asr r0, r0, #8\n\t"
            ES_ASM_ADD_PAIRS
            "ldrsh r0, [lr], #2\n\t"
            "ands r1, r0, #255\n\t"
            "bne 2b\n\t"
            ES_ASM_STORE_PAIRS
            "bne 1b\n\t"
            ES_ASM_LEAVE);
    /* clang-format on */
}

#else

void es_conv_2d_rows_delta8_dsp(const es_conv_2d_rows *rows) {
    const uint16_t *pairs = rows->weights;
    const int32_t channels = (int32_t)(rows->end - rows->to);
    for (int32_t c = 0; c < channels; c++) {
        int64_t both[ES_BOTH];
        es_start_pairs(rows, c, both);
        const int32_t *x = rows->patches;
        int32_t pair = *pairs++;
        do {
            x += ES_BOTH * (pair & 0xff);
            es_add_pairs(both, (int8_t)(uint8_t)(pair >> 8), x);
            pair = *pairs++;
        } while ((pair & 0xff) != 0);
        es_store_pairs(rows, c, both);
    }
}

#endif
