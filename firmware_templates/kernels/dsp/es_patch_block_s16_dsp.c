/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_rows.h"
#include "es_dsp.h"
#include "es_patch.h"

enum { N = ES_BLOCK_PIXELS };

#if ES_CONV_2D_ASSEMBLY

#define EXPAND(from, a, b)                                                                         \
    "ldr r2, [" from "], #4\n\t"                                                                   \
    "sxtb16 " a ", r2\n\t"                                                                         \
    "sxtb16 " b ", r2, ror #8\n\t"

/* One tap of six pixels, four channels at a time: each pixel's word becomes two words of two lanes.
 * from: of the first pixel, the others `step` bytes apart; with step 0 the six pointers. */
__attribute__((naked, noinline)) static void
es_expand_tap(const void *from __attribute__((unused)), int32_t *to __attribute__((unused)),
              const int32_t *end __attribute__((unused)), int32_t step __attribute__((unused))) {
    /* clang-format off */
    __asm__(".syntax unified\n\t"
            "push {r4-r11, lr}\n\t"
            "mov r12, r2\n\t"
            "cmp r3, #0\n\t"
            "bne 2f\n\t"
            "ldm r0, {r5-r10}\n"
            "1:\n\t"
            EXPAND("r5", "r0", "r3")
            EXPAND("r6", "r4", "r11")
            "stm r1!, {r0, r3, r4, r11}\n\t"
            EXPAND("r7", "r0", "r3")
            EXPAND("r8", "r4", "r11")
            "stm r1!, {r0, r3, r4, r11}\n\t"
            EXPAND("r9", "r0", "r3")
            EXPAND("r10", "r4", "r11")
            "stm r1!, {r0, r3, r4, r11}\n\t"
            "cmp r1, r12\n\t"
            "bne 1b\n\t"
            "pop {r4-r11, pc}\n"
            "2:\n\t"
            "mov r5, r0\n\t"
            "add r6, r5, r3\n\t"
            "add r7, r6, r3\n\t"
            "add r8, r7, r3\n\t"
            "add r9, r8, r3\n\t"
            "add r10, r9, r3\n\t"
            "b 1b\n\t");
    /* clang-format on */
}

/* The tap to the right of one that is gathered already: what pixel i sees there, pixel i + 1 saw
 * at `left`. Only the last pixel's channels come from the input. */
__attribute__((naked, noinline)) static void
es_shift_tap(const int32_t *left __attribute__((unused)), int32_t *to __attribute__((unused)),
             const int32_t *end __attribute__((unused)),
             const int8_t *from __attribute__((unused))) {
    __asm__(".syntax unified\n\t"
            "push {r4-r9, lr}\n\t"
            "adds r0, #8\n"
            "1:\n\t"
            "ldm r0!, {r4-r9}\n\t"
            "stm r1!, {r4-r9}\n\t"
            "ldm r0!, {r4-r7}\n\t"
            "adds r0, #8\n\t"
            "ldr r12, [r3], #4\n\t"
            "sxtb16 r8, r12\n\t"
            "sxtb16 r9, r12, ror #8\n\t"
            "stm r1!, {r4-r9}\n\t"
            "cmp r1, r2\n\t"
            "bne 1b\n\t"
            "pop {r4-r9, pc}\n\t");
}

#else

static void es_expand_tap(const void *from, int32_t *to, const int32_t *end, int32_t step) {
    for (int32_t at = 0; to < end; at += 4) {
        for (int32_t i = 0; i < N; i++) {
            const int8_t *const *each = from;
            const int8_t *pixel = step != 0 ? (const int8_t *)from + i * step : each[i];
            *to++ = es_sxtb16(es_load_4(pixel + at));
            *to++ = es_sxtb16_ror8(es_load_4(pixel + at));
        }
    }
}

