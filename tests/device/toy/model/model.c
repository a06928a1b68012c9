#include "model.h"

#include "es_types.h"
#include "toy.h"

#ifndef TOY_FAULT
#define TOY_FAULT 0
#endif

static uint8_t arena[MODEL_ARENA_BYTES] ES_ARENA;
volatile uint32_t model_layer = MODEL_LAYERS;

static const int8_t scale_weights[16] ES_WEIGHTS(scale_weights) = {1,  -2, 3,  0, 0, 0, 7,   -8,
                                                                   90, 0,  11, 0, 0, 0, -15, 16};
static const int32_t add_bias[4] ES_TABLE(add_bias) = {-100000, 5, 2000000000, -7};

uint8_t *model_arena(void) { return arena; }
void *model_input(void) { return arena; }
const void *model_output(void) { return arena; }

#if TOY_FAULT == 10
static volatile int depth;

__attribute__((noinline)) static int recurse(int by) {
    depth += by; /* and used behind the call, so that it stays one */
    return depth < 0 ? 0 : recurse(depth & 1) + depth;
}
#endif

/* What TOY_FAULT asks for goes wrong in layer 1. */
__attribute__((noinline)) static void break_something(void) {
#if TOY_FAULT == 1 /* an address where nothing is */
    *(volatile uint32_t *)0x60000000u = 1u;
#elif TOY_FAULT == 2
    __asm__ volatile("udf #7");
#elif TOY_FAULT == 3 /* more stack than there is */
    volatile uint8_t big[20000];
    for (int i = (int)sizeof big - 1; i >= 0; --i) {
        big[i] = (uint8_t)i;
    }
#elif TOY_FAULT == 4
    for (;;) {
        __asm__ volatile("");
    }
#elif TOY_FAULT == 5                    /* behind the arena */
    volatile uint8_t *volatile behind = arena; /* hides from the compiler where it points */
    behind[MODEL_ARENA_BYTES + 3] = 0x11;
#elif TOY_FAULT == 6                    /* an output that depends on how often it ran */
    static volatile int8_t calls;
    arena[45] = (uint8_t)++calls;
#elif TOY_FAULT == 7                    /* a jump to nowhere */
    ((void (*)(void))0x70000001u)();
#elif TOY_FAULT == 8                    /* a load from where nothing is */
    (void)*(volatile uint32_t *)0x70000010u;
#elif TOY_FAULT == 9 && __ARM_ARCH == 6 /* a word from an address that is not a word's */
    __asm__ volatile("ldr r0, [%0]" ::"r"(arena + 1) : "r0", "memory");
#elif TOY_FAULT == 9                    /* two words, which all others trap */
    __asm__ volatile("ldrd r0, r1, [%0]" ::"r"(arena + 1) : "r0", "r1", "memory");
#elif TOY_FAULT == 10                   /* a recursion that does not end */
    recurse(1);
#elif TOY_FAULT == 11                   /* a write to the weights */
    *(volatile int8_t *)scale_weights = 1;
#elif TOY_FAULT == 12                   /* a call of a function pointer without the Thumb bit */
    __asm__ volatile("blx %0" ::"r"((uint32_t)toy_scale & ~1u) : "lr", "memory");
#elif TOY_FAULT == 13                   /* a jump into data */
    __asm__ volatile("blx %0" ::"r"((uint32_t)arena | 1u) : "lr", "memory");
#elif TOY_FAULT == 14                   /* a return address that was written over */
    __asm__ volatile("push {r0, lr}\n str %0, [sp, #4]\n pop {r0, pc}" ::"r"(0x41414141u)
                     : "memory");
#elif TOY_FAULT == 15
    __asm__ volatile("svc #3" ::: "memory");
#elif TOY_FAULT == 16 /* a breakpoint that is no semihosting call */
    __asm__ volatile("bkpt #1" ::: "memory");
#elif TOY_FAULT == 17 /* a semihosting operation inside the model */
    __asm__ volatile("mov r0, #1\n mov r1, #0\n bkpt 0xAB" ::: "r0", "r1", "memory");
#elif TOY_FAULT == 18 /* a coprocessor that is not there */
    __asm__ volatile("mrc p3, 0, r0, c0, c0, 0" ::: "r0");
#elif TOY_FAULT == 19 /* an exit in the middle, with success */
    static const uint32_t success[2] = {0x20026u, 0u};
    __asm__ volatile("mov r0, #0x20\n mov r1, %0\n bkpt 0xAB" ::"r"(success)
                     : "r0", "r1", "memory");
#elif TOY_FAULT == 20 /* a line that is not of the protocol */
    __asm__ volatile("mov r0, #4\n mov r1, %0\n bkpt 0xAB" ::"r"("hello\n") : "r0", "r1", "memory");
#elif TOY_FAULT == 21 /* a peripheral that the board has not */
    *(volatile uint32_t *)0x40000000u = 1u;
#elif TOY_FAULT == 22 /* a stack pointer that points to nowhere */
    __asm__ volatile("mov sp, %0\n push {r0}" ::"r"(0x68000000u) : "memory");
#elif TOY_FAULT == 23 /* sleep without an interrupt to wake up */
    __asm__ volatile("cpsid i\n wfi" ::: "memory");
#elif TOY_FAULT == 24 /* far behind the arena and all RAM */
    volatile uint8_t *volatile far = arena;
    far[0x00800000] = 1;
#endif
}

void model_invoke(void) {
    model_layer = 0;
    toy_scale(scale_weights, (const int8_t *)arena, (int8_t *)arena + 40, MODEL_INPUT_BYTES);
    model_layer = 1;
    break_something();
    toy_add(add_bias, (const int8_t *)arena + 40, (int8_t *)arena, MODEL_OUTPUT_BYTES);
    model_layer = 2;
    toy_scale(scale_weights, (const int8_t *)arena, (int8_t *)arena + 40, MODEL_OUTPUT_BYTES);
    toy_add(add_bias, (const int8_t *)arena + 40, (int8_t *)arena, MODEL_OUTPUT_BYTES);
    model_layer = MODEL_LAYERS;
}
