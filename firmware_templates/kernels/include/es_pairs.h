/* SPDX-License-Identifier: Apache-2.0 */
/* Four multiplications in three instructions: SMLAD on two weights a lane.
 *
 * Weights w0 w1 w2 w3 lie in a word as lanes w0 + 256 * w1 and w2 + 256 * w3 (the byte of w1 is one
 * less where w0 is negative). With a second look at the even weights alone, L = (w0, w2):
 *
 *     256 * sum(w * x) = word . (x1, x3)  +  L . (256 * x0 - x1, 256 * x2 - x3)
 *
 * 256 * x0 - x1 exceeds int16 at x0 = -128 only, and 256 * x0 - x1 + 127 never does. What 127 adds
 * is a constant of the output's weights, which the packer takes from the bias. Sums wrap as int32
 * on the way; the result 256 * sum is exact where |sum| < 2^23, as the packer proves.
 *
 * An input of four becomes two words, (x1, x3) and (256 * x0 - x1 + 127, 256 * x2 - x3 + 127). */
#ifndef ES_PAIRS_H
#define ES_PAIRS_H

#include "es_dsp.h"
#include "es_fully_connected.h"

/* Sums of up to four outputs, each 256-fold, and where their weights (and in dense layers
 * their inputs) are read. */
typedef struct {
    int32_t a, b, c, d;
    const int8_t *weights;
    const int32_t *x;
} es_pair_sums;

#if defined(__ARM_FEATURE_DSP)

