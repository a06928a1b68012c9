/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_rows.h"
#include "es_dsp.h"

#if ES_CONV_2D_ASSEMBLY

/* Behind the first block two a round; an odd number of them enters in the middle. */
__attribute__((naked)) void es_conv_2d_rows_dense_dsp(const es_conv_2d_rows *rows
                                                      __attribute__((unused))) {
    /* clang-format off */
    __asm__(ES_ASM_ENTER
            "1:\n\t"
            ES_ASM_START("r9")
            "ldr r11, [lr], #4\n\t"
            ES_ASM_FIRST_BLOCK("r12!")
            "ldr r1, [sp, #28]\n\t"
            "cmp r1, #0\n\t"
            "bmi 3f\n\t"
            "bne 4f\n"
            "2:\n\t"
            "ldr r11, [lr], #4\n\t"
            ES_ASM_NEXT_BLOCK("r12!")
            "3:\n\t"
            "ldr r11, [lr], #4\n\t"
            ES_ASM_NEXT_BLOCK("r12!")
            "ldr r0, [sp, #24]\n\t"
            "cmp r12, r0\n\t"
            "bne 2b\n"
            "4:\n\t"
            ES_ASM_STORE_6
            "bne 1b\n\t"
            ES_ASM_LEAVE);
    /* clang-format on */
}

#else

void es_conv_2d_rows_dense_dsp(const es_conv_2d_rows *rows) {
    const int8_t *weights = rows->weights;
    const int32_t channels = (int32_t)(rows->end - rows->to);
    for (int32_t c = 0; c < channels; c++) {
        int32_t sums[ES_BLOCK_PIXELS];
        for (int32_t i = 0; i < ES_BLOCK_PIXELS; i++) {
            sums[i] = es_conv_2d_rows_bias(rows, c);
        }
        for (const int32_t *x = rows->patches; x < rows->patches_end; weights += 4) {
            for (int32_t i = 0; i < ES_BLOCK_PIXELS; i++, x += 2) {
                sums[i] = es_dot_4(es_load_4(weights), es_load_pair(x), sums[i]);
            }
        }
        es_conv_2d_rows_store(rows, c, ES_BLOCK_PIXELS, sums);
    }
}

#endif
