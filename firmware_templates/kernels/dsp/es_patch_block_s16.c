#include "es_conv_2d_rows.h"
#include "es_dsp.h"
#include "es_patch.h"

enum { N = ES_BLOCK_PIXELS };

static inline const int8_t *es_expand_word(const int8_t *from, int32_t *to) {
    const int32_t word = es_load_4(from);
    to[0] = es_sxtb16(word);
    to[1] = es_sxtb16_ror8(word);
    return from + 4;
}

/* The channels of one tap of six pixels, four at a time: each pixel's word becomes two words of two
 * lanes. */
static int32_t *es_expand_tap(const int8_t *const from[N], int32_t channels, int32_t *to) {
    const int8_t *a = from[0], *b = from[1], *c = from[2], *d = from[3], *e = from[4], *f = from[5];
    for (const int32_t *end = to + channels * (N / 2); to < end; to += 2 * N) {
        a = es_expand_word(a, to);
        b = es_expand_word(b, to + 2);
        c = es_expand_word(c, to + 4);
        d = es_expand_word(d, to + 6);
        e = es_expand_word(e, to + 8);
        f = es_expand_word(f, to + 10);
    }
    return to;
}

/* Whole words from any address to any address, never past the end of `from`. */
static int8_t *es_copy(int8_t *to, const int8_t *from, int32_t count) {
    for (; count >= 4; count -= 4, from += 4, to += 4) {
        __builtin_memcpy(to, from, 4);
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
    return to;
}

/* Where in_c is no multiple of 4, blocks straddle taps: one pixel's patch is gathered as int8
 * first. */
static void es_expand_pixel(const es_conv_2d *p, const int8_t *input, const es_patch_origin *origin,
                            const int8_t *outside, int8_t *gathered, int32_t *to) {
    const int32_t channels = p->in_c;
    const int32_t row_is_run =
        p->dilation_w == 1 && origin->x >= 0 && origin->x + p->kernel_w <= p->in_w;
    const int32_t run =
        row_is_run ? p->kernel_w : 1; /* taps that lie side by side, all in or all out */
    int8_t *byte = gathered;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t down = ky * p->dilation_h;
        if ((uint32_t)(origin->y + down) >= p->in_h) {
            for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                byte = es_copy(byte, outside, channels);
            }
            continue;
        }
        const int8_t *from = input + (origin->offset + down * p->in_w * channels);
        for (int32_t kx = 0; kx < p->kernel_w; kx += run) {
            const int32_t right = kx * p->dilation_w;
            if ((uint32_t)(origin->x + right) < p->in_w) {
                byte = es_copy(byte, from + right * channels, run * channels);
            } else {
                byte = es_copy(byte, outside, channels);
            }
        }
    }
    for (const int8_t *word = gathered; word < byte; to += 2 * N) {
        word = es_expand_word(word, to);
    }
}

void es_patch_block_s16(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int32_t lane,
                        int32_t *patches, int8_t *outside) {
    const int32_t channels = p->in_c;
    es_patch_origin origins[N];
    const bool inside = es_patch_origins_of(p, first_pixel, lane, N, origins);
    if (channels & 3) {
        for (int32_t i = 0; i < N; i++) {
            es_expand_pixel(p, input, &origins[i], outside, outside + ((channels + 3) & ~3),
                            patches + 2 * i);
        }
        return;
    }
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t down = ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t right = kx * p->dilation_w;
            const int32_t offset = (down * p->in_w + right) * channels;
            const int8_t *from[N];
            for (int32_t i = 0; i < N; i++) {
                from[i] = inside ? input + (origins[i].offset + offset)
                                 : es_patch_tap(p, input, &origins[i], down, right, offset, outside);
            }
            patches = es_expand_tap(from, channels, patches);
        }
    }
}
