/* SPDX-License-Identifier: Apache-2.0 */
/* What the convolutions in dsp/ share: group after group of pixels is gathered and multiplied. */
#ifndef ES_CONV_2D_GROUPS_H
#define ES_CONV_2D_GROUPS_H

#include "es_conv_2d_rows.h"
#include "es_patch.h"

typedef void es_conv_2d_rows_function(const es_conv_2d_rows *rows);

/* `pixels` in a group, `values` in a patch, its padding included: scratch begins with 2 * pixels *
 * values bytes of patches. rows: weights and entry are set. */
void es_conv_2d_groups_dsp(const es_conv_2d *p, const int8_t *input, int8_t *output,
                           int32_t *patches, int32_t pixels, int32_t values, es_conv_2d_rows *rows,
                           es_conv_2d_rows_function *multiply);

#endif
