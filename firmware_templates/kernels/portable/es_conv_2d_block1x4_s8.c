#include "es_patch.h"
#include "es_requantize.h"

void es_conv_2d_block1x4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output,
                            void *scratch) {
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
            int32_t column = 0;
            uint32_t gap;
            do {
                gap = (uint8_t)*stream++;
                column += 4 * (int32_t)(gap & 0x7fu);
                const int8_t *x = patches + column;
                for (int32_t k = 0; k < 4; k++) {
                    const int32_t weight = *stream++;
                    sums[0] += weight * x[k];
                    sums[1] += weight * x[stride + k];
                    sums[2] += weight * x[2 * stride + k];
                    sums[3] += weight * x[3 * stride + k];
                }
            } while (gap < 0x80u);
            for (int32_t i = 0; i < 4; i++) {
                output[(first + i * groups.lane) * p->out_c + c] =
                    es_requantize(sums[i], p->scales[2 * c + 1], ~p->shifts[c],
                                  p->output_zero_point, p->activation_min, p->activation_max);
            }
        }
    }
}
