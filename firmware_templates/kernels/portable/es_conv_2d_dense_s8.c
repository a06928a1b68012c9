#include "es_patch.h"
#include "es_requantize.h"

void es_conv_2d_dense_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    int8_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    const es_patch_groups groups = es_patch_groups_of(p, 4);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_s8(p, input, first, groups.lane, patches);
        const int8_t *weights = p->weights;
        for (int32_t c = 0; c < p->out_c; c++) {
            const int32_t bias = p->scales[2 * c];
            int32_t sums[4] = {bias, bias, bias, bias};
            for (int32_t k = 0; k < stride; k++) {
                const int32_t weight = *weights++;
                sums[0] += weight * patches[k];
                sums[1] += weight * patches[stride + k];
                sums[2] += weight * patches[2 * stride + k];
                sums[3] += weight * patches[3 * stride + k];
            }
            for (int32_t i = 0; i < 4; i++) {
                output[(first + i * groups.lane) * p->out_c + c] =
                    es_requantize(sums[i], p->scales[2 * c + 1], ~p->shifts[c],
                                  p->output_zero_point, p->activation_min, p->activation_max);
            }
        }
    }
}
