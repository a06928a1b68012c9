/* SPDX-License-Identifier: Apache-2.0 */
/* The Armv7E-M DSP instructions that the kernels in dsp/ use, and the same in plain C for host
 * tests. Lanes are int16: bottom = bits 0 to 15, top = bits 16 to 31. All sums wrap. */
#ifndef ES_DSP_H
#define ES_DSP_H

#include "es_types.h"

/* The sums of one output channel of four pixels. */
typedef struct {
    int32_t pixel_0, pixel_1, pixel_2, pixel_3;
} es_sums;

#if defined(__ARM_FEATURE_DSP)

/* Inline assembly, because gcc 12's arm_acle.h lacks half of these. */
#define ES_DSP_2(name, text)                                                                       \
    static inline int32_t name(int32_t a, int32_t b) {                                             \
        int32_t result;                                                                            \
        __asm__(text : "=r"(result) : "r"(a), "r"(b));                                             \
        return result;                                                                             \
    }
#define ES_DSP_3(name, text)                                                                       \
    static inline int32_t name(int32_t a, int32_t b, int32_t c) {                                  \
        int32_t result;                                                                            \
        __asm__(text : "=r"(result) : "r"(a), "r"(b), "r"(c));                                     \
        return result;                                                                             \
    }

/* Bytes 0 and 2 (or 1 and 3) of a word, sign-extended to two lanes. */
static inline int32_t es_sxtb16(int32_t word) {
    int32_t result;
    __asm__("sxtb16 %0, %1" : "=r"(result) : "r"(word));
    return result;
}
static inline int32_t es_sxtb16_ror8(int32_t word) {
    int32_t result;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(word));
    return result;
}
/* The same added to the lanes of sums. */
ES_DSP_2(es_sxtab16, "sxtab16 %0, %1, %2")
ES_DSP_2(es_sxtab16_ror8, "sxtab16 %0, %1, %2, ror #8")
/* Bottom lanes (or top lanes) of a and b as one word: a's is the bottom lane. */
ES_DSP_2(es_pack_bottoms, "pkhbt %0, %1, %2, lsl #16")
ES_DSP_2(es_pack_tops_reversed, "pkhtb %0, %1, %2, asr #16")
/* c + a.bottom * b.bottom + a.top * b.top, and the single products. */
ES_DSP_3(es_smlad, "smlad %0, %1, %2, %3")
ES_DSP_3(es_smlabb, "smlabb %0, %1, %2, %3")
ES_DSP_3(es_smlabt, "smlabt %0, %1, %2, %3")
ES_DSP_3(es_smlatb, "smlatb %0, %1, %2, %3")
ES_DSP_3(es_smlatt, "smlatt %0, %1, %2, %3")
/* c + a * b.bottom / 2^16 (or b.top), rounded down. */
ES_DSP_3(es_smlawb, "smlawb %0, %1, %2, %3")
ES_DSP_3(es_smlawt, "smlawt %0, %1, %2, %3")
/* (a * b + 2^31) / 2^32, rounded down. */
ES_DSP_2(es_smmulr, "smmulr %0, %1, %2")
/* The same plus c. */
ES_DSP_3(es_smmlar, "smmlar %0, %1, %2, %3")
#undef ES_DSP_2
#undef ES_DSP_3

/* The larger of each of four int8: the subtraction sets the flags that SEL reads. */
static inline int32_t es_max_4(int32_t a, int32_t b) {
    int32_t result;
    __asm__("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b) : "cc");
    return result;
}
/* Saturates x / 2^20, rounded down, to int8. */
static inline int32_t es_ssat8_asr20(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1, asr #20" : "=r"(result) : "r"(x) : "cc");
    return result;
}
/* Saturates x / 2^16, rounded down, to int8. */
static inline int32_t es_ssat8_asr16(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1, asr #16" : "=r"(result) : "r"(x) : "cc");
    return result;
}
/* Saturates to int8. */
static inline int32_t es_ssat8(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(x) : "cc");
    return result;
}
/* Half of x, rounded down, saturated to int8. */
static inline int32_t es_ssat8_half(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1, asr #1" : "=r"(result) : "r"(x) : "cc");
    return result;
}
/* x + byte 0 (or byte 2) of a word, unsigned. */
static inline const int8_t *es_uxtab(const int8_t *x, uint32_t word) {
    const int8_t *result;
    __asm__("uxtab %0, %1, %2" : "=r"(result) : "r"(x), "r"(word));
    return result;
}
static inline const int8_t *es_uxtab_ror16(const int8_t *x, uint32_t word) {
    const int8_t *result;
    __asm__("uxtab %0, %1, %2, ror #16" : "=r"(result) : "r"(x), "r"(word));
    return result;
}
/* Two words by one LDRD: the first in the lower half. */
static inline int64_t es_load_pair(const int32_t *from) {
    int64_t result;
    __asm__("ldrd %Q0, %R0, %1" : "=r"(result) : "m"(*(const es_double_word *)from));
    return result;
}

