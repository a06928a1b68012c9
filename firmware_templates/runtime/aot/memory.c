/* SPDX-License-Identifier: Apache-2.0 */
/* memcpy, memmove and memset, which compilers call even in freestanding code. */

#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);

/* Without this gcc would turn the loops below into calls of the functions they are in. */
#if defined(__GNUC__) && !defined(__clang__)
#define NO_IDIOMS __attribute__((optimize("no-tree-loop-distribute-patterns")))
#else
#define NO_IDIOMS
#endif

/* Words at any address where the core allows it (on a host, where the compiler sees to it), else at
 * multiples of 4 only. */
#if defined(__ARM_ARCH) && !defined(__ARM_FEATURE_UNALIGNED)
#define WORD_ALIGNMENT 4
#else
#define WORD_ALIGNMENT 1
#endif

/* Not __builtin_memcpy, which without unaligned access becomes a call of memcpy: of itself. */
typedef uint32_t __attribute__((may_alias, aligned(WORD_ALIGNMENT))) word;
static inline uint32_t load_word(const uint8_t *from) { return *(const word *)(const void *)from; }
static inline void store_word(uint8_t *to, uint32_t value) { *(word *)(void *)to = value; }

NO_IDIOMS void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    uint8_t *target = to;
    const uint8_t *source = from;
    if ((((uintptr_t)target | (uintptr_t)source) & (WORD_ALIGNMENT - 1u)) == 0u) {
        for (; count >= 16u; count -= 16u, target += 16, source += 16) {
            const uint32_t a = load_word(source);
            const uint32_t b = load_word(source + 4);
            const uint32_t c = load_word(source + 8);
            const uint32_t d = load_word(source + 12);
            store_word(target, a);
            store_word(target + 4, b);
            store_word(target + 8, c);
            store_word(target + 12, d);
        }
        for (; count >= 4u; count -= 4u, target += 4, source += 4) {
            store_word(target, load_word(source));
        }
    }
    for (; count > 0u; --count) {
        *target++ = *source++;
    }
    return to;
}

NO_IDIOMS void *memmove(void *to, const void *from, size_t count) {
    uint8_t *target = to;
    const uint8_t *source = from;
    if (target == source || count == 0u) {
        return to;
    }
    if ((uintptr_t)target < (uintptr_t)source) {
        for (; count > 0u; --count) {
            *target++ = *source++;
        }
    } else {
        for (; count > 0u; --count) {
            target[count - 1u] = source[count - 1u];
        }
    }
    return to;
}

NO_IDIOMS void *memset(void *to, int value, size_t count) {
    uint8_t *target = to;
    const uint32_t bytes = (uint8_t)value * 0x01010101u;
    for (; count > 0u && ((uintptr_t)target & (WORD_ALIGNMENT - 1u)) != 0u; --count) {
        *target++ = (uint8_t)value;
    }
    for (; count >= 16u; count -= 16u, target += 16) {
        store_word(target, bytes);
        store_word(target + 4, bytes);
        store_word(target + 8, bytes);
        store_word(target + 12, bytes);
    }
    for (; count > 0u; --count) {
        *target++ = (uint8_t)value;
    }
    return to;
}
