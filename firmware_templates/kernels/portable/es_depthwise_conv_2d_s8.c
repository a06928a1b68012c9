/* SPDX-License-Identifier: Apache-2.0 */
#include "es_depthwise_conv_2d.h"
#include "es_requantize.h"

/* The taps [begin, end) of a filter axis that lie inside of the image. */
typedef struct {
    int32_t begin, end;
} es_taps;

static es_taps es_taps_inside(int32_t origin, int32_t size, int32_t kernel, int32_t dilation) {
    es_taps taps = {0, kernel};
    while (taps.begin < kernel && origin + taps.begin * dilation < 0) {
        taps.begin++;
    }
    while (taps.end > taps.begin && origin + (taps.end - 1) * dilation >= size) {
        taps.end--;
    }
    return taps;
}

/* Only taps inside of the image are visited: with the zero point taken off, the others are zero. */
void es_depthwise_conv_2d_s8(const es_depthwise_conv_2d *p, const int8_t *input, int8_t *output) {
    const int32_t zero_point = p->input_zero_point, out_c = p->out_c;
    const int32_t right = p->dilation_w * p->in_c, down = p->dilation_h * p->in_w * p->in_c;
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const es_taps rows = es_taps_inside(y0, p->in_h, p->kernel_h, p->dilation_h);
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const es_taps columns = es_taps_inside(x0, p->in_w, p->kernel_w, p->dilation_w);
            const int32_t corner = (y0 * p->in_w + x0) * p->in_c; /* may lie outside */
            const int32_t first = corner + rows.begin * down + columns.begin * right;
            int32_t in_channel = 0;
            int32_t use = 0;
            for (int32_t c = 0; c < out_c; c++) {
                int32_t sum = 0;
                for (int32_t ky = rows.begin; ky < rows.end; ky++) {
                    const int8_t *x = input + (first + (ky - rows.begin) * down + in_channel);
                    const int8_t *w = p->weights + ((ky * p->kernel_w + columns.begin) * out_c + c);
                    for (int32_t left = columns.end - columns.begin; left > 0; left--) {
                        sum += (*x - zero_point) * *w;
                        x += right;
                        w += out_c;
                    }
                }
                const int32_t channel = c & p->channel_mask;
                *output++ =
                    es_requantize(p->bias[c] + sum, p->multipliers[channel], p->shifts[channel],
                                  p->output_zero_point, p->activation_min, p->activation_max);
                if (++use == p->depth_multiplier) {
                    use = 0;
                    in_channel++;
                }
            }
        }
    }
}
