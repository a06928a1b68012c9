/* The part of TFLite Micro's API that the project's sources use, for tests where it is not there:
 * names and types only, nothing that runs. */
#ifndef FAKE_COMMON_H
#define FAKE_COMMON_H

#include <cstddef>
#include <cstdint>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType { kTfLiteNoType = 0, kTfLiteUInt8 = 3, kTfLiteInt8 = 9 };

struct TfLiteIntArray {
    int size;
    int data[4];
};

struct TfLiteEvalTensor {
    void *data;
    TfLiteIntArray *dims;
    TfLiteType type;
};

struct TfLiteTensor {
    union {
        void *raw;
    } data;
    size_t bytes;
};

struct TfLiteNode {
    TfLiteIntArray *inputs;
    TfLiteIntArray *outputs;
    void *user_data;
    const void *custom_initial_data;
    int custom_initial_data_size;
};

struct TfLiteContext {
    void *(*AllocatePersistentBuffer)(TfLiteContext *, size_t bytes);
    TfLiteStatus (*RequestScratchBufferInArena)(TfLiteContext *, size_t bytes, int *index);
    void *(*GetScratchBuffer)(TfLiteContext *, int index);
    TfLiteEvalTensor *tensors; /* of this fake */
};

#define TF_LITE_ENSURE_STATUS(call)                                                                \
    do {                                                                                           \
        const TfLiteStatus ensured = (call);                                                       \
        if (ensured != kTfLiteOk) {                                                                \
            return ensured;                                                                        \
        }                                                                                          \
    } while (false)

#endif
