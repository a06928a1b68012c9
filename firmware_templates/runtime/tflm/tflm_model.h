/* SPDX-License-Identifier: Apache-2.0 */
/* What the generated tflm_ops.cc gives, and model.cc uses. */
#ifndef TFLM_MODEL_H
#define TFLM_MODEL_H

#include <cstdint>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace edgesparse {

/* TFLM_OPS (tflm.mk, generated): different ops of the model. */
constexpr unsigned kModelOps = TFLM_OPS;
using ModelResolver = tflite::MicroMutableOpResolver<kModelOps>;

/* Registers exactly the ops of the model. */
TfLiteStatus AddModelOps(ModelResolver &resolver);

} // namespace edgesparse

#endif
