/* The timing of an emulated run, one instruction at a time: model.py in C, which has the
 * reasons. Compiled for the host at run time and called by unicorn before every instruction.
 *
 * Python decodes an instruction when it is met for the first time. What it costs is known when the
 * next one starts: only then is a branch seen to be taken.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TIMINGS_MAX 2
#define MEMORIES_MAX 8
#define CACHES_MAX 4
#define REGISTERS 64
#define FETCHES_MAX 4
#define NO_REGISTER 0xFFu
#define NO_OP 0xFFFFFFFFu
#define NO_LAYER 0xFFFFFFFFu
#define NO_CACHE 0xFFFFFFFFu
#define NO_WAIT 0xFFFFFFFFu

#define FLAG_LOAD 1u
#define FLAG_STORE 2u
#define FLAG_PAIRS 4u
#define FLAG_ALONE 8u
#define FLAG_JUMPS 16u /* may write pc */
#define FLAG_WORDS 32u /* its address must be a multiple of 4 */

/* The layouts of these are OP_DTYPE, COUNTS_DTYPE and the ctypes structures of replay.py. */
struct op {
    uint64_t reads; /* a bit per register: r0 to r15, s0 to s31 from 16 on, flags at 48 */
    uint64_t writes;
    uint64_t loaded; /* those of `writes` that come from memory */
    uint64_t added;  /* those of `reads` that are only added to a product */
    uint32_t address;
    uint32_t displacement; /* of a memory access from its base; its address where it has no base */
    uint16_t bytes;        /* that it moves */
    uint16_t issue;        /* cycles until the next one may start */
    uint8_t latency;       /* cycles until others may use the result */
    uint8_t refill;        /* cycles lost when it branches */
    uint8_t size;
    uint8_t flags;
    uint8_t units; /* a bit per unit that one instruction a cycle may use */
    uint8_t base;
    uint8_t index;
    uint8_t shift;
    uint8_t reserved[12];
};

struct counts {
    uint64_t executed;
    uint64_t flash_loads;
    uint64_t cycles[TIMINGS_MAX];
    uint64_t fetch_wait[TIMINGS_MAX];
    uint64_t data_wait[TIMINGS_MAX];
};

struct cache_shape {
    uint32_t lines;
    uint32_t ways;
    uint32_t line_shift;
    uint32_t sector_shift;
};

struct memory {
    uint32_t origin;
    uint32_t length;
    uint32_t is_flash;
    uint32_t code_cache; /* an index, or NO_CACHE */
    uint32_t data_cache;
    uint32_t code_wait; /* cycles of a miss; without a cache, of every fetch that changes the
                           `line_shift` unit */
    uint32_t data_wait;
    uint32_t next_wait; /* of a miss right behind the last one; NO_WAIT: as any other */
    uint32_t line_shift;
};

struct timing {
    uint32_t width;       /* instructions a cycle */
    uint32_t pair_saves;  /* cycles less for a load right behind another one */
    uint32_t addend_late; /* cycles that an addend may come later */
    uint32_t fetch_shift; /* bytes of one fetch, as a power of two */
    uint32_t
        fetch_depth; /* fetches held, at most FETCHES_MAX - 1; 0: only waits of the memory count */
    uint32_t memory_count;
    uint32_t cache_count;
    struct memory memories[MEMORIES_MAX];
    struct cache_shape caches[CACHES_MAX];
};

struct line {
    uint64_t used; /* when, in accesses of the cache; 0: empty */
    uint64_t sectors;
    uint32_t tag;
    uint32_t reserved;
};

struct cache {
    struct line *lines;
    struct line *last; /* looked up, since the next one is mostly the same */
    uint64_t clock;
};

struct state {
    uint64_t cycle; /* the cycle that is being filled */
    uint32_t issued;
    uint32_t units;
    uint64_t pending; /* registers that may not be ready yet */
    uint64_t ready[REGISTERS];
    uint64_t loaded; /* registers that a load right before brings */
    uint32_t after_load;
    uint32_t fetched;
    uint64_t fetch_free;
    uint64_t consumed[FETCHES_MAX];
    uint64_t missed;     /* number of the sector that the last miss brought */
    uint64_t fetch_line; /* the unit that the last fetch without a cache came from */
    struct cache caches[CACHES_MAX];
};

