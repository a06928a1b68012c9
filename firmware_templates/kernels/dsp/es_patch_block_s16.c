#include "es_patch.h"
#include "es_patch_expand.h"

enum { N = ES_BLOCK_PIXELS };

#if ES_CONV_2D_ASSEMBLY

#define EXPAND(from, a, b)                                                                         \
    "ldr r2, [" from "], #4\n\t"                                                                   \
    "sxtb16 " a ", r2\n\t"                                                                         \
    "sxtb16 " b ", r2, ror #8\n\t"

/* One tap of six pixels, four channels at a time: each pixel's word becomes two words of two lanes.
 */
__attribute__((naked, noinline)) static void
es_expand_tap(const int8_t *const *from __attribute__((unused)), int32_t *to __attribute__((unused)),
              const int32_t *end __attribute__((unused))) {
    __asm__(".syntax unified\n\t"
            "push {r4-r11, lr}\n\t"
            "mov r12, r2\n\t"
            "ldm r0, {r5-r10}\n"
            "1:\n\t" EXPAND("r5", "r0", "r3") EXPAND("r6", "r4", "r11") "stm r1!, {r0, r3, r4, r11}\n\t"
            EXPAND("r7", "r0", "r3") EXPAND("r8", "r4", "r11") "stm r1!, {r0, r3, r4, r11}\n\t"
            EXPAND("r9", "r0", "r3") EXPAND("r10", "r4", "r11") "stm r1!, {r0, r3, r4, r11}\n\t"
            "cmp r1, r12\n\t"
            "bne 1b\n\t"
            "pop {r4-r11, pc}\n\t");
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

static void es_expand_tap(const int8_t *const *from, int32_t *to, const int32_t *end) {
    for (int32_t at = 0; to < end; at += 4) {
        for (int32_t i = 0; i < N; i++) {
            *to++ = es_sxtb16(es_load_4(from[i] + at));
            *to++ = es_sxtb16_ror8(es_load_4(from[i] + at));
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

void es_patch_block_s16(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int32_t lane,
                        int32_t *patches, int8_t *outside) {
    const int32_t channels = p->in_c;
    es_patch_origin origins[N];
    const bool inside = es_patch_origins_of(p, first_pixel, lane, N, origins);
    /* Neighbours in a row see the same taps, one step later; the last pixel of a row has none. */
    const bool slides = p->stride_w == 1 && p->dilation_w == 1 && lane != 0;
    const bool one_row = origins[0].y == origins[N - 1].y;
    const int32_t words = channels * (N / 2);
    const int32_t kernel_w = p->kernel_w;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t down = ky * p->dilation_h;
        int32_t offset = down * p->in_w * channels;
        const int8_t *from[N];
        for (int32_t i = 0; i < N; i++) {
            from[i] = inside ? input + (origins[i].offset + offset)
                             : es_patch_tap(p, input, &origins[i], down, 0, offset, outside);
        }
        es_expand_tap(from, patches, patches + words);
        patches += words;
        if (slides && one_row && kernel_w > 1 && from[N - 1] != outside &&
            origins[N - 1].x + kernel_w <= p->in_w) {
            int32_t *const end = patches + (kernel_w - 1) * words;
            es_shift_tap(patches - words, patches, end, from[N - 1] + channels);
            patches = end;
            continue;
        }
        for (int32_t kx = 1; kx < kernel_w; kx++, patches += words) {
            const int32_t right = kx * p->dilation_w;
            offset += p->dilation_w * channels;
            if (!slides) {
                for (int32_t i = 0; i < N; i++) {
                    from[i] =
                        inside ? input + (origins[i].offset + offset)
                               : es_patch_tap(p, input, &origins[i], down, right, offset, outside);
                }
                es_expand_tap(from, patches, patches + words);
                continue;
            }
            es_shift_tap(patches - words, patches, patches + words,
                         es_patch_tap(p, input, &origins[N - 1], down, right, offset, outside));
            if (one_row) {
                continue;
            }
            for (int32_t i = 0; i < N - 1; i++) {
                if (origins[i].y != origins[i + 1].y) {
                    es_expand_run(es_patch_tap(p, input, &origins[i], down, right, offset, outside),
                                  channels, patches + 2 * i);
                }
            }
        }
    }
}
