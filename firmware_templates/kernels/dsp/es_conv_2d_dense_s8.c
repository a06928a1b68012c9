#include "es_conv_2d_store.h"
#include "es_dsp.h"
#include "es_patch.h"

void es_conv_2d_dense_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    int32_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    int8_t *outside = (int8_t *)(patches + 2 * stride);
    __builtin_memset(outside, p->input_zero_point, p->in_c);
    const es_patch_groups groups = es_patch_groups_of(p);
    const es_conv_2d_output out = es_conv_2d_output_of(p, groups.lane);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_block_s16(p, input, first, groups.lane, patches, outside);
        int8_t *to = output + first * p->out_c;
        const int8_t *weights = p->weights;
        for (int32_t c = 0; c < p->out_c; c++) {
            const int32_t bias = p->bias[c];
            es_sums sums = {bias, bias, bias, bias};
            const int32_t *x = patches;
            for (const int8_t *end = weights + stride; weights < end; x += 8) {
                sums = es_dot_4_by_4(es_load_4(weights), x, sums);
                weights += 4;
            }
            es_conv_2d_store(p, &out, to++, c, sums);
        }
    }
}
