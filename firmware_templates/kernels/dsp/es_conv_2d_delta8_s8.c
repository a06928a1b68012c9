#include "es_conv_2d_groups.h"

void es_conv_2d_delta8_s8(const es_conv_2d *p, const int8_t *input, int8_t *output, void *scratch) {
    es_conv_2d_groups(p, input, output, scratch, p->pairs, ES_PAIR_PIXELS, es_patch_values(p),
                      es_patch_pair_s32, es_conv_2d_rows_delta8);
}
