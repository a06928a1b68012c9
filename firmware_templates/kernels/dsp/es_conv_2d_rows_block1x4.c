#include "es_conv_2d_rows.h"
#include "es_dsp.h"

/* A gap counts sixteenths of bytes from two thirds of the block before (16 bytes before the first):
 * 3 * blocks skipped + 1. */
#if ES_CONV_2D_ASSEMBLY

__attribute__((naked)) void es_conv_2d_rows_block1x4(const es_conv_2d_rows *rows
                                                     __attribute__((unused))) {
    __asm__(ES_ASM_ENTER_8 "1:\n\t" ES_ASM_START_6
                           "sub r12, r12, #16\n\t"
                           "ldrb r11, [lr], #1\n\t"
                           "cmp r11, #0\n\t"
                           "beq 3f\n"
                           "2:\n\t"
                           "add r12, r12, r11, lsl #4\n\t"
                           "ldr r11, [lr], #4\n\t" ES_ASM_BLOCK_6("r12") "ldrb r11, [lr], #1\n\t"
                                                                        "cmp r11, #0\n\t"
                                                                        "bne 2b\n"
                                                                        "3:\n\t" ES_ASM_STORE_6
                           "bne 1b\n\t" ES_ASM_LEAVE("32"));
}

#else

void es_conv_2d_rows_block1x4(const es_conv_2d_rows *rows) {
    const uint8_t *stream = rows->weights;
    const int32_t channels = (int32_t)(rows->end - rows->to);
    for (int32_t c = 0; c < channels; c++) {
        int32_t sums[ES_BLOCK_PIXELS];
        for (int32_t i = 0; i < ES_BLOCK_PIXELS; i++) {
            sums[i] = rows->scales[2 * c];
        }
        int32_t position = -4;
        for (int32_t gap = *stream++; gap != 0; gap = *stream++) {
            position += 4 * gap;
            const int32_t weights = es_load_4((const int8_t *)stream);
            for (int32_t i = 0; i < ES_BLOCK_PIXELS; i++) {
                const int64_t x = es_load_pair(rows->patches + position + 2 * i);
                sums[i] = es_dot_4(weights, x, sums[i]);
            }
            position += 8;
            stream += 4;
        }
        es_conv_2d_rows_store(rows, c, ES_BLOCK_PIXELS, sums);
    }
}

#endif
