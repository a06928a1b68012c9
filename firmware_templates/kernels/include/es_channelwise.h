/* One function of a byte for each channel: ADD, SUB and MUL with constants, such as a batch
 * normalization leaves. Nearly always a line gives all of its 256 values (the generator compares
 * them):
 *
 *     saturate((factor * x + constant) / 2^16, rounded down)
 *
 * No sum leaves int32. A channel without such a line has a table. input and output
 * [elements / channels, channels]; output may be the input. */
#ifndef ES_CHANNELWISE_H
#define ES_CHANNELWISE_H

#include "es_types.h"

#define ES_BY_TABLE INT32_MIN /* as a factor: the constant is where the table begins */

typedef struct {
    const int32_t *lines; /* [channels, 2] factor and constant; twice: [channels, 2, 2] */
    const int8_t *tables; /* [256] each, indexed by the input + 128; NULL where all have lines */
    uint32_t channels;
    uint32_t elements; /* a multiple of channels */
} es_channelwise;

void es_channelwise_s8(const es_channelwise *p, const int8_t *input, int8_t *output);

/* Two such functions one after the other: a line, saturated to int8, and a line of that. Only the
 * first factor says that a channel has a table, of both together. */
void es_channelwise_twice_s8(const es_channelwise *p, const int8_t *input, int8_t *output);

#endif
