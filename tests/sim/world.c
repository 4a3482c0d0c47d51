#include "world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    prng_seed(&w->prng, seed);
    w->trace_hash = 0xcbf29ce484222325u;
}

void world_deinit(struct world *w)
{
    mem_free(w->event);
    free((void *)(uintptr_t)w->failure);
}

static bool event_before(const struct world_event *x, const struct world_event *y)
{
    return x->time_us != y->time_us ? x->time_us < y->time_us : x->order < y->order;
}

static void heap_up(struct world *w, size_t i)
{
    while (i > 0 && event_before(&w->event[i], &w->event[(i - 1) / 2])) {
        struct world_event t = w->event[i];
        w->event[i] = w->event[(i - 1) / 2];
        w->event[(i - 1) / 2] = t;
        i = (i - 1) / 2;
    }
}

static void heap_down(struct world *w)
{
    size_t i = 0;
    for (;;) {
        size_t least = i;
        for (size_t c = 2 * i + 1; c <= 2 * i + 2 && c < w->event_count; c++) {
            if (event_before(&w->event[c], &w->event[least]))
                least = c;
        }
        if (least == i)
            return;
        struct world_event t = w->event[i];
        w->event[i] = w->event[least];
        w->event[least] = t;
        i = least;
    }
}

static void schedule(struct world *w, struct world_event e)
{
    if (w->event_count == w->event_capacity) {
        w->event_capacity = w->event_capacity ? 2 * w->event_capacity : 256;
        w->event = mem_realloc_array(w->event, w->event_capacity, sizeof *w->event);
    }
    w->event[w->event_count] = e;
    heap_up(w, w->event_count++);
}

void world_at(struct world *w, uint64_t delay_us, world_fn *fn, void *ctx, uint64_t a, uint64_t b)
{
    uint64_t order = (uint64_t)1 << 63 | prng_next(&w->prng) >> 1;
    schedule(w, (struct world_event){w->now_us + delay_us, order, fn, ctx, a, b});
}

void world_at_first(struct world *w, uint64_t delay_us, world_fn *fn, void *ctx, uint64_t a, uint64_t b)
{
    schedule(w, (struct world_event){w->now_us + delay_us, w->first_count++, fn, ctx, a, b});
}

void world_run(struct world *w, uint64_t until_us, void (*after)(void *ctx), void *ctx)
{
    while (!w->failure && w->event_count > 0 && w->event[0].time_us <= until_us) {
        struct world_event e = w->event[0];
        w->event[0] = w->event[--w->event_count];
        heap_down(w);
        ASSERT(e.time_us >= w->now_us);
        w->now_us = e.time_us;
        w->events_run++;
        e.fn(w, e.ctx, e.a, e.b);
        after(ctx);
    }
    if (!w->failure && w->now_us < until_us)
        w->now_us = until_us;
}

void world_trace(struct world *w, const char *format, ...)
{
    char line[WORLD_TRACE_BYTES];
    va_list list;
    va_start(list, format);
    int n = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    size_t length = n < 0 ? 0 : (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    for (size_t i = 0; i < length; i++)
        w->trace_hash = (w->trace_hash ^ (uint8_t)line[i]) * 0x100000001b3u;
    w->trace_hash = (w->trace_hash ^ w->now_us) * 0x100000001b3u;
    char *slot = w->trace[w->trace_count++ % WORLD_TRACE_LINES];
    snprintf(slot, WORLD_TRACE_BYTES, "%10llu.%06llu %.200s", (unsigned long long)(w->now_us / 1000000),
             (unsigned long long)(w->now_us % 1000000), line);
    if (w->trace_file)
        fprintf(w->trace_file, "%s\n", slot);
}

void world_fail(struct world *w, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    world_trace(w, "FAILURE %s", text);
    if (!w->failure)
        w->failure = strdup(text);
}

uint64_t world_below(struct world *w, uint64_t bound) { return prng_below(&w->prng, bound); }

uint64_t world_between(struct world *w, uint64_t low, uint64_t high)
{
    return low + prng_below(&w->prng, high - low + 1);
}

bool world_chance(struct world *w, uint32_t millionths)
{
    return prng_chance(&w->prng, millionths) != 0;
}

uint64_t world_exponential(struct world *w, uint64_t mean) { return draw_exponential(&w->prng, mean); }

uint64_t draw_exponential(struct prng *p, uint64_t mean)
{
    /* -ln(u) in 16.16 fixed point: the leading zeros of u give the halvings (geometric, times ln 2), a
     * linear piece in between. Libm would differ between builds. */
    uint64_t u = prng_next(p) | 1;
    unsigned halvings = (unsigned)__builtin_clzll(u);
    uint64_t fraction = halvings < 63 ? (u << (halvings + 1)) >> 48 : 0; /* 0..65535: how far above the power of two */
    uint64_t log_units = ((uint64_t)(halvings + 1) << 16) - fraction;    /* about -log2(u) * 65536 */
    uint64_t value = (mean * log_units / 65536) * 45426 / 65536;         /* * ln 2 */
    if (value > 20 * mean)
        value = 20 * mean;
    return value ? value : 1;
}

/* Counts are the program's own bookkeeping over all seeds, not part of any simulated state. */
#define COUNT_NAMES 256
static struct {
    const char *name;
    unsigned long hits;
} counts[COUNT_NAMES];

void world_count(const char *name) { world_count_many(name, 1); }

void world_count_many(const char *name, unsigned long hits)
{
    for (size_t i = 0; i < COUNT_NAMES; i++) {
        if (!counts[i].name)
            counts[i].name = name;
        if (counts[i].name == name || strcmp(counts[i].name, name) == 0) {
            counts[i].hits += hits;
            return;
        }
    }
}

void world_print_counts(FILE *out)
{
    for (size_t i = 0; i < COUNT_NAMES && counts[i].name; i++)
        fprintf(out, "%s\t%lu\n", counts[i].name, counts[i].hits);
}
