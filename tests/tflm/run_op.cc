/* Prepares and invokes one custom op on the host.
 *
 *   run_op FILE: six little-endian uint32, the bytes of options, tables, weights, input and output,
 *   and whether the op is a convolution; then the bytes of the first four.
 *
 * Prints "refused OP got=N expected=N WHAT", or the output in hexadecimal. Every buffer is a block
 * of its own, so that a sanitizer sees what leaves it. */

#include <cstdio>
#include <cstdlib>

#include "es_tflm.h"

namespace {

constexpr int kBlocks = 4;
void *scratch;

/* Everything stays reachable until the process ends, so that nothing counts as a leak. */
void *kept[16];
int kept_count;

void *Allocate(size_t bytes) {
    kept[kept_count] = std::malloc(bytes > 0u ? bytes : 1u);
    return kept[kept_count++];
}

void *AllocatePersistentBuffer(TfLiteContext *, size_t bytes) { return Allocate(bytes); }

TfLiteStatus RequestScratch(TfLiteContext *, size_t bytes, int *index) {
    scratch = Allocate(bytes);
    *index = 0;
    return kTfLiteOk;
}

void *GetScratch(TfLiteContext *, int) { return scratch; }

} // namespace

namespace edgesparse {

void Refused(const char *op, const char *what, uint32_t got, uint32_t expected) {
    std::printf("refused %s got=%u expected=%u %s\n", op, got, expected, what);
}

} // namespace edgesparse

int main(int, char **arguments) {
    FILE *file = std::fopen(arguments[1], "rb");
    uint32_t sizes[kBlocks + 2];
    if (file == nullptr || std::fread(sizes, sizeof(sizes), 1, file) != 1) {
        return 2;
    }
    void *blocks[kBlocks];
    for (int i = 0; i < kBlocks; ++i) {
        blocks[i] = Allocate(sizes[i]);
        if (std::fread(blocks[i], 1, sizes[i], file) != sizes[i]) {
            return 2;
        }
    }
    const uint32_t output_bytes = sizes[kBlocks];
    void *output = Allocate(output_bytes);
    TfLiteIntArray dims[kBlocks];
    for (int i = 0; i < 3; ++i) {
        dims[i] = {1, {static_cast<int>(sizes[i == 0 ? 3 : i])}};
    }
    dims[3] = {1, {static_cast<int>(output_bytes)}};
    TfLiteEvalTensor tensors[] = {{blocks[3], &dims[0], kTfLiteInt8},
                                  {blocks[1], &dims[1], kTfLiteUInt8},
                                  {blocks[2], &dims[2], kTfLiteUInt8},
                                  {output, &dims[3], kTfLiteInt8}};
    TfLiteIntArray inputs = {3, {0, 1, 2}}, outputs = {1, {3}};
    TfLiteContext context = {AllocatePersistentBuffer, RequestScratch, GetScratch, tensors};
    const TFLMRegistration *op = sizes[kBlocks + 1] != 0u
                                     ? edgesparse::Register_EDGESPARSE_CONV_2D()
                                     : edgesparse::Register_EDGESPARSE_FULLY_CONNECTED();
    TfLiteNode node = {&inputs, &outputs, op->init(&context, nullptr, 0), blocks[0],
                       static_cast<int>(sizes[0])};
    if (op->prepare(&context, &node) != kTfLiteOk) {
        return 0;
    }
    if (op->invoke(&context, &node) != kTfLiteOk) {
        return 3;
    }
    for (uint32_t i = 0; i < output_bytes; ++i) {
        std::printf("%02x", static_cast<const uint8_t *>(output)[i]);
    }
    return 0;
}
