#include "es_add.h"
#include "es_dsp.h"

void es_add_s8(const es_add *p, const int8_t *input_1, const int8_t *input_2, int8_t *output) {
    const es_scale scale_1 = es_scale_of(p->multiplier_1, p->shift_1);
    const es_scale scale_2 = es_scale_of(p->multiplier_2, p->shift_2);
    const es_scale scale_out = es_scale_of(p->multiplier_out, p->shift_out);
    const int8_t *end = output + p->elements;
    while (output < end) {
        const int32_t x1 = (*input_1++ - p->zero_point_1) * (1 << 20);
        const int32_t x2 = (*input_2++ - p->zero_point_2) * (1 << 20);
        const int32_t sum = es_scale_apply(x1, scale_1) + es_scale_apply(x2, scale_2);
        *output++ =
            es_scale_to_s8(sum, scale_out, p->zero_point_out, p->activation_min, p->activation_max);
    }
}
