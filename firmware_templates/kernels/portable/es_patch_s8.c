/* SPDX-License-Identifier: Apache-2.0 */
#include "es_patch.h"

void es_patch_s8(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int32_t lane,
                 int8_t *patches) {
    const int32_t stride = (es_patch_values(p) + 3) & ~3;
    for (int32_t i = 0; i < 4; i++) {
        const es_patch_origin origin = es_patch_origin_of(p, first_pixel + i * lane);
        int8_t *to = patches + i * stride;
        const int8_t *end = to + stride;
        for (int32_t ky = 0; ky < p->kernel_h; ky++) {
            const int32_t down = ky * p->dilation_h;
            for (int32_t kx = 0; kx < p->kernel_w; kx++) {
                const int32_t right = kx * p->dilation_w;
                const int8_t *from = es_patch_tap(p, input, &origin, down, right,
                                                  (down * p->in_w + right) * p->in_c, NULL);
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
