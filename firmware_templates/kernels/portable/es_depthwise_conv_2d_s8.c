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

/* Taps outside of the image count as zero points: the bias that they add back is known per filter,
 * but not stored, so it is summed here from the weights of those taps. */
void es_depthwise_conv_2d_s8(const es_depthwise_conv_2d *p, const int8_t *input, int8_t *output) {
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const es_taps rows = es_taps_inside(y0, p->in_h, p->kernel_h, p->dilation_h);
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const es_taps columns = es_taps_inside(x0, p->in_w, p->kernel_w, p->dilation_w);
            int32_t in_channel = 0;
            int32_t use = 0;
            for (int32_t c = 0; c < p->out_c; c++) {
                int32_t sum = p->bias[c];
                const int8_t *weight = p->weights + c;
                for (int32_t ky = 0; ky < p->kernel_h; ky++) {
                    const int32_t y = y0 + ky * p->dilation_h;
                    for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                        const int32_t x = x0 + kx * p->dilation_w;
                        int32_t value = p->input_zero_point;
                        if (ky >= rows.begin && ky < rows.end && kx >= columns.begin &&
                            kx < columns.end) {
                            value = input[(y * p->in_w + x) * p->in_c + in_channel];
                        }
                        sum += value * *weight;
                        weight += p->out_c;
                    }
                }
                const int32_t channel = c & p->channel_mask;
                *output++ =
                    es_requantize(sum, p->multipliers[channel], p->shifts[channel],
                                  p->output_zero_point, p->activation_min, p->activation_max);
                if (++use == p->depth_multiplier) {
                    use = 0;
                    in_channel++;
                }
            }
        }
    }
}
