/* SPDX-License-Identifier: Apache-2.0 */
/* One function of a byte for each channel: ADD, SUB and MUL with constants, such as a batch
 * normalization leaves, and PRELU. Nearly always a line gives all of its 256 values (the generator
 * compares them):
 *
 *     saturate((factor * x + constant) / 2^16, rounded down)
 *
 * No sum leaves int32. Most other channels are two such lines, one for the inputs below a pivot;
 * the last resort is a table. input and output [elements / channels, channels]; output may be the
 * input. */
#ifndef ES_CHANNELWISE_H
#define ES_CHANNELWISE_H

#include "es_types.h"

/* As a factor: the constant is where the channel's two lines, or its table, begin. */
#define ES_IN_PIECES (INT32_MIN + 1)
#define ES_BY_TABLE INT32_MIN

typedef struct {
    const int32_t *lines;  /* [channels, 2] factor and constant; twice: [channels, 2, 2] */
    const int32_t *pieces; /* [5] each: pivot, factor and constant below it, and from it on; twice:
                              [2, 5]; NULL where there are none */
    const int8_t *tables;  /* [256] each, indexed by the input + 128; NULL where there are none */
    uint32_t channels;
    uint32_t elements; /* a multiple of channels */
} es_channelwise;

void es_channelwise_s8(const es_channelwise *p, const int8_t *input, int8_t *output);
void es_channelwise_s8_dsp(const es_channelwise *p, const int8_t *input, int8_t *output);

/* Two such functions one after the other: a line, saturated to int8, and a line of that. Only the
 * first factor says that a channel is none of lines; its table is of both functions together. */
void es_channelwise_twice_s8(const es_channelwise *p, const int8_t *input, int8_t *output);
void es_channelwise_twice_s8_dsp(const es_channelwise *p, const int8_t *input, int8_t *output);

/* A channel that is none of lines, for the kernels above: line as they have it, input and output
 * from its first value on. */
void es_channelwise_odd(const es_channelwise *p, const int32_t *line, uint32_t functions,
                        const int8_t *input, int8_t *output);

#endif
