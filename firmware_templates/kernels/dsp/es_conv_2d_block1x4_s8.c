#include "es_conv_2d_store.h"
#include "es_dsp.h"
#include "es_patch.h"

void es_conv_2d_block1x4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output,
                            void *scratch) {
    int32_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    int8_t *outside = (int8_t *)(patches + 2 * stride);
    __builtin_memset(outside, p->input_zero_point, p->in_c);
    const es_patch_groups groups = es_patch_groups_of(p);

    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        es_patch_block_s16(p, input, first, groups.lane, patches, outside);
        int8_t *to = output + first * p->out_c;
        const int8_t *weights = p->weights;
        const uint8_t *gaps = p->gaps;
        for (int32_t c = 0; c < p->out_c; c++) {
            int32_t sum_0 = p->bias[c];
            int32_t sum_1 = sum_0, sum_2 = sum_0, sum_3 = sum_0;
            const int32_t *x = patches;
            for (const uint8_t *end = gaps + p->counts[c]; gaps < end;) {
                x += 8 * *gaps++;
                const int32_t word = es_load_4(weights);
                const int32_t w02 = es_sxtb16(word), w13 = es_sxtb16_ror8(word);
                weights += 4;
                int64_t pair = es_load_pair(x);
                sum_0 = es_smlad(es_first(pair), w02, es_smlad(es_second(pair), w13, sum_0));
                pair = es_load_pair(x + 2);
                sum_1 = es_smlad(es_first(pair), w02, es_smlad(es_second(pair), w13, sum_1));
                pair = es_load_pair(x + 4);
                sum_2 = es_smlad(es_first(pair), w02, es_smlad(es_second(pair), w13, sum_2));
                pair = es_load_pair(x + 6);
                sum_3 = es_smlad(es_first(pair), w02, es_smlad(es_second(pair), w13, sum_3));
            }
            es_conv_2d_store(p, to++, groups.lane * p->out_c, c, sum_0, sum_1, sum_2, sum_3);
        }
    }
}
