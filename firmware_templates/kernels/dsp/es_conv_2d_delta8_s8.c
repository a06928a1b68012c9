#include "es_conv_2d_store.h"
#include "es_dsp.h"
#include "es_patch.h"

void es_conv_2d_delta8_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    int32_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    int8_t *outside = (int8_t *)(patches + 2 * stride);
    __builtin_memset(outside, p->input_zero_point, p->in_c);
    const es_patch_groups groups = es_patch_groups_of(p);
    const es_conv_2d_output out = es_conv_2d_output_of(p, groups.lane);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_pixel_s16(p, input, first, groups.lane, patches, outside);
        int8_t *to = output + first * p->out_c;
        const uint16_t *pairs = p->pairs;
        for (int32_t c = 0; c < p->out_c; c++) {
            const int32_t bias = p->bias[c];
            es_sums sums = {bias, bias, bias, bias};
            const int32_t *x = patches;
            for (const uint16_t *end = pairs + p->counts[c]; pairs < end;) {
                const int32_t entry = *pairs++;
                const int32_t weight = (int16_t)entry >> 8;
                x += 2 * (entry & 0xff);
                const int64_t pair = es_load_pair(x);
                sums.pixel_0 = es_smlabb(es_first(pair), weight, sums.pixel_0);
                sums.pixel_1 = es_smlatb(es_first(pair), weight, sums.pixel_1);
                sums.pixel_2 = es_smlabb(es_second(pair), weight, sums.pixel_2);
                sums.pixel_3 = es_smlatb(es_second(pair), weight, sums.pixel_3);
            }
            es_conv_2d_store(p, &out, to++, c, sums);
        }
    }
}
