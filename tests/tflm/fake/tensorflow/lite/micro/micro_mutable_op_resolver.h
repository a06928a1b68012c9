#ifndef FAKE_MICRO_MUTABLE_OP_RESOLVER_H
#define FAKE_MICRO_MUTABLE_OP_RESOLVER_H

#include "tensorflow/lite/micro/micro_common.h"
#include "tensorflow/lite/schema/schema_generated.h"

namespace tflite {

struct MicroOpResolver {};

/* The functions of a method that takes no registration, and of those for int8. */
#define FAKE_ADD(name)                                                                             \
    TfLiteStatus Add##name() { return kTfLiteOk; }
#define FAKE_ADD_INT8(name)                                                                        \
    TfLiteStatus Add##name(const TFLMRegistration &) { return kTfLiteOk; }

template <unsigned int kOps> struct MicroMutableOpResolver : MicroOpResolver {
    const TFLMRegistration *FindOp(BuiltinOperator op) const;
    const TFLMRegistration *FindOp(const char *op) const;
    unsigned int GetRegistrationLength();
    TfLiteStatus AddCustom(const char *, const TFLMRegistration *) { return kTfLiteOk; }
    FAKE_ADD_INT8(Add)
    FAKE_ADD_INT8(AveragePool2D)
    FAKE_ADD_INT8(Conv2D)
    FAKE_ADD_INT8(DepthwiseConv2D)
    FAKE_ADD_INT8(FullyConnected)
    FAKE_ADD_INT8(MaxPool2D)
    FAKE_ADD_INT8(Softmax)
    FAKE_ADD(Concatenation)
    FAKE_ADD(Dequantize)
    FAKE_ADD(Logistic)
    FAKE_ADD(Mean)
    FAKE_ADD(Pad)
    FAKE_ADD(Quantize)
    FAKE_ADD(Relu)
    FAKE_ADD(Relu6)
    FAKE_ADD(Reshape)
    FAKE_ADD(Tanh)
};

inline TFLMRegistration Register_ADD_INT8() { return {}; }
inline TFLMRegistration Register_AVERAGE_POOL_2D_INT8() { return {}; }
inline TFLMRegistration Register_CONV_2D_INT8() { return {}; }
inline TFLMRegistration Register_DEPTHWISE_CONV_2D_INT8() { return {}; }
inline TFLMRegistration Register_FULLY_CONNECTED_INT8() { return {}; }
inline TFLMRegistration Register_MAX_POOL_2D_INT8() { return {}; }
inline TFLMRegistration Register_SOFTMAX_INT8() { return {}; }

} // namespace tflite

#endif
