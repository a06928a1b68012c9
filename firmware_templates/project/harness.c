/* SPDX-License-Identifier: Apache-2.0 */
#include "harness.h"

#include "arch.h"
#include "counter.h"
#include "harness_model.h"
#include "selftest.h"
#include "semihosting.h"
#include "vectors.h"

#include <stdint.h>

#define GUARD_BYTE 0xA5u
#define HEX_BYTES_PER_WRITE 32u

extern uint8_t __stack_bottom[], __stack_top[];
extern uint8_t __arena_start[], __arena_end[], __guard_end[];

/* Every caller would hold a copy otherwise, and the harness counts in the reported flash. */
#define SMALL __attribute__((noinline)) static

/* ---- printing ---- */

SMALL void put_text(const char *text) { semihosting_write(text); }

SMALL void put_hex(const uint8_t *bytes, uint32_t count) {
    static const char digits[] = "0123456789abcdef";
    while (count > 0u) {
        char text[2u * HEX_BYTES_PER_WRITE + 1u];
        uint32_t length = 0u;
        for (; count > 0u && length < 2u * HEX_BYTES_PER_WRITE; --count) {
            text[length++] = digits[*bytes >> 4];
            text[length++] = digits[*bytes++ & 15u];
        }
        text[length] = '\0';
        put_text(text);
    }
}

/* `name` with its separator, such as " ticks=", then the value in decimal. */
SMALL void put_number(const char *name, uint32_t value) {
    char text[11];
    char *first = &text[10];
    *first = '\0';
    do {
        *--first = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0u);
    put_text(name);
    put_text(first);
}

SMALL void put_word(const char *name, uint32_t value) {
    const uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
                              (uint8_t)value};
    put_text(name);
    put_text("0x");
    put_hex(bytes, 4u);
}

/* ---- time ---- */

void harness_counter_wrapped(void) { counter_wrapped(); }

/* Ticks of the board's counter that a call takes, the call itself included. */
SMALL uint32_t ticks_of(void (*function)(void)) {
    counter_start();
    function();
    return counter_stop();
}

static void do_nothing(void) {}

/* ---- memory ----
 * A byte that a run leaves as painted was not used, unless the run wrote just that value: so one
 * vector runs twice over two paints, and what the model writes can equal only one of them. */

/* Inline, and volatile lest it become a memset: a callee would paint over its own frame. */
__attribute__((always_inline)) static inline void paint(uint8_t *from, const uint8_t *end,
                                                        uint8_t value) {
    for (volatile uint8_t *to = from; to < end; ++to) {
        *to = value;
    }
}

SMALL uint32_t unpainted_from_end(const uint8_t *from, const uint8_t *end, uint8_t value) {
    while (end > from && end[-1] == value) {
        --end;
    }
    return (uint32_t)(end - from);
}

static uint32_t unpainted_from_start(const uint8_t *from, const uint8_t *end, uint8_t value) {
    while (from < end && *from == value) {
        ++from;
    }
    return (uint32_t)(end - from);
}

struct memory_use {
    uint32_t arena;
    uint32_t stack;
};

