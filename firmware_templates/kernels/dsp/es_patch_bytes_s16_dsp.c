/* SPDX-License-Identifier: Apache-2.0 */
#include "es_patch.h"
#include "es_patch_expand.h"

enum { N = ES_BLOCK_PIXELS };

/* Where in_c is no multiple of 4, blocks straddle taps: a patch is gathered as int8 first. The taps
 * of a kernel row lie side by side unless they are dilated or leave the image; where their bytes
 * make whole words, they need not be gathered. */
typedef struct {
    const es_conv_2d *p;
    const int8_t *last_run; /* from here on a run in words would read past the input */
    int8_t *gathered;
    int32_t run; /* bytes of a kernel row */
    int32_t row; /* bytes from kernel row to kernel row in the input */
    int32_t rows;
} es_bytes;

/* Whole words, up to 3 bytes more than `count`; returns the end of what was asked for. */
static inline int8_t *es_copy_words(int8_t *to, const int8_t *from, int32_t count) {
    int8_t *const end = to + count;
    do {
        const int32_t word = es_load_4(from);
        __builtin_memcpy(to, &word, 4);
        from += 4;
        to += 4;
    } while (to < end);
    return end;
}

/* All taps inside. */
static __attribute__((noinline)) void es_expand_inside(const es_bytes *b, const int8_t *from,
                                                       int32_t *to) {
    const int32_t run = b->run, row = b->row;
    int32_t rows = b->rows;
    if ((run & 3) == 0) {
        const int32_t gap = row - run;
        do {
            int32_t left = run;
            do {
                const int32_t word = es_load_4(from);
                to[0] = es_sxtb16(word);
                to[1] = es_sxtb16_ror8(word);
                from += 4;
                to += 2 * N;
                left -= 4;
            } while (left > 0);
            from += gap;
        } while (--rows > 0);
        return;
    }
    int8_t *byte = b->gathered;
    do {
        byte = es_copy_words(byte, from, run);
        from += row;
    } while (--rows > 0);
    es_expand_run(b->gathered, (int32_t)(byte - b->gathered + 3) & ~3, to);
}

/* Any taps outside, tap by tap. */
static __attribute__((noinline)) void es_expand_any(const es_bytes *b, const int8_t *from,
                                                    int32_t x, int32_t y, int32_t *to) {
    const es_conv_2d *p = b->p;
    const int32_t channels = p->in_c;
    const int32_t step = p->dilation_w * channels;
    const bool words = (b->run & 3) == 0;
    int8_t *byte = b->gathered;
    for (int32_t rows = b->rows; rows > 0; rows--, from += b->row, y += p->dilation_h) {
        if ((uint32_t)y >= p->in_h) {
            for (int32_t i = b->run; i > 0; i--) {
                *byte++ = p->input_zero_point;
            }
        } else {
            const int8_t *tap = from;
            const int32_t end = x + p->kernel_w * p->dilation_w;
            for (int32_t at = x; at < end; at += p->dilation_w, tap += step) {
                const bool within = (uint32_t)at < p->in_w;
                for (int32_t i = 0; i < channels; i++) {
                    *byte++ = (int8_t)(within ? tap[i] : p->input_zero_point);
                }
            }
        }
        if (words) {
            to = es_expand_run(b->gathered, b->run, to);
            byte = b->gathered;
        }
    }
    if (!words) {
        es_expand_run(b->gathered, (int32_t)(byte - b->gathered + 3) & ~3, to);
    }
}

void es_patch_bytes_s16_dsp(const es_conv_2d *p, const int8_t *input, int32_t first_pixel,
                            int32_t lane, int32_t *patches, int8_t *outside) {
    es_patch_origin origins[N];
    es_patch_origins_of(p, first_pixel, lane, N, origins);
    const int32_t image = (int32_t)p->in_h * p->in_w * p->in_c;
    es_bytes b = {
        .p = p,
        .gathered = outside + ((p->in_c + 3) & ~3),
        .run = p->kernel_w * p->in_c,
        .row = p->dilation_h * p->in_w * p->in_c,
        .rows = p->kernel_h,
    };
    b.last_run = input + image - ((b.run + 3) & ~3) - (b.rows - 1) * b.row;
    const int32_t last_y = p->in_h - (p->kernel_h - 1) * p->dilation_h;
    const int32_t last_x = p->dilation_w == 1 || p->kernel_w == 1 ? p->in_w - p->kernel_w : -1;
    for (int32_t i = 0; i < N; i++) {
        const int8_t *from = input + origins[i].offset;
        if (origins[i].y >= 0 && origins[i].y < last_y && origins[i].x >= 0 &&
            origins[i].x <= last_x && from <= b.last_run) {
            es_expand_inside(&b, from, patches + 2 * i);
        } else {
            es_expand_any(&b, from, origins[i].x, origins[i].y, patches + 2 * i);
        }
    }
}
