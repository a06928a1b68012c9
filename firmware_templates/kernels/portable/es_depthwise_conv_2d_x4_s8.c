#include "es_depthwise_conv_2d.h"
#include "es_requantize.h"

/* Scratch: one pointer per tap, then a pixel of zero points for taps outside of the image. */
void es_depthwise_conv_2d_x4_s8(const es_depthwise_conv_2d *p, const int8_t *input, int8_t *output,
                                void *scratch) {
    const int32_t taps = (int32_t)p->kernel_h * p->kernel_w;
    const int8_t **pixels = scratch;
    int8_t *outside = (int8_t *)(pixels + taps);
    __builtin_memset(outside, p->input_zero_point, p->in_c);

    for (int32_t oy = 0; oy < p->out_h; oy++) {
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int8_t **pixel = pixels;
            for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                const int32_t y = oy * p->stride_h - p->pad_top + ky * p->dilation_h;
                for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                    const int32_t x = ox * p->stride_w - p->pad_left + kx * p->dilation_w;
                    const int inside = (uint32_t)y < p->in_h && (uint32_t)x < p->in_w;
                    *pixel++ = inside ? input + (y * p->in_w + x) * p->in_c : outside;
                }
            }
            const int8_t *weights = p->weights;
            for (int32_t first = 0; first < p->out_c; first += 4) {
                int32_t sums[4];
                __builtin_memcpy(sums, p->bias + first, sizeof(sums));
                for (int32_t tap = 0; tap < taps; tap++) {
                    const int8_t *x = pixels[tap] + first;
                    sums[0] += x[0] * weights[0];
                    sums[1] += x[1] * weights[1];
                    sums[2] += x[2] * weights[2];
                    sums[3] += x[3] * weights[3];
                    weights += 4;
                }
                for (int32_t i = 0; i < 4; i++) {
                    const int32_t channel = first + i;
                    *output++ =
                        es_requantize(sums[i], p->multipliers[channel], p->shifts[channel],
                                      p->output_zero_point, p->activation_min, p->activation_max);
                }
            }
        }
    }
}
