#include "check/zones.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

/* All operations on one value form a cluster: its write and the reads that returned it. Its zone runs between f, the earliest end in
 * the cluster, and s, the latest start. If f < s the register must have held the value from f to s (a forward zone), else it held it
 * at some moment between s and f (backward). Such a history is linearizable exactly when no read ends before its write starts,
 * no two forward zones overlap and no backward zone lies inside a forward zone (Gibbons and Korach, Testing Shared Memories, 1997).
 *
 * Writes whose outcome is unknown count only if they were seen, and then never end by themselves. A write that was answered "not done"
 * and is seen all the same is a lie, whatever the times. Registers that expire may lose their value at any time, but never
 * get it back: each read of nothing is a backward zone of its own there. */

struct zone {
    uint64_t value;
    uint64_t low, high;
    bool is_forward;
};

static int operation_order(const void *a, const void *b)
{
    const struct zone_operation *x = a;
    const struct zone_operation *y = b;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (int)y->is_write - (int)x->is_write;
}

static int zone_order(const void *a, const void *b)
{
    const struct zone *x = a;
    const struct zone *y = b;
    if (x->low != y->low)
        return x->low < y->low ? -1 : 1;
    return x->high < y->high ? -1 : x->high > y->high;
}

/* One cluster, its write first if there is one. */
static bool zone_of(const struct zone_operation *o, size_t n, struct zone *zone, bool *is_seen, char *text, size_t size)
{
    bool has_write = o[0].is_write;
    uint64_t write_start = has_write ? o[0].start : 0;
    uint64_t first_end = has_write ? o[0].end : 0;
    uint64_t last_start = write_start;
    *is_seen = n > 1 || !has_write || (o[0].end != UINT64_MAX && !o[0].was_refused);
    const char *why = !has_write && o[0].value != 0                 ? "was read, and nobody wrote it"
                      : has_write && o[0].was_refused && n > 1      ? "was answered \"not done\" and then read"
                      : has_write && n > 1 && o[1].is_write         ? "was written twice"
                                                                    : NULL;
    for (size_t i = has_write ? 1 : 0; !why && i < n; i++) {
        if (o[i].end < write_start)
            why = "was read before it was written";
        if (o[i].end < first_end)
            first_end = o[i].end;
        if (o[i].start > last_start)
            last_start = o[i].start;
    }
    if (why) {
        snprintf(text, size, "value %llu %s", (unsigned long long)o[0].value, why);
        return false;
    }
    bool is_forward = first_end < last_start;
    *zone = (struct zone){o[0].value, is_forward ? first_end : last_start, is_forward ? last_start : first_end, is_forward};
    return true;
}

static bool zones_fit(struct zone *zone, size_t count, char *text, size_t size)
{
    const struct zone *forward = NULL; /* the forward zone that reaches furthest */
    qsort(zone, count, sizeof *zone, zone_order);
    for (size_t i = 0; i < count; i++) {
        const struct zone *z = &zone[i];
        if (forward && (z->is_forward ? z->low < forward->high : z->high < forward->high)) {
            snprintf(text, size, "the register must have held value %llu from %llu to %llu, and value %llu %s %llu and %llu",
                     (unsigned long long)forward->value, (unsigned long long)forward->low, (unsigned long long)forward->high,
                     (unsigned long long)z->value, z->is_forward ? "all the time between" : "at some moment between",
                     (unsigned long long)z->low, (unsigned long long)z->high);
            return false;
        }
        if (z->is_forward)
            forward = z;
    }
    return true;
}

bool zones_check(struct zone_operation *operation, size_t count, bool may_expire, char *text, size_t size)
{
    struct zone *zone = mem_alloc_array(count + 1, sizeof *zone);
    size_t zone_count = 0;
    bool is_ok = true;
    qsort(operation, count, sizeof *operation, operation_order);
    for (size_t i = 0, n; is_ok && i < count; i += n) {
        const struct zone_operation *o = &operation[i];
        n = 1;
        if (may_expire && o->value == 0 && !o->is_write) {
            zone[zone_count++] = (struct zone){0, o->start, o->end, false};
            continue;
        }
        while (i + n < count && o[n].value == o->value)
            n++;
        bool is_seen;
        is_ok = zone_of(o, n, &zone[zone_count], &is_seen, text, size);
        zone_count += is_seen;
    }
    is_ok = is_ok && zones_fit(zone, zone_count, text, size);
    mem_free(zone);
    return is_ok;
}
