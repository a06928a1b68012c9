/* The patches of 4 consecutive output pixels of a convolution (es_conv_2d.h says what a patch is).
 * Past the last pixel of the image the last one is repeated, so that a kernel may always compute 4.
 */
#ifndef ES_PATCH_H
#define ES_PATCH_H

#include "es_conv_2d.h"

/* portable/es_patch_s8.c
 * patches [4][r4(patch)] int8, the rest of a row is zero. */
void es_patch_s8(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int8_t *patches);

/* dsp/es_patch_block_s16.c
 * patches [r4(patch) / 4][4 pixels][4] int16, the four values of a block in the order 0 2 1 3 (as
 * SXTB16 leaves those of the weights); padded with zeros.
 * outside [in_c] int8: the input's zero point, read for taps outside of the image. */
void es_patch_block_s16(const es_conv_2d *p, const int8_t *input, int32_t first_pixel,
                        int32_t *patches, const int8_t *outside);

/* dsp/es_patch_pixel_s16.c
 * patches [patch][4 pixels] int16. */
void es_patch_pixel_s16(const es_conv_2d *p, const int8_t *input, int32_t first_pixel,
                        int32_t *patches, const int8_t *outside);

static inline int32_t es_patch_values(const es_conv_2d *p) {
    return (int32_t)p->kernel_h * p->kernel_w * p->in_c;
}

/* Upper left corner of the patches of 4 pixels, in input coordinates. */
typedef struct {
    int32_t y[4], x[4];
} es_patch_origins;

static inline es_patch_origins es_patch_origins_of(const es_conv_2d *p, int32_t first_pixel) {
    es_patch_origins origins;
    const int32_t last = (int32_t)p->out_h * p->out_w - 1;
    for (int32_t i = 0; i < 4; i++) {
        const int32_t pixel = es_min(first_pixel + i, last);
        const int32_t row = pixel / p->out_w;
        origins.y[i] = row * p->stride_h - p->pad_top;
        origins.x[i] = (pixel - row * p->out_w) * p->stride_w - p->pad_left;
    }
    return origins;
}

/* The in_c values at (y, x), or `outside`. */
static inline const int8_t *es_patch_tap(const es_conv_2d *p, const int8_t *input, int32_t y,
                                         int32_t x, const int8_t *outside) {
    if ((uint32_t)y >= p->in_h || (uint32_t)x >= p->in_w) {
        return outside;
    }
    return input + (y * p->in_w + x) * p->in_c;
}

#endif
