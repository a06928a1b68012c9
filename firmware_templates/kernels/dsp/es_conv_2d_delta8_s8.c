#include "es_conv_2d_store.h"
#include "es_dsp.h"
#include "es_patch.h"

void es_conv_2d_delta8_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    int32_t *patches = scratch;
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    int8_t *outside = (int8_t *)(patches + 2 * stride);
    __builtin_memset(outside, p->input_zero_point, p->in_c);
    const int32_t pixels = (int32_t)p->out_h * p->out_w;

    for (int32_t first = 0; first < pixels; first += 4) {
        es_patch_pixel_s16(p, input, first, patches, outside);
        const es_conv_2d_outputs out = es_conv_2d_outputs_at(p, output, first);
        const uint16_t *pairs = p->pairs;
        for (int32_t c = 0; c < p->out_c; c++) {
            int32_t sum_0 = p->bias[c];
            int32_t sum_1 = sum_0, sum_2 = sum_0, sum_3 = sum_0;
            const int32_t *x = patches;
            for (int32_t entry = p->counts[c]; entry > 0; entry--) {
                const int32_t pair = *pairs++;
                const int32_t weight = (int8_t)(uint8_t)(pair >> 8);
                x += 2 * (pair & 0xff);
                sum_0 = es_smlabb(x[0], weight, sum_0);
                sum_1 = es_smlatb(x[0], weight, sum_1);
                sum_2 = es_smlabb(x[1], weight, sum_2);
                sum_3 = es_smlatb(x[1], weight, sum_3);
            }
            es_conv_2d_store(p, &out, c, sum_0, sum_1, sum_2, sum_3);
        }
    }
}
