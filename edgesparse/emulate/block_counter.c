/* Counts the blocks that an emulated model_invoke executes. Compiled for the host at run time and
 * called by unicorn before every block, since a Python hook is a hundred times slower.
 *
 * A block is counted when the next one starts: only then is it known whether it left by a taken
 * branch, and which layer it belongs to (the store to model_layer stands in the block that calls
 * the layer's kernel).
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define OUTSIDE 0
#define INSIDE 1
#define GUARD_MAX 256
#define NO_LAYER 0xFFFFFFFFu

/* A row of the table; the layout is BLOCK_DTYPE in blocks.py. count == 0: a free row. */
struct block {
    uint32_t address;
    uint32_t size;
    uint32_t layer;
    uint32_t instructions;
    uint64_t count;
    uint64_t taken; /* times that the next block was not the one behind it */
};

typedef int (*read_register)(void *engine, int id, void *value);

struct counter {
    read_register read;
    int link_register;
    const uint8_t *code; /* host memory of the flash */
    uint32_t code_origin;
    uint32_t code_length;
    const volatile uint32_t *model_layer; /* host memory of the firmware's variable */
    uint32_t invoke;                      /* address of model_invoke */
    const uint8_t *guard;
    uint32_t guard_length;

    uint32_t state;
    uint32_t return_address;
    uint32_t pending_address;
    uint32_t pending_size;
    uint32_t invocations;
    uint32_t failed;        /* 1: no memory, 2: code outside of the flash */
    uint32_t overrun_layer; /* first layer after which the guard had changed, or NO_LAYER */
    uint32_t outside;       /* value of model_layer outside of model_invoke */
    uint32_t last_layer;
    uint8_t guard_before[GUARD_MAX];
    struct block *blocks;
    uint32_t capacity; /* a power of two */
    uint32_t used;
};

static uint32_t slot_of(uint32_t address, uint32_t size, uint32_t layer, uint32_t capacity) {
    uint32_t hash = ((address >> 1) ^ (layer << 20) ^ (size << 12)) * 2654435761u;
    return (hash ^ (hash >> 15)) & (capacity - 1u);
}

/* Thumb: a halfword that starts with 0b11101, 0b11110 or 0b11111 has a second one. */
static uint32_t count_instructions(const struct counter *counter, uint32_t address, uint32_t size) {
    uint32_t offset = address - counter->code_origin;
    uint32_t end = offset + size;
    uint32_t instructions = 0;
    if (offset >= counter->code_length || size > counter->code_length - offset) {
        return 0;
    }
    while (offset < end) {
        uint32_t halfword = counter->code[offset] | (uint32_t)counter->code[offset + 1u] << 8;
        offset += halfword >= 0xE800u ? 4u : 2u;
        ++instructions;
    }
    return instructions;
}

static struct block *find(struct block *blocks, uint32_t capacity, uint32_t address, uint32_t size,
                          uint32_t layer) {
    uint32_t slot = slot_of(address, size, layer, capacity);
    for (;; slot = (slot + 1u) & (capacity - 1u)) {
        struct block *block = &blocks[slot];
        if (block->count == 0 ||
            (block->address == address && block->layer == layer && block->size == size)) {
            return block;
        }
    }
}

static int grow(struct counter *counter) {
    uint32_t capacity = counter->capacity * 2u;
    struct block *blocks = calloc(capacity, sizeof *blocks);
    if (blocks == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < counter->capacity; ++i) {
        const struct block *old = &counter->blocks[i];
        if (old->count != 0) {
            *find(blocks, capacity, old->address, old->size, old->layer) = *old;
        }
    }
    free(counter->blocks);
    counter->blocks = blocks;
    counter->capacity = capacity;
    return 1;
}

static void check_guard(struct counter *counter) {
    if (counter->overrun_layer == NO_LAYER &&
        memcmp(counter->guard, counter->guard_before, counter->guard_length) != 0) {
        counter->overrun_layer = counter->last_layer;
    }
}

static void count_pending(struct counter *counter, uint32_t next) {
    uint32_t layer = *counter->model_layer;
    if (layer == counter->outside) { /* the first and the last block of model_invoke */
        layer = counter->last_layer;
    }
    if (layer != counter->last_layer) {
        check_guard(counter);
        counter->last_layer = layer;
    }
    struct block *block = find(counter->blocks, counter->capacity, counter->pending_address,
                               counter->pending_size, layer);
    if (block->count == 0) {
        block->address = counter->pending_address;
        block->size = counter->pending_size;
        block->layer = layer;
        block->instructions = count_instructions(counter, block->address, block->size);
        if (block->instructions == 0) {
            counter->failed = 2;
        }
        if (++counter->used * 2u > counter->capacity) {
            block->count = 1; /* so that the row moves along */
            if (!grow(counter)) {
                counter->failed = 1;
                return;
            }
            block = find(counter->blocks, counter->capacity, counter->pending_address,
                         counter->pending_size, layer);
            block->count = 0;
        }
    }
    ++block->count;
    block->taken += next != counter->pending_address + counter->pending_size;
}

void counter_hook(void *engine, uint64_t address, uint32_t size, void *user) {
    struct counter *counter = user;
    if (counter->state == INSIDE) {
        count_pending(counter, (uint32_t)address);
        if ((uint32_t)address == counter->return_address) {
            counter->state = OUTSIDE;
            ++counter->invocations;
            check_guard(counter);
        }
    } else if ((uint32_t)address == counter->invoke) {
        uint32_t link = 0;
        counter->read(engine, counter->link_register, &link);
        counter->return_address = link & ~1u;
        counter->state = INSIDE;
        counter->outside = *counter->model_layer;
        counter->last_layer = 0;
        memcpy(counter->guard_before, counter->guard, counter->guard_length);
    }
    counter->pending_address = (uint32_t)address;
    counter->pending_size = size;
}

struct counter *counter_new(read_register read, int link_register, const uint8_t *code,
                            uint32_t code_origin, uint32_t code_length, const uint32_t *model_layer,
                            uint32_t invoke, const uint8_t *guard, uint32_t guard_length) {
    struct counter *counter = calloc(1, sizeof *counter);
    if (counter == NULL) {
        return NULL;
    }
    counter->read = read;
    counter->link_register = link_register;
    counter->code = code;
    counter->code_origin = code_origin;
    counter->code_length = code_length;
    counter->model_layer = model_layer;
    counter->invoke = invoke;
    counter->guard = guard;
    counter->guard_length = guard_length < GUARD_MAX ? guard_length : GUARD_MAX;
    counter->overrun_layer = NO_LAYER;
    counter->capacity = 1024;
    counter->blocks = calloc(counter->capacity, sizeof *counter->blocks);
    if (counter->blocks == NULL) {
        free(counter);
        return NULL;
    }
    return counter;
}

void counter_free(struct counter *counter) {
    free(counter->blocks);
    free(counter);
}

/* Forgets all counts; the next invocation starts from zero. */
void counter_reset(struct counter *counter) {
    memset(counter->blocks, 0, counter->capacity * sizeof *counter->blocks);
    counter->used = 0;
    counter->invocations = 0;
}

const struct block *counter_blocks(const struct counter *counter) { return counter->blocks; }
uint32_t counter_capacity(const struct counter *counter) { return counter->capacity; }
uint32_t counter_invocations(const struct counter *counter) { return counter->invocations; }
uint32_t counter_failed(const struct counter *counter) { return counter->failed; }
uint32_t counter_overrun_layer(const struct counter *counter) { return counter->overrun_layer; }
