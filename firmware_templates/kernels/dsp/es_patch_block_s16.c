#include "es_dsp.h"
#include "es_patch.h"

/* Four channels at a time: each pixel's word becomes two words of two lanes. */
static int32_t *es_expand_words(const int8_t *const from[4], int32_t channels, int32_t *to) {
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

/* One value at a time, where in_c is no multiple of 4 and blocks straddle taps. */
static void es_expand_values(const int8_t *const from[4], int32_t channels, int32_t k,
                             es_lane *patches) {
    for (int32_t c = 0; c < channels; c++, k++) {
        /* Within a block of 16: 4 per pixel, in the order 0 2 1 3. */
        es_lane *to = patches + (k >> 2) * 16 + ((k & 1) << 1) + ((k >> 1) & 1);
        to[0] = from[0][c];
        to[4] = from[1][c];
        to[8] = from[2][c];
        to[12] = from[3][c];
    }
}

void es_patch_block_s16(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int32_t lane,
                        int32_t *patches, const int8_t *outside) {
    es_patch_origin origins[4];
    for (int32_t i = 0; i < 4; i++) {
        origins[i] = es_patch_origin_of(p, first_pixel + i * lane);
    }
    const int32_t channels = p->in_c;
    int32_t *to = patches;
    int32_t k = 0;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t down = ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t right = kx * p->dilation_w;
            const int32_t offset = (down * p->in_w + right) * channels;
            const int8_t *from[4];
            for (int32_t i = 0; i < 4; i++) {
                from[i] = es_patch_tap(p, input, &origins[i], down, right, offset, outside);
            }
            if ((channels & 3) == 0) {
                to = es_expand_words(from, channels, to);
            } else {
                es_expand_values(from, channels, k, (es_lane *)patches);
                k += channels;
            }
        }
    }
    const int8_t zeros[4] = {0, 0, 0, 0};
    const int8_t *const from[4] = {zeros, zeros, zeros, zeros};
    es_expand_values(from, -k & 3, k, (es_lane *)patches);
}
