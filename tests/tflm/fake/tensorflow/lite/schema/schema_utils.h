#ifndef FAKE_SCHEMA_UTILS_H
#define FAKE_SCHEMA_UTILS_H

#include "tensorflow/lite/schema/schema_generated.h"

namespace tflite {

BuiltinOperator GetBuiltinCode(const OperatorCode *code);

} // namespace tflite

#endif