static uint32_t larger(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* From vectors.c, or the next one of a file. */
SMALL void load_input(int32_t samples, uint32_t vector) {
    if (samples < 0) {
        selftest_load(vector);
    } else if (semihosting_read(samples, model_input(), MODEL_INPUT_BYTES) != 0u) {
        semihosting_exit(1u);
    }
}

/* Runs one vector over freshly painted memory. */
SMALL uint32_t run_painted(int32_t samples, uint32_t vector, uint8_t value,
                           struct memory_use *use) {
    paint(__arena_start, __arena_end, value);
    model_prepare();
    load_input(samples, vector);
    paint(__stack_bottom, arch_stack_pointer(), value);
    const uint32_t ticks = ticks_of(model_invoke);
    use->stack = larger(use->stack, unpainted_from_start(__stack_bottom, __stack_top, value));
    use->arena = larger(use->arena, unpainted_from_end(__arena_start, __arena_end, value));
    return ticks;
}

/* ---- the run ---- */

int harness_run(void) {
    static const char samples_name[] = "es.samples";
    const int32_t samples = semihosting_open(samples_name, sizeof samples_name - 1u);
    uint32_t count = VECTORS_COUNT;
    if (samples >= 0) {
        (void)semihosting_read(samples, &count, sizeof count);
    }
    put_number("es begin protocol=1 vectors=", count);
    put_number(" layers=", MODEL_LAYERS);
    put_number(" input=", MODEL_INPUT_BYTES);
    put_number(" output=", MODEL_OUTPUT_BYTES);
    put_number(" arena=", (uint32_t)(__arena_end - __arena_start));
    put_text(" counter=" COUNTER_NAME "\n");

    struct memory_use use = {0u, 0u};
    uint32_t first_crc = 0u;
    int passed = 1;
    const uint32_t overhead = ticks_of(do_nothing);
    /* Vector 0 runs once more at the end, over the other paint; it is not printed again. */
    for (uint32_t i = 0u; i <= count; ++i) {
        const uint32_t vector = i < count ? i : 0u;
        uint32_t ticks;
        paint(__arena_end, __guard_end, GUARD_BYTE);
        if (vector == 0u) {
            ticks = run_painted(samples, vector, i == 0u ? 0x5Au : 0xC3u, &use);
        } else {
            load_input(samples, vector);
            ticks = ticks_of(model_invoke);
        }
        if (unpainted_from_end(__arena_end, __guard_end, GUARD_BYTE) != 0u) {
            put_number("es overrun vector=", vector);
            put_text("\n");
            return 1;
        }
        const uint32_t crc = selftest_output_crc();
        if (i == 0u) {
            first_crc = crc;
        }
        if (i == count) {
            if (crc != first_crc) {
                put_text("es unstable\n");
                return 1;
            }
            break;
        }
        if (samples < 0 && crc != vectors_output_crcs[vector]) {
            passed = 0;
        }
        put_number("es vector ", vector);
        put_number(" ticks=", ticks > overhead ? ticks - overhead : 0u);
        put_text(" output=");
        put_hex(model_output(), MODEL_OUTPUT_BYTES);
        put_text("\n");
    }
    put_number("es memory arena_used=", use.arena);
    put_number(" stack_used=", use.stack);
    const uint32_t crc = selftest_weights_crc();
    passed &= crc == MODEL_WEIGHTS_CRC;
    put_text(passed ? "\nes selftest pass" : "\nes selftest fail");
    put_word(" weights_crc=", crc);
    put_word(" expected=", MODEL_WEIGHTS_CRC);
    put_text("\nes end\n");
    return passed ? 0 : 1;
}

void harness_refused(const char *op, const char *what, uint32_t got, uint32_t expected) {
    put_number("es refused layer=", model_layer);
    put_text(" op=");
    put_text(op);
    put_number(" got=", got);
    put_number(" expected=", expected);
    put_text(" ");
    put_text(what);
    put_text("\n");
    semihosting_exit(1u);
    __builtin_unreachable();
}

void harness_arena_needed(uint32_t arena_bytes, uint32_t needed_bytes) {
    if (arena_bytes != needed_bytes) {
        put_number("es arena bytes=", arena_bytes);
        put_number(" needed=", needed_bytes);
        put_text("\n");
    }
}

void harness_fault(const uint32_t *frame) {
    const uint8_t *sp = (const uint8_t *)frame;
    /* After a stack overflow there is no frame to read the program counter from. */
    const int has_frame = sp >= __stack_bottom && sp < __stack_top;
    const uint32_t status = arch_fault_status();
    put_word("\nes fault cfsr=", status);
    put_word(" address=", arch_fault_address(status));
    put_word(" pc=", has_frame ? arch_fault_pc(frame) : 0u);
    put_word(" sp=", (uint32_t)sp);
    put_number(" layer=", model_layer);
    put_text("\n");
    semihosting_exit(1u);
    __builtin_unreachable();
}
