/* SPDX-License-Identifier: Apache-2.0 */
#include "es_tflm.h"
#include "es_tflm_options.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"

namespace edgesparse {
namespace {

constexpr char kName[] = "EDGESPARSE_FULLY_CONNECTED";
constexpr size_t kOptionsBytes = kCommonOptionsBytes + 24;

struct Op {
    es_fully_connected params;
    const FullyConnectedKernel *kernel;
    int scratch;
};

/* All but the tables. `gaps` and `counts` are offsets in the weights, 0 where there are none. */
es_fully_connected Parse(const Options &options, uint32_t *gaps, uint32_t *counts) {
    constexpr size_t at = kCommonOptionsBytes;
    es_fully_connected p = {};
    p.in_dim = options.U32(at);
    p.out_dim = options.U32(at + 4);
    *gaps = options.U32(at + 8);
    *counts = options.U32(at + 12);
    p.rows = options.U16(at + 16);
    p.channel_mask = options.U8(at + 18) != 0u ? 0xFFFFFFFFu : 0u;
    p.input_zero_point = options.I8(at + 20);
    p.output_zero_point = options.I8(at + 21);
    p.activation_min = options.I8(at + 22);
    p.activation_max = options.I8(at + 23);
    return p;
}

void *Init(TfLiteContext *context, const char *, size_t) {
    return context->AllocatePersistentBuffer(context, sizeof(Op));
}

TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
    auto *op = static_cast<Op *>(node->user_data);
    /* Without memory for it the arena is too small, which AllocateTensors' caller tells. */
    if (op == nullptr || !CheckOptions(kName, node, kOptionsBytes)) {
        return kTfLiteError;
    }
    const Options options(node);
    const FullyConnectedKernel *kernel = FindKernel(kName, "kernel (format, variant), not linked",
                                                    LinkedFullyConnectedKernels(), options);
    if (kernel == nullptr) {
        return kTfLiteError;
    }
    uint32_t gaps, counts;
    es_fully_connected p = Parse(options, &gaps, &counts);
    if (!CheckActivations(kName, context, node, Values(p.rows, p.in_dim),
                          Values(p.rows, p.out_dim))) {
        return kTfLiteError;
    }
    /* Biases, then multipliers, then shifts. */
    const uint32_t scales = p.channel_mask != 0u ? p.out_dim : 1u;
    const uint8_t *tables = CheckConstant(kName, context, node, kTablesInput, "bytes of the tables",
                                          4u * p.out_dim + 5u * scales);
    const uint8_t *weights = CheckConstant(kName, context, node, kWeightsInput,
                                           "bytes of the weights", options.weight_bytes());
    if (tables == nullptr || weights == nullptr ||
        !RequestScratch(context, options.scratch_bytes(), &op->scratch)) {
        return kTfLiteError;
    }
    if (gaps > options.weight_bytes() || counts > options.weight_bytes() || counts % 2u != 0u) {
        Refused(kName, "offset in the weights", gaps > counts ? gaps : counts,
                options.weight_bytes());
        return kTfLiteError;
    }
    p.bias = reinterpret_cast<const int32_t *>(tables);
    p.multipliers = p.bias + p.out_dim;
    p.shifts = reinterpret_cast<const int8_t *>(p.multipliers + scales);
    p.weights = reinterpret_cast<const int8_t *>(weights);
    p.gaps = weights + gaps;
    p.counts = reinterpret_cast<const uint16_t *>(weights + counts);
    op->params = p;
    op->kernel = kernel;
    return kTfLiteOk;
}

TfLiteStatus Invoke(TfLiteContext *context, TfLiteNode *node) {
    const auto *op = static_cast<const Op *>(node->user_data);
    const int8_t *input = tflite::micro::GetTensorData<int8_t>(
        tflite::micro::GetEvalInput(context, node, kActivationInput));
    int8_t *output =
        tflite::micro::GetTensorData<int8_t>(tflite::micro::GetEvalOutput(context, node, 0));
    if (op->kernel->run != nullptr) {
        op->kernel->run(&op->params, input, output,
                        context->GetScratchBuffer(context, op->scratch));
    } else {
        op->kernel->run_without_scratch(&op->params, input, output);
    }
    return kTfLiteOk;
}

} // namespace

const TFLMRegistration *Register_EDGESPARSE_FULLY_CONNECTED() {
    static TFLMRegistration registration;
    registration = tflite::micro::RegisterOp(Init, Prepare, Invoke);
    return &registration;
}

} // namespace edgesparse
