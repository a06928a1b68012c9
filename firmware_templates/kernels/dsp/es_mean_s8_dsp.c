/* SPDX-License-Identifier: Apache-2.0 */
#include "es_mean.h"
#include "es_requantize.h"
#include "es_sum_4.h"

/* Four neighbours at a time; the last four may overlap those before. Where there are fewer, byte by
 * byte. */
void es_mean_s8_dsp(const es_mean *p, const int8_t *input, int8_t *output) {
    const int32_t reduced = (int32_t)p->reduced, inner = (int32_t)p->inner;
    const int32_t lanes = inner < 4 ? 1 : 4;
    for (uint32_t o = 0; o < p->outer; o++) {
        for (int32_t group = 0; group < inner; group += lanes) {
            const int32_t first = es_min(group, inner - lanes);
            int32_t sums[4] = {0, 0, 0, 0};
            if (lanes == 4) {
                es_sum_4(input + first, reduced, inner, sums);
            } else {
                const int8_t *from = input + first;
                for (int32_t left = reduced; left > 0; left--) {
                    sums[0] += *from;
                    from += inner;
                }
            }
            for (int32_t lane = 0; lane < lanes; lane++) {
                output[first + lane] = es_requantize(sums[lane] + p->offset, p->multiplier,
                                                     p->shift, p->output_zero_point, -128, 127);
            }
        }
        input += reduced * inner;
        output += inner;
    }
}