typedef int (*read_register)(void *engine, int id, void *value);
typedef int (*stop_engine)(void *engine);
typedef uint32_t (*decode_at)(uint32_t address); /* fills the next row of ops; its number */
typedef void (*enter_layer)(uint32_t layer);     /* takes the counts of the layer before */

struct replay {
    read_register read;
    stop_engine stop;
    decode_at decode;
    enter_layer layer_changed;
    int registers[16]; /* unicorn's numbers of r0 to r15 */
    uint32_t code_origin;
    uint32_t code_length;
    uint32_t *op_at; /* [code_length / 2], NO_OP where nothing is decoded */
    const struct op *ops;
    struct counts *counts;
    const volatile uint32_t *model_layer;
    uint32_t timing_count;
    struct timing timings[TIMINGS_MAX];
    struct state states[TIMINGS_MAX];
    uint32_t invoke; /* address of a function: its call number `wanted` is what counts; 0: none */
    uint32_t wanted;
    uint32_t calls;
    uint32_t return_address;
    uint32_t active;
    uint32_t failed; /* 2: code outside of the flash, 3: decode gave NO_OP */
    uint32_t previous;
    uint32_t expected; /* address behind the previous instruction */
    uint32_t layer;
    uint32_t unaligned[3]; /* pc, address and layer of the first access that must not be so */
    uint32_t is_unaligned;
};

static int lookup(const struct cache_shape *shape, struct cache *cache, uint32_t address) {
    const uint32_t tag = address >> shape->line_shift;
    const uint64_t sector = UINT64_C(1)
                            << ((address >> shape->sector_shift) &
                                ((1u << (shape->line_shift - shape->sector_shift)) - 1u));
    ++cache->clock;
    if (cache->last != NULL && cache->last->tag == tag && (cache->last->sectors & sector) != 0) {
        cache->last->used = cache->clock;
        return 1;
    }
    const uint32_t sets = shape->lines / shape->ways;
    struct line *set = &cache->lines[(tag % sets) * shape->ways];
    struct line *oldest = set;
    for (uint32_t way = 0; way < shape->ways; ++way) {
        struct line *line = &set[way];
        if (line->used != 0 && line->tag == tag) {
            const int hit = (line->sectors & sector) != 0;
            line->sectors |= sector;
            line->used = cache->clock;
            cache->last = line;
            return hit;
        }
        if (line->used < oldest->used) {
            oldest = line;
        }
    }
    oldest->used = cache->clock;
    oldest->tag = tag;
    oldest->sectors = sector;
    cache->last = oldest;
    return 0;
}

static const struct memory *memory_at(const struct timing *timing, uint32_t address) {
    for (uint32_t i = 0; i < timing->memory_count; ++i) {
        if (address - timing->memories[i].origin < timing->memories[i].length) {
            return &timing->memories[i];
        }
    }
    return NULL;
}

static uint64_t cached_wait(const struct timing *timing, struct state *state,
                            const struct memory *memory, uint32_t cache, uint32_t address,
                            int is_code) {
    if (lookup(&timing->caches[cache], &state->caches[cache], address)) {
        return 0;
    }
    const uint64_t number = address >> timing->caches[cache].sector_shift;
    const int follows = number == state->missed + 1u;
    state->missed = number;
    if (follows && memory->next_wait != NO_WAIT) {
        return memory->next_wait;
    }
    return is_code ? memory->code_wait : memory->data_wait;
}

static uint64_t fetch_wait(const struct timing *timing, struct state *state, uint32_t address) {
    const struct memory *memory = memory_at(timing, address);
    if (memory == NULL || memory->code_wait == 0) {
        return 0;
    }
    if (memory->code_cache != NO_CACHE) {
        return cached_wait(timing, state, memory, memory->code_cache, address, 1);
    }
    const uint64_t line = address >> memory->line_shift;
    const uint64_t wait = line != state->fetch_line ? memory->code_wait : 0;
    state->fetch_line = line;
    return wait;
}

