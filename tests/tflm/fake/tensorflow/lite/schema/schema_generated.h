#ifndef FAKE_SCHEMA_GENERATED_H
#define FAKE_SCHEMA_GENERATED_H

#include <cstdint>

#define TFLITE_SCHEMA_VERSION 3

namespace tflite {

enum BuiltinOperator : int32_t { BuiltinOperator_CUSTOM = 32 };

struct String {
    const char *c_str() const;
};

struct OperatorCode {
    const String *custom_code() const;
};

struct OperatorCodes {
    uint32_t size() const;
    const OperatorCode *Get(uint32_t index) const;
};

struct Model {
    uint32_t version() const;
    const OperatorCodes *operator_codes() const;
};

const Model *GetModel(const void *data);

} // namespace tflite

#endif
