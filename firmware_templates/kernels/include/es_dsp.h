/* The Armv7E-M DSP instructions that the kernels in dsp/ use, and the same in plain C for host
 * tests. Lanes are int16: bottom = bits 0 to 15, top = bits 16 to 31. All sums wrap. */
#ifndef ES_DSP_H
#define ES_DSP_H

#include "es_types.h"

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
/* Bottom lanes (or top lanes) of a and b as one word: a's is the bottom lane. */
ES_DSP_2(es_pack_bottoms, "pkhbt %0, %1, %2, lsl #16")
ES_DSP_2(es_pack_tops_reversed, "pkhtb %0, %1, %2, asr #16")
/* c + a.bottom * b.bottom + a.top * b.top, and the single products. */
ES_DSP_3(es_smlad, "smlad %0, %1, %2, %3")
ES_DSP_3(es_smlabb, "smlabb %0, %1, %2, %3")
ES_DSP_3(es_smlatb, "smlatb %0, %1, %2, %3")
ES_DSP_3(es_smlatt, "smlatt %0, %1, %2, %3")
/* (a * b + 2^31) / 2^32, rounded down. */
ES_DSP_2(es_smmulr, "smmulr %0, %1, %2")
#undef ES_DSP_2
#undef ES_DSP_3

/* Saturates to int8. */
static inline int32_t es_ssat8(int32_t x) {
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(x) : "cc");
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
static inline int32_t es_pack_bottoms(int32_t a, int32_t b) {
    return es_lanes(es_bottom(a), es_bottom(b));
}
static inline int32_t es_pack_tops_reversed(int32_t a, int32_t b) {
    return es_lanes(es_top(b), es_top(a));
}
static inline int32_t es_smlabb(int32_t a, int32_t b, int32_t c) {
    return es_wrapping_add(es_bottom(a) * es_bottom(b), c);
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
static inline int32_t es_smmulr(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}
static inline int32_t es_ssat8(int32_t x) { return es_clamp(x, -128, 127); }
static inline const int8_t *es_uxtab(const int8_t *x, uint32_t word) { return x + (word & 0xffu); }
static inline const int8_t *es_uxtab_ror16(const int8_t *x, uint32_t word) {
    return x + ((word >> 16) & 0xffu);
}
static inline int64_t es_load_pair(const int32_t *from) {
    return (int64_t)((uint64_t)(uint32_t)from[0] | (uint64_t)(uint32_t)from[1] << 32);
}

#endif

static inline int32_t es_first(int64_t pair) { return (int32_t)pair; }
static inline int32_t es_second(int64_t pair) { return (int32_t)(pair >> 32); }

/* es_multiply (es_requantize.h) for shift < 0, in five instructions: right = -shift, nudge = half
 * of 2^right. Exact while |x| < 2^30, which the packer proves for every channel. */
static inline int32_t es_multiply_down(int32_t x, int32_t multiplier, int32_t right,
                                       int32_t nudge) {
    const int32_t high = es_smmulr((int32_t)((uint32_t)x << 1), multiplier);
    return (high + (high >> 31) + nudge) >> right;
}

/* es_requantize for any shift, fast for shift < 0. */
static inline int8_t es_requantize_dsp(int32_t x, int32_t multiplier, int32_t shift,
                                       int32_t zero_point, int32_t low, int32_t high) {
    int32_t scaled;
    if (shift < 0) {
        scaled = es_multiply_down(x, multiplier, -shift, 1 << (-shift - 1));
    } else {
        const int32_t shifted = (int32_t)((uint32_t)x << (shift + 1));
        scaled = es_smmulr(shifted, multiplier);
    }
    return (int8_t)es_clamp(scaled + zero_point, low, high);
}

#endif
