#include "es_conv_2d_rows.h"

/* Two pixels share a word, x0 + (x1 << 23), and two sums a 64-bit accumulator: SMLAL multiplies
 * both by a weight. The lower sum is the lower 23 bits with their sign; where it is negative it has
 * borrowed 1 from the upper one. No row is empty. */
#if ES_CONV_2D_ASSEMBLY

#define SPLIT(low, high)                                                                           \
    "lsr r0, " low ", #23\n\t"                                                                     \
    "orr r0, r0, " high ", lsl #9\n\t"                                                             \
    "sbfx " low ", " low ", #0, #23\n\t"                                                           \
    "sub " high ", r0, " low ", asr #31\n\t" ES_ASM_SCALE(low, "r2", "r3")                         \
        ES_ASM_SCALE(high, "r2", "r3")

__attribute__((naked)) void es_conv_2d_rows_delta8(const es_conv_2d_rows *rows
                                                   __attribute__((unused))) {
    /* clang-format off */
    __asm__(ES_ASM_ENTER
            "1:\n\t"
            ES_ASM_START("r0")
            "ldr r1, [sp, #28]\n\t"
            "smull r4, r5, r0, r1\n\t"
            "smull r6, r7, r0, r1\n\t"
            "smull r8, r9, r0, r1\n\t"
            "smull r10, r11, r0, r1\n\t"
            "ldrsh r0, [lr], #2\n\t"
            "and r1, r0, #255\n"
            "2:\n\t"
            "add r12, r12, r1, lsl #4\n\t"
            "asr r0, r0, #8\n\t"
            "ldrd r2, r3, [r12]\n\t"
            "smlal r4, r5, r2, r0\n\t"
            "smlal r6, r7, r3, r0\n\t"
            "ldrd r2, r3, [r12, #8]\n\t"
            "smlal r8, r9, r2, r0\n\t"
            "smlal r10, r11, r3, r0\n\t"
            "ldrsh r0, [lr], #2\n\t"
            "ands r1, r0, #255\n\t"
            "bne 2b\n\t"
            ES_ASM_NEXT_SCALE("r2", "r3")
            SPLIT("r4", "r5")
            SPLIT("r6", "r7")
            SPLIT("r8", "r9")
            SPLIT("r10", "r11")
            "ldr r2, [sp, #8]\n\t"
            ES_ASM_OUTPUT
            "add r3, r2, r0\n\t"
            "add r12, r3, r0\n\t"
            "strb r4, [r2]\n\t"
            "strb r6, [r2, r0]\n\t"
            "strb r8, [r2, r0, lsl #1]\n\t"
            "strb r10, [r3, r0, lsl #1]\n\t"
            "strb r5, [r2, r0, lsl #2]\n\t"
            "strb r7, [r3, r0, lsl #2]\n\t"
            "strb r9, [r12, r0, lsl #2]\n\t"
            "add r12, r12, r0\n\t"
            "strb r11, [r12, r0, lsl #2]\n\t"
            ES_ASM_NEXT_OUTPUT
            "bne 1b\n\t"
            ES_ASM_LEAVE);
    /* clang-format on */
}

#else

void es_conv_2d_rows_delta8(const es_conv_2d_rows *rows) {
    const uint16_t *pairs = rows->weights;
    const int32_t channels = (int32_t)(rows->end - rows->to);
    for (int32_t c = 0; c < channels; c++) {
        int64_t both[ES_PAIR_PIXELS / 2];
        for (int32_t i = 0; i < ES_PAIR_PIXELS / 2; i++) {
            both[i] = (int64_t)es_conv_2d_rows_bias(rows, c) * rows->entry;
        }
        int32_t position = 0;
        int32_t pair = *pairs++;
        do {
            position += 4 * (pair & 0xff);
            const int32_t weight = (int8_t)(uint8_t)(pair >> 8);
            for (int32_t i = 0; i < ES_PAIR_PIXELS / 2; i++) {
                both[i] += (int64_t)rows->patches[position + i] * weight;
            }
            pair = *pairs++;
        } while ((pair & 0xff) != 0);
        int32_t sums[ES_PAIR_PIXELS];
        for (int32_t i = 0; i < ES_PAIR_PIXELS / 2; i++) {
            const int32_t low = (int32_t)((uint32_t)both[i] << 9) >> 9;
            sums[i] = low;
            sums[i + ES_PAIR_PIXELS / 2] = (int32_t)((both[i] - low) >> 23);
        }
        es_conv_2d_rows_store(rows, c, ES_PAIR_PIXELS, sums);
    }
}

#endif
