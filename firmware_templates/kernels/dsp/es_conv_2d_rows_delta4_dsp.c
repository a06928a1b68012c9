/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_rows_pairs.h"

/* A word from the stream holds two entries and the distances of the next two, 0 behind the last. */
#if ES_CONV_2D_ASSEMBLY

__attribute__((naked)) void es_conv_2d_rows_delta4_dsp(const es_conv_2d_rows *rows
                                                       __attribute__((unused))) {
    /* clang-format off */
    __asm__(ES_ASM_ENTER
            "1:\n\t"
            ES_ASM_START_PAIRS
            "2:\n\t"
            "ldr r1, [lr], #3\n\t"
            "and r2, r1, #15\n\t"
            "add r12, r12, r2, lsl #4\n\t"
            "sbfx r0, r1, #8, #8\n\t"
            ES_ASM_ADD_PAIRS
            "ubfx r2, r1, #4, #4\n\t"
            "add r12, r12, r2, lsl #4\n\t"
            "sbfx r0, r1, #16, #8\n\t"
            ES_ASM_ADD_PAIRS
            "lsrs r1, r1, #24\n\t"
            "bne 2b\n\t"
            "add lr, lr, #1\n\t"
            ES_ASM_STORE_PAIRS
            "bne 1b\n\t"
            ES_ASM_LEAVE);
    /* clang-format on */
}

#else

void es_conv_2d_rows_delta4_dsp(const es_conv_2d_rows *rows) {
    const int8_t *stream = rows->weights;
    const int32_t channels = (int32_t)(rows->end - rows->to);
    for (int32_t c = 0; c < channels; c++) {
        int64_t both[ES_BOTH];
        es_start_pairs(rows, c, both);
        const int32_t *x = rows->patches;
        do {
            const uint8_t gaps = (uint8_t)stream[0];
            x += ES_BOTH * (gaps & 15);
            es_add_pairs(both, stream[1], x);
            x += ES_BOTH * (gaps >> 4);
            es_add_pairs(both, stream[2], x);
            stream += 3;
        } while (*stream != 0);
        stream++;
        es_store_pairs(rows, c, both);
    }
}

#endif
