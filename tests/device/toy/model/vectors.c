#include "vectors.h"

const uint8_t vectors_inputs[VECTORS_COUNT][MODEL_INPUT_BYTES]
    __attribute__((section(".test_vectors"), aligned(4))) = {
        {1, 2, 3, 250, 5, 6, 127, 128, 9, 10, 11, 12, 13, 14, 15},
        {200, 190, 180, 170, 160, 150, 140, 130, 120, 110, 100, 90, 80, 70, 60, 50, 40, 30, 20},
        {0},
};

const uint32_t vectors_output_crcs[VECTORS_COUNT] __attribute__((section(".test_vectors"))) = {
    0x02b53952u,
    0xe42f13c8u,
    0x24d17f64u,
};
