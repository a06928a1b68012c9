/* SPDX-License-Identifier: Apache-2.0 */
/* Types and section macros that every kernel and every generated table shares. Freestanding: only
 * headers that need no libc. */
#ifndef ES_TYPES_H
#define ES_TYPES_H

/* The Arduino build compiles with -Os, a library cannot give options, and the kernels take up to
 * twice the instructions at -Os. Stands before the first function: it holds for those behind it. */
#if defined(ARDUINO) && defined(__OPTIMIZE_SIZE__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O2")
#endif

/* Exported libraries name their kernels apart, so that several of them fit into one program. */
#ifdef __has_include
#if __has_include("es_names.h")
#include "es_names.h"
#endif
#endif

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The model's tables check it: tables that another version of the generator wrote do not compile. */
#define ES_KERNELS_VERSION 1

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "edgesparse: weights are packed for little-endian cores"
#endif
#if INT_MAX < 0x7fffffff
#error "edgesparse: the kernels need an int of 32 bits; AVR and MSP430 have 16"
#endif
#ifndef __cplusplus /* what ISO C leaves to the compiler, and the kernels rely on */
_Static_assert((-3 >> 1) == -2, "edgesparse: shifts of negative numbers must be arithmetic");
_Static_assert((int32_t)0xfffffffeu == -2 && (int8_t)0xfe == -2,
               "edgesparse: conversions to signed types must keep the bits");
#endif

/* Linker sections, so that sizes can be read per table: packed weights with their indices, and
 * everything else that is constant (biases, multipliers, lookup tables). The names begin as those
 * do that any linker script puts into flash (.rodata.*) or zeroes (.bss.*); sections.ld takes them
 * apart. Mach-O hosts name sections differently, and need none. */
#if defined(__ELF__)
#define ES_SECTION(name) section(name),
#else
#define ES_SECTION(name)
#endif
#if defined(ES_WEIGHTS_IN_RAM) /* any start-up code copies .data.* there */
#define ES_WEIGHTS(name) __attribute__((ES_SECTION(".data.es_weights." #name) aligned(4)))
#else
#define ES_WEIGHTS(name) __attribute__((ES_SECTION(".rodata.es_weights." #name) aligned(4)))
#endif
#define ES_TABLE(name) __attribute__((ES_SECTION(".rodata.es_tables." #name) aligned(4)))
#define ES_ARENA __attribute__((ES_SECTION(".bss.arena") aligned(8)))

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
static inline int32_t es_round_up_4(int32_t x) { return (x + 3) & ~3; }

#endif
