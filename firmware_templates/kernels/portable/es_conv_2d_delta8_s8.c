#include "es_patch.h"
#include "es_requantize.h"

void es_conv_2d_delta8_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    int8_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    const es_patch_groups groups = es_patch_groups_of(p, 4);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_s8(p, input, first, groups.lane, patches);
        const uint16_t *pairs = p->pairs;
        for (int32_t c = 0; c < p->out_c; c++) {
            const int32_t bias = p->scales[2 * c];
            int32_t sums[4] = {bias, bias, bias, bias};
            int32_t column = 0;
            uint32_t pair = *pairs++;
            do {
                const int32_t weight = (int8_t)(uint8_t)(pair >> 8);
                column += (int32_t)(pair & 0xffu);
                const int8_t *x = patches + column;
                sums[0] += weight * x[0];
                sums[1] += weight * x[stride];
                sums[2] += weight * x[2 * stride];
                sums[3] += weight * x[3 * stride];
                pair = *pairs++;
            } while ((pair & 0xffu) != 0);
            for (int32_t i = 0; i < 4; i++) {
                output[(first + i * groups.lane) * p->out_c + c] =
                    es_requantize(sums[i], p->scales[2 * c + 1], ~p->shifts[c],
                                  p->output_zero_point, p->activation_min, p->activation_max);
            }
        }
    }
}
