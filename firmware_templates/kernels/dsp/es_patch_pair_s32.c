#include "es_conv_2d_rows.h"
#include "es_dsp.h"
#include "es_patch.h"

enum { N = ES_PAIR_PIXELS };

static inline int32_t es_pair(int32_t low, int32_t high) { return low + high * (1 << 23); }

/* The channels of one tap of two pairs, behind which come those of two others. */
static void es_pair_tap(const int8_t *const from[N - 2], int32_t channels, int32_t *to) {
    const int8_t *a = from[0], *b = from[1], *c = from[4], *d = from[5];
    for (const int8_t *end = a + channels; a < end; to += N / 2) {
        to[0] = es_pair(*a++, *c++);
        to[1] = es_pair(*b++, *d++);
    }
}

void es_patch_pair_s32(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int32_t lane,
                       int32_t *patches, int8_t *outside) {
    es_patch_origin origins[N];
    const bool inside = es_patch_origins_of(p, first_pixel, lane, N, origins);
    const int32_t channels = p->in_c;
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
            es_pair_tap(from, channels, patches);
            es_pair_tap(from + 2, channels, patches + 2);
            patches += channels * (N / 2);
        }
    }
}
