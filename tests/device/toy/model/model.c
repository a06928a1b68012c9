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
#elif TOY_FAULT == 5 /* behind the arena */
    volatile uint8_t *volatile behind = arena; /* hides from the compiler where it points */
    behind[MODEL_ARENA_BYTES + 3] = 0x11;
#elif TOY_FAULT == 6 /* an output that depends on how often it ran */
    static volatile int8_t calls;
    arena[45] = (uint8_t)++calls;
#elif TOY_FAULT == 7 /* a jump to nowhere */
    ((void (*)(void))0x70000001u)();
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