/* sum + four int8 weights in a word times four int16 in a pair of words, in the order 0 2 1 3. One
 * block of assembly keeps gcc from moving the four unpackings of a loop ahead of it, and running
 * out of registers. */
static inline int32_t es_dot_4(int32_t weights, int64_t x, int32_t sum) {
    int32_t lanes;
    __asm__("sxtb16 %1, %2\n\t"
            "smlad %0, %1, %Q3, %0\n\t"
            "sxtb16 %1, %2, ror #8\n\t"
            "smlad %0, %1, %R3, %0"
            : "+r"(sum), "=&r"(lanes)
            : "r"(weights), "r"(x));
    return sum;
}

/* A block of four int8 weights applied to four pixels: x [4 pixels][4] int16 in the order 0 2 1 3.
 * In one block of assembly, since clang does not fold the offsets into LDRD. */
static inline es_sums es_dot_4_by_4(int32_t weights, const int32_t *x, es_sums sums) {
    int32_t w02, a, b;
    __asm__(
        "sxtb16 %[w02], %[w]\n\t"
        "sxtb16 %[w], %[w], ror #8\n\t"
        "ldrd %[a], %[b], [%[x]]\n\t"
        "smlad %[s0], %[a], %[w02], %[s0]\n\t"
        "smlad %[s0], %[b], %[w], %[s0]\n\t"
        "ldrd %[a], %[b], [%[x], #8]\n\t"
        "smlad %[s1], %[a], %[w02], %[s1]\n\t"
        "smlad %[s1], %[b], %[w], %[s1]\n\t"
        "ldrd %[a], %[b], [%[x], #16]\n\t"
        "smlad %[s2], %[a], %[w02], %[s2]\n\t"
        "smlad %[s2], %[b], %[w], %[s2]\n\t"
        "ldrd %[a], %[b], [%[x], #24]\n\t"
        "smlad %[s3], %[a], %[w02], %[s3]\n\t"
        "smlad %[s3], %[b], %[w], %[s3]"
        : [s0] "+r"(sums.pixel_0), [s1] "+r"(sums.pixel_1), [s2] "+r"(sums.pixel_2),
          [s3] "+r"(sums.pixel_3), [w] "+r"(weights), [w02] "=&r"(w02), [a] "=&r"(a), [b] "=&r"(b)
        : [x] "r"(x)
        : "memory");
    return sums;
}

#else

