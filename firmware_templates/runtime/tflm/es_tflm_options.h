/* SPDX-License-Identifier: Apache-2.0 */
/* Custom options and constants of the project's ops, checked before anything relies on them. */
#ifndef ES_TFLM_OPTIONS_H
#define ES_TFLM_OPTIONS_H

#include <cstddef>
#include <cstdint>

#include "es_tflm.h"
#include "tensorflow/lite/c/common.h"

namespace edgesparse {

/* Reads little-endian fields; the options of a flatbuffer have no alignment. */
class Options {
  public:
    explicit Options(const TfLiteNode *node)
        : bytes_(static_cast<const uint8_t *>(node->custom_initial_data)) {}

    uint8_t U8(size_t offset) const { return bytes_[offset]; }
    int8_t I8(size_t offset) const { return static_cast<int8_t>(bytes_[offset]); }
    uint16_t U16(size_t offset) const {
        return static_cast<uint16_t>(bytes_[offset] | bytes_[offset + 1] << 8);
    }
    uint32_t U32(size_t offset) const { return U16(offset) | uint32_t{U16(offset + 2)} << 16; }

    uint32_t key() const { return U8(1) | uint32_t{U8(2)} << 8 | uint32_t{U8(3)} << 16; }
    uint32_t weight_bytes() const { return U32(4); }
    uint32_t scratch_bytes() const { return U32(8); }

  private:
    const uint8_t *bytes_;
};

/* Fields of both ops, before those of one. */
constexpr size_t kCommonOptionsBytes = 12;

constexpr int kActivationInput = 0, kTablesInput = 1, kWeightsInput = 2;

/* Values of a tensor; the largest number where the options of a damaged file would overflow. */
inline uint32_t Values(uint32_t rows, uint32_t columns, uint16_t channels = 1) {
    const uint64_t pixels = uint64_t{rows} * columns;
    const uint64_t values = pixels > UINT32_MAX ? UINT32_MAX : pixels * channels;
    return values > UINT32_MAX ? UINT32_MAX : static_cast<uint32_t>(values);
}

/* The linked kernel that the options name; nullptr, and has told, where there is none. */
template <typename Kernels>
auto FindKernel(const char *op, const char *what, const Kernels &kernels, const Options &options)
    -> decltype(kernels.first) {
    for (size_t i = 0; i < kernels.count; ++i) {
        if (kernels.first[i].key == options.key()) {
            return &kernels.first[i];
        }
    }
    Refused(op, what, options.key(), kernels.count > 0u ? kernels.first->key : 0u);
    return nullptr;
}

/* Each is false, and has told why, where something does not fit. */

/* The number of inputs, version and length of the options. */
bool CheckOptions(const char *op, const TfLiteNode *node, size_t options_bytes);
/* Type and number of values of the activation and of the output. */
bool CheckActivations(const char *op, TfLiteContext *context, const TfLiteNode *node,
                      uint32_t input_values, uint32_t output_values);
/* A constant's bytes, from a multiple of 4; nullptr where it does not fit. */
const uint8_t *CheckConstant(const char *op, TfLiteContext *context, const TfLiteNode *node,
                             int input, const char *what, uint32_t bytes);

/* False where the arena has no room to remember it. `index` is -1 for no scratch. */
bool RequestScratch(TfLiteContext *context, uint32_t bytes, int *index);

} // namespace edgesparse

#endif
