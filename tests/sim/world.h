#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdio.h>

#include "base/prng.h"
#include "base/slice.h"

/* Virtual time, one event heap, one generator, one trace: everything in a simulation happens as an event here, in an order that the
 * seed alone decides. */
struct world;

/* An event's action. `a` and `b` are the scheduler's own. */
typedef void world_fn(struct world *w, void *ctx, uint64_t a, uint64_t b);

#define WORLD_TRACE_LINES 200
#define WORLD_TRACE_BYTES 240

struct world_event {
    uint64_t time_us;
    uint64_t order; /* breaks ties: random, above all of world_at_first */
    world_fn *fn;
    void *ctx;
    uint64_t a;
    uint64_t b;
};

struct world {
    uint64_t now_us;
    struct prng prng;
    struct world_event *event; /* binary heap */
    size_t event_count;
    size_t event_capacity;
    uint64_t first_count;     /* of world_at_first */
    uint64_t events_run;
    uint64_t trace_hash;      /* same seed, same hash: on every compiler and build */
    char trace[WORLD_TRACE_LINES][WORLD_TRACE_BYTES];
    uint64_t trace_count;
    FILE *trace_file;         /* every line, when asked for */
    const char *failure;      /* first failure's text, owned; NULL while all is well */
};

void world_init(struct world *w, uint64_t seed);
void world_deinit(struct world *w);
void world_at(struct world *w, uint64_t delay_us, world_fn *fn, void *ctx, uint64_t a, uint64_t b);
/* The same, but before all others of its instant, in the order of these calls, and without a draw: who schedules so changes nothing else. */
void world_at_first(struct world *w, uint64_t delay_us, world_fn *fn, void *ctx, uint64_t a, uint64_t b);
/* Runs events until `until_us`, a failure, or none is left; calls `after` after each. */
void world_run(struct world *w, uint64_t until_us, void (*after)(void *ctx), void *ctx);
/* Adds a line to the trace and its hash. Must not hold pointers or anything that differs between builds. */
void world_trace(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A check failed: remembered (the first one), the run stops. */
void world_fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Draws. */
uint64_t world_below(struct world *w, uint64_t bound);
uint64_t world_between(struct world *w, uint64_t low, uint64_t high); /* inclusive */
bool world_chance(struct world *w, uint32_t millionths);
/* Exponential with that mean, at least 1, at most 20 means. Integer arithmetic only. */
uint64_t world_exponential(struct world *w, uint64_t mean);
uint64_t draw_exponential(struct prng *p, uint64_t mean); /* from another stream */

/* Counters of what fired: printed at the end, by name. */
void world_count(const char *name);
void world_count_many(const char *name, unsigned long hits);
void world_print_counts(FILE *out);

#endif