static inline int32_t es_bottom(int32_t word) {
    return (int16_t)(uint16_t)((uint32_t)word & 0xffffu);
}
static inline int32_t es_top(int32_t word) { return (int16_t)(uint16_t)((uint32_t)word >> 16); }
static inline int32_t es_lanes(int32_t bottom, int32_t top) {
    return (int32_t)(((uint32_t)bottom & 0xffffu) | ((uint32_t)top << 16));
}
static inline int32_t es_byte(int32_t word, int32_t index) {
    return (int8_t)(uint8_t)((uint32_t)word >> (8 * index));
}
static inline int32_t es_wrapping_add(int32_t a, int32_t b) {
    return (int32_t)((uint32_t)a + (uint32_t)b);
}
static inline int32_t es_sxtb16(int32_t word) {
    return es_lanes(es_byte(word, 0), es_byte(word, 2));
}
static inline int32_t es_sxtb16_ror8(int32_t word) {
    return es_lanes(es_byte(word, 1), es_byte(word, 3));
}
static inline int32_t es_sxtab16(int32_t sums, int32_t word) {
    return es_lanes(es_bottom(sums) + es_byte(word, 0), es_top(sums) + es_byte(word, 2));
}
static inline int32_t es_sxtab16_ror8(int32_t sums, int32_t word) {
    return es_lanes(es_bottom(sums) + es_byte(word, 1), es_top(sums) + es_byte(word, 3));
}
static inline int32_t es_max_4(int32_t a, int32_t b) {
    uint32_t result = 0;
    for (int32_t i = 0; i < 4; i++) {
        result |= ((uint32_t)es_max(es_byte(a, i), es_byte(b, i)) & 0xffu) << (8 * i);
    }
    return (int32_t)result;
}
static inline int32_t es_pack_bottoms(int32_t a, int32_t b) {
    return es_lanes(es_bottom(a), es_bottom(b));
}
static inline int32_t es_pack_tops_reversed(int32_t a, int32_t b) {
    return es_lanes(es_top(b), es_top(a));
}
static inline int32_t es_smlabb(int32_t a, int32_t b, int32_t c) {
    return es_wrapping_add(es_bottom(a) * es_bottom(b), c);
}
static inline int32_t es_smlabt(int32_t a, int32_t b, int32_t c) {
    return es_wrapping_add(es_bottom(a) * es_top(b), c);
}
static inline int32_t es_smlatb(int32_t a, int32_t b, int32_t c) {
    return es_wrapping_add(es_top(a) * es_bottom(b), c);
}
static inline int32_t es_smlatt(int32_t a, int32_t b, int32_t c) {
    return es_wrapping_add(es_top(a) * es_top(b), c);
}
static inline int32_t es_smlad(int32_t a, int32_t b, int32_t c) {
    return es_smlabb(a, b, es_smlatt(a, b, c));
}
static inline int32_t es_smlawb(int32_t a, int32_t b, int32_t c) {
    return es_wrapping_add((int32_t)(((int64_t)a * es_bottom(b)) >> 16), c);
}
static inline int32_t es_smlawt(int32_t a, int32_t b, int32_t c) {
    return es_wrapping_add((int32_t)(((int64_t)a * es_top(b)) >> 16), c);
}
static inline int32_t es_ssat8_asr20(int32_t x) { return es_clamp(x >> 20, -128, 127); }
static inline int32_t es_ssat8_asr16(int32_t x) { return es_clamp(x >> 16, -128, 127); }
static inline int32_t es_smmulr(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}
static inline int32_t es_smmlar(int32_t a, int32_t b, int32_t c) {
    return es_wrapping_add(es_smmulr(a, b), c);
}
static inline int32_t es_ssat8(int32_t x) { return es_clamp(x, -128, 127); }
static inline int32_t es_ssat8_half(int32_t x) { return es_clamp(x >> 1, -128, 127); }
static inline const int8_t *es_uxtab(const int8_t *x, uint32_t word) { return x + (word & 0xffu); }
static inline const int8_t *es_uxtab_ror16(const int8_t *x, uint32_t word) {
    return x + ((word >> 16) & 0xffu);
}
static inline int64_t es_load_pair(const int32_t *from) {
    return (int64_t)((uint64_t)(uint32_t)from[0] | (uint64_t)(uint32_t)from[1] << 32);
}
static inline int32_t es_dot_4(int32_t weights, int64_t x, int32_t sum) {
    sum = es_smlad(es_sxtb16(weights), (int32_t)x, sum);
    return es_smlad(es_sxtb16_ror8(weights), (int32_t)(x >> 32), sum);
}
static inline es_sums es_dot_4_by_4(int32_t weights, const int32_t *x, es_sums sums) {
    sums.pixel_0 = es_dot_4(weights, es_load_pair(x), sums.pixel_0);
    sums.pixel_1 = es_dot_4(weights, es_load_pair(x + 2), sums.pixel_1);
    sums.pixel_2 = es_dot_4(weights, es_load_pair(x + 4), sums.pixel_2);
    sums.pixel_3 = es_dot_4(weights, es_load_pair(x + 6), sums.pixel_3);
    return sums;
}

#endif

static inline int32_t es_first(int64_t pair) { return (int32_t)pair; }
static inline int32_t es_second(int64_t pair) { return (int32_t)(pair >> 32); }

/* es_multiply (es_requantize.h) for shift < 0, plus the zero point, in six instructions:
 * shift_less_1 = ~shift, rounding = 2 * zero_point + 1. The last of the divisions by two rounds,
 * and the zero point rides on it. Exact while |x| < 2^30, which the packer proves for every
 * channel. */
static inline int32_t es_scale_down(int32_t x, int32_t multiplier, int32_t shift_less_1,
                                    int32_t rounding) {
    const int32_t high = es_smmulr((int32_t)((uint32_t)x << 1), multiplier);
    return (((high + (high >> 31)) >> shift_less_1) + rounding) >> 1;
}

/* The same for shift >= 0, and |x| * 2^shift < 2^30. */
static inline int32_t es_scale_up(int32_t x, int32_t multiplier, int32_t shift, int32_t rounding) {
    return es_smmulr((int32_t)((uint32_t)x << (shift + 1)), multiplier) + (rounding >> 1);
}

/* es_requantize for any shift. */
static inline int8_t es_requantize_dsp(int32_t x, int32_t multiplier, int32_t shift,
                                       int32_t zero_point, int32_t low, int32_t high) {
    const int32_t rounding = 2 * zero_point + 1;
    const int32_t scaled = __builtin_expect(shift < 0, 1)
                               ? es_scale_down(x, multiplier, ~shift, rounding)
                               : es_scale_up(x, multiplier, shift, rounding);
    return (int8_t)es_clamp(scaled, low, high);
}

#endif