static inline int32_t es_ssub16(int32_t a, int32_t b) {
    int32_t result;
    __asm__("ssub16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
static inline int32_t es_sadd16(int32_t a, int32_t b) {
    int32_t result;
    __asm__("sadd16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}

/* One output, the next four columns. */
static inline void es_pairs_1(es_pair_sums *s) {
    int32_t w, x13, x02;
    __asm__("ldr %[w], [%[from]], #4\n\t"
            "ldrd %[x13], %[x02], [%[x]], #8\n\t"
            "smlad %[a], %[w], %[x13], %[a]\n\t"
            "sxtb16 %[w], %[w]\n\t"
            "smlad %[a], %[w], %[x02], %[a]"
            : [a] "+r"(s->a), [from] "+r"(s->weights), [x] "+r"(s->x), [w] "=&r"(w),
              [x13] "=&r"(x13), [x02] "=&r"(x02)
            :
            : "memory");
}

/* Four outputs, the next four columns. LDM needs registers in ascending order. */
static inline void es_pairs_4(es_pair_sums *s) {
    int32_t x13, x02;
    __asm__("ldmia %[from]!, {r4, r5, r6, r8}\n\t"
            "ldrd %[x13], %[x02], [%[x]], #8\n\t"
            "smlad %[a], r4, %[x13], %[a]\n\t"
            "sxtb16 r4, r4\n\t"
            "smlad %[b], r5, %[x13], %[b]\n\t"
            "sxtb16 r5, r5\n\t"
            "smlad %[c], r6, %[x13], %[c]\n\t"
            "sxtb16 r6, r6\n\t"
            "smlad %[d], r8, %[x13], %[d]\n\t"
            "sxtb16 r8, r8\n\t"
            "smlad %[a], r4, %[x02], %[a]\n\t"
            "smlad %[b], r5, %[x02], %[b]\n\t"
            "smlad %[c], r6, %[x02], %[c]\n\t"
            "smlad %[d], r8, %[x02], %[d]"
            : [a] "+r"(s->a), [b] "+r"(s->b), [c] "+r"(s->c), [d] "+r"(s->d),
              [from] "+r"(s->weights), [x] "+r"(s->x), [x13] "=&r"(x13), [x02] "=&r"(x02)
            :
            : "r4", "r5", "r6", "r8", "memory");
}

/* All blocks of one output, or of two: `count` of them, from input `x` on. Returns the end of their
 * gaps, of which four are loaded as one word. */
#define ES_GAP(rotation) "uxtab %[x], %[x], %[g]" rotation "\n\t"
#define ES_BLOCK_1                                                                                 \
    "ldr %[w], [%[from]], #4\n\t"                                                                  \
    "ldrd %[x13], %[x02], [%[x]]\n\t"                                                              \
    "smlad %[a], %[w], %[x13], %[a]\n\t"                                                           \
    "sxtb16 %[w], %[w]\n\t"                                                                        \
    "smlad %[a], %[w], %[x02], %[a]\n\t"
#define ES_BLOCK_2                                                                                 \
    "ldrd %[w], %[v], [%[from]], #8\n\t"                                                           \
    "ldrd %[x13], %[x02], [%[x]]\n\t"                                                              \
    "smlad %[a], %[w], %[x13], %[a]\n\t"                                                           \
    "sxtb16 %[w], %[w]\n\t"                                                                        \
    "smlad %[b], %[v], %[x13], %[b]\n\t"                                                           \
    "sxtb16 %[v], %[v]\n\t"                                                                        \
    "smlad %[a], %[w], %[x02], %[a]\n\t"                                                           \
    "smlad %[b], %[v], %[x02], %[b]\n\t"
#define ES_BLOCKS(block)                                                                           \
    "lsrs %[n], %[n], #1\n\t"                                                                      \
    "bcc 1f\n\t"                                                                                   \
    "ldrb %[g], [%[gaps]], #1\n\t" ES_GAP("") block "1:\n\t"                                       \
                                                    "lsrs %[n], %[n], #1\n\t"                      \
                                                    "bcc 2f\n\t"                                   \
                                                    "ldrh %[g], [%[gaps]], #2\n\t" ES_GAP("")      \
                                                        block ES_GAP(", ror #8") block             \
        "2:\n\t"                                                                                   \
        "beq 4f\n\t"                                                                               \
        "3:\n\t"                                                                                   \
        "ldr %[g], [%[gaps]], #4\n\t" ES_GAP("") block ES_GAP(", ror #8")                          \
            block ES_GAP(", ror #16") block ES_GAP(", ror #24") block "subs %[n], %[n], #1\n\t"    \
                                                                      "bne 3b\n\t"                 \
                                                                      "4:"

static inline const uint8_t *es_blocks_1(es_pair_sums *s, const int32_t *x, const uint8_t *gaps,
                                         uint32_t count) {
    int32_t w, x13, x02, g;
    __asm__(ES_BLOCKS(ES_BLOCK_1)
            : [a] "+r"(s->a), [from] "+r"(s->weights), [x] "+r"(x), [gaps] "+r"(gaps),
              [n] "+l"(count), [w] "=&r"(w), [x13] "=&r"(x13), [x02] "=&r"(x02), [g] "=&r"(g)
            :
            : "cc", "memory");
    return gaps;
}
static inline const uint8_t *es_blocks_2(es_pair_sums *s, const int32_t *x, const uint8_t *gaps,
                                         uint32_t count) {
    int32_t w, v, x13, x02, g;
    __asm__(ES_BLOCKS(ES_BLOCK_2)
            : [a] "+r"(s->a), [b] "+r"(s->b), [from] "+r"(s->weights), [x] "+r"(x),
              [gaps] "+r"(gaps), [n] "+l"(count), [w] "=&r"(w), [v] "=&r"(v), [x13] "=&r"(x13),
              [x02] "=&r"(x02), [g] "=&r"(g)
            :
            : "cc", "memory");
    return gaps;
}

#else

static inline int32_t es_ssub16(int32_t a, int32_t b) {
    return es_lanes(es_bottom(a) - es_bottom(b), es_top(a) - es_top(b));
}
static inline int32_t es_sadd16(int32_t a, int32_t b) {
    return es_lanes(es_bottom(a) + es_bottom(b), es_top(a) + es_top(b));
}
static inline int32_t es_pairs_of_four(es_pair_sums *s, const int32_t *x, int32_t sum) {
    const int32_t w = es_load_4(s->weights);
    s->weights += 4;
    return es_smlad(es_sxtb16(w), x[1], es_smlad(w, x[0], sum));
}
static inline void es_pairs_1(es_pair_sums *s) {
    s->a = es_pairs_of_four(s, s->x, s->a);
    s->x += 2;
}
static inline void es_pairs_4(es_pair_sums *s) {
    s->a = es_pairs_of_four(s, s->x, s->a);
    s->b = es_pairs_of_four(s, s->x, s->b);
    s->c = es_pairs_of_four(s, s->x, s->c);
    s->d = es_pairs_of_four(s, s->x, s->d);
    s->x += 2;
}
static inline const uint8_t *es_blocks_1(es_pair_sums *s, const int32_t *x, const uint8_t *gaps,
                                         uint32_t count) {
    for (; count > 0; count--) {
        x += *gaps++ / 4;
        s->a = es_pairs_of_four(s, x, s->a);
    }
    return gaps;
}
static inline const uint8_t *es_blocks_2(es_pair_sums *s, const int32_t *x, const uint8_t *gaps,
                                         uint32_t count) {
    for (; count > 0; count--) {
        x += *gaps++ / 4;
        s->a = es_pairs_of_four(s, x, s->a);
        s->b = es_pairs_of_four(s, x, s->b);
    }
    return gaps;
}

#endif

/* Four inputs as two words at `to`. */
static inline int32_t *es_expand_four(int32_t x, int32_t *to) {
    const int32_t x13 = es_sxtb16_ror8(x);
    const int32_t x02_by_256 = (int32_t)((uint32_t)x << 8 & 0xff00ff00u);
    to[0] = x13;
    to[1] = es_sadd16(x02_by_256, es_ssub16(0x007f007f, x13));
    return to + 2;
}

/* An input row for the kernels of this header, to [2 * r4(count)] bytes; zeros behind its end. */
static inline void es_expand_pairs(const int8_t *from, uint32_t count, int32_t *to) {
    for (const int8_t *end = from + (count & ~3u); from < end; from += 4) {
        to = es_expand_four(es_load_4(from), to);
    }
    if (count & 3u) {
        uint32_t last = 0;
        for (uint32_t i = 0; i < (count & 3u); i++) {
            last |= (uint32_t)(uint8_t)from[i] << (8 * i);
        }
        es_expand_four((int32_t)last, to);
    }
}

#endif
