#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* What clients saw, and whether a single correct register or counter per key could have answered it.
 *
 * Registers hold values that are written once each. All operations on one value form a cluster: its write and the reads that
 * returned it. Its zone runs from f, the earliest return in the cluster, to s, the latest invocation. If f < s the register
 * must have held the value from f to s (a forward zone), else it held it at some moment between s and f (backward).
 * Such a history is linearizable exactly when no read returns before its write was invoked, no two forward zones
 * overlap and no backward zone lies inside a forward zone (Gibbons and Korach, Testing Shared Memories, 1997).
 * Writes whose outcome is unknown count only if they were seen, and then never return by themselves. A write
 * that was answered "not done" and is seen all the same is a lie to a client, whatever the times.
 *
 * Registers whose values expire may lose their value at any time, but never get it back: each read of nothing is a backward zone of its
 * own there. */

struct operation {
    uint64_t invoked_us;
    uint64_t returned_us; /* UINT64_MAX while pending or unknown */
    uint64_t value;
    uint32_t key;
    uint32_t client;
    enum operation_kind kind;
    enum operation_outcome outcome;
};

struct history {
    struct operation *operation;
    size_t count;
    size_t capacity;
};

struct history *history_new(void) { return mem_alloc_zero(sizeof(struct history)); }

void history_free(struct history *h)
{
    mem_free(h->operation);
    mem_free(h);
}

size_t history_invoke(struct history *h, uint32_t client, uint32_t key, enum operation_kind kind, uint64_t value,
                      uint64_t now_us)
{
    if (h->count == h->capacity) {
        h->capacity = h->capacity ? 2 * h->capacity : 1024;
        h->operation = mem_realloc_array(h->operation, h->capacity, sizeof *h->operation);
    }
    h->operation[h->count] =
        (struct operation){now_us, UINT64_MAX, value, key, client, kind, OUTCOME_PENDING};
    return h->count++;
}

void history_return(struct history *h, size_t operation, enum operation_outcome outcome, uint64_t value,
                    uint64_t now_us)
{
    struct operation *o = &h->operation[operation];
    o->outcome = outcome;
    if (outcome == OUTCOME_OK) {
        o->returned_us = now_us;
        if (o->kind != OPERATION_WRITE)
            o->value = value;
    }
}

size_t history_count(const struct history *h, enum operation_outcome outcome)
{
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++)
        n += h->operation[i].outcome == outcome;
    return n;
}

struct zone {
    uint32_t key;
    uint64_t value;
    uint64_t low, high;
    bool is_forward;
};

static int operation_order(const void *a, const void *b)
{
    const struct operation *x = a;
    const struct operation *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->kind == OPERATION_READ) - (y->kind == OPERATION_READ);
}

static int zone_order(const void *a, const void *b)
{
    const struct zone *x = a;
    const struct zone *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return x->high < y->high ? -1 : x->high > y->high;
}

/* One cluster, its write first if there is one. Returns false with a text when no register could answer so. */
static bool history_zone(const struct operation *o, size_t n, struct zone *zone, bool *is_seen, char *text, size_t size)
{
    bool has_write = o[0].kind == OPERATION_WRITE;
    uint64_t write_invoked = has_write ? o[0].invoked_us : 0;
    uint64_t first_return = has_write ? o[0].returned_us : 0;
    uint64_t last_invoked = write_invoked;
    *is_seen = n > 1 || !has_write || o[0].outcome == OUTCOME_OK;
    if (!has_write && o[0].value != 0) {
        snprintf(text, size, "key %u: a read returned value %llu, which nobody wrote", o[0].key,
                 (unsigned long long)o[0].value);
        return false;
    }
    for (size_t i = has_write ? 1 : 0; i < n; i++) {
        if (has_write && o[0].outcome == OUTCOME_NOT_DONE) {
            snprintf(text, size, "key %u: value %llu was answered \"not done\" and then read", o[0].key,
                     (unsigned long long)o[0].value);
            return false;
        }
        if (o[i].returned_us < write_invoked) {
            snprintf(text, size, "key %u: value %llu was read before it was written", o[0].key,
                     (unsigned long long)o[0].value);
            return false;
        }
        if (o[i].returned_us < first_return)
            first_return = o[i].returned_us;
        if (o[i].invoked_us > last_invoked)
            last_invoked = o[i].invoked_us;
    }
    bool is_forward = first_return < last_invoked;
    *zone = (struct zone){o[0].key, o[0].value, is_forward ? first_return : last_invoked,
                          is_forward ? last_invoked : first_return, is_forward};
    return true;
}

