#include "es_quantize.h"

void es_quantize_f32_s8(const es_quantize *p, const float *input, int8_t *output) {
    for (uint32_t i = 0; i < p->elements; i++) {
        const float steps = input[i] / p->scale;
        int32_t q = p->zero_point;
        /* 512 steps saturate from any zero point; what lies closer converts without overflow. */
        if (steps >= 512.0f) {
            q = 127;
        } else if (steps <= -512.0f) {
            q = -128;
        } else if (steps == steps) {
            const int32_t whole = (int32_t)steps;
            const float rest = steps - (float)whole;
            q += whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
        }
        output[i] = (int8_t)es_clamp(q, -128, 127);
    }
}
