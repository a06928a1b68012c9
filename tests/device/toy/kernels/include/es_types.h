#ifndef ES_TYPES_H
#define ES_TYPES_H

#include <stdint.h>

#define ES_WEIGHTS(name) __attribute__((section(".rodata.es_weights." #name), aligned(4)))
#define ES_TABLE(name) __attribute__((section(".rodata.es_tables." #name), aligned(4)))
#define ES_ARENA __attribute__((section(".bss.arena"), aligned(16)))

#endif
