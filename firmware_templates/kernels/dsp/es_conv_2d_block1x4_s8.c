#include "es_conv_2d_store.h"
#include "es_dsp.h"
#include "es_patch.h"

void es_conv_2d_block1x4_s8(const es_conv_2d *p, const int8_t *input, int8_t *output,
                            void *scratch) {
    int32_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    int8_t *outside = (int8_t *)(patches + 2 * stride);
    __builtin_memset(outside, p->input_zero_point, p->in_c);
    const int32_t pixels = (int32_t)p->out_h * p->out_w;

    for (int32_t first = 0; first < pixels; first += 4) {
        es_patch_block_s16(p, input, first, patches, outside);
        const es_conv_2d_outputs out = es_conv_2d_outputs_at(p, output, first);
        const int8_t *weights = p->weights;
        const uint8_t *gaps = p->gaps;
        for (int32_t c = 0; c < p->out_c; c++) {
            int32_t sum_0 = p->bias[c];
            int32_t sum_1 = sum_0, sum_2 = sum_0, sum_3 = sum_0;
            const int32_t *x = patches;
            for (int32_t block = p->counts[c]; block > 0; block--) {
                x += 8 * *gaps++;
                const int32_t word = es_load_4(weights);
                const int32_t w02 = es_sxtb16(word), w13 = es_sxtb16_ror8(word);
                weights += 4;
                sum_0 = es_smlad(x[0], w02, es_smlad(x[1], w13, sum_0));
                sum_1 = es_smlad(x[2], w02, es_smlad(x[3], w13, sum_1));
                sum_2 = es_smlad(x[4], w02, es_smlad(x[5], w13, sum_2));
                sum_3 = es_smlad(x[6], w02, es_smlad(x[7], w13, sum_3));
            }
            es_conv_2d_store(p, &out, c, sum_0, sum_1, sum_2, sum_3);
        }
    }
}
