/* SPDX-License-Identifier: Apache-2.0 */
/* The patches of a group of output pixels of a convolution (es_conv_2d.h says what a patch is).
 * Pixel i of the group is first_pixel + i * lane. */
#ifndef ES_PATCH_H
#define ES_PATCH_H

#include "es_conv_2d.h"

/* portable/es_patch_s8.c
 * patches [4][r4(patch)] int8, the rest of a row is zero. */
void es_patch_s8(const es_conv_2d *p, const int8_t *input, int32_t first_pixel, int32_t lane,
                 int8_t *patches);

/* dsp/es_patch_block_s16_dsp.c, and es_patch_bytes_s16_dsp.c where in_c % 4 != 0
 * patches [r4(patch) / 4][6 pixels][4] int16, the four values of a block in the order 0 2 1 3 (as
 * SXTB16 leaves those of the weights); padded with anything.
 * outside [in_c] int8: the input's zero point, read for taps outside of the image; behind it,
 * where in_c % 4 != 0, room to gather a patch: [r4(patch) + 4] int8 from a multiple of 4. */

/* dsp/es_patch_pair_s32_dsp.c
 * patches [patch][4 pairs of pixels] int32: x of pixel i + (x of pixel i + 4) << 23. */

static inline int32_t es_patch_values(const es_conv_2d *p) {
    return (int32_t)p->kernel_h * p->kernel_w * p->in_c;
}

/* Bytes of scratch: patches, and what else the functions above name. */
static inline int32_t es_patch_scratch_s8(const es_conv_2d *p) {
    return 4 * es_round_up_4(es_patch_values(p));
}
static inline int32_t es_patch_scratch_block_s16(const es_conv_2d *p) {
    const int32_t patch = es_round_up_4(es_patch_values(p));
    return 12 * patch + es_round_up_4(p->in_c) + (p->in_c % 4 != 0 ? patch + 4 : 0);
}
static inline int32_t es_patch_scratch_pair_s32(const es_conv_2d *p) {
    return 16 * es_patch_values(p) + es_round_up_4(p->in_c);
}

/* Groups of `size` neighbouring pixels. The last group is moved back to end with the image and
 * computes some pixels again; an image of fewer pixels takes each alone, as many times the same. */
typedef struct {
    int32_t count; /* of groups */
    int32_t step;  /* pixels from group to group */
    int32_t lane;  /* pixels from lane to lane: 1 or 0 */
    int32_t last;  /* first pixel of the last group */
} es_patch_groups;

static inline es_patch_groups es_patch_groups_of(const es_conv_2d *p, int32_t size) {
    const int32_t pixels = (int32_t)p->out_h * p->out_w;
    es_patch_groups groups = {pixels, 1, 0, pixels - 1};
    if (pixels >= size) {
        groups = (es_patch_groups){(pixels + size - 1) / size, size, 1, pixels - size};
    }
    return groups;
}

/* The patch of one output pixel: its upper left corner in the image, and where that lies in the
 * input; both may be outside. */
typedef struct {
    int32_t y, x, offset;
} es_patch_origin;

static inline es_patch_origin es_patch_origin_of(const es_conv_2d *p, int32_t pixel) {
    const int32_t row = pixel / p->out_w;
    es_patch_origin origin;
    origin.y = row * p->stride_h - p->pad_top;
    origin.x = (pixel - row * p->out_w) * p->stride_w - p->pad_left;
    origin.offset = (origin.y * p->in_w + origin.x) * p->in_c;
    return origin;
}

/* The in_c values at a tap, or `outside`. down, right: the tap in pixels from the corner;
 * offset: the same in bytes. */
static inline const int8_t *es_patch_tap(const es_conv_2d *p, const int8_t *input,
                                         const es_patch_origin *origin, int32_t down, int32_t right,
                                         int32_t offset, const int8_t *outside) {
    if ((uint32_t)(origin->y + down) < p->in_h && (uint32_t)(origin->x + right) < p->in_w) {
        return input + (origin->offset + offset);
    }
    return outside;
}

static inline void es_patch_origins_of(const es_conv_2d *p, int32_t first_pixel, int32_t lane,
                                       int32_t count, es_patch_origin *origins) {
    es_patch_origin origin = es_patch_origin_of(p, first_pixel);
    const int32_t end_x = p->out_w * p->stride_w - p->pad_left;
    const int32_t step = p->stride_w * lane;
    for (int32_t i = 0; i < count; i++) {
        origins[i] = origin;
        origin.x += step;
        origin.offset += step * p->in_c;
        if (origin.x == end_x) {
            origin.x = -p->pad_left;
            origin.y += p->stride_h;
            origin.offset = (origin.y * p->in_w + origin.x) * p->in_c;
        }
    }
}

#endif
