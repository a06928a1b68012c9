/* SPDX-License-Identifier: Apache-2.0 */
#include "es_pool_2d.h"
#include "es_sum_4.h"

/* As es_sum_4 where a pixel has one to three channels. */
static void es_sum_few(const int8_t *from, int32_t count, int32_t channels, int32_t sums[4]) {
    for (; count > 0; count--) {
        for (int32_t c = 0; c < channels; c++) {
            sums[c] += *from++;
        }
    }
}

/* Four channels at a time; the last four may overlap those before. */
void es_average_pool_2d_s8_dsp(const es_pool_2d *p, const int8_t *input, int8_t *output) {
    const int32_t channels = p->channels, lanes = es_min(channels, 4);
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const int32_t y_begin = es_max(y0, 0);
        const int32_t y_end = es_min(y0 + p->filter_h, p->in_h);
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t x_begin = es_max(x0, 0);
            const int32_t width = es_min(x0 + p->filter_w, p->in_w) - x_begin;
            const int32_t count = (y_end - y_begin) * width;
            const int32_t run = width == p->in_w ? count : width; /* pixels side by side */
            for (int32_t group = 0; group < channels; group += 4) {
                const int32_t c = es_min(group, channels - lanes);
                const int8_t *from = input + (y_begin * p->in_w + x_begin) * channels + c;
                int32_t sums[4] = {0, 0, 0, 0};
                for (int32_t left = count; left > 0; left -= run) {
                    if (lanes == 4) {
                        es_sum_4(from, run, channels, sums);
                    } else {
                        es_sum_few(from, run, channels, sums);
                    }
                    from += p->in_w * channels;
                }
                for (int32_t lane = 0; lane < lanes; lane++) {
                    const int32_t sum = sums[lane];
                    const int32_t half = sum > 0 ? count >> 1 : -(count >> 1);
                    output[c + lane] = (int8_t)es_clamp((sum + half) / count, p->activation_min,
                                                        p->activation_max);
                }
            }
            output += channels;
        }
    }
}
