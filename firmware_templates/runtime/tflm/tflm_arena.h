/* The memory of TFLite Micro's interpreter. */
#ifndef TFLM_ARENA_H
#define TFLM_ARENA_H

#include <stdint.h>

extern uint8_t tflm_arena[];
extern const uint32_t tflm_arena_bytes; /* TFLM_ARENA_BYTES */

#endif
