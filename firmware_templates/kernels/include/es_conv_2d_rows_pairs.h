/* SPDX-License-Identifier: Apache-2.0 */
/* The accumulators of delta8 and delta4. Two pixels share a word, x0 + (x1 << 23), and two sums a
 * 64-bit accumulator: SMLAL multiplies both by a weight. The lower sum is the lower 23 bits with
 * their sign; where it is negative it has borrowed 1 from the upper one. */
#ifndef ES_CONV_2D_ROWS_PAIRS_H
#define ES_CONV_2D_ROWS_PAIRS_H

#include "es_conv_2d_rows.h"

enum { ES_BOTH = ES_PAIR_PIXELS / 2 };

/* The bias in both halves of the accumulators r4 to r11; r12 = patches. */
#define ES_ASM_START_PAIRS                                                                         \
    ES_ASM_START("r0")                                                                             \
    "ldr r1, [sp, #28]\n\t"                                                                        \
    "smull r4, r5, r0, r1\n\t"                                                                     \
    "smull r6, r7, r0, r1\n\t"                                                                     \
    "smull r8, r9, r0, r1\n\t"                                                                     \
    "smull r10, r11, r0, r1\n\t"

/* The pixels at r12 times the weight in r0. */
#define ES_ASM_ADD_PAIRS                                                                           \
    "ldrd r2, r3, [r12]\n\t"                                                                       \
    "smlal r4, r5, r2, r0\n\t"                                                                     \
    "smlal r6, r7, r3, r0\n\t"                                                                     \
    "ldrd r2, r3, [r12, #8]\n\t"                                                                   \
    "smlal r8, r9, r2, r0\n\t"                                                                     \
    "smlal r10, r11, r3, r0\n\t"

#define ES_ASM_SPLIT(low, high)                                                                    \
    "lsr r0, " low ", #23\n\t"                                                                     \
    "orr r0, r0, " high ", lsl #9\n\t"                                                             \
    "sbfx " low ", " low ", #0, #23\n\t"                                                           \
    "sub " high ", r0, " low ", asr #31\n\t" ES_ASM_SCALE(low, "r2", "r3")                         \
        ES_ASM_SCALE(high, "r2", "r3")

/* All outputs of the channel; the flags say whether it was the last. */
#define ES_ASM_STORE_PAIRS                                                                         \
    ES_ASM_NEXT_SCALE("r2", "r3")                                                                  \
    ES_ASM_SPLIT("r4", "r5")                                                                       \
    ES_ASM_SPLIT("r6", "r7")                                                                       \
    ES_ASM_SPLIT("r8", "r9")                                                                       \
    ES_ASM_SPLIT("r10", "r11")                                                                     \
    "ldr r2, [sp, #8]\n\t" ES_ASM_OUTPUT "add r3, r2, r0\n\t"                                      \
    "add r12, r3, r0\n\t"                                                                          \
    "strb r4, [r2]\n\t"                                                                            \
    "strb r6, [r2, r0]\n\t"                                                                        \
    "strb r8, [r2, r0, lsl #1]\n\t"                                                                \
    "strb r10, [r3, r0, lsl #1]\n\t"                                                               \
    "strb r5, [r2, r0, lsl #2]\n\t"                                                                \
    "strb r7, [r3, r0, lsl #2]\n\t"                                                                \
    "strb r9, [r12, r0, lsl #2]\n\t"                                                               \
    "add r12, r12, r0\n\t"                                                                         \
    "strb r11, [r12, r0, lsl #2]\n\t" ES_ASM_NEXT_OUTPUT

/* The same in C. */
static inline void es_start_pairs(const es_conv_2d_rows *rows, int32_t c, int64_t *both) {
    for (int32_t i = 0; i < ES_BOTH; i++) {
        both[i] = (int64_t)es_conv_2d_rows_bias(rows, c) * rows->entry;
    }
}

static inline void es_add_pairs(int64_t *both, int32_t weight, const int32_t *x) {
    for (int32_t i = 0; i < ES_BOTH; i++) {
        both[i] += (int64_t)x[i] * weight;
    }
}

static inline void es_store_pairs(const es_conv_2d_rows *rows, int32_t c, const int64_t *both) {
    int32_t sums[ES_PAIR_PIXELS];
    for (int32_t i = 0; i < ES_BOTH; i++) {
        const int32_t low = (int32_t)((uint32_t)both[i] << 9) >> 9;
        sums[i] = low;
        sums[i + ES_BOTH] = (int32_t)((both[i] - low) >> 23);
    }
    es_conv_2d_rows_store(rows, c, ES_PAIR_PIXELS, sums);
}

#endif
