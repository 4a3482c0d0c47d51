#include "check/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "check/cycles.h"
#include "check/zones.h"

/* Keys are joined into groups (union-find over the texts' numbers), operations sorted by group, each group given to a method. */

struct checking {
    struct history *h;
    const struct wgl_limits *limits;
    struct check_report *report;
    uint32_t *root; /* of a text used as a key */
};

struct member { /* an operation of a group */
    uint32_t group;
    uint32_t operation;
};

static uint32_t root_of(struct checking *c, uint32_t key)
{
    while (c->root[key] != key)
        key = c->root[key] = c->root[c->root[key]];
    return key;
}

static int member_order(const void *a, const void *b)
{
    const struct member *x = a;
    const struct member *y = b;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->operation < y->operation ? -1 : x->operation > y->operation;
}

/* --- which method --- */

static bool all_steps(const struct checking *c, const uint32_t *o, uint32_t count, bool (*fits)(const struct history_step *s))
{
    for (uint32_t i = 0; i < count; i++) {
        const struct history_operation *operation = &c->h->operation[o[i]];
        for (uint32_t s = 0; s < operation->step_count; s++) {
            if (!fits(&c->h->step[operation->first_step + s]))
                return false;
        }
    }
    return true;
}

static bool is_register_step(const struct history_step *s) { return s->f == HISTORY_SET || (s->f == HISTORY_GET && s->result != HISTORY_ANY); }
static bool is_append_step(const struct history_step *s) { return s->f == HISTORY_RPUSH || (s->f == HISTORY_LRANGE && s->has_list); }

static int pair_order(const void *a, const void *b) { return memcmp(a, b, 2 * sizeof(uint32_t)); }

/* Each (key, value) is written once. */
static bool is_unique(const struct checking *c, const uint32_t *o, uint32_t count)
{
    uint32_t steps = 0;
    for (uint32_t i = 0; i < count; i++)
        steps += c->h->operation[o[i]].step_count;
    uint32_t (*pair)[2] = mem_alloc_array(steps + 1u, sizeof *pair);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct history_operation *operation = &c->h->operation[o[i]];
        for (uint32_t s = 0; s < operation->step_count; s++) {
            const struct history_step *step = &c->h->step[operation->first_step + s];
            if (history_function_is_read(step->f))
                continue;
            pair[n][0] = step->key;
            pair[n++][1] = step->value;
        }
    }
    qsort(pair, n, sizeof *pair, pair_order);
    bool is_unique = true;
    for (uint32_t i = 1; i < n; i++)
        is_unique = is_unique && memcmp(pair[i - 1], pair[i], sizeof *pair) != 0;
    mem_free(pair);
    return is_unique;
}

static bool is_one_register(const struct checking *c, const uint32_t *o, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct history_operation *operation = &c->h->operation[o[i]];
        bool is_lost_read = operation->outcome != HISTORY_OK && operation->step_count == 1 && c->h->step[operation->first_step].f == HISTORY_GET;
        if (operation->step_count != 1 || (!is_lost_read && !is_register_step(&c->h->step[operation->first_step])))
            return false;
    }
    return is_unique(c, o, count);
}

/* --- the methods --- */

static void tell(struct checking *c, text_id key, const char *first, const char *what)
{
    struct slice name = texts_get(&c->h->texts, key);
    c->report->is_violated = true;
    snprintf(c->report->text, sizeof c->report->text, "key \"%.*s\": %s%s", (int)(name.n < 100 ? name.n : 100), (const char *)name.p, first, what);
}

/* Value ids in the zones' message mean nothing to a reader: put the texts there. */
static void tell_zone(struct checking *c, text_id key, const char *text)
{
    char out[800];
    size_t n = 0;
    while (*text && n < sizeof out - 100) {
        unsigned id;
        int taken = 0;
        if (strncmp(text, "value ", 6) == 0 && sscanf(text, "value %u%n", &id, &taken) == 1 && taken > 0 && id <= c->h->texts.count) {
            struct slice v = texts_get(&c->h->texts, id);
            int m = id ? snprintf(out + n, sizeof out - n, "value \"%.*s\"", (int)(v.n < 40 ? v.n : 40), (const char *)v.p)
                       : snprintf(out + n, sizeof out - n, "nothing");
            n += (size_t)m;
            text += taken;
            continue;
        }
        out[n++] = *text++;
    }
    out[n] = 0;
    tell(c, key, "", out);
}

