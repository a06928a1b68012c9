#ifndef TOY_H
#define TOY_H

#include <stdint.h>

void toy_scale(const int8_t *weights, const int8_t *input, int8_t *output, int count);
void toy_add(const int32_t *bias, const int8_t *input, int8_t *output, int count);

#endif
