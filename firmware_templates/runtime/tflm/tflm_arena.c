/* SPDX-License-Identifier: Apache-2.0 */
/* Apart from the C++ sources, so that another size takes a moment to build. */

#include "tflm_arena.h"

uint8_t tflm_arena[TFLM_ARENA_BYTES]
    __attribute__((section(".bss.arena"), aligned(TFLM_ARENA_ALIGNMENT)));

const uint32_t tflm_arena_bytes = TFLM_ARENA_BYTES;
