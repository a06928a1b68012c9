#include "es_fully_connected_store.h"

static inline int32_t es_load_2(const int8_t *from) {
    uint16_t two;
    __builtin_memcpy(&two, from, 2);
    return two;
}

void es_fully_connected_delta8_s8(const es_fully_connected *p, const int8_t *input,
                                  int8_t *output) {
    const int32_t rounding = 2 * p->output_zero_point + 1;
    es_scale scale = es_scale_of(p, 0);
    for (uint32_t row = 0; row < p->rows; row++) {
        const int8_t *gaps = (const int8_t *)p->gaps;
        const int8_t *weights = p->weights;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            const uint32_t count = p->counts[c];
            const int8_t *end = gaps + count;
            const int8_t *x = input;
            int32_t sum = p->bias[c];
            if (count & 1u) {
                x += *(const uint8_t *)gaps++;
                sum += *x * *weights++;
            }
            if (count & 2u) {
                const int32_t two = es_load_2(gaps);
                gaps += 2;
                x = es_uxtab(x, (uint32_t)two);
                sum += *x * weights[0];
                x += two >> 8;
                sum += *x * weights[1];
                weights += 2;
            }
            while (gaps < end) {
                const uint32_t four = (uint32_t)es_load_4(gaps);
                const int32_t w = es_load_4(weights);
                gaps += 4;
                weights += 4;
                const int32_t w02 = es_sxtb16(w), w13 = es_sxtb16_ror8(w);
                x = es_uxtab(x, four);
                sum = es_smlabb(w02, *x, sum);
                x = es_uxtab_ror8(x, four);
                sum = es_smlabb(w13, *x, sum);
                x = es_uxtab_ror16(x, four);
                sum = es_smlatb(w02, *x, sum);
                x = es_uxtab_ror24(x, four);
                sum = es_smlatb(w13, *x, sum);
            }
            if (p->channel_mask) {
                scale = es_scale_of(p, c);
            }
            output[c] = es_output_of_double((int32_t)((uint32_t)sum << 1), scale, rounding);
        }
        es_clamp_outputs(p, output);
        input += p->in_dim;
        output += p->out_dim;
    }
}
