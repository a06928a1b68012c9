/* SPDX-License-Identifier: Apache-2.0 */
#include "es_dsp.h"
#include "es_pool_2d.h"

/* The largest of one to four bytes at from, of each of the pixels in the window. */
static int32_t es_largest(const int8_t *from, int32_t bytes, int32_t rows, int32_t columns,
                          int32_t pixel, int32_t row) {
    int32_t largest = (int32_t)0x80808080u;
    for (; rows > 0; rows--) {
        const int8_t *next = from + row;
        for (int32_t left = columns; left > 0; left--) {
            int32_t word = 0;
            if (__builtin_expect(bytes == 4, 1)) {
                word = es_load_4(from);
            } else {
                __builtin_memcpy(&word, from, (size_t)bytes);
            }
            largest = es_max_4(largest, word);
            from += pixel;
        }
        from = next;
    }
    return largest;
}

static int32_t es_four_times(int32_t value) { return (int32_t)((uint8_t)value * 0x01010101u); }

/* Four channels at a time; the last four may overlap those before. */
void es_max_pool_2d_s8_dsp(const es_pool_2d *p, const int8_t *input, int8_t *output) {
    const int32_t channels = p->channels, bytes = es_min(channels, 4);
    const int32_t low = es_four_times(p->activation_min), high = es_four_times(p->activation_max);
    for (int32_t oy = 0; oy < p->out_h; oy++) {
        const int32_t y0 = oy * p->stride_h - p->pad_top;
        const int32_t y = es_max(y0, 0);
        const int32_t rows = es_min(y0 + p->filter_h, p->in_h) - y;
        for (int32_t ox = 0; ox < p->out_w; ox++) {
            const int32_t x0 = ox * p->stride_w - p->pad_left;
            const int32_t x = es_max(x0, 0);
            const int32_t columns = es_min(x0 + p->filter_w, p->in_w) - x;
            for (int32_t group = 0; group < channels; group += 4) {
                const int32_t c = es_min(group, channels - bytes);
                const int8_t *from = input + (y * p->in_w + x) * channels + c;
                int32_t word = es_largest(from, bytes, rows, columns, channels, p->in_w * channels);
                word = es_max_4(word, low);
                word = ~es_max_4(~word, ~high); /* the smaller */
                __builtin_memcpy(output + c, &word, (size_t)bytes);
            }
            output += channels;
        }
    }
}
