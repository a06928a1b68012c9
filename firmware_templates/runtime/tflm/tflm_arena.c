/* Apart from the C++ sources, so that another size takes a moment to build. */

#include "tflm_arena.h"

/* 16: what TFLite Micro aligns to. */
uint8_t tflm_arena[TFLM_ARENA_BYTES] __attribute__((section(".bss.arena"), aligned(16)));

const uint32_t tflm_arena_bytes = TFLM_ARENA_BYTES;
