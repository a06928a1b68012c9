#ifndef FAKE_KERNEL_UTIL_H
#define FAKE_KERNEL_UTIL_H

#include "tensorflow/lite/micro/micro_common.h"

namespace tflite {
namespace micro {

inline TFLMRegistration RegisterOp(void *(*init)(TfLiteContext *, const char *, size_t),
                                   TfLiteStatus (*prepare)(TfLiteContext *, TfLiteNode *),
                                   TfLiteStatus (*invoke)(TfLiteContext *, TfLiteNode *)) {
    return {init, prepare, invoke};
}

inline const TfLiteEvalTensor *GetEvalInput(const TfLiteContext *context, const TfLiteNode *node,
                                            int index) {
    return &context->tensors[node->inputs->data[index]];
}

inline TfLiteEvalTensor *GetEvalOutput(const TfLiteContext *context, const TfLiteNode *node,
                                       int index) {
    return &context->tensors[node->outputs->data[index]];
}

template <typename T> const T *GetTensorData(const TfLiteEvalTensor *tensor) {
    return static_cast<const T *>(tensor->data);
}

template <typename T> T *GetTensorData(TfLiteEvalTensor *tensor) {
    return static_cast<T *>(tensor->data);
}

} // namespace micro
} // namespace tflite

#endif
