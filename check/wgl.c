#include "check/wgl.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "check/model.h"

/* The search walks a list of calls and returns in order of time. A call that fits the state is placed and leaves the list with its
 * return; the walk begins anew from the front. Meeting the return of an operation that is not placed means that the last
 * placement was wrong: it is taken back. Operations with an unknown outcome have no return; the rest of them may stay over.
 *
 * G1 An operation that only reads and fits the state is placed at once and for good: nothing is lost by placing it early.
 * G2 Of unknown operations that would do the same, the earliest is tried only.
 * G3 A state is remembered as 128 random bits: the exclusive-or of one number per placed operation and one per (key, value). Two states
 *    that meet by chance in all 128 are not to be feared.
 * G4 An unknown operation that only reads says nothing; one that was refused must have no effect, and so is left out. */

struct wgl_event { /* in the list */
    uint64_t time;
    uint32_t operation; /* index in the search */
    bool is_return;
    uint32_t before, after; /* list links; 0 is the head */
};

struct wgl_operation {
    const struct history_operation *o;
    uint32_t number; /* in the history */
    uint32_t call;   /* event index */
    uint32_t ret;    /* 0: none */
    uint32_t twin;   /* the unknown operation before it that does the same, + 1; 0: none */
    bool is_read;
    bool is_placed;
    uint64_t bits[2];
};

struct wgl_undo {
    uint32_t key;
    struct model_state state;
};

struct wgl_frame {
    uint32_t operation;
    uint32_t undo_count; /* before it */
    bool is_forced;      /* G1 */
};

struct wgl {
    struct history *h;
    struct model model;
    struct wgl_operation *op;
    uint32_t op_count;
    struct wgl_event *event; /* [0] is the head of the list */
    uint32_t event_count;
    uint32_t returns_left;
    text_id *key;
    struct model_state *state; /* per key */
    uint32_t key_count;
    uint64_t bits[2];
    struct wgl_frame *frame;
    uint32_t frame_count;
    struct wgl_undo *undo;
    uint32_t undo_count;
    uint32_t undo_capacity;
    uint64_t *seen; /* open hash of pairs */
    uint64_t seen_count;
    uint64_t seen_slots;
    uint32_t blocker;
    uint32_t deepest;
};

/* --- the list --- */

static void list_take(struct wgl *g, uint32_t e)
{
    g->event[g->event[e].before].after = g->event[e].after;
    g->event[g->event[e].after].before = g->event[e].before;
}

static void list_put_back(struct wgl *g, uint32_t e)
{
    g->event[g->event[e].before].after = e;
    g->event[g->event[e].after].before = e;
}

/* --- states --- */

static void state_bits(uint32_t key, struct model_state s, uint64_t bits[2])
{
    struct prng p;
    if (s.kind == MODEL_ABSENT) {
        bits[0] = bits[1] = 0;
        return;
    }
    prng_seed(&p, ((uint64_t)key << 34 | (uint64_t)s.kind << 32 | s.id) * 0x9e3779b97f4a7c15u + key);
    bits[0] = prng_next(&p);
    bits[1] = prng_next(&p);
}

static uint32_t key_index(const struct wgl *g, text_id key)
{
    uint32_t i = 0;
    while (g->key[i] != key)
        i++;
    return i;
}

static void set_state(struct wgl *g, uint32_t key, struct model_state s)
{
    uint64_t old[2];
    uint64_t new[2];
    state_bits(key, g->state[key], old);
    state_bits(key, s, new);
    g->bits[0] ^= old[0] ^ new[0];
    g->bits[1] ^= old[1] ^ new[1];
    g->state[key] = s;
}

static void undo_to(struct wgl *g, uint32_t count)
{
    while (g->undo_count > count) {
        g->undo_count--;
        set_state(g, g->undo[g->undo_count].key, g->undo[g->undo_count].state);
    }
}

static bool apply(struct wgl *g, const struct history_operation *o)
{
    uint32_t mark = g->undo_count;
    for (uint32_t i = 0; i < o->step_count; i++) {
        const struct history_step *s = &g->h->step[o->first_step + i];
        uint32_t key = key_index(g, s->key);
        struct model_state state = g->state[key];
        if (!model_apply(&g->model, &state, s, o->outcome == HISTORY_OK)) {
            undo_to(g, mark);
            return false;
        }
        if (state.kind == g->state[key].kind && state.id == g->state[key].id)
            continue;
        if (g->undo_count == g->undo_capacity) {
            g->undo_capacity = g->undo_capacity ? 2 * g->undo_capacity : 256;
            g->undo = mem_realloc_array(g->undo, g->undo_capacity, sizeof *g->undo);
        }
        g->undo[g->undo_count++] = (struct wgl_undo){key, g->state[key]};
        set_state(g, key, state);
    }
    return true;
}