static uint64_t data_wait(const struct timing *timing, struct state *state, uint32_t address,
                          uint32_t bytes, int is_store) {
    const struct memory *memory = memory_at(timing, address);
    if (memory == NULL || memory->data_wait == 0) {
        return 0;
    }
    uint64_t wait = 0;
    if (memory->data_cache == NO_CACHE) {
        if (!is_store) {
            const uint32_t last = (address + bytes - 1u) >> memory->line_shift;
            wait = (uint64_t)(last - (address >> memory->line_shift) + 1u) * memory->data_wait;
        }
        return wait;
    }
    const uint32_t step = 1u << timing->caches[memory->data_cache].sector_shift;
    for (uint32_t at = address & ~(step - 1u); at < address + bytes; at += step) {
        wait += cached_wait(timing, state, memory, memory->data_cache, at, 0);
    }
    return is_store ? 0 : wait;
}

/* Bring the words of an instruction; the first cycle in which it can start. */
static uint64_t fetch(const struct timing *timing, struct state *state, const struct op *op,
                      int jumped) {
    const uint32_t first = op->address >> timing->fetch_shift;
    const uint32_t last = (op->address + op->size - 1u) >> timing->fetch_shift;
    if (timing->fetch_depth == 0) {
        uint64_t wait = 0;
        if (jumped) {
            state->fetched = first - 1u;
        }
        while (state->fetched != last) {
            ++state->fetched;
            wait += fetch_wait(timing, state, state->fetched << timing->fetch_shift);
        }
        return state->cycle + wait;
    }
    if (jumped) {
        state->fetched = first - 1u;
        state->fetch_free = state->cycle - 1u;
        for (uint32_t i = 0; i < FETCHES_MAX; ++i) {
            state->consumed[i] = 0;
        }
    }
    while (state->fetched != last) {
        const uint32_t number = ++state->fetched;
        const uint64_t room = state->consumed[(number - timing->fetch_depth) % FETCHES_MAX];
        const uint64_t start = state->fetch_free > room ? state->fetch_free : room;
        state->fetch_free = start + 1u + fetch_wait(timing, state, number << timing->fetch_shift);
    }
    return state->fetch_free > state->cycle ? state->fetch_free : state->cycle;
}

static void step(const struct timing *timing, struct state *state, const struct op *op, int jumped,
                 int skipped, uint32_t target, struct counts *counts, uint32_t which) {
    const uint64_t before = state->cycle;
    uint64_t start = fetch(timing, state, op, jumped);
    counts->fetch_wait[which] += start - before;
    if (start > state->cycle) {
        state->issued = 0;
        state->units = 0;
    }
    const uint64_t needed = op->reads & state->pending;
    for (uint64_t left = needed; left != 0; left &= left - 1u) {
        const uint32_t number = (uint32_t)__builtin_ctzll(left);
        const uint64_t late = (op->added >> number & 1u) != 0 ? timing->addend_late : 0;
        if (state->ready[number] > start + late) {
            start = state->ready[number] - late;
        }
        if (state->ready[number] <= state->cycle) {
            state->pending &= ~(UINT64_C(1) << number);
        }
    }
    if (start > state->cycle) {
        state->cycle = start;
        state->issued = 0;
        state->units = 0;
    }
    if ((op->units & state->units) != 0 || ((op->flags & FLAG_ALONE) != 0 && state->issued != 0)) {
        ++state->cycle;
        state->issued = 0;
        state->units = 0;
    }
    const uint64_t begin = state->cycle;
    uint32_t issue = skipped ? 1u : op->issue;
    if (!skipped && (op->flags & FLAG_PAIRS) != 0 && state->after_load &&
        (op->reads & state->loaded) == 0) {
        issue -= timing->pair_saves;
    }
    uint64_t wait = 0;
    if (!skipped && op->bytes != 0) {
        wait = data_wait(timing, state, target, op->bytes, (op->flags & FLAG_STORE) != 0);
        counts->data_wait[which] += wait;
    }
    state->after_load = !skipped && (op->flags & FLAG_PAIRS) != 0;
    state->loaded = op->loaded;
    if (skipped) {
        /* writes nothing */
    } else if (op->latency > issue || wait != 0 || timing->width > 1u) {
        const uint64_t at = begin + wait + (op->latency > issue ? op->latency : issue);
        for (uint64_t left = op->writes; left != 0; left &= left - 1u) {
            state->ready[__builtin_ctzll(left)] =
                (op->loaded >> __builtin_ctzll(left) & 1u) != 0 || op->loaded == 0 ? at
                                                                                   : begin + 1u;
        }
        state->pending |= op->writes;
    } else {
        state->pending &= ~op->writes;
    }
    ++state->issued;
    state->units |= op->units;
    if (issue > 1u || wait != 0 || (op->flags & FLAG_ALONE) != 0 ||
        state->issued >= timing->width) {
        state->cycle = begin + issue + wait;
        state->issued = 0;
        state->units = 0;
    }
    if (timing->fetch_depth != 0) {
        const uint32_t last = (op->address + op->size - 1u) >> timing->fetch_shift;
        for (uint32_t n = op->address >> timing->fetch_shift; n != last + 1u; ++n) {
            state->consumed[n % FETCHES_MAX] = begin;
        }
    }
    counts->cycles[which] += state->cycle - before;
}

