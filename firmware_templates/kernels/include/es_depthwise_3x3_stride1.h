/* SPDX-License-Identifier: Apache-2.0 */
/* One channel of a 3x3 depthwise convolution with stride 1 in dsp/: es_depthwise_3x3.h. */
#ifndef ES_DEPTHWISE_3X3_STRIDE1_H
#define ES_DEPTHWISE_3X3_STRIDE1_H

#include "es_depthwise_3x3.h"

/* All outputs of one channel in `channel->left` rows of pairs; two rows and two columns a turn, and
 * one column where the width is odd. upper: input rows 0 and 1, lower: rows 2 and 3. Writes the
 * lower row of outputs first: it may lie on the upper. */
#if defined(__ARM_FEATURE_DSP)

/* From C, compilers keep half of the weights and sums in memory. */
/* clang-format off */
#define ES_DEPTHWISE_TWO_ROWS(scale)                                          \
    __asm__ volatile(                                                     \
    "0:\n\t"                                                                \
    "b 2f\n\t"                                                              \
    "1:\n\t"                                                                \
    "ldrd %[a0], %[a1], [%[upper]], #8\n\t"                                 \
    "ldrd %[b0], %[b1], [%[lower]], #8\n\t"                                 \
    "ldrd %[u], %[l], [%[channel]]\n\t"                                     \
    "ldr %[s11], [%[channel], #24]\n\t"                                     \
    "smlad %[s00], %[a0], %[u], %[s11]\n\t"                                 \
    "smlatb %[s10], %[a0], %[u], %[s11]\n\t"                                \
    "smlabt %[s00], %[b0], %[l], %[s00]\n\t"                                \
    "smlad %[s10], %[b0], %[l], %[s10]\n\t"                                 \
    "smlad %[s01], %[a1], %[u], %[s11]\n\t"                                 \
    "smlatb %[s11], %[a1], %[u], %[s11]\n\t"                                \
    "smlabt %[s01], %[b1], %[l], %[s01]\n\t"                                \
    "smlad %[s11], %[b1], %[l], %[s11]\n\t"                                 \
    "ldrd %[u], %[l], [%[channel], #8]\n\t"                                 \
    "smlad %[s00], %[a1], %[u], %[s00]\n\t"                                 \
    "smlatb %[s10], %[a1], %[u], %[s10]\n\t"                                \
    "smlabt %[s00], %[b1], %[l], %[s00]\n\t"                                \
    "smlad %[s10], %[b1], %[l], %[s10]\n\t"                                 \
    "ldrd %[a0], %[a1], [%[upper]]\n\t"                                     \
    "ldrd %[b0], %[b1], [%[lower]]\n\t"                                     \
    "smlad %[s01], %[a0], %[u], %[s01]\n\t"                                 \
    "smlatb %[s11], %[a0], %[u], %[s11]\n\t"                                \
    "smlabt %[s01], %[b0], %[l], %[s01]\n\t"                                \
    "smlad %[s11], %[b0], %[l], %[s11]\n\t"                                 \
    "ldrd %[u], %[l], [%[channel], #16]\n\t"                                \
    "smlad %[s00], %[a0], %[u], %[s00]\n\t"                                 \
    "smlatb %[s10], %[a0], %[u], %[s10]\n\t"                                \
    "smlabt %[s00], %[b0], %[l], %[s00]\n\t"                                \
    "smlad %[s10], %[b0], %[l], %[s10]\n\t"                                 \
    "smlad %[s01], %[a1], %[u], %[s01]\n\t"                                 \
    "smlatb %[s11], %[a1], %[u], %[s11]\n\t"                                \
    "smlabt %[s01], %[b1], %[l], %[s01]\n\t"                                \
    "smlad %[s11], %[b1], %[l], %[s11]\n\t"                                 \
    "ldrd %[a0], %[a1], [%[channel], #28]\n\t"                              \
    "ldr %[b0], [%[channel], #36]\n\t"                                      \
    scale("%[s00]")                                                         \
    scale("%[s10]")                                                         \
    scale("%[s01]")                                                         \
    scale("%[s11]")                                                         \
    "ldr %[a0], [%[channel], #40]\n\t"                                      \
    "ldrd %[u], %[l], [%[channel], #48]\n\t"                                \
    "strb %[s10], [%[a0], %[u]]\n\t"                                        \
    "strb %[s00], [%[a0]]\n\t"                                              \
    "add %[a0], %[a0], %[l]\n\t"                                            \
    "strb %[s11], [%[a0], %[u]]\n\t"                                        \
    "strb %[s01], [%[a0]]\n\t"                                              \
    "add %[a0], %[a0], %[l]\n\t"                                            \
    "str %[a0], [%[channel], #40]\n\t"                                      \
    "2:\n\t"                                                                \
    "ldrd %[a1], %[u], [%[channel], #44]\n\t"                               \
    "cmp %[upper], %[a1]\n\t"                                               \
    "bne 1b\n\t"                                                            \
    "ldr %[a0], [%[channel], #56]\n\t"                                      \
    "cmp %[a0], #0\n\t"                                                     \
    "beq 3f\n\t"                                                            \
    "ldr %[a0], [%[upper]], #4\n\t"                                         \
    "ldr %[b0], [%[lower]], #4\n\t"                                         \
    "ldrd %[u], %[l], [%[channel]]\n\t"                                     \
    "ldr %[s10], [%[channel], #24]\n\t"                                     \
    "smlad %[s00], %[a0], %[u], %[s10]\n\t"                                 \
    "smlatb %[s10], %[a0], %[u], %[s10]\n\t"                                \
    "smlabt %[s00], %[b0], %[l], %[s00]\n\t"                                \
    "smlad %[s10], %[b0], %[l], %[s10]\n\t"                                 \
    "ldrd %[a0], %[a1], [%[upper]]\n\t"                                     \
    "ldrd %[b0], %[b1], [%[lower]]\n\t"                                     \
    "ldrd %[u], %[l], [%[channel], #8]\n\t"                                 \
    "smlad %[s00], %[a0], %[u], %[s00]\n\t"                                 \
    "smlatb %[s10], %[a0], %[u], %[s10]\n\t"                                \
    "smlabt %[s00], %[b0], %[l], %[s00]\n\t"                                \
    "smlad %[s10], %[b0], %[l], %[s10]\n\t"                                 \
    "ldrd %[u], %[l], [%[channel], #16]\n\t"                                \
    "smlad %[s00], %[a1], %[u], %[s00]\n\t"                                 \
    "smlatb %[s10], %[a1], %[u], %[s10]\n\t"                                \
    "smlabt %[s00], %[b1], %[l], %[s00]\n\t"                                \
    "smlad %[s10], %[b1], %[l], %[s10]\n\t"                                 \
    "ldrd %[a0], %[a1], [%[channel], #28]\n\t"                              \
    "ldr %[b0], [%[channel], #36]\n\t"                                      \
    scale("%[s00]")                                                         \
    scale("%[s10]")                                                         \
    "ldr %[a0], [%[channel], #40]\n\t"                                      \
    "ldrd %[u], %[l], [%[channel], #48]\n\t"                                \
    "strb %[s10], [%[a0], %[u]]\n\t"                                        \
    "strb %[s00], [%[a0]]\n\t"                                              \
    "add %[a0], %[a0], %[l]\n\t"                                            \
    "str %[a0], [%[channel], #40]\n\t"                                      \
    "3:\n\t"                                                                \
    "ldrd %[a0], %[a1], [%[channel], #40]\n\t"                              \
    "ldrd %[b0], %[b1], [%[channel], #60]\n\t"                              \
    "add %[a0], %[a0], %[u]\n\t"                                            \
    "add %[a1], %[a1], %[b0]\n\t"                                           \
    "strd %[a0], %[a1], [%[channel], #40]\n\t"                              \
    "add %[upper], #8\n\t"                                                  \
    "add %[lower], #8\n\t"                                                  \
    "subs %[b1], #1\n\t"                                                    \
    "str %[b1], [%[channel], #64]\n\t"                                      \
    "bne 0b\n\t"                                                            \
    : [s00] "=&r"(s00), [s01] "=&r"(s01), [s10] "=&r"(s10), [s11] "=&r"(s11), \
      [a0] "=&r"(a0), [a1] "=&r"(a1), [b0] "=&r"(b0), [b1] "=&r"(b1),        \
      [u] "=&r"(u), [l] "=&r"(l), [upper] "+r"(upper), [lower] "+r"(lower)   \
    : [channel] "r"(channel)                                                \
    : "cc", "memory")
