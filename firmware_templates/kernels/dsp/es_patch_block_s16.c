#include "es_dsp.h"
#include "es_patch.h"

/* Four channels of four pixels at a time: each pixel's word becomes two words of two lanes. */
static int32_t *es_expand_tap(const int8_t *const from[4], int32_t channels, int32_t *to) {
    const int8_t *a = from[0], *b = from[1], *c = from[2], *d = from[3];
    for (const int8_t *end = a + channels; a < end; a += 4, b += 4, c += 4, d += 4, to += 8) {
        int32_t word = es_load_4(a);
        to[0] = es_sxtb16(word);
        to[1] = es_sxtb16_ror8(word);
        word = es_load_4(b);
        to[2] = es_sxtb16(word);
        to[3] = es_sxtb16_ror8(word);
        word = es_load_4(c);
        to[4] = es_sxtb16(word);
        to[5] = es_sxtb16_ror8(word);
        word = es_load_4(d);
        to[6] = es_sxtb16(word);
        to[7] = es_sxtb16_ror8(word);
    }
    return to;
}

static int8_t *es_copy(int8_t *to, const int8_t *from, int32_t count) {
    for (const int8_t *end = from + count; from < end;) {
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
    byte[0] = byte[1] = byte[2] = 0;
    for (const int8_t *word = gathered; word < byte; word += 4, to += 8) {
        to[0] = es_sxtb16(es_load_4(word));
        to[1] = es_sxtb16_ror8(es_load_4(word));
    }
}

void es_patch_block_s16(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int32_t lane,
                        int32_t *patches, int8_t *outside) {
    const int32_t channels = p->in_c;
    es_patch_origin origins[4];
    for (int32_t i = 0; i < 4; i++) {
        origins[i] = es_patch_origin_of(p, first_pixel + i * lane);
        if (channels & 3) {
            es_expand_pixel(p, input, &origins[i], outside, outside + channels, patches + 2 * i);
        }
    }
    if (channels & 3) {
        return;
    }
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t down = ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t right = kx * p->dilation_w;
            const int32_t offset = (down * p->in_w + right) * channels;
            const int8_t *from[4];
            for (int32_t i = 0; i < 4; i++) {
                from[i] = es_patch_tap(p, input, &origins[i], down, right, offset, outside);
            }
            patches = es_expand_tap(from, channels, patches);
        }
    }
}
