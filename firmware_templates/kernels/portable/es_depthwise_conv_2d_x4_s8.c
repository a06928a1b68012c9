/* SPDX-License-Identifier: Apache-2.0 */
#include "es_depthwise_conv_2d.h"
#include "es_requantize.h"
#include "es_tap.h"

static int8_t es_output(const es_depthwise_conv_2d *p, int32_t c, int32_t sum) {
    return es_requantize(sum, p->multipliers[c], p->shifts[c], p->output_zero_point,
                         p->activation_min, p->activation_max);
}

/* Scratch: one es_tap per tap, then a pixel of zero points for taps outside of the image. */
void es_depthwise_conv_2d_x4_s8(const es_depthwise_conv_2d *p, const int8_t *input, int8_t *output,
                                void *scratch) {
    const int32_t taps = (int32_t)p->kernel_h * p->kernel_w;
    es_tap *pixels = scratch;
    const es_tap *end = pixels + taps;
    int8_t *outside = (int8_t *)(pixels + taps);
    __builtin_memset(outside, p->input_zero_point, p->in_c);

    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            es_tap *tap = pixels;
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                const int32_t y = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
                for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                    const int32_t x = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
                    const int inside = (uint32_t)y < p->in_h && (uint32_t)x < p->in_w;
                    *tap++ = inside ? es_tap_inside(input, (y * p->in_w + x) * p->in_c)
                                    : es_tap_outside(outside);
                }
            }
            const int8_t *weights = p->weights;
            for (int32_t c = 0; c < p->out_c; c += 4) {
                /* Not an array: output might lie on it, for all that the compiler knows. */
                int32_t sum_0 = p->bias[c], sum_1 = p->bias[c + 1];
                int32_t sum_2 = p->bias[c + 2], sum_3 = p->bias[c + 3];
                for (const es_tap *from = pixels; from < end; from++) {
                    const int8_t *x = es_tap_pixel(*from, input, outside) + c;
                    sum_0 += x[0] * weights[0];
                    sum_1 += x[1] * weights[1];
                    sum_2 += x[2] * weights[2];
                    sum_3 += x[3] * weights[3];
                    weights += 4;
                }
                output[0] = es_output(p, c, sum_0);
                output[1] = es_output(p, c + 1, sum_1);
                output[2] = es_output(p, c + 2, sum_2);
                output[3] = es_output(p, c + 3, sum_3);
                output += 4;
            }
        }
    }
}
