#include "es_patch.h"
#include "es_requantize.h"

void es_conv_2d_bitmap_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    int8_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    const int32_t mask_bytes = (es_patch_values(p) + 7) / 8;
    const es_patch_groups groups = es_patch_groups_of(p, 4);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_s8(p, input, first, groups.lane, patches);
        const int8_t *weights = p->weights;
        for (int32_t c = 0; c < p->out_c; c++) {
            const int32_t bias = p->scales[2 * c];
            int32_t sums[4] = {bias, bias, bias, bias};
            const uint8_t *mask = (const uint8_t *)weights;
            const int8_t *eight = patches;
            weights += mask_bytes;
            for (const uint8_t *end = mask + mask_bytes; mask < end; eight += 8) {
                const int8_t *x = eight;
                for (uint32_t bits = *mask++; bits != 0; bits >>= 1, x++) {
                    if (bits & 1u) {
                        const int32_t weight = *weights++;
                        sums[0] += weight * x[0];
                        sums[1] += weight * x[stride];
                        sums[2] += weight * x[2 * stride];
                        sums[3] += weight * x[3 * stride];
                    }
                }
            }
            for (int32_t i = 0; i < 4; i++) {
                output[(first + i * groups.lane) * p->out_c + c] =
                    es_requantize(sums[i], p->scales[2 * c + 1], ~p->shifts[c],
                                  p->output_zero_point, p->activation_min, p->activation_max);
            }
        }
    }
}
