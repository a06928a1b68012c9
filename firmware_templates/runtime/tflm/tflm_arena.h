/* SPDX-License-Identifier: Apache-2.0 */
/* The memory of TFLite Micro's interpreter. */
#ifndef TFLM_ARENA_H
#define TFLM_ARENA_H

#include <stdint.h>

/* What TFLite Micro aligns to, relative to both ends of the arena: a size is a multiple of it. */
#define TFLM_ARENA_ALIGNMENT 16u

extern uint8_t tflm_arena[];
extern const uint32_t tflm_arena_bytes; /* TFLM_ARENA_BYTES */

#endif
