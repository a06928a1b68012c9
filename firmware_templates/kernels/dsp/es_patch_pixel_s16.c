#include "es_dsp.h"
#include "es_patch.h"

void es_patch_pixel_s16(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int32_t lane,
                        int32_t *patches, const int8_t *outside) {
    es_patch_origin origins[4];
    for (int32_t i = 0; i < 4; i++) {
        origins[i] = es_patch_origin_of(p, first_pixel + i * lane);
    }
    const int32_t channels = p->in_c;
    int32_t *to = patches;
    for (int32_t ky = 0; ky < p->kernel_h; ky++) {
        const int32_t down = ky * p->dilation_h;
        for (int32_t kx = 0; kx < p->kernel_w; kx++) {
            const int32_t right = kx * p->dilation_w;
            const int32_t offset = (down * p->in_w + right) * channels;
            const int8_t *from[4];
            for (int32_t i = 0; i < 4; i++) {
                from[i] = es_patch_tap(p, input, &origins[i], down, right, offset, outside);
            }
            int32_t c = 0;
            for (; c + 4 <= channels; c += 4) {
                /* Two pixels at a time: lanes of channels (0 2) and (1 3) become lanes of pixels.
                 */
                for (int32_t i = 0; i < 2; i++) {
                    const int32_t a = es_load_4(from[2 * i] + c);
                    const int32_t b = es_load_4(from[2 * i + 1] + c);
                    const int32_t a02 = es_sxtb16(a), a13 = es_sxtb16_ror8(a);
                    const int32_t b02 = es_sxtb16(b), b13 = es_sxtb16_ror8(b);
                    to[i] = es_pack_bottoms(a02, b02);
                    to[2 + i] = es_pack_bottoms(a13, b13);
                    to[4 + i] = es_pack_tops_reversed(b02, a02);
                    to[6 + i] = es_pack_tops_reversed(b13, a13);
                }
                to += 8;
            }
            for (; c < channels; c++) {
                *to++ = es_pack_bottoms(from[0][c], from[1][c]);
                *to++ = es_pack_bottoms(from[2][c], from[3][c]);
            }
        }
    }
}