static void by_zones(struct checking *c, const uint32_t *o, uint32_t count)
{
    struct zone_operation *zone = mem_alloc_array(count + 1u, sizeof *zone);
    uint32_t n = 0;
    bool may_expire = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct history_operation *operation = &c->h->operation[o[i]];
        const struct history_step *s = &c->h->step[operation->first_step];
        bool is_write = s->f == HISTORY_SET;
        if (!is_write && operation->outcome != HISTORY_OK)
            continue;
        may_expire = may_expire || s->may_expire;
        zone[n++] = (struct zone_operation){operation->start, operation->outcome == HISTORY_OK ? operation->end : UINT64_MAX,
                                            is_write ? s->value : s->result, is_write, operation->outcome == HISTORY_FAIL};
    }
    char text[512];
    c->report->by_zones++;
    if (!zones_check(zone, n, may_expire, text, sizeof text))
        tell_zone(c, c->h->step[c->h->operation[o[0]].first_step].key, text);
    mem_free(zone);
}

static void by_search(struct checking *c, const uint32_t *o, uint32_t count)
{
    struct wgl_result r = wgl_check(c->h, o, count, c->limits);
    c->report->by_search++;
    c->report->states += r.states;
    if (r.verdict == WGL_INCONCLUSIVE)
        c->report->inconclusive++;
    if (r.verdict != WGL_NOT_LINEARIZABLE)
        return;
    struct buf line = {0};
    history_write_line(c->h, r.blocker, &line);
    buf_truncate(&line, buf_size(&line) - 1);
    buf_append_byte(&line, 0);
    char text[800];
    snprintf(text, sizeof text, "no order of its operations explains the answers; %u of them can be placed, and then not line %u: %.400s", r.placed,
             c->h->operation[r.blocker].line, (const char *)buf_slice(&line).p);
    tell(c, c->h->step[c->h->operation[o[0]].first_step].key, "", text);
    buf_deinit(&line);
}

/* A value that may vanish is a register's only: the search knows no such thing. */
static bool may_expire(const struct checking *c, const uint32_t *o, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct history_operation *operation = &c->h->operation[o[i]];
        for (uint32_t s = 0; s < operation->step_count; s++) {
            if (c->h->step[operation->first_step + s].may_expire)
                return true;
        }
    }
    return false;
}

static void check_group(struct checking *c, const uint32_t *o, uint32_t count)
{
    char text[900];
    c->report->groups++;
    if (is_one_register(c, o, count)) {
        by_zones(c, o, count);
    } else if (all_steps(c, o, count, is_append_step) && is_unique(c, o, count)) {
        enum cycles_verdict v = cycles_check(c->h, o, count, text, sizeof text);
        c->report->by_cycles++;
        if (v == CYCLES_FOUND)
            tell(c, c->h->step[c->h->operation[o[0]].first_step].key, "(and those its transactions bind to it) ", text);
        else if (v == CYCLES_UNDECIDED)
            by_search(c, o, count);
    } else if (may_expire(c, o, count)) {
        c->report->by_search++;
        c->report->inconclusive++;
    } else {
        by_search(c, o, count);
    }
}

/* --- groups --- */

static void join_keys(struct checking *c)
{
    for (uint32_t i = 0; i <= c->h->texts.count; i++)
        c->root[i] = i;
    for (uint32_t i = 0; i < c->h->operation_count; i++) {
        const struct history_operation *o = &c->h->operation[i];
        if (o->step_count == 0)
            continue;
        uint32_t first = root_of(c, c->h->step[o->first_step].key);
        for (uint32_t s = 1; s < o->step_count; s++)
            c->root[root_of(c, c->h->step[o->first_step + s].key)] = first;
    }
}

void check_history(struct history *h, const struct wgl_limits *limits, struct check_report *report)
{
    struct checking c = {h, limits, report, mem_alloc_array(h->texts.count + 1u, sizeof(uint32_t))};
    struct member *member = mem_alloc_array(h->operation_count + 1u, sizeof *member);
    uint32_t *operation = mem_alloc_array(h->operation_count + 1u, sizeof *operation);
    uint32_t n = 0;
    memset(report, 0, sizeof *report);
    join_keys(&c);
    for (uint32_t i = 0; i < h->operation_count; i++) {
        if (h->operation[i].step_count > 0)
            member[n++] = (struct member){root_of(&c, h->step[h->operation[i].first_step].key), i};
    }
    report->operations = n;
    qsort(member, n, sizeof *member, member_order);
    for (uint32_t i = 0, count; i < n && !report->is_violated; i += count) {
        for (count = 0; i + count < n && member[i + count].group == member[i].group; count++)
            operation[count] = member[i + count].operation;
        check_group(&c, operation, count);
    }
    mem_free(c.root);
    mem_free(member);
    mem_free(operation);
}