/* Remembers the present state; false when it was there before. */
static bool remember(struct wgl *g)
{
    if (2 * g->seen_count >= g->seen_slots) {
        uint64_t *old = g->seen;
        uint64_t slots = g->seen_slots;
        g->seen_slots = slots ? 2 * slots : 4096;
        g->seen = mem_alloc_zero(g->seen_slots * 2 * sizeof *g->seen);
        for (uint64_t i = 0; i < slots; i++) {
            if (!old[2 * i] && !old[2 * i + 1])
                continue;
            uint64_t at = old[2 * i] & (g->seen_slots - 1);
            while (g->seen[2 * at] || g->seen[2 * at + 1])
                at = (at + 1) & (g->seen_slots - 1);
            g->seen[2 * at] = old[2 * i];
            g->seen[2 * at + 1] = old[2 * i + 1];
        }
        mem_free(old);
    }
    uint64_t at = g->bits[0] & (g->seen_slots - 1);
    for (; g->seen[2 * at] || g->seen[2 * at + 1]; at = (at + 1) & (g->seen_slots - 1)) {
        if (g->seen[2 * at] == g->bits[0] && g->seen[2 * at + 1] == g->bits[1])
            return false;
    }
    g->seen[2 * at] = g->bits[0];
    g->seen[2 * at + 1] = g->bits[1];
    g->seen_count++;
    return true;
}

/* --- placing --- */

static void lift(struct wgl *g, uint32_t i, uint32_t undo_mark, bool is_forced)
{
    struct wgl_operation *op = &g->op[i];
    op->is_placed = true;
    list_take(g, op->call);
    if (op->ret) {
        list_take(g, op->ret);
        g->returns_left--;
    }
    g->bits[0] ^= op->bits[0];
    g->bits[1] ^= op->bits[1];
    g->frame[g->frame_count++] = (struct wgl_frame){i, undo_mark, is_forced};
}

/* Takes the last placement back; returns its operation. */
static uint32_t unlift(struct wgl *g, bool *was_forced)
{
    struct wgl_frame f = g->frame[--g->frame_count];
    struct wgl_operation *op = &g->op[f.operation];
    undo_to(g, f.undo_count);
    g->bits[0] ^= op->bits[0];
    g->bits[1] ^= op->bits[1];
    if (op->ret) {
        list_put_back(g, op->ret);
        g->returns_left++;
    }
    list_put_back(g, op->call);
    op->is_placed = false;
    *was_forced = f.is_forced;
    return f.operation;
}

/* G1. */
static void absorb_reads(struct wgl *g)
{
    for (uint32_t e = g->event[0].after; e && !g->event[e].is_return;) {
        uint32_t next = g->event[e].after;
        uint32_t i = g->event[e].operation;
        if (g->op[i].is_read && apply(g, g->op[i].o)) {
            lift(g, i, g->undo_count, true);
            next = g->event[e].after; /* its return may have been the next one */
            if (next == g->op[i].ret && next)
                next = g->event[next].after;
        }
        e = next;
    }
}

static void note_blocker(struct wgl *g, uint32_t operation)
{
    if (g->frame_count >= g->deepest) {
        g->deepest = g->frame_count;
        g->blocker = g->op[operation].number;
    }
}

/* Next event to look at after taking back what has to be; 0: there is nothing left to take back. */
static uint32_t backtrack(struct wgl *g)
{
    while (g->frame_count > 0) {
        bool was_forced;
        uint32_t i = unlift(g, &was_forced);
        if (!was_forced)
            return g->event[g->op[i].call].after;
    }
    return 0;
}

static bool try_place(struct wgl *g, uint32_t i)
{
    struct wgl_operation *op = &g->op[i];
    if (op->twin && !g->op[op->twin - 1].is_placed)
        return false;
    uint32_t mark = g->undo_count;
    if (!apply(g, op->o))
        return false;
    g->bits[0] ^= op->bits[0];
    g->bits[1] ^= op->bits[1];
    bool is_new = remember(g);
    g->bits[0] ^= op->bits[0];
    g->bits[1] ^= op->bits[1];
    if (!is_new) {
        undo_to(g, mark);
        return false;
    }
    lift(g, i, mark, false);
    return true;
}

static enum wgl_verdict search(struct wgl *g, const struct wgl_limits *limits)
{
    absorb_reads(g);
    uint32_t e = g->event[0].after;
    while (g->returns_left > 0) {
        ASSERT(e != 0);
        const struct wgl_event *event = &g->event[e];
        if (event->is_return) {
            note_blocker(g, event->operation);
            e = backtrack(g);
            if (!e)
                return WGL_NOT_LINEARIZABLE;
        } else if (try_place(g, event->operation)) {
            if (g->seen_count > limits->states)
                return WGL_INCONCLUSIVE;
            absorb_reads(g);
            e = g->event[0].after;
        } else {
            e = event->after;
        }
    }
    return WGL_LINEARIZABLE;
}

