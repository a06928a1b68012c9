#include "toy.h"

/* Wide and with a runtime divisor on purpose: compilers call helpers (64-bit division, floats) for
 * it. */
void toy_add(const int32_t *bias, const int8_t *input, int8_t *output, int count) {
    int64_t divisor = 3;
    for (int i = 0; i < count; ++i) {
        int64_t value = ((int64_t)input[i] << 33) + bias[i % 4];
        value /= divisor << 32;
        divisor = divisor == 3 ? 5 : 3;
        output[i] = (int8_t)value;
    }
    float mean = 0.0f;
    for (int i = 0; i < count; ++i) {
        mean += (float)output[i];
    }
    output[0] = (int8_t)(mean / (float)count);
}
