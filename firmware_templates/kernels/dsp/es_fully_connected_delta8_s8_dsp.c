/* SPDX-License-Identifier: Apache-2.0 */
#include "es_fully_connected_store.h"

/* Where the weights and gaps of the next output lie. */
typedef struct {
    const int8_t *weights;
    const uint8_t *gaps;
} es_entries;

/* sum + the `count` entries of one output, from input `x` on. The weights and the gaps of four are
 * a word each; the loop takes eight a turn. */
#if defined(__ARM_FEATURE_DSP)

#define ES_FOUR_ENTRIES                                                                            \
    "ldr %[g], [%[gaps]], #4\n\t"                                                                  \
    "ldr %[w], [%[weights]], #4\n\t"                                                               \
    "uxtab %[x], %[x], %[g]\n\t"                                                                   \
    "ldrsb %[a], [%[x]]\n\t"                                                                       \
    "sxtb16 %[v], %[w]\n\t"                                                                        \
    "smlabb %[sum], %[v], %[a], %[sum]\n\t"                                                        \
    "uxtab %[x], %[x], %[g], ror #8\n\t"                                                           \
    "ldrsb %[a], [%[x]]\n\t"                                                                       \
    "sxtb16 %[w], %[w], ror #8\n\t"                                                                \
    "smlabb %[sum], %[w], %[a], %[sum]\n\t"                                                        \
    "uxtab %[x], %[x], %[g], ror #16\n\t"                                                          \
    "ldrsb %[a], [%[x]]\n\t"                                                                       \
    "smlatb %[sum], %[v], %[a], %[sum]\n\t"                                                        \
    "uxtab %[x], %[x], %[g], ror #24\n\t"                                                          \
    "ldrsb %[a], [%[x]]\n\t"                                                                       \
    "smlatb %[sum], %[w], %[a], %[sum]\n\t"

static inline int32_t es_sum_of_entries(es_entries *from, const int8_t *x, uint32_t count,
                                        int32_t sum) {
    int32_t w, v, g, a;
    __asm__("lsrs %[n], %[n], #1\n\t"
            "bcc 1f\n\t"
            "ldrb %[g], [%[gaps]], #1\n\t"
            "ldrsb %[w], [%[weights]], #1\n\t"
            "ldrsb %[a], [%[x], %[g]]\n\t"
            "add %[x], %[x], %[g]\n\t"
            "mla %[sum], %[w], %[a], %[sum]\n\t"
            "1:\n\t"
            "lsrs %[n], %[n], #1\n\t"
            "bcc 2f\n\t"
            "ldrh %[g], [%[gaps]], #2\n\t"
            "ldrh %[w], [%[weights]], #2\n\t"
            "uxtab %[x], %[x], %[g]\n\t"
            "ldrsb %[a], [%[x]]\n\t"
            "sxtb %[v], %[w]\n\t"
            "mla %[sum], %[v], %[a], %[sum]\n\t"
            "uxtab %[x], %[x], %[g], ror #8\n\t"
            "ldrsb %[a], [%[x]]\n\t"
            "sxtb %[v], %[w], ror #8\n\t"
            "mla %[sum], %[v], %[a], %[sum]\n\t"
            "2:\n\t"
            "lsrs %[n], %[n], #1\n\t"
            "bcc 3f\n\t" ES_FOUR_ENTRIES "3:\n\t"
            "beq 5f\n\t"
            "4:\n\t" ES_FOUR_ENTRIES ES_FOUR_ENTRIES "subs %[n], %[n], #1\n\t"
            "bne 4b\n\t"
            "5:"
            : [sum] "+r"(sum), [weights] "+r"(from->weights), [gaps] "+r"(from->gaps), [x] "+r"(x),
              [n] "+l"(count), [w] "=&r"(w), [v] "=&r"(v), [g] "=&r"(g), [a] "=&r"(a)
            :
            : "cc", "memory");
    return sum;
}

#else

static inline int32_t es_sum_of_entries(es_entries *from, const int8_t *x, uint32_t count,
                                        int32_t sum) {
    for (; count > 0; count--) {
        x += *from->gaps++;
        sum += *x * *from->weights++;
    }
    return sum;
}

#endif

void es_fully_connected_delta8_s8_dsp(const es_fully_connected *p, const int8_t *input,
                                      int8_t *output) {
    const int32_t rounding = 2 * p->output_zero_point + 1;
    es_scale scale = es_scale_of(p, 0);
    for (uint32_t row = 0; row < p->rows; row++) {
        es_entries from = {p->weights, p->gaps};
        for (uint32_t c = 0; c < p->out_dim; c++) {
            const int32_t sum = es_sum_of_entries(&from, input, p->counts[c], p->bias[c]);
            if (p->channel_mask) {
                scale = es_scale_of(p, c);
            }
            output[c] = es_output_of_double((int32_t)((uint32_t)sum << 1), scale, rounding);
        }
        es_clamp_outputs(p, output);
        input += p->in_dim;
        output += p->out_dim;
    }
}
