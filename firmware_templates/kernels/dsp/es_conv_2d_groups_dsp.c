/* SPDX-License-Identifier: Apache-2.0 */
#include "es_conv_2d_groups.h"

void es_conv_2d_groups_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                           int32_t *patches, int32_t pixels, int32_t values, es_conv_2d_rows *rows,
                           es_conv_2d_rows_function *multiply) {
    int32_t *patches_end = patches + values * pixels / 2;
    int8_t *outside = (int8_t *)patches_end;
    __builtin_memset(outside, p->input_zero_point, p->in_c);
    const es_patch_groups groups = es_patch_groups_of(p, pixels);
    rows->rounding = 2 * p->output_zero_point + 1;
    rows->scales = p->scales;
    rows->patches = patches;
    rows->patches_end = patches_end;
    rows->pixel = groups.lane * p->out_c;
    for (int32_t group = 0; group < groups.count; group++) {
        const int32_t first = es_min(group * groups.step, groups.last);
        p->gather(p, input, first, groups.lane, patches, outside);
        rows->to = output + first * p->out_c;
        rows->end = rows->to + p->out_c;
        multiply(rows);
    }
    if (p->activation_max - p->activation_min < 255) {
        const int8_t *end = output + (int32_t)p->out_h * p->out_w * p->out_c;
        for (int8_t *to = output; to < end; to++) {
            *to = (int8_t)es_clamp(*to, p->activation_min, p->activation_max);
        }
    }
}
