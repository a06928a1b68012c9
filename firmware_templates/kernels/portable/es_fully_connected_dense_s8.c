#include "es_fully_connected_pairs.h"

void es_fully_connected_dense_s8(const es_fully_connected *p, const int8_t *input, int8_t *output,
                                 void *scratch) {
    const uint32_t columns = (p->in_dim + 3u) & ~3u;
    for (uint32_t row = 0; row < p->rows; row++) {
        es_expand_lanes(input, p->in_dim, scratch);
        const es_lane *end = (const es_lane *)scratch + columns;
        for (uint32_t c = 0; c < p->out_dim; c++) {
            /* Four outputs share their place, but for those that are left over. */
            const uint32_t together = c < (p->out_dim & ~3u) ? 4 : 1;
            const int8_t *weights = p->weights + (c & ~(together - 1)) * columns;
            weights += 4 * (c & (together - 1));
            uint32_t sum = (uint32_t)p->bias[c];
            for (const es_lane *x = scratch; x < end; x += 4) {
                sum += es_four_columns(weights, x);
                weights += 4 * together;
            }
            output[c] = es_output_of_pairs(p, c, sum);
        }
        input += p->in_dim;
        output += p->out_dim;
    }
}
