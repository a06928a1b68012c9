/* SPDX-License-Identifier: Apache-2.0 */
/* The inner part of the convolutions in dsp/: all filters over the gathered patches of one group of
 * pixels. Hand-written assembly, since it needs every register of the core: 6 or 8 accumulators, 4
 * words of input, weights and two pointers. Hosts build the plain C beside it. */
#ifndef ES_CONV_2D_ROWS_H
#define ES_CONV_2D_ROWS_H

#include "es_conv_2d.h"

enum { ES_BLOCK_PIXELS = 6, ES_PAIR_PIXELS = 8 };

/* The assembly knows this order. */
typedef struct {
    int32_t rounding;           /* 2 * output_zero_point + 1 */
    const int32_t *scales;      /* es_conv_2d */
    int8_t *to;                 /* output of the first pixel */
    const int32_t *patches;     /* es_patch.h */
    int32_t pixel;              /* bytes from pixel to pixel; 0 where all are the same */
    const int8_t *end;          /* to + out_c */
    const int32_t *patches_end; /* dense: behind the last block */
    int32_t entry;              /* dense: blocks behind the first: 0 even, -1 odd, 1 none;
                                   delta8, delta4: 2^23 + 1; bitmap: bytes of a row's bitmap */
    const void *weights;        /* of the first filter */
} es_conv_2d_rows;

void es_conv_2d_rows_dense_dsp(const es_conv_2d_rows *rows);
void es_conv_2d_rows_block1x4_dsp(const es_conv_2d_rows *rows);
void es_conv_2d_rows_delta8_dsp(const es_conv_2d_rows *rows);
void es_conv_2d_rows_delta4_dsp(const es_conv_2d_rows *rows);
void es_conv_2d_rows_bitmap_dsp(const es_conv_2d_rows *rows);

/* One output, in six instructions with its store: x scaled by multiplier / 2^31 and
 * 2^-(shift_less_1 + 1), rounded twice as es_requantize.h does, moved to the zero point and
 * saturated.
 *
 *     high = round_half_up(2 * x * multiplier / 2^32)
 *     y    = (high - (high < 0) + half + (zero_point << shift)) >> shift
 *          = (high - (x < 0)    + (rounding << shift_less_1)) >> shift
 *
 * The sign of x may stand for that of high: they differ only where high is 0, and there the 1 stays
 * below the half. Exact for |x| < 2^30, shift_less_1 in [0, 21]. */
#define ES_ASM_SCALE(x, multiplier, less_1)                                                        \
    "add r0, r12, " x ", asr #31\n\t"                                                              \
    "lsl " x ", " x ", #1\n\t"                                                                     \
    "smmlar " x ", " x ", " multiplier ", r0\n\t"                                                  \
    "asr " x ", " x ", " less_1 "\n\t"                                                             \
    "ssat " x ", #8, " x ", asr #1\n\t"

/* All fields but the last to the stack; lr = weights. */
#define ES_ASM_ENTER                                                                               \
    ".syntax unified\n\t"                                                                          \
    "push {r4-r11, lr}\n\t"                                                                        \
    "ldm r0, {r1-r9}\n\t"                                                                          \
    "mov lr, r9\n\t"                                                                               \
    "push {r1-r8}\n\t"
#define ES_ASM_LEAVE                                                                               \
    "add sp, sp, #32\n\t"                                                                          \
    "pop {r4-r11, pc}\n\t"

/* r12 = patches, bias */
#define ES_ASM_START(bias)                                                                         \
    "ldr r0, [sp, #4]\n\t"                                                                         \
    "ldr r12, [sp, #12]\n\t"                                                                       \
    "ldr " bias ", [r0]\n\t"                                                                       \
    "asr " bias ", " bias ", #5\n\t"

/* The multiplier, the shift less 1, r12 = rounding << less_1; r2 = to, unless the multiplier is. */
#define ES_ASM_NEXT_SCALE(multiplier, less_1)                                                      \
    "ldm sp, {r0-r2}\n\t"                                                                          \
    "ldrd " less_1 ", " multiplier ", [r1], #8\n\t"                                                \
    "and " less_1 ", " less_1 ", #31\n\t"                                                          \
    "str r1, [sp, #4]\n\t"                                                                         \
    "lsl r12, r0, " less_1 "\n\t"

