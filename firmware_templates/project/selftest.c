/* SPDX-License-Identifier: Apache-2.0 */
#include "selftest.h"

#include "harness_model.h"
#include "vectors.h"

#define POLYNOMIAL 0xEDB88320u /* 0x04C11DB7, its bits reversed */

extern const uint8_t __weights_start[], __weights_end[];

/* Bit by bit, and one copy: a table would take more flash than the rest of this file. */
__attribute__((noinline)) static uint32_t crc32(const uint8_t *from, const uint8_t *end) {
    uint32_t crc = 0xFFFFFFFFu;
    for (; from != end; ++from) {
        crc ^= *from;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ (POLYNOMIAL & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

uint32_t selftest_weights_crc(void) { return crc32(__weights_start, __weights_end); }

uint32_t selftest_output_crc(void) {
    const uint8_t *output = model_output();
    return crc32(output, output + MODEL_OUTPUT_BYTES);
}

void selftest_load(uint32_t vector) {
    uint8_t *input = model_input();
    for (uint32_t i = 0u; i < MODEL_INPUT_BYTES; ++i) {
        input[i] = vectors_inputs[vector][i];
    }
}

enum selftest_result selftest_run(void) {
    if (selftest_weights_crc() != MODEL_WEIGHTS_CRC) {
        return SELFTEST_WEIGHTS;
    }
    model_prepare();
    for (uint32_t vector = 0u; vector < VECTORS_COUNT; ++vector) {
        selftest_load(vector);
        model_invoke();
        if (selftest_output_crc() != vectors_output_crcs[vector]) {
            return SELFTEST_OUTPUTS;
        }
    }
    return SELFTEST_PASS;
}