/* clang-format on */

#define ES_DEPTHWISE_ROWS(name, signs, scale)                                                      \
    static __attribute__((noinline)) void name(es_depthwise_channel *channel,                      \
                                               const int32_t *upper, const int32_t *lower) {       \
        int32_t s00, s01, s10, s11, a0, a1, b0, b1, u, l;                                          \
        ES_DEPTHWISE_TWO_ROWS(scale);                                                              \
    }

#else

static inline void es_depthwise_rows_in_c(es_depthwise_channel *channel, const int32_t *upper,
                                          const int32_t *lower, int signs) {
    for (; channel->left > 0; channel->left--) {
        for (const int32_t *end = channel->end + channel->odd; upper < end; upper++, lower++) {
            int32_t sum = channel->bias, sum_below = sum;
            for (int32_t kx = 0; kx < 3; kx++) {
                const int32_t *weights = channel->weights[kx];
                sum = es_smlad(upper[kx], weights[0], sum);
                sum = es_smlabt(lower[kx], weights[1], sum);
                sum_below = es_smlatb(upper[kx], weights[0], sum_below);
                sum_below = es_smlad(lower[kx], weights[1], sum_below);
            }
            channel->to[channel->row] = es_depthwise_scale(channel, sum_below, signs);
            channel->to[0] = es_depthwise_scale(channel, sum, signs);
            channel->to += channel->pixel;
        }
        channel->to += channel->row;
        channel->end += channel->pitch / 4;
        upper += 2;
        lower += 2;
    }
}

#define ES_DEPTHWISE_ROWS(name, signs, scale)                                                      \
    static void name(es_depthwise_channel *channel, const int32_t *upper, const int32_t *lower) {  \
        es_depthwise_rows_in_c(channel, upper, lower, signs);                                      \
    }

#endif

#endif
