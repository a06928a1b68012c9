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

#endif

/* es_requantize.h in six instructions. Exact while |accumulator| * 2^left < 2^30, which the packer
 * proves for every channel. Everything that depends on the channel alone is computed once. */
typedef struct {
    int32_t multiplier;
    int32_t left;  /* 1 + left shift: SMMULR divides by 2^32, not 2^31 */
    int32_t right; /* right shift */
    int32_t nudge; /* half of 2^right */
    int32_t sign;  /* -1 where right > 0: negative ties move down; else 0 */
} es_scale;

static inline es_scale es_scale_of(int32_t multiplier, int32_t shift) {
    const int32_t right = shift > 0 ? 0 : -shift;
    const es_scale scale = {.multiplier = multiplier,
                            .left = 1 + (shift > 0 ? shift : 0),
                            .right = right,
                            .nudge = (int32_t)((1u << right) >> 1),
                            .sign = right > 0 ? -1 : 0};
    return scale;
}

static inline int32_t es_scale_apply(int32_t accumulator, es_scale scale) {
    const int32_t shifted = (int32_t)((uint32_t)accumulator << scale.left);
    const int32_t high = es_smmulr(shifted, scale.multiplier);
    return (high + scale.nudge + ((high >> 31) & scale.sign)) >> scale.right;
}

static inline int8_t es_scale_to_s8(int32_t accumulator, es_scale scale, int32_t zero_point,
                                    int32_t low, int32_t high) {
    return (int8_t)es_clamp(es_scale_apply(accumulator, scale) + zero_point, low, high);
}

#endif
