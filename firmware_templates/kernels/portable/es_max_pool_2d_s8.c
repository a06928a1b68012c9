/* SPDX-License-Identifier: Apache-2.0 */
#include "es_pool_2d.h"

void es_max_pool_2d_s8(const es_pool_2d *p, const int8_t *input, int8_t *output) {
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const int32_t y_begin = es_max(y0, 0);
        const int32_t y_end = es_min(y0 + p->filter_h, p->in_h);
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t x_begin = es_max(x0, 0);
            const int32_t x_end = es_min(x0 + p->filter_w, p->in_w);
            for (int32_t c = 0; c < p->channels; c++) {
                int32_t largest = -128;
                for (int32_t y = y_begin; y < y_end; y++) {
                    const int8_t *from = input + (y * p->in_w + x_begin) * p->channels + c;
                    for (int32_t x = x_begin; x < x_end; x++) {
                        largest = es_max(largest, *from);
                        from += p->channels;
                    }
                }
                *output++ = (int8_t)es_clamp(largest, p->activation_min, p->activation_max);
            }
        }
    }
}
