/* SPDX-License-Identifier: Apache-2.0 */
#include "es_depthwise_3x3.h"

/* upper: input rows 0 and 1, lower: row 2 in the bottom lanes. */
#if defined(__ARM_FEATURE_DSP)

/* clang-format off */
static __attribute__((noinline)) void es_rows(es_depthwise_channel *channel, const int32_t *upper,
                                              const int32_t *lower) {
    int32_t sum, a0, a1, b0, b1, u0, u1, u2, l1, l2;
    __asm__ volatile(
        "ldrd %[u0], %[a0], [%[channel]]\n\t"
        "ldrd %[u1], %[l1], [%[channel], #8]\n\t"
        "ldrd %[u2], %[l2], [%[channel], #16]\n\t"
        "pkhtb %[l1], %[l1], %[a0], asr #16\n\t"
        "0:\n\t"
        "ldrd %[a0], %[a1], [%[upper]], #8\n\t"
        "ldrd %[b0], %[b1], [%[lower]], #8\n\t"
        "ldr %[sum], [%[channel], #24]\n\t"
        "smlad %[sum], %[a0], %[u0], %[sum]\n\t"
        "smlabb %[sum], %[b0], %[l1], %[sum]\n\t"
        "smlad %[sum], %[a1], %[u1], %[sum]\n\t"
        "smlabt %[sum], %[b1], %[l1], %[sum]\n\t"
        "ldr %[a0], [%[upper]]\n\t"
        "ldr %[b0], [%[lower]]\n\t"
        "smlad %[sum], %[a0], %[u2], %[sum]\n\t"
        "smlabt %[sum], %[b0], %[l2], %[sum]\n\t"
        "ldrd %[a0], %[a1], [%[channel], #28]\n\t"
        "ldr %[b0], [%[channel], #36]\n\t"
        ES_DEPTHWISE_SCALE_SIGNS("%[sum]")
        "ldrd %[a0], %[a1], [%[channel], #40]\n\t"
        "ldr %[b0], [%[channel], #52]\n\t"
        "strb %[sum], [%[a0]]\n\t"
        "add %[a0], %[a0], %[b0]\n\t"
        "str %[a0], [%[channel], #40]\n\t"
        "cmp %[upper], %[a1]\n\t"
        "bne 0b\n\t"
        "ldrd %[b0], %[b1], [%[channel], #60]\n\t"
        "add %[a1], %[a1], %[b0]\n\t"
        "str %[a1], [%[channel], #44]\n\t"
        "add %[upper], #4\n\t"
        "add %[lower], #4\n\t"
        "subs %[b1], #1\n\t"
        "str %[b1], [%[channel], #64]\n\t"
        "bne 0b"
        : [sum] "=&r"(sum), [a0] "=&r"(a0), [a1] "=&r"(a1), [b0] "=&r"(b0), [b1] "=&r"(b1),
          [u0] "=&r"(u0), [u1] "=&r"(u1), [u2] "=&r"(u2), [l1] "=&r"(l1), [l2] "=&r"(l2),
          [upper] "+r"(upper), [lower] "+r"(lower)
        : [channel] "r"(channel)
        : "cc", "memory");
}
/* clang-format on */

#else

static void es_rows(es_depthwise_channel *channel, const int32_t *upper, const int32_t *lower) {
    for (; channel->left > 0; channel->left--) {
        for (; upper < channel->end; upper += 2, lower += 2) {
            int32_t sum = channel->bias;
            for (int32_t kx = 0; kx < 3; kx++) {
                sum = es_smlad(upper[kx], channel->weights[kx][0], sum);
                sum = es_smlabt(lower[kx], channel->weights[kx][1], sum);
            }
            *channel->to = es_depthwise_scale(channel, sum, 1);
            channel->to += channel->pixel;
        }
        channel->end += channel->pitch / 4;
        upper++;
        lower++;
    }
}

#endif

void es_depthwise_conv_2d_3x3_stride2_s8_dsp(const es_depthwise_conv_2d *p, const int8_t *input,
                                             int8_t *output, void *scratch) {
    es_depthwise_3x3_dsp(p, input, output, scratch, es_rows);
}