static bool history_check_zones(struct zone *zone, size_t count, char *text, size_t size)
{
    qsort(zone, count, sizeof *zone, zone_order);
    const struct zone *forward = NULL; /* the forward zone that reaches furthest */
    for (size_t i = 0; i < count; i++) {
        const struct zone *z = &zone[i];
        if (forward && forward->key != z->key)
            forward = NULL;
        if (forward && (z->is_forward ? z->low < forward->high : z->high < forward->high)) {
            snprintf(text, size,
                     "key %u: the register must have held %llu from %llu to %llu us, and %llu %s %llu and %llu us",
                     z->key, (unsigned long long)forward->value, (unsigned long long)forward->low,
                     (unsigned long long)forward->high, (unsigned long long)z->value,
                     z->is_forward ? "all the time between" : "at some moment between", (unsigned long long)z->low,
                     (unsigned long long)z->high);
            return false;
        }
        if (z->is_forward)
            forward = z;
    }
    return true;
}

static bool history_check_registers(const struct operation *sorted, size_t count, char *text, size_t size)
{
    struct zone *zone = mem_alloc_array(count + 1, sizeof *zone);
    size_t zone_count = 0;
    bool is_ok = true;
    for (size_t i = 0, n; is_ok && i < count; i += n) {
        n = 1;
        if (sorted[i].key >= HISTORY_KEY_EXPIRING && sorted[i].key < HISTORY_KEY_EXPIRING_END && sorted[i].value == 0) {
            zone[zone_count++] =
                (struct zone){sorted[i].key, 0, sorted[i].invoked_us, sorted[i].returned_us, false};
            continue;
        }
        while (i + n < count && sorted[i + n].key == sorted[i].key && sorted[i + n].value == sorted[i].value)
            n++;
        bool is_seen;
        is_ok = history_zone(sorted + i, n, &zone[zone_count], &is_seen, text, size);
        zone_count += is_seen;
    }
    is_ok = is_ok && history_check_zones(zone, zone_count, text, size);
    mem_free(zone);
    return is_ok;
}

/* Counters: every INCR that was answered got a value of its own, and one that began after another was answered got a higher one. */
static int time_order(const void *a, const void *b)
{
    const struct operation *x = a;
    const struct operation *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static bool history_check_counters(struct operation *incr, size_t count, char *text, size_t size)
{
    qsort(incr, count, sizeof *incr, time_order);
    uint64_t latest_invoked = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_first = i == 0 || incr[i].key != incr[i - 1].key;
        if (is_first)
            latest_invoked = 0;
        if (!is_first && incr[i].value == incr[i - 1].value) {
            snprintf(text, size, "counter %u: two increments were answered %llu", incr[i].key,
                     (unsigned long long)incr[i].value);
            return false;
        }
        if (incr[i].returned_us < latest_invoked) {
            snprintf(text, size, "counter %u: %llu was answered before an increment that got less began", incr[i].key,
                     (unsigned long long)incr[i].value);
            return false;
        }
        if (incr[i].invoked_us > latest_invoked)
            latest_invoked = incr[i].invoked_us;
    }
    return true;
}

bool history_counter_may_be(const struct history *h, uint32_t key, uint64_t value)
{
    uint64_t done = 0;
    uint64_t unknown = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct operation *o = &h->operation[i];
        if (o->kind == OPERATION_INCR && o->key == key) {
            done += o->outcome == OUTCOME_OK;
            unknown += o->outcome == OUTCOME_UNKNOWN || o->outcome == OUTCOME_PENDING;
        }
    }
    return value >= done && value <= done + unknown;
}

bool history_check(const struct history *h, char *text, size_t size)
{
    struct operation *sorted = mem_alloc_array(h->count + 1, sizeof *sorted);
    struct operation *incr = mem_alloc_array(h->count + 1, sizeof *incr);
    size_t count = 0;
    size_t incr_count = 0;
    for (size_t i = 0; i < h->count; i++) {
        const struct operation *o = &h->operation[i];
        if (o->kind == OPERATION_INCR) {
            if (o->outcome == OUTCOME_OK)
                incr[incr_count++] = *o;
        } else if (o->kind == OPERATION_WRITE || o->outcome == OUTCOME_OK) {
            sorted[count++] = *o;
        }
    }
    qsort(sorted, count, sizeof *sorted, operation_order);
    bool is_ok = history_check_registers(sorted, count, text, size) &&
                 history_check_counters(incr, incr_count, text, size);
    mem_free(sorted);
    mem_free(incr);
    return is_ok;
}
