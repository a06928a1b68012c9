/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels as custom ops of TFLite Micro: EDGESPARSE_CONV_2D, EDGESPARSE_FULLY_CONNECTED.
 *
 *     resolver.AddCustom("EDGESPARSE_CONV_2D", edgesparse::Register_EDGESPARSE_CONV_2D());
 *
 * Inputs of both: the activation, int8; the tables, uint8; the packed weights, uint8. Output: int8.
 * What the kernel has to know stands in the custom options. FORMAT.md describes tables, weights and
 * options byte by byte. */
#ifndef ES_TFLM_H
#define ES_TFLM_H

#include <cstddef>
#include <cstdint>

#include "tensorflow/lite/micro/micro_common.h"

extern "C" {
#include "es_conv_2d.h"
#include "es_fully_connected.h"
}

namespace edgesparse {

/* Byte 0 of the custom options. */
constexpr uint32_t kOptionsVersion = 1;

/* Bytes 1 to 3, to compare at once: the format of the weights, the kernels that the bytes are meant
 * for, and how EDGESPARSE_CONV_2D gathers patches. FORMAT.md lists the numbers. */
constexpr uint32_t KernelKey(uint8_t format, uint8_t variant, uint8_t gather = 0) {
    return uint32_t{format} | uint32_t{variant} << 8 | uint32_t{gather} << 16;
}

struct Conv2DKernel {
    uint32_t key;
    void (*run)(const es_conv_2d *, const int8_t *input, int8_t *output, void *scratch);
    es_patch_function *gather; /* nullptr for kernels that gather by themselves */
};

struct FullyConnectedKernel {
    uint32_t key;
    /* One of the two; the other is nullptr. */
    void (*run)(const es_fully_connected *, const int8_t *input, int8_t *output, void *scratch);
    void (*run_without_scratch)(const es_fully_connected *, const int8_t *input, int8_t *output);
};

/* The application's: the kernels that are linked. Generated for a model; of several models list all
 * that they need. */
struct Conv2DKernels {
    const Conv2DKernel *first;
    size_t count;
};
struct FullyConnectedKernels {
    const FullyConnectedKernel *first;
    size_t count;
};
Conv2DKernels LinkedConv2DKernels();
FullyConnectedKernels LinkedFullyConnectedKernels();

/* The application's: called with the reason before an op's Prepare fails, since TFLite Micro's own
 * messages are not in its release builds. `what` is got, where `expected` was needed. */
void Refused(const char *op, const char *what, uint32_t got, uint32_t expected);

const TFLMRegistration *Register_EDGESPARSE_CONV_2D();
const TFLMRegistration *Register_EDGESPARSE_FULLY_CONNECTED();

} // namespace edgesparse

#endif
