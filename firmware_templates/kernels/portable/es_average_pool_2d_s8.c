/* SPDX-License-Identifier: Apache-2.0 */
#include "es_pool_2d.h"

void es_average_pool_2d_s8(const es_pool_2d *p, const int8_t *input, int8_t *output) {
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const int32_t y_begin = es_max(y0, 0);
        const int32_t y_end = es_min(y0 + p->filter_h, p->in_h);
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t x_begin = es_max(x0, 0);
            const int32_t x_end = es_min(x0 + p->filter_w, p->in_w);
            const int32_t count = (y_end - y_begin) * (x_end - x_begin);
            for (int32_t c = 0; c < p->channels; c++) {
                int32_t sum = 0;
                for (int32_t y = y_begin; y < y_end; y++) {
                    const int8_t *from = input + (y * p->in_w + x_begin) * p->channels + c;
                    for (int32_t x = x_begin; x < x_end; x++) {
                        sum += *from;
                        from += p->channels;
                    }
                }
                const int32_t half = sum > 0 ? count / 2 : -(count / 2);
                /* Padding is less than the filter: every window has a pixel, which analyzers cannot
                 * know. NOLINTBEGIN(clang-analyzer-core.*) */
                *output++ =
                    (int8_t)es_clamp((sum + half) / count, p->activation_min, p->activation_max);
                /* NOLINTEND(clang-analyzer-core.*) */
            }
        }
    }
}
