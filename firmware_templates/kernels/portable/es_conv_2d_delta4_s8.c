#include "es_patch.h"
#include "es_requantize.h"

static inline void es_add_products(int32_t *sums, int8_t weight, const int8_t *x, int32_t stride) {
    sums[0] += weight * x[0];
    sums[1] += weight * x[stride];
    sums[2] += weight * x[2 * stride];
    sums[3] += weight * x[3 * stride];
}

void es_conv_2d_delta4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    int8_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    const es_patch_groups groups = es_patch_groups_of(p, 4);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_s8(p, input, first, groups.lane, patches);
        const int8_t *stream = p->weights;
        for (int32_t c = 0; c < p->out_c; c++) {
            const int32_t bias = p->scales[2 * c];
            int32_t sums[4] = {bias, bias, bias, bias};
            const int8_t *x = patches;
            const int32_t pairs = (uint8_t)stream[0] + 256 * (uint8_t)stream[1];
            stream += 2;
            for (const int8_t *end = stream + 3 * pairs; stream < end; stream += 3) {
                const uint8_t gaps = (uint8_t)stream[0];
                x += gaps & 15;
                es_add_products(sums, stream[1], x, stride);
                x += gaps >> 4;
                es_add_products(sums, stream[2], x, stride);
            }
            for (int32_t i = 0; i < 4; i++) {
                output[(first + i * groups.lane) * p->out_c + c] =
                    es_requantize(sums[i], p->scales[2 * c + 1], ~p->shifts[c],
                                  p->output_zero_point, p->activation_min, p->activation_max);
            }
        }
    }
}
