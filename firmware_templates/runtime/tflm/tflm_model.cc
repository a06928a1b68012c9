/* SPDX-License-Identifier: Apache-2.0 */
/* model.h on TFLite Micro's interpreter. */

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "es_tflm.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tensorflow/lite/schema/schema_utils.h"
#include "tflm_model.h"

extern "C" {
#include "harness.h"
#include "harness_model.h"
#include "tflm_arena.h"

volatile uint32_t model_layer = MODEL_LAYERS;

extern const uint8_t tflm_model_data[]; /* tflm_model_data.S */
}

namespace edgesparse {
namespace {

/* No constructor runs before main: objects are made in these by model_prepare. */
alignas(ModelResolver) uint8_t resolver_memory[sizeof(ModelResolver)];
alignas(tflite::MicroInterpreter) uint8_t interpreter_memory[sizeof(tflite::MicroInterpreter)];
tflite::MicroInterpreter *interpreter;

constexpr char kWhole[] = "-"; /* in place of an op's name */

/* ---- the layer that runs ----
 * TFLite Micro calls prepare, and then invoke, of one op after the other in the order of the model.
 * Each registration gets functions of its own that count, then call the original's. */

TFLMRegistration originals[kModelOps];
uint32_t next_layer;

template <unsigned kOp> TfLiteStatus Prepare(TfLiteContext *context, TfLiteNode *node) {
    model_layer = next_layer++;
    const auto prepare = originals[kOp].prepare;
    return prepare == nullptr ? kTfLiteOk : prepare(context, node);
}

template <unsigned kOp> TfLiteStatus Invoke(TfLiteContext *context, TfLiteNode *node) {
    model_layer = next_layer++;
    return originals[kOp].invoke(context, node);
}

/* `registration` lies in the resolver, which only shows it as const. */
template <unsigned kOp> void Count(const TFLMRegistration *registration) {
    originals[kOp] = *registration;
    auto *counted = const_cast<TFLMRegistration *>(registration);
    counted->prepare = Prepare<kOp>;
    counted->invoke = Invoke<kOp>;
}

template <unsigned... kOps>
void Count(unsigned op, const TFLMRegistration *registration,
           std::integer_sequence<unsigned, kOps...>) {
    using Function = void (*)(const TFLMRegistration *);
    constexpr Function functions[] = {Count<kOps>...};
    functions[op](registration);
}

/* Has each op of the model counted, once though a file may list an op twice; stops where one is not
 * registered. */
void CountLayers(const tflite::Model *model, const ModelResolver &resolver) {
    const TFLMRegistration *counted[kModelOps];
    unsigned ops = 0;
    const auto *codes = model->operator_codes();
    for (unsigned i = 0; i < codes->size(); ++i) {
        const auto *code = codes->Get(i);
        const auto builtin = tflite::GetBuiltinCode(code);
        const bool custom = builtin == tflite::BuiltinOperator_CUSTOM;
        const char *name = custom ? code->custom_code()->c_str() : kWhole;
        const TFLMRegistration *registration =
            custom ? resolver.FindOp(name) : resolver.FindOp(builtin);
        if (registration == nullptr) {
            Refused(name, "operator without a registration", static_cast<uint32_t>(builtin), 0u);
        }
        if (std::find(counted, counted + ops, registration) == counted + ops) {
            Count(ops, registration, std::make_integer_sequence<unsigned, kModelOps>());
            counted[ops++] = registration; /* registrations are kModelOps at most */
        }
    }
}

void CheckBytes(const char *what, const TfLiteTensor *tensor, uint32_t expected) {
    if (tensor == nullptr || tensor->bytes != expected) {
        Refused(kWhole, what, tensor == nullptr ? 0u : static_cast<uint32_t>(tensor->bytes),
                expected);
    }
}

} // namespace

/* Does not return: harness_refused ends the run. */
void Refused(const char *op, const char *what, uint32_t got, uint32_t expected) {
    harness_refused(op, what, got, expected);
}

} // namespace edgesparse

using namespace edgesparse;

void model_prepare(void) {
    const tflite::Model *model = tflite::GetModel(tflm_model_data);
    if (model->version() != TFLITE_SCHEMA_VERSION) {
        Refused(kWhole, "schema version of the model", model->version(), TFLITE_SCHEMA_VERSION);
    }
    next_layer = 0u;
    auto *resolver = new (resolver_memory) ModelResolver;
    if (AddModelOps(*resolver) != kTfLiteOk) {
        Refused(kWhole, "ops in the resolver", resolver->GetRegistrationLength(), kModelOps);
    }
    CountLayers(model, *resolver);
    interpreter = new (interpreter_memory)
        tflite::MicroInterpreter(model, *resolver, tflm_arena, tflm_arena_bytes);
    if (interpreter->AllocateTensors() != kTfLiteOk) {
        Refused(kWhole, "bytes of arena are too few, or TFLite Micro refuses this layer",
                tflm_arena_bytes, 0u);
    }
    CheckBytes("bytes of the input", interpreter->input(0), MODEL_INPUT_BYTES);
    CheckBytes("bytes of the output", interpreter->output(0), MODEL_OUTPUT_BYTES);
    model_layer = MODEL_LAYERS;
    const auto used = static_cast<uint32_t>(interpreter->arena_used_bytes());
    harness_arena_needed(tflm_arena_bytes, (used + TFLM_ARENA_ALIGNMENT - 1u) /
                                               TFLM_ARENA_ALIGNMENT * TFLM_ARENA_ALIGNMENT);
}

uint8_t *model_arena(void) { return tflm_arena; }

void *model_input(void) { return interpreter->input(0)->data.raw; }

const void *model_output(void) { return interpreter->output(0)->data.raw; }

void model_invoke(void) {
    next_layer = 0u;
    if (interpreter->Invoke() != kTfLiteOk) {
        Refused(kWhole, "status of Invoke", 1u, 0u);
    }
    model_layer = MODEL_LAYERS;
}
