#include "es_patch.h"

void es_patch_s8(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int8_t *patches) {
    const es_patch_origins origins = es_patch_origins_of(p, first_pixel);
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    for (int32_t pixel = 0; pixel < 4; pixel++) {
        int8_t *to = patches + pixel * stride;
        const int8_t *end = to + stride;
        for (int32_t ky = 0; ky < p->kernel_h; ky++) {
            for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                const int8_t *from =
                    es_patch_tap(p, input, origins.y[pixel] + ky * p->dilation_h,
                                 origins.x[pixel] + kx * p->dilation_w, (const int8_t *)0);
                if (from) {
                    __builtin_memcpy(to, from, p->in_c);
                } else {
                    __builtin_memset(to, p->input_zero_point, p->in_c);
                }
                to += p->in_c;
            }
        }
        while (to < end) {
            *to++ = 0;
        }
    }
}