static uint32_t value_of(const struct replay *replay, void *engine, uint32_t number) {
    uint32_t value = 0;
    replay->read(engine, replay->registers[number], &value);
    return value;
}

static uint32_t target_of(const struct replay *replay, void *engine, const struct op *op) {
    uint32_t target = op->displacement;
    if (op->base != NO_REGISTER) {
        target += value_of(replay, engine, op->base);
    }
    if (op->index != NO_REGISTER) {
        target += value_of(replay, engine, op->index) << op->shift;
    }
    return target;
}

/* Counting starts with the next instruction, or stops. Caches keep what they hold. */
void replay_activate(struct replay *replay, uint32_t active) {
    replay->active = active;
    replay->previous = NO_OP;
}

/* Activates at the wanted call and stops the engine behind it; 0 where nothing is to be counted. */
static int started_or_ended(struct replay *replay, void *engine, uint32_t address) {
    if (replay->active) {
        if (address == replay->return_address) {
            replay_activate(replay, 0);
            replay->stop(engine);
        }
    } else if (address == replay->invoke && replay->calls++ == replay->wanted) {
        replay->return_address = value_of(replay, engine, 14) & ~1u;
        replay_activate(replay, 1);
    }
    return (int)replay->active;
}

static uint32_t number_at(struct replay *replay, uint32_t address) {
    const uint32_t offset = address - replay->code_origin;
    if (offset >= replay->code_length) {
        replay->failed = 2;
        return NO_OP;
    }
    if (replay->op_at[offset / 2u] == NO_OP) {
        replay->op_at[offset / 2u] = replay->decode(address);
        if (replay->op_at[offset / 2u] == NO_OP) {
            replay->failed = 3;
        }
    }
    return replay->op_at[offset / 2u];
}

static void take(struct replay *replay, uint32_t number, int jumped, int skipped, uint32_t target) {
    const struct op *op = &replay->ops[number];
    for (uint32_t i = 0; i < replay->timing_count; ++i) {
        step(&replay->timings[i], &replay->states[i], op, jumped, skipped, target,
             &replay->counts[number], i);
    }
    ++replay->counts[number].executed;
    replay->previous = number;
    replay->expected = op->address + op->size;
}

/* The previous instruction branched. */
static void refill(struct replay *replay) {
    for (uint32_t i = 0; i < replay->timing_count; ++i) {
        struct state *state = &replay->states[i];
        const uint64_t before = state->cycle;
        state->cycle += (state->issued != 0 ? 1u : 0u) + replay->ops[replay->previous].refill;
        state->issued = 0;
        state->units = 0;
        replay->counts[replay->previous].cycles[i] += state->cycle - before;
    }
}