/* --- setting up --- */

static int event_order(const void *a, const void *b)
{
    const struct wgl_event *x = a;
    const struct wgl_event *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->is_return != y->is_return)
        return x->is_return ? 1 : -1; /* what touches overlaps */
    return x->operation < y->operation ? -1 : x->operation > y->operation;
}

static bool is_read_only(const struct history *h, const struct history_operation *o)
{
    for (uint32_t i = 0; i < o->step_count; i++) {
        if (!history_function_is_read(h->step[o->first_step + i].f))
            return false;
    }
    return true;
}

static bool is_twin(const struct history *h, const struct history_operation *a, const struct history_operation *b)
{
    if (a->step_count != b->step_count)
        return false;
    for (uint32_t i = 0; i < a->step_count; i++) {
        const struct history_step *x = &h->step[a->first_step + i];
        const struct history_step *y = &h->step[b->first_step + i];
        if (x->f != y->f || x->key != y->key || x->value != y->value || x->expected != y->expected)
            return false;
    }
    return true;
}

static void add_key(struct wgl *g, text_id key)
{
    for (uint32_t i = 0; i < g->key_count; i++) {
        if (g->key[i] == key)
            return;
    }
    g->key = mem_realloc_array(g->key, g->key_count + 1, sizeof *g->key);
    g->key[g->key_count++] = key;
}

static int start_order(const void *a, const void *b)
{
    const struct wgl_operation *x = a;
    const struct wgl_operation *y = b;
    if (x->o->start != y->o->start)
        return x->o->start < y->o->start ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void add_operations(struct wgl *g, const uint32_t *operation, uint32_t count)
{
    g->op = mem_alloc_zero((count + 1u) * sizeof *g->op);
    for (uint32_t i = 0; i < count; i++) {
        const struct history_operation *o = &g->h->operation[operation[i]];
        bool is_read = is_read_only(g->h, o);
        if (o->outcome == HISTORY_FAIL || (is_read && o->outcome != HISTORY_OK)) /* G4 */
            continue;
        g->op[g->op_count++] = (struct wgl_operation){.o = o, .number = operation[i], .is_read = is_read};
        for (uint32_t s = 0; s < o->step_count; s++)
            add_key(g, g->h->step[o->first_step + s].key);
    }
    qsort(g->op, g->op_count, sizeof *g->op, start_order);
    struct prng random;
    prng_seed(&random, 1);
    for (uint32_t i = 0; i < g->op_count; i++) {
        g->op[i].bits[0] = prng_next(&random);
        g->op[i].bits[1] = prng_next(&random);
        for (uint32_t j = i; g->op[i].o->outcome == HISTORY_UNKNOWN && j > 0 && !g->op[i].twin; j--) {
            if (g->op[j - 1].o->outcome == HISTORY_UNKNOWN && is_twin(g->h, g->op[i].o, g->op[j - 1].o))
                g->op[i].twin = j;
        }
    }
}

static void add_events(struct wgl *g)
{
    g->event = mem_alloc_zero((2u * g->op_count + 1) * sizeof *g->event);
    uint32_t n = 1;
    for (uint32_t i = 0; i < g->op_count; i++) {
        g->event[n++] = (struct wgl_event){.time = g->op[i].o->start, .operation = i};
        if (g->op[i].o->outcome == HISTORY_OK)
            g->event[n++] = (struct wgl_event){.time = g->op[i].o->end, .operation = i, .is_return = true};
    }
    qsort(g->event + 1, n - 1, sizeof *g->event, event_order);
    for (uint32_t e = 0; e < n; e++) {
        g->event[e].before = e ? e - 1 : n - 1;
        g->event[e].after = e + 1 < n ? e + 1 : 0;
        if (e == 0)
            continue;
        if (g->event[e].is_return) {
            g->op[g->event[e].operation].ret = e;
            g->returns_left++;
        } else {
            g->op[g->event[e].operation].call = e;
        }
    }
}

struct wgl_result wgl_check(struct history *h, const uint32_t *operation, uint32_t count, const struct wgl_limits *limits)
{
    struct wgl g = {.h = h};
    model_init(&g.model, h);
    add_operations(&g, operation, count);
    add_events(&g);
    g.state = mem_alloc_zero((g.key_count + 1u) * sizeof *g.state);
    g.frame = mem_alloc_array(g.op_count + 1u, sizeof *g.frame);
    struct wgl_result result = {.verdict = search(&g, limits)};
    result.states = g.seen_count;
    result.blocker = g.blocker;
    result.placed = g.deepest;
    model_deinit(&g.model);
    mem_free(g.op);
    mem_free(g.event);
    mem_free(g.key);
    mem_free(g.state);
    mem_free(g.frame);
    mem_free(g.undo);
    mem_free(g.seen);
    return result;
}
