#ifndef VECTORS_H
#define VECTORS_H

#include "model.h"

#define VECTORS_COUNT 3

extern const uint8_t vectors_inputs[VECTORS_COUNT][MODEL_INPUT_BYTES];
extern const uint32_t vectors_output_crcs[VECTORS_COUNT];

#endif
