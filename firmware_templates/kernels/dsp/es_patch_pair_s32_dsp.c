/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_rows.h"
#include "es_patch.h"

enum { N = ES_PAIR_PIXELS };

/* The channels of one tap of eight pixels. */
#if ES_CONV_2D_ASSEMBLY

__attribute__((naked, noinline)) static void
es_pair_tap(const int8_t *const *from __attribute__((unused)), int32_t *to __attribute__((unused)),
            const int32_t *end __attribute__((unused))) {
    __asm__(".syntax unified\n\t"
            "push {r4-r11, lr}\n\t"
            "mov r12, r2\n\t"
            "ldm r0, {r4-r11}\n"
            "1:\n\t"
            "ldrsb r0, [r4], #1\n\t"
            "ldrsb r2, [r8], #1\n\t"
            "ldrsb lr, [r9], #1\n\t"
            "add r0, r0, r2, lsl #23\n\t"
            "ldrsb r2, [r5], #1\n\t"
            "ldrsb r3, [r6], #1\n\t"
            "add r2, r2, lr, lsl #23\n\t"
            "ldrsb lr, [r10], #1\n\t"
            "add r3, r3, lr, lsl #23\n\t"
            "stm r1!, {r0, r2, r3}\n\t"
            "ldrsb r0, [r7], #1\n\t"
            "ldrsb r2, [r11], #1\n\t"
            "add r0, r0, r2, lsl #23\n\t"
            "str r0, [r1], #4\n\t"
            "cmp r1, r12\n\t"
            "bne 1b\n\t"
            "pop {r4-r11, pc}\n\t");
}

#else

static void es_pair_tap(const int8_t *const *from, int32_t *to, const int32_t *end) {
    for (int32_t c = 0; to < end; c++) {
        for (int32_t i = 0; i < N / 2; i++) {
            *to++ = from[i][c] + from[i + N / 2][c] * (1 << 23);
        }
    }
}

#endif

void es_patch_pair_s32_dsp(const es_conv_2d *p, const int8_t *input, int32_t first_pixel,
                           int32_t lane, int32_t *patches, int8_t *outside) {
    const int32_t channels = p->in_c;
    const int32_t words = channels * (N / 2);
    es_patch_origin origins[N];
    es_patch_origins_of(p, first_pixel, lane, N, origins);
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t down = ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++, patches += words) {
            const int32_t right = kx * p->dilation_w;
            const int32_t offset = (down * p->in_w + right) * channels;
            const int8_t *from[N];
            for (int32_t i = 0; i < N; i++) {
                from[i] = es_patch_tap(p, input, &origins[i], down, right, offset, outside);
            }
            es_pair_tap(from, patches, patches + words);
        }
    }
}