void replay_hook(void *engine, uint64_t address64, uint32_t size, void *user) {
    struct replay *replay = user;
    const uint32_t address = (uint32_t)address64;
    (void)size;
    if (replay->invoke != 0 && !started_or_ended(replay, engine, address)) {
        return;
    }
    if (!replay->active || replay->failed) {
        return;
    }
    if (replay->model_layer != NULL && *replay->model_layer != replay->layer) {
        replay->layer_changed(replay->layer);
        replay->layer = *replay->model_layer;
    }
    const int first = replay->previous == NO_OP;
    /* Unicorn does not call for an instruction of an IT block whose condition does not hold. */
    while (!first && address != replay->expected &&
           (replay->ops[replay->previous].flags & FLAG_JUMPS) == 0) {
        const uint32_t skipped = number_at(replay, replay->expected);
        if (skipped == NO_OP) {
            return;
        }
        take(replay, skipped, 0, 1, 0);
    }
    const int jumped = first || address != replay->expected;
    if (jumped && !first) {
        refill(replay);
    }
    const uint32_t number = number_at(replay, address);
    if (number == NO_OP) {
        return;
    }
    const struct op *op = &replay->ops[number];
    uint32_t target = 0;
    if (op->bytes != 0) {
        target = target_of(replay, engine, op);
        if ((op->flags & FLAG_WORDS) != 0 && (target & 3u) != 0 && !replay->is_unaligned) {
            replay->is_unaligned = 1;
            replay->unaligned[0] = address;
            replay->unaligned[1] = target;
            replay->unaligned[2] = replay->layer;
            replay->stop(engine);
        }
        const struct memory *memory =
            replay->timing_count != 0 ? memory_at(&replay->timings[0], target) : NULL;
        replay->counts[number].flash_loads +=
            (op->flags & FLAG_LOAD) != 0 && memory != NULL && memory->is_flash;
    }
    take(replay, number, jumped, 0, target);
}

void replay_free(struct replay *replay) {
    if (replay == NULL) {
        return;
    }
    for (uint32_t i = 0; i < TIMINGS_MAX; ++i) {
        for (uint32_t j = 0; j < CACHES_MAX; ++j) {
            free(replay->states[i].caches[j].lines);
        }
    }
    free(replay->op_at);
    free(replay);
}

struct replay *replay_new(read_register read, stop_engine stop, decode_at decode,
                          enter_layer layer_changed, const int *registers, uint32_t code_origin,
                          uint32_t code_length, const struct op *ops, struct counts *counts,
                          const uint32_t *model_layer, const struct timing *timings,
                          uint32_t timing_count) {
    struct replay *replay = calloc(1, sizeof *replay);
    if (replay == NULL) {
        return NULL;
    }
    replay->op_at = malloc((code_length / 2u + 1u) * sizeof *replay->op_at);
    if (replay->op_at == NULL) {
        replay_free(replay);
        return NULL;
    }
    memset(replay->op_at, 0xFF, (code_length / 2u + 1u) * sizeof *replay->op_at);
    replay->read = read;
    replay->stop = stop;
    replay->decode = decode;
    replay->layer_changed = layer_changed;
    memcpy(replay->registers, registers, sizeof replay->registers);
    replay->code_origin = code_origin;
    replay->code_length = code_length;
    replay->ops = ops;
    replay->counts = counts;
    replay->model_layer = model_layer;
    replay->timing_count = timing_count;
    replay->previous = NO_OP;
    replay->layer = NO_LAYER;
    memcpy(replay->timings, timings, timing_count * sizeof *timings);
    for (uint32_t i = 0; i < timing_count; ++i) {
        replay->states[i].cycle = 1;
        replay->states[i].fetch_line = UINT64_MAX;
        replay->states[i].missed = UINT64_MAX - 1u;
        for (uint32_t j = 0; j < timings[i].cache_count; ++j) {
            struct line *lines = calloc(timings[i].caches[j].lines, sizeof *lines);
            if (lines == NULL) {
                replay_free(replay);
                return NULL;
            }
            replay->states[i].caches[j].lines = lines;
        }
    }
    return replay;
}

/* Count call number `wanted`, from 0, of the function at `invoke`, then stop the engine. */
void replay_watch(struct replay *replay, uint32_t invoke, uint32_t wanted) {
    replay->invoke = invoke;
    replay->wanted = wanted;
}

uint32_t replay_unaligned(const struct replay *replay, uint32_t found[3]) {
    memcpy(found, replay->unaligned, sizeof replay->unaligned);
    return replay->is_unaligned;
}

uint32_t replay_failed(const struct replay *replay) { return replay->failed; }
