/* Types and section macros that every kernel and every generated table shares. Freestanding: no
 * libc header. */
#ifndef ES_TYPES_H
#define ES_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The generator writes ES_KERNELS_VERSION into model.h; a stale generated file does not compile. */
#define ES_KERNELS_VERSION 1

/* Linker sections, so that sizes can be read per table: packed weights with their indices, and
 * everything else that is constant (biases, multipliers, lookup tables). Mach-O hosts name sections
 * differently, and need none. */
#if defined(__ELF__)
#define ES_WEIGHTS(name) __attribute__((section(".weights." #name), aligned(4)))
#define ES_TABLE(name) __attribute__((section(".tables." #name), aligned(4)))
#else
#define ES_WEIGHTS(name) __attribute__((aligned(4)))
#define ES_TABLE(name) __attribute__((aligned(4)))
#endif

/* Whether sums and pointers of an unrolled loop would not fit the registers: Armv6-M has eight that
 * every instruction takes. */
#if defined(__ARM_ARCH) && __ARM_ARCH == 6
#define ES_FEW_REGISTERS true
#else
#define ES_FEW_REGISTERS false
#endif

/* Four int8 from any address; by bytes on Armv6-M, where gcc would call memcpy for want of
 * unaligned loads. */
static inline int32_t es_load_4(const int8_t *from) {
#if defined(__ARM_ARCH) && __ARM_ARCH == 6
    return (int32_t)((uint32_t)(uint8_t)from[0] | (uint32_t)(uint8_t)from[1] << 8 |
                     (uint32_t)(uint8_t)from[2] << 16 | (uint32_t)(uint8_t)from[3] << 24);
#else
    int32_t word;
    __builtin_memcpy(&word, from, 4);
    return word;
#endif
}

/* For memory that is read as other types than it was written as. */
typedef int16_t __attribute__((may_alias)) es_lane;
typedef int64_t __attribute__((may_alias, aligned(4))) es_double_word;

static inline int32_t es_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t es_max(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t es_clamp(int32_t x, int32_t low, int32_t high) {
    return es_min(es_max(x, low), high);
}

#endif