/* r0 = pixel, r1 = end */
#define ES_ASM_OUTPUT "ldrd r0, r1, [sp, #16]\n\t"
/* Behind the last channel the flags say equal. */
#define ES_ASM_NEXT_OUTPUT                                                                         \
    "adds r2, #1\n\t"                                                                              \
    "str r2, [sp, #8]\n\t"                                                                         \
    "cmp r2, r1\n\t"

/* The word in r11, four weights, times the block of six pixels at r12. Accumulators r4 to r9; the
 * first product of each is added to the given ones. Afterwards r12 is behind the block with last =
 * "r12!", or 16 bytes before that. */
#define ES_ASM_BLOCK(a4, a5, a6, a7, a8, last)                                                     \
    "sxtb16 r10, r11\n\t"                                                                          \
    "sxtb16 r11, r11, ror #8\n\t"                                                                  \
    "ldm r12!, {r0-r3}\n\t"                                                                        \
    "smlad r4, r0, r10, " a4 "\n\t"                                                                \
    "smlad r4, r1, r11, r4\n\t"                                                                    \
    "smlad r5, r2, r10, " a5 "\n\t"                                                                \
    "smlad r5, r3, r11, r5\n\t"                                                                    \
    "ldm r12!, {r0-r3}\n\t"                                                                        \
    "smlad r6, r0, r10, " a6 "\n\t"                                                                \
    "smlad r6, r1, r11, r6\n\t"                                                                    \
    "smlad r7, r2, r10, " a7 "\n\t"                                                                \
    "smlad r7, r3, r11, r7\n\t"                                                                    \
    "ldm " last ", {r0-r3}\n\t"                                                                    \
    "smlad r8, r0, r10, " a8 "\n\t"                                                                \
    "smlad r8, r1, r11, r8\n\t"                                                                    \
    "smlad r9, r2, r10, r9\n\t"                                                                    \
    "smlad r9, r3, r11, r9\n\t"
#define ES_ASM_FIRST_BLOCK(last) ES_ASM_BLOCK("r9", "r9", "r9", "r9", "r9", last)
#define ES_ASM_NEXT_BLOCK(last) ES_ASM_BLOCK("r4", "r5", "r6", "r7", "r8", last)
#define ES_ASM_STORE_6                                                                             \
    ES_ASM_NEXT_SCALE("r10", "r11")                                                                \
    ES_ASM_SCALE("r4", "r10", "r11")                                                               \
    ES_ASM_SCALE("r5", "r10", "r11")                                                               \
    ES_ASM_SCALE("r6", "r10", "r11")                                                               \
    ES_ASM_SCALE("r7", "r10", "r11")                                                               \
    ES_ASM_SCALE("r8", "r10", "r11")                                                               \
    ES_ASM_SCALE("r9", "r10", "r11")                                                               \
    ES_ASM_OUTPUT                                                                                  \
    "add r3, r2, r0\n\t"                                                                           \
    "strb r4, [r2]\n\t"                                                                            \
    "strb r5, [r2, r0]\n\t"                                                                        \
    "strb r6, [r2, r0, lsl #1]\n\t"                                                                \
    "strb r7, [r3, r0, lsl #1]\n\t"                                                                \
    "strb r8, [r2, r0, lsl #2]\n\t"                                                                \
    "strb r9, [r3, r0, lsl #2]\n\t" ES_ASM_NEXT_OUTPUT

#if defined(__ARM_FEATURE_DSP) && !defined(ES_PLAIN_C)
#define ES_CONV_2D_ASSEMBLY 1
#else
#define ES_CONV_2D_ASSEMBLY 0
#endif

static inline int32_t es_conv_2d_rows_bias(const es_conv_2d_rows *rows, int32_t c) {
    return rows->scales[2 * c] >> 5;
}

/* The same in C, for channel c; sums [pixels]. */
static inline void es_conv_2d_rows_store(const es_conv_2d_rows *rows, int32_t c, int32_t pixels,
                                         const int32_t *sums) {
    const int32_t multiplier = rows->scales[2 * c + 1];
    const int32_t less_1 = rows->scales[2 * c] & 31;
    for (int32_t i = 0; i < pixels; i++) {
        const int64_t product = 2 * (int64_t)sums[i] * multiplier + ((int64_t)1 << 31);
        const int32_t high = (int32_t)(product >> 32) + (sums[i] >> 31);
        const int32_t y = (high + rows->rounding * (1 << less_1)) >> (less_1 + 1);
        rows->to[i * rows->pixel + c] = (int8_t)es_clamp(y, -128, 127);
    }
}

#endif
