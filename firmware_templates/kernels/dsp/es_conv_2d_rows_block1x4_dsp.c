/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_rows.h"
#include "es_dsp.h"

/* A block of six pixels takes 48 bytes, of which r12 has passed 32 when the next gap is read. So a
 * gap counts 16 bytes: 3 * blocks to the first, 3 * blocks - 2 from one to the next. Bit 7 is set
 * for the last block, and no row is empty. The products keep the carry. */
#if ES_CONV_2D_ASSEMBLY

__attribute__((naked)) void es_conv_2d_rows_block1x4_dsp(const es_conv_2d_rows *rows
                                                         __attribute__((unused))) {
    /* clang-format off */
    __asm__(ES_ASM_ENTER
            "1:\n\t"
            ES_ASM_START("r9")
            "ldrb r11, [lr], #1\n\t"
            "lsls r11, r11, #25\n\t"
            "add r12, r12, r11, lsr #21\n\t"
            "ldr r11, [lr], #4\n\t"
            ES_ASM_FIRST_BLOCK("r12")
            "bcs 3f\n"
            "2:\n\t"
            "ldrb r11, [lr], #1\n\t"
            "lsls r11, r11, #25\n\t"
            "add r12, r12, r11, lsr #21\n\t"
            "ldr r11, [lr], #4\n\t"
            ES_ASM_NEXT_BLOCK("r12")
            "bcc 2b\n"
            "3:\n\t"
            ES_ASM_STORE_6
            "bne 1b\n\t"
            ES_ASM_LEAVE);
    /* clang-format on */
}

#else

void es_conv_2d_rows_block1x4_dsp(const es_conv_2d_rows *rows) {
    const uint8_t *stream = rows->weights;
    const int32_t channels = (int32_t)(rows->end - rows->to);
    for (int32_t c = 0; c < channels; c++) {
        int32_t sums[ES_BLOCK_PIXELS];
        for (int32_t i = 0; i < ES_BLOCK_PIXELS; i++) {
            sums[i] = es_conv_2d_rows_bias(rows, c);
        }
        int32_t position = 0;
        int32_t gap;
        do {
            gap = *stream++;
            position += 4 * (gap & 0x7f);
            const int32_t weights = es_load_4((const int8_t *)stream);
            for (int32_t i = 0; i < ES_BLOCK_PIXELS; i++) {
                const int64_t x = es_load_pair(rows->patches + position + 2 * i);
                sums[i] = es_dot_4(weights, x, sums[i]);
            }
            position += 8;
            stream += 4;
        } while (gap < 0x80);
        es_conv_2d_rows_store(rows, c, ES_BLOCK_PIXELS, sums);
    }
}

#endif
