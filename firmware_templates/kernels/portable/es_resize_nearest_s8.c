/* SPDX-License-Identifier: Apache-2.0 */
#include "es_resize_nearest.h"

void es_resize_nearest_s8(const es_resize_nearest *p, const int8_t *input, int8_t *output) {
    const size_t channels = p->channels, row_bytes = (size_t)p->out_w * channels;
    for (uint32_t y = 0; y < p->out_h; y++, output += row_bytes) {
        if (y > 0 && p->rows[y] == p->rows[y - 1]) {
            __builtin_memcpy(output, output - row_bytes, row_bytes);
            continue;
        }
        const int8_t *row = input + (size_t)p->rows[y] * p->in_w * channels;
        for (uint32_t x = 0; x < p->out_w; x++) {
            __builtin_memcpy(output + x * channels, row + p->columns[x] * channels, channels);
        }
    }
}
