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

/* A word at any address: one LDR or STR where the core allows it, else bytes. */
static inline uint32_t load_word(const uint8_t *from) {
    uint32_t word;
    __builtin_memcpy(&word, from, 4);
    return word;
}

static inline void store_word(uint8_t *to, uint32_t word) { __builtin_memcpy(to, &word, 4); }

NO_IDIOMS void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    uint8_t *target = to;
    const uint8_t *source = from;
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
    const uint32_t word = (uint8_t)value * 0x01010101u;
    for (; count >= 16u; count -= 16u, target += 16) {
        store_word(target, word);
        store_word(target + 4, word);
        store_word(target + 8, word);
        store_word(target + 12, word);
    }
    for (; count > 0u; --count) {
        *target++ = (uint8_t)value;
    }
    return to;
}
