#include "check/cycles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* Every element is appended once, so a list that was read tells the order in which its elements were appended: all reads of a key
 * must be prefixes of the longest. From that order follow edges "must have come before" between transactions:
 *
 *   ww  its element stands before the other's, next of those whose place is known
 *   wr  the other read a list that ends with its element
 *   rw  it read a list that the other's element came after
 *   rt  it ended before the other started (real time)
 *
 * A cycle means that no order exists. Without one there is an order (elements that nobody read may come last), unless lengths that
 * appends were answered leave gaps in a list, which unknown appends must fill in time: that is left to the search.
 * Real time would be n * n edges; it is a chain of moments instead, one node per end, with an edge from each transaction to the
 * moment of its end, from each moment to the next, and from the last moment before a start to that transaction.
 *
 * Y1 A transaction whose outcome is unknown takes part if one of its elements was read; it has no end then.
 * Y2 An element of a refused transaction that was read is a lie.
 * Y3 Within a transaction, a read shows what stood before and then its own appends: the prefix is checked, and the rest must be its own. */

enum edge_kind { EDGE_WW, EDGE_WR, EDGE_RW, EDGE_TIME };

struct edge {
    uint32_t from, to;
    enum edge_kind kind;
};

struct element { /* of a list */
    text_id key;
    text_id value;
    uint32_t operation; /* index in cycles.o */
    uint32_t position;  /* in its list, from 1, as a read or the answer to its append told; 0: not known */
};

struct longest {
    text_id key;
    uint32_t step;  /* whose read it is; UINT32_MAX: none */
    uint32_t count; /* elements that were read */
    uint32_t first; /* the elements of known position stand in cycles.order from here on, */
    uint32_t known; /* so many: those read, then those whose append was answered a greater length */
};

struct cycles {
    const struct history *h;
    const uint32_t *o;
    uint32_t count;
    bool *takes_part;
    struct element *element; /* sorted by key and value */
    uint32_t element_count;
    struct longest *longest; /* sorted by key */
    uint32_t longest_count;
    struct element **order; /* by key and position */
    struct edge *edge;
    uint32_t edge_count;
    uint32_t edge_capacity;
    uint32_t node_count;
    char *text;
    size_t size;
};

static const struct history_operation *operation_of(const struct cycles *c, uint32_t i) { return &c->h->operation[c->o[i]]; }

static const char *name_of(const struct cycles *c, uint32_t i, char out[32])
{
    const struct history_operation *o = operation_of(c, i);
    if (o->line)
        snprintf(out, 32, "line %u", o->line);
    else
        snprintf(out, 32, "operation %u", c->o[i]);
    return out;
}

static void add_edge(struct cycles *c, uint32_t from, uint32_t to, enum edge_kind kind)
{
    if (from == to)
        return;
    if (c->edge_count == c->edge_capacity) {
        c->edge_capacity = c->edge_capacity ? 2 * c->edge_capacity : 1024;
        c->edge = mem_realloc_array(c->edge, c->edge_capacity, sizeof *c->edge);
    }
    c->edge[c->edge_count++] = (struct edge){from, to, kind};
}

/* --- elements and version orders --- */

