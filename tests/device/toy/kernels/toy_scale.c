#include "toy.h"

void toy_scale(const int8_t *weights, const int8_t *input, int8_t *output, int count) {
    for (int i = 0; i < count; ++i) {
        int32_t sum = 0;
        for (int j = 0; j < count; ++j) {
            sum += weights[(i + j) % 16] * input[j];
        }
        sum >>= 6;
        output[i] = (int8_t)(sum > 127 ? 127 : sum < -128 ? -128 : sum);
    }
}
