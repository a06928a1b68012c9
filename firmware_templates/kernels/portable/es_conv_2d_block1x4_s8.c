#include "es_patch.h"
#include "es_requantize.h"

void es_conv_2d_block1x4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output,
                            void *scratch) {
    int8_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    const es_patch_groups groups = es_patch_groups_of(p);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_s8(p, input, first, groups.lane, patches);
        const int8_t *weights = p->weights;
        const uint8_t *gaps = p->gaps;
        for (int32_t c = 0; c < p->out_c; c++) {
            int32_t sums[4] = {p->bias[c], p->bias[c], p->bias[c], p->bias[c]};
            const int8_t *x = patches;
            for (int32_t block = p->counts[c]; block > 0; block--) {
                x += 4 * *gaps++;
                for (int32_t k = 0; k < 4; k++) {
                    const int32_t weight = *weights++;
                    sums[0] += weight * x[k];
                    sums[1] += weight * x[stride + k];
                    sums[2] += weight * x[2 * stride + k];
                    sums[3] += weight * x[3 * stride + k];
                }
            }
            const int32_t channel = c & p->channel_mask;
            for (int32_t i = 0; i < 4; i++) {
                output[(first + i * groups.lane) * p->out_c + c] =
                    es_requantize(sums[i], p->multipliers[channel], p->shifts[channel],
                                  p->output_zero_point, p->activation_min, p->activation_max);
            }
        }
    }
}