static void es_shift_tap(const int32_t *left, int32_t *to, const int32_t *end, const int8_t *from) {
    for (; to < end; left += 2 * N, to += 2 * N, from += 4) {
        for (int32_t i = 0; i < 2 * N - 2; i++) {
            to[i] = left[i + 2];
        }
        to[2 * N - 2] = es_sxtb16(es_load_4(from));
        to[2 * N - 1] = es_sxtb16_ror8(es_load_4(from));
    }
}

#endif

/* Pixels of one output row. Neighbours see the same taps, one step later: those behind a kernel
 * row's first are shifted. */
static void es_gather_in_row(const es_conv_2d *p, const int8_t *input,
                             const es_patch_origin *origin, int32_t lane, int32_t *patches,
                             const int8_t *outside) {
    const int32_t channels = p->in_c, in_w = p->in_w, kernel_w = p->kernel_w;
    const int32_t words = channels * (N / 2);
    const int32_t stride = p->stride_w * lane;
    const int32_t step = stride * channels;
    const bool slides = stride == 1 && p->dilation_w == 1;
    const int32_t row = p->dilation_h * in_w * channels;
    const int8_t *base = input + origin->offset;
    int32_t y = origin->y;
    for (int32_t ky = p->kernel_h; ky > 0; ky--, y += p->dilation_h, base += row) {
        const bool within = (uint32_t)y < p->in_h;
        const int8_t *corner = base;
        int32_t x = origin->x;
        for (int32_t kx = 0; kx < kernel_w; kx++) {
            int32_t *end = patches + words;
            const int8_t *from[N];
            if (kx > 0 && slides) {
                const int8_t *last = corner + (N - 1) * channels;
                const int32_t last_x = x + N - 1;
                if (!within || (uint32_t)last_x >= (uint32_t)in_w) {
                    last = outside;
                } else if (last_x + kernel_w - kx <= in_w) {
                    end += (kernel_w - 1 - kx) * words;
                    kx = kernel_w;
                }
                es_shift_tap(patches - words, patches, end, last);
            } else if (step > 0 && within && x >= 0 && x + (N - 1) * stride < in_w) {
                es_expand_tap(corner, patches, end, step);
            } else {
                const int8_t *at = corner;
                int32_t at_x = x;
                for (int32_t i = 0; i < N; i++) {
                    from[i] = within && (uint32_t)at_x < (uint32_t)in_w ? at : outside;
                    at += step;
                    at_x += stride;
                }
                es_expand_tap(from, patches, end, 0);
            }
            patches = end;
            x += p->dilation_w;
            corner += p->dilation_w * channels;
        }
    }
}

/* Any other group. */
static void es_gather_across(const es_conv_2d *p, const int8_t *input, int32_t first_pixel,
                             int32_t *patches, const int8_t *outside) {
    const int32_t channels = p->in_c;
    const int32_t words = channels * (N / 2);
    es_patch_origin origins[N];
    es_patch_origins_of(p, first_pixel, 1, N, origins);
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t down = ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++, patches += words) {
            const int32_t right = kx * p->dilation_w;
            const int32_t offset = (down * p->in_w + right) * channels;
            const int8_t *from[N];
            for (int32_t i = 0; i < N; i++) {
                from[i] = es_patch_tap(p, input, &origins[i], down, right, offset, outside);
            }
            es_expand_tap(from, patches, patches + words, 0);
        }
    }
}

void es_patch_block_s16_dsp(const es_conv_2d *p, const int8_t *input, int32_t first_pixel,
                            int32_t lane, int32_t *patches, int8_t *outside) {
    const es_patch_origin origin = es_patch_origin_of(p, first_pixel);
    const int32_t last_in_row = (p->out_w - N) * p->stride_w - p->pad_left;
    if (lane == 0 || origin.x <= last_in_row) {
        es_gather_in_row(p, input, &origin, lane, patches, outside);
    } else {
        es_gather_across(p, input, first_pixel, patches, outside);
    }
}
