/* SPDX-License-Identifier: Apache-2.0 */
#include "es_depthwise_conv_2d.h"
#include "es_dsp.h"
#include "es_tap.h"

/* Scratch: one es_tap per tap, then a pixel of zero points for taps outside of the image. */
static void es_find_taps(const es_depthwise_conv_2d *p, const int8_t *input, int32_t y0, int32_t x0,
                         const int8_t *outside, es_tap *tap) {
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t y = y0 + ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t x = x0 + kx * p->dilation_w;
            const int inside = (uint32_t)y < p->in_h && (uint32_t)x < p->in_w;
            *tap++ = inside ? es_tap_inside(input, (y * p->in_w + x) * p->in_c)
                            : es_tap_outside(outside);
        }
    }
}

/* Four channels, each with a scale of its own. Shifts are read as one word. */
static inline void es_store_4(const es_depthwise_conv_2d *p, int32_t c, const int32_t sums[4],
                              int8_t *output) {
    const int32_t *multipliers = p->multipliers + c;
    const int8_t *shifts = p->shifts + c;
    const int32_t rounding = 2 * p->output_zero_point + 1;
    const int32_t low = p->activation_min, high = p->activation_max;
    const uint32_t word = (uint32_t)es_load_4(shifts);
    int32_t values[4];
    if (__builtin_expect((word & 0x80808080u) == 0x80808080u, 1)) {
        const uint32_t less_1 = ~word; /* of four negative shifts: no sign to extend */
        const int32_t shift_0 = (int32_t)(less_1 & 0xffu);
        const int32_t shift_1 = (int32_t)((less_1 >> 8) & 0xffu);
        const int32_t shift_2 = (int32_t)((less_1 >> 16) & 0xffu);
        const int32_t shift_3 = (int32_t)(less_1 >> 24);
        values[0] = es_scale_down(sums[0], multipliers[0], shift_0, rounding);
        values[1] = es_scale_down(sums[1], multipliers[1], shift_1, rounding);
        values[2] = es_scale_down(sums[2], multipliers[2], shift_2, rounding);
        values[3] = es_scale_down(sums[3], multipliers[3], shift_3, rounding);
        for (int32_t i = 0; i < 4; i++) {
            values[i] = es_ssat8(values[i]);
        }
    } else {
        for (int32_t i = 0; i < 4; i++) {
            values[i] =
                es_requantize_dsp(sums[i], multipliers[i], shifts[i], rounding >> 1, -128, 127);
        }
    }
    if (high - low < 255) {
        for (int32_t i = 0; i < 4; i++) {
            values[i] = es_clamp(values[i], low, high);
        }
    }
    output[0] = (int8_t)values[0];
    output[1] = (int8_t)values[1];
    output[2] = (int8_t)values[2];
    output[3] = (int8_t)values[3];
}

void es_depthwise_conv_2d_x4_s8_dsp(const es_depthwise_conv_2d *p, const int8_t *input,
                                    int8_t *output, void *scratch) {
    const int32_t taps = (int32_t)p->kernel_h * p->kernel_w;
    es_tap *pixels = scratch;
    int8_t *outside = (int8_t *)(pixels + taps);
    __builtin_memset(outside, p->input_zero_point, p->in_c);

    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            es_find_taps(p, input, oy * p->stride_h - p->pad_top, ox * p->stride_w - p->pad_left,
                         outside, pixels);
            const int8_t *weights = p->weights;
            for (int32_t c = 0; c < p->out_c; c += 4) {
                int32_t sum_0 = p->bias[c], sum_1 = p->bias[c + 1];
                int32_t sum_2 = p->bias[c + 2], sum_3 = p->bias[c + 3];
                const es_tap *tap = pixels;
                const es_tap *end = pixels + taps;
                while (tap < end) {
                    const int32_t x = es_load_4(es_tap_pixel(*tap++, input, outside) + c);
                    const int32_t w = es_load_4(weights);
                    const int32_t x02 = es_sxtb16(x), x13 = es_sxtb16_ror8(x);
                    const int32_t w02 = es_sxtb16(w), w13 = es_sxtb16_ror8(w);
                    weights += 4;
                    sum_0 = es_smlabb(x02, w02, sum_0);
                    sum_1 = es_smlabb(x13, w13, sum_1);
                    sum_2 = es_smlatt(x02, w02, sum_2);
                    sum_3 = es_smlatt(x13, w13, sum_3);
                }
                const int32_t sums[4] = {sum_0, sum_1, sum_2, sum_3};
                es_store_4(p, c, sums, output);
                output += 4;
            }
        }
    }
}