static int element_order(const void *a, const void *b)
{
    const struct element *x = a;
    const struct element *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static struct element *find_element(struct cycles *c, text_id key, text_id value)
{
    struct element wanted = {.key = key, .value = value};
    return bsearch(&wanted, c->element, c->element_count, sizeof *c->element, element_order);
}

static int longest_order(const void *a, const void *b)
{
    const struct longest *x = a;
    const struct longest *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static struct longest *find_longest(struct cycles *c, text_id key)
{
    struct longest wanted = {.key = key};
    struct longest *l = bsearch(&wanted, c->longest, c->longest_count, sizeof *c->longest, longest_order);
    ASSERT(l);
    return l;
}

static bool collect_elements(struct cycles *c)
{
    uint32_t steps = 0;
    for (uint32_t i = 0; i < c->count; i++)
        steps += operation_of(c, i)->step_count;
    c->element = mem_alloc_array(steps + 1u, sizeof *c->element);
    c->longest = mem_alloc_array(steps + 1u, sizeof *c->longest);
    for (uint32_t i = 0; i < c->count; i++) {
        const struct history_operation *o = operation_of(c, i);
        for (uint32_t s = o->first_step; s < o->first_step + o->step_count; s++) {
            const struct history_step *step = &c->h->step[s];
            ASSERT(step->f == HISTORY_RPUSH || step->f == HISTORY_LRANGE);
            c->longest[c->longest_count++] = (struct longest){.key = step->key, .step = UINT32_MAX};
            if (step->f == HISTORY_RPUSH)
                c->element[c->element_count++] = (struct element){step->key, step->value, i, 0};
        }
    }
    qsort(c->element, c->element_count, sizeof *c->element, element_order);
    qsort(c->longest, c->longest_count, sizeof *c->longest, longest_order);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->longest_count; i++) {
        if (i == 0 || c->longest[i].key != c->longest[kept - 1].key)
            c->longest[kept++] = c->longest[i];
    }
    c->longest_count = kept;
    for (uint32_t i = 1; i < c->element_count; i++) {
        if (element_order(&c->element[i - 1], &c->element[i]) == 0) {
            struct slice v = texts_get(&c->h->texts, c->element[i].value);
            snprintf(c->text, c->size, "\"%.*s\" is appended twice to one list: the elements must be unique", (int)v.n, (const char *)v.p);
            return false;
        }
    }
    return true;
}

static bool is_ok_read(const struct history_operation *o, const struct history_step *s)
{
    return o->outcome == HISTORY_OK && s->f == HISTORY_LRANGE && s->has_list;
}

static bool find_longest_reads(struct cycles *c)
{
    char name[32];
    for (uint32_t i = 0; i < c->count; i++) {
        const struct history_operation *o = operation_of(c, i);
        for (uint32_t s = o->first_step; s < o->first_step + o->step_count; s++) {
            const struct history_step *step = &c->h->step[s];
            if (!is_ok_read(o, step))
                continue;
            struct longest *l = find_longest(c, step->key);
            if (step->list_count >= l->count) {
                l->step = s;
                l->count = step->list_count;
            }
        }
    }
    for (uint32_t k = 0; k < c->longest_count; k++) {
        const struct longest *l = &c->longest[k];
        for (uint32_t p = 0; p < l->count; p++) {
            text_id value = c->h->list[c->h->step[l->step].list + p];
            struct element *e = find_element(c, l->key, value);
            struct slice v = texts_get(&c->h->texts, value);
            const char *why = !e                                                            ? "was read, and nobody appended it"
                              : e->position                                                 ? "stands twice in a list"
                              : operation_of(c, e->operation)->outcome == HISTORY_FAIL ? "was answered \"not done\" and then read"
                                                                                            : NULL;
            if (why) {
                snprintf(c->text, c->size, "\"%.*s\" %s%s%s", (int)v.n, (const char *)v.p, why, e ? ": " : "",
                         e ? name_of(c, e->operation, name) : "");
                return false;
            }
            e->position = p + 1;
            c->takes_part[e->operation] = true; /* Y1 */
        }
    }
    return true;
}

/* What RPUSH answered is the place of its element. */
static bool take_lengths(struct cycles *c)
{
    char name[32];
    for (uint32_t i = 0; i < c->count; i++) {
        const struct history_operation *o = operation_of(c, i);
        for (uint32_t s = o->first_step; s < o->first_step + o->step_count; s++) {
            const struct history_step *step = &c->h->step[s];
            int64_t length;
            if (step->f != HISTORY_RPUSH || o->outcome != HISTORY_OK || step->result == HISTORY_ANY)
                continue;
            struct element *e = find_element(c, step->key, step->value);
            ASSERT(e);
            bool is_right = texts_number(&c->h->texts, step->result, &length) && length <= UINT32_MAX &&
                            (e->position ? length == e->position : length > find_longest(c, step->key)->count);
            if (!is_right) {
                snprintf(c->text, c->size, "an append was answered another length than its place in the list: %s", name_of(c, i, name));
                return false;
            }
            e->position = (uint32_t)length;
        }
    }
    return true;
}

static int position_order(const void *a, const void *b)
{
    const struct element *x = *(struct element *const *)a;
    const struct element *y = *(struct element *const *)b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

/* False: two stand at one place. *has_gaps: some element's place is not known, and there are places that nobody is known for. */
static bool set_order(struct cycles *c, bool *has_gaps)
{
    char name[2][32];
    uint32_t n = 0;
    *has_gaps = false;
    c->order = mem_alloc_array(c->element_count + 1u, sizeof(struct element *));
    for (uint32_t e = 0; e < c->element_count; e++) {
        if (c->element[e].position)
            c->order[n++] = &c->element[e];
    }
    qsort(c->order, n, sizeof(struct element *), position_order);
    for (uint32_t i = 0; i < n; i++) {
        struct longest *l = find_longest(c, c->order[i]->key);
        if (l->known == 0)
            l->first = i;
        if (l->known > 0 && c->order[i]->position == c->order[i - 1]->position) {
            snprintf(c->text, c->size, "two appends were answered the same length: %s and %s", name_of(c, c->order[i - 1]->operation, name[0]),
                     name_of(c, c->order[i]->operation, name[1]));
            return false;
        }
        l->known++;
        *has_gaps = *has_gaps || c->order[i]->position != l->known;
    }
    return true;
}

/* Transaction that appended the element of known position number `place`, from 1; UINT32_MAX: there is none. */
static uint32_t appender(const struct cycles *c, const struct longest *l, uint32_t place)
{
    return place >= 1 && place <= l->known ? c->order[l->first + place - 1]->operation : UINT32_MAX;
}

/* --- edges --- */

/* Own elements at the end of a read, appended earlier in the same transaction (Y3). */
static uint32_t own_suffix(struct cycles *c, uint32_t i, const struct history_step *step)
{
    const struct history_operation *o = operation_of(c, i);
    uint32_t own = 0;
    for (uint32_t s = o->first_step; &c->h->step[s] != step; s++)
        own += c->h->step[s].f == HISTORY_RPUSH && c->h->step[s].key == step->key;
    return own;
}

static bool add_read(struct cycles *c, uint32_t i, const struct history_step *step)
{
    char name[32];
    const struct longest *l = find_longest(c, step->key);
    const text_id *order = l->count ? &c->h->list[c->h->step[l->step].list] : NULL;
    if (order && step->list_count > 0 && memcmp(order, &c->h->list[step->list], step->list_count * sizeof *order) != 0) {
        struct slice key = texts_get(&c->h->texts, step->key);
        snprintf(c->text, c->size, "key \"%.*s\": two reads disagree on the order of its elements: %s", (int)key.n, (const char *)key.p,
                 name_of(c, i, name));
        return false;
    }
    uint32_t own = own_suffix(c, i, step);
    bool is_own = own <= step->list_count;
    for (uint32_t p = step->list_count - (is_own ? own : 0); is_own && p < step->list_count; p++)
        is_own = appender(c, l, p + 1) == i;
    uint32_t before = is_own ? step->list_count - own : 0;
    if (!is_own || (before > 0 && appender(c, l, before) == i)) {
        snprintf(c->text, c->size, "a transaction does not see its own appends as they are: %s", name_of(c, i, name));
        return false;
    }
    if (before > 0)
        add_edge(c, appender(c, l, before), i, EDGE_WR);
    uint32_t next = appender(c, l, step->list_count + 1);
    if (next != UINT32_MAX)
        add_edge(c, i, next, EDGE_RW);
    return true;
}

/* Of no known place, in nobody's read: after all that was read, and after every read of all that. */
static bool is_unseen(const struct cycles *c, const struct element *e) { return !e->position && c->takes_part[e->operation]; }

static bool add_data_edges(struct cycles *c)
{
    for (uint32_t k = 0; k < c->longest_count; k++) {
        for (uint32_t p = 1; p < c->longest[k].known; p++)
            add_edge(c, appender(c, &c->longest[k], p), appender(c, &c->longest[k], p + 1), EDGE_WW);
    }
    for (uint32_t e = 0; e < c->element_count; e++) {
        const struct longest *l = find_longest(c, c->element[e].key);
        if (is_unseen(c, &c->element[e]) && l->count > 0)
            add_edge(c, appender(c, l, l->count), c->element[e].operation, EDGE_WW);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        const struct history_operation *o = operation_of(c, i);
        for (uint32_t s = o->first_step; s < o->first_step + o->step_count; s++) {
            if (is_ok_read(o, &c->h->step[s]) && !add_read(c, i, &c->h->step[s]))
                return false;
        }
    }
    return true;
}

static bool appends_to(const struct cycles *c, uint32_t i, text_id key)
{
    const struct history_operation *o = operation_of(c, i);
    for (uint32_t s = o->first_step; s < o->first_step + o->step_count; s++) {
        if (c->h->step[s].f == HISTORY_RPUSH && c->h->step[s].key == key)
            return true;
    }
    return false;
}

/* Reads of the whole longest list come before every unseen append of the key: one node per key, between them. (A reader that appends to
 * that key itself would make a circle of its own there; it gets its edges one by one.) */
static void add_unseen_reads(struct cycles *c)
{
    uint32_t *gate = mem_alloc_zero((c->longest_count + 1u) * sizeof *gate);
    for (uint32_t e = 0; e < c->element_count; e++) {
        uint32_t *node = &gate[find_longest(c, c->element[e].key) - c->longest];
        if (!is_unseen(c, &c->element[e]))
            continue;
        if (!*node)
            *node = c->node_count++;
        add_edge(c, *node, c->element[e].operation, EDGE_RW);
    }
    for (uint32_t i = 0; i < c->count; i++) {
        const struct history_operation *o = operation_of(c, i);
        for (uint32_t s = o->first_step; s < o->first_step + o->step_count; s++) {
            const struct history_step *step = &c->h->step[s];
            const struct longest *l = find_longest(c, step->key);
            if (!is_ok_read(o, step) || !gate[l - c->longest] || step->list_count < l->count)
                continue;
            if (!appends_to(c, i, step->key)) {
                add_edge(c, i, gate[l - c->longest], EDGE_RW);
                continue;
            }
            for (uint32_t e = 0; e < c->element_count; e++) {
                if (c->element[e].key == step->key && is_unseen(c, &c->element[e]))
                    add_edge(c, i, c->element[e].operation, EDGE_RW);
            }
        }
    }
    mem_free(gate);
}

struct moment {
    uint64_t time;
    uint32_t operation;
    bool is_end;
};

static int moment_order(const void *a, const void *b)
{
    const struct moment *x = a;
    const struct moment *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (int)x->is_end - (int)y->is_end; /* what touches overlaps */
}

static void add_time_edges(struct cycles *c)
{
    struct moment *m = mem_alloc_array(2u * c->count + 1, sizeof *m);
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const struct history_operation *o = operation_of(c, i);
        if (!c->takes_part[i])
            continue;
        m[n++] = (struct moment){o->start, i, false};
        if (o->outcome == HISTORY_OK)
            m[n++] = (struct moment){o->end, i, true};
    }
    qsort(m, n, sizeof *m, moment_order);
    uint32_t last = UINT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        if (!m[i].is_end) {
            if (last != UINT32_MAX)
                add_edge(c, last, m[i].operation, EDGE_TIME);
            continue;
        }
        uint32_t node = c->node_count++;
        add_edge(c, m[i].operation, node, EDGE_TIME);
        if (last != UINT32_MAX)
            add_edge(c, last, node, EDGE_TIME);
        last = node;
    }
    mem_free(m);
}

