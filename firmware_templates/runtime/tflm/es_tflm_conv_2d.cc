/* SPDX-License-Identifier: Apache-2.0 */
#include "es_tflm.h"
#include "es_tflm_options.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"

namespace edgesparse {
namespace {

constexpr char kName[] = "EDGESPARSE_CONV_2D";
constexpr size_t kOptionsBytes = kCommonOptionsBytes + 32;

struct Op {
    es_conv_2d params;
    void (*run)(const es_conv_2d *, const int8_t *, int8_t *, void *);
    int scratch;
};

/* All but the tables and the kernel. */
es_conv_2d Parse(const Options &options) {
    size_t at = kCommonOptionsBytes;
    const auto next = [&options, &at] {
        at += 2;
        return options.U16(at - 2);
    };
    es_conv_2d p = {};
    p.in_h = next();
    p.in_w = next();
    p.in_c = next();
    p.out_h = next();
    p.out_w = next();
    p.out_c = next();
    p.kernel_h = next();
    p.kernel_w = next();
    p.stride_h = next();
    p.stride_w = next();
    p.dilation_h = next();
    p.dilation_w = next();
    p.pad_top = next();
    p.pad_left = next();
    p.input_zero_point = options.I8(at);
    p.output_zero_point = options.I8(at + 1);
    p.activation_min = options.I8(at + 2);
    p.activation_max = options.I8(at + 3);
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
    const Conv2DKernel *kernel = FindKernel(kName, "kernel (format, variant, gather), not linked",
                                            LinkedConv2DKernels(), options);
    if (kernel == nullptr) {
        return kTfLiteError;
    }
    es_conv_2d p = Parse(options);
    const uint32_t input_values = Values(p.in_h, p.in_w, p.in_c);
    const uint32_t output_values = Values(p.out_h, p.out_w, p.out_c);
    if (!CheckActivations(kName, context, node, input_values, output_values)) {
        return kTfLiteError;
    }
    /* Bias and multiplier of each channel; of portable kernels the shifts behind them. */
    const bool has_shifts = kernel->gather == nullptr;
    const uint32_t scale_bytes = 8u * p.out_c;
    const uint8_t *tables = CheckConstant(kName, context, node, kTablesInput, "bytes of the tables",
                                          scale_bytes + (has_shifts ? p.out_c : 0u));
    const uint8_t *weights = CheckConstant(kName, context, node, kWeightsInput,
                                           "bytes of the weights", options.weight_bytes());
    if (tables == nullptr || weights == nullptr ||
        !RequestScratch(context, options.scratch_bytes(), &op->scratch)) {
        return kTfLiteError;
    }
    p.gather = kernel->gather;
    p.scales = reinterpret_cast<const int32_t *>(tables);
    p.shifts = has_shifts ? reinterpret_cast<const int8_t *>(tables + scale_bytes) : nullptr;
    p.weights = reinterpret_cast<const int8_t *>(weights);
    p.pairs = reinterpret_cast<const uint16_t *>(weights);
    op->params = p;
    op->run = kernel->run;
    return kTfLiteOk;
}

TfLiteStatus Invoke(TfLiteContext *context, TfLiteNode *node) {
    const auto *op = static_cast<const Op *>(node->user_data);
    const TfLiteEvalTensor *input = tflite::micro::GetEvalInput(context, node, kActivationInput);
    TfLiteEvalTensor *output = tflite::micro::GetEvalOutput(context, node, 0);
    op->run(&op->params, tflite::micro::GetTensorData<int8_t>(input),
            tflite::micro::GetTensorData<int8_t>(output),
            op->scratch < 0 ? nullptr : context->GetScratchBuffer(context, op->scratch));
    return kTfLiteOk;
}

} // namespace

const TFLMRegistration *Register_EDGESPARSE_CONV_2D() {
    static TFLMRegistration registration;
    registration = tflite::micro::RegisterOp(Init, Prepare, Invoke);
    return &registration;
}

} // namespace edgesparse
