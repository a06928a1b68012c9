/* SPDX-License-Identifier: Apache-2.0 */
#include "es_tflm_options.h"

#include "tensorflow/lite/micro/kernels/kernel_util.h"

namespace edgesparse {
namespace {

uint32_t BytesOf(const TfLiteEvalTensor *tensor) {
    uint32_t bytes = 1; /* of int8 and uint8, as all tensors here */
    for (int i = 0; i < tensor->dims->size; ++i) {
        bytes *= static_cast<uint32_t>(tensor->dims->data[i]);
    }
    return bytes;
}

bool CheckTensor(const char *op, const TfLiteEvalTensor *tensor, TfLiteType type, const char *what,
                 uint32_t bytes) {
    if (tensor == nullptr || tensor->type != type) {
        Refused(op, "tensor type", tensor == nullptr ? 0 : static_cast<uint32_t>(tensor->type),
                static_cast<uint32_t>(type));
        return false;
    }
    if (BytesOf(tensor) != bytes) {
        Refused(op, what, BytesOf(tensor), bytes);
        return false;
    }
    return true;
}

} // namespace

bool CheckOptions(const char *op, const TfLiteNode *node, size_t options_bytes) {
    const auto size = static_cast<uint32_t>(node->custom_initial_data_size);
    const uint32_t version =
        size > 0 ? static_cast<const uint8_t *>(node->custom_initial_data)[0] : 0u;
    if (version != kOptionsVersion) {
        Refused(op, "version of the custom options", version, kOptionsVersion);
        return false;
    }
    if (size != options_bytes) {
        Refused(op, "bytes of custom options", size, static_cast<uint32_t>(options_bytes));
        return false;
    }
    if (node->inputs->size != kWeightsInput + 1 || node->outputs->size != 1) {
        Refused(op, "inputs", static_cast<uint32_t>(node->inputs->size), kWeightsInput + 1);
        return false;
    }
    return true;
}

bool CheckActivations(const char *op, TfLiteContext *context, const TfLiteNode *node,
                      uint32_t input_values, uint32_t output_values) {
    return CheckTensor(op, tflite::micro::GetEvalInput(context, node, kActivationInput),
                       kTfLiteInt8, "bytes of the input", input_values) &&
           CheckTensor(op, tflite::micro::GetEvalOutput(context, node, 0), kTfLiteInt8,
                       "bytes of the output", output_values);
}

const uint8_t *CheckConstant(const char *op, TfLiteContext *context, const TfLiteNode *node,
                             int input, const char *what, uint32_t bytes) {
    const TfLiteEvalTensor *tensor = tflite::micro::GetEvalInput(context, node, input);
    if (!CheckTensor(op, tensor, kTfLiteUInt8, what, bytes)) {
        return nullptr;
    }
    const uint8_t *data = tflite::micro::GetTensorData<uint8_t>(tensor);
    const auto misalignment = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(data) % 4u);
    if (data == nullptr || misalignment != 0u) {
        Refused(op, "alignment of a constant (align the model to 16 bytes)", misalignment, 0u);
        return nullptr;
    }
    return data;
}

bool RequestScratch(TfLiteContext *context, uint32_t bytes, int *index) {
    *index = -1;
    return bytes == 0u || context->RequestScratchBufferInArena(context, bytes, index) == kTfLiteOk;
}

} // namespace edgesparse