/* --- cycles: what remains when nodes without incoming edges are taken away, again and again --- */

static int edge_order(const void *a, const void *b)
{
    const struct edge *x = a;
    const struct edge *y = b;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* Tells one cycle among the nodes that remain: walk backwards along what remains until a node comes again. */
static void tell_cycle(struct cycles *c, const uint32_t *incoming)
{
    static const char *const word[] = {"append before append", "append before read", "read before append", "ended before it started"};
    uint32_t *from = mem_alloc_array(c->node_count + 1u, sizeof *from); /* an edge that comes in from a remaining node */
    bool *is_met = mem_alloc_zero(c->node_count + 1u);
    memset(from, 0xff, c->node_count * sizeof *from);
    for (uint32_t e = 0; e < c->edge_count; e++) {
        if (incoming[c->edge[e].from] && incoming[c->edge[e].to])
            from[c->edge[e].to] = e;
    }
    uint32_t node = 0;
    while (!incoming[node])
        node++;
    for (; !is_met[node]; node = c->edge[from[node]].from)
        is_met[node] = true;
    int n = snprintf(c->text, c->size, "a cycle, last to first:");
    uint32_t stop = node;
    do {
        const struct edge *e = &c->edge[from[node]];
        char name[32];
        if (node < c->count && n > 0 && (size_t)n < c->size)
            n += snprintf(c->text + n, c->size - (size_t)n, " %s <- (%s)", name_of(c, node, name), word[e->kind]);
        node = e->from;
    } while (node != stop);
    mem_free(from);
    mem_free(is_met);
}

static bool has_no_cycle(struct cycles *c)
{
    uint32_t *incoming = mem_alloc_zero((c->node_count + 1u) * sizeof *incoming);
    uint32_t *first = mem_alloc_array(c->node_count + 1u, sizeof *first);
    uint32_t *ready = mem_alloc_array(c->node_count + 1u, sizeof *ready);
    if (c->edge_count > 0)
        qsort(c->edge, c->edge_count, sizeof *c->edge, edge_order);
    for (uint32_t node = 0, e = 0; node <= c->node_count; node++) {
        while (e < c->edge_count && c->edge[e].from < node)
            e++;
        first[node] = e;
    }
    for (uint32_t e = 0; e < c->edge_count; e++)
        incoming[c->edge[e].to]++;
    uint32_t count = 0;
    for (uint32_t node = 0; node < c->node_count; node++) {
        if (!incoming[node])
            ready[count++] = node;
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t e = first[ready[i]]; e < first[ready[i] + 1]; e++) {
            if (--incoming[c->edge[e].to] == 0)
                ready[count++] = c->edge[e].to;
        }
    }
    if (count < c->node_count)
        tell_cycle(c, incoming);
    mem_free(incoming);
    mem_free(first);
    mem_free(ready);
    return count == c->node_count;
}

enum cycles_verdict cycles_check(const struct history *h, const uint32_t *operation, uint32_t count, char *text, size_t size)
{
    struct cycles c = {.h = h, .o = operation, .count = count, .node_count = count, .text = text, .size = size};
    bool has_gaps = false;
    c.takes_part = mem_alloc_zero(count + 1u);
    for (uint32_t i = 0; i < count; i++)
        c.takes_part[i] = operation_of(&c, i)->outcome == HISTORY_OK;
    bool is_ok = collect_elements(&c) && find_longest_reads(&c) && take_lengths(&c) && set_order(&c, &has_gaps) && add_data_edges(&c);
    if (is_ok) {
        add_unseen_reads(&c);
        add_time_edges(&c);
        is_ok = has_no_cycle(&c);
    }
    mem_free(c.takes_part);
    mem_free(c.element);
    mem_free(c.longest);
    mem_free(c.order);
    mem_free(c.edge);
    return !is_ok ? CYCLES_FOUND : has_gaps ? CYCLES_UNDECIDED : CYCLES_NONE;
}
