#include "tests/check/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "check/model.h"

/* --- text --- */

static text_id intern(struct history *h, const char *word, size_t n)
{
    if (n == 3 && memcmp(word, "nil", 3) == 0)
        return TEXT_NIL;
    return texts_intern(&h->texts, (struct slice){(const uint8_t *)word, n});
}

static enum history_function function(const char *word)
{
    for (int i = 0; i < HISTORY_FUNCTION_COUNT; i++) {
        if (strcmp(word, history_function_word((enum history_function)i)) == 0)
            return (enum history_function)i;
    }
    UNREACHABLE();
}

static void build_result(struct history *h, uint32_t step, const char *word)
{
    if (*word != '[') {
        h->step[step].result = intern(h, word, strlen(word));
        return;
    }
    h->step[step].has_list = true;
    for (const char *at = word + 1; *at && *at != ']';) {
        size_t n = strcspn(at, ",]");
        history_add_to_list(h, step, intern(h, at, n));
        at += n + (at[n] == ',');
    }
}

static void build_step(struct history *h, char *text)
{
    char *save;
    char *f = strtok_r(text, " ", &save);
    char *key = strtok_r(NULL, " ", &save);
    history_add_step(h, function(f), intern(h, key, strlen(key)), strcmp(f, "incr") == 0 ? texts_intern_number(&h->texts, 1) : TEXT_NIL);
    uint32_t step = h->step_count - 1;
    int words = 0;
    for (char *word; (word = strtok_r(NULL, " ", &save)) != NULL;) {
        if (*word == '=')
            build_result(h, step, word + 1);
        else if (words++ == 0)
            h->step[step].value = intern(h, word, strlen(word));
        else
            h->step[step].expected = intern(h, word, strlen(word));
    }
}

static void build_line(struct history *h, char *line)
{
    char client[16];
    char end[24];
    char outcome[16];
    unsigned long long start;
    int used = 0;
    int got = sscanf(line, "%15s %llu %23s %15s %n", client, &start, end, outcome, &used);
    ASSERT(got == 4);
    uint32_t o = history_begin(h, intern(h, client, strlen(client)), start);
    char *save;
    for (char *step = strtok_r(line + used, ";", &save); step; step = strtok_r(NULL, ";", &save))
        build_step(h, step);
    history_end(h, o, strcmp(outcome, "ok") == 0 ? HISTORY_OK : strcmp(outcome, "fail") == 0 ? HISTORY_FAIL : HISTORY_UNKNOWN,
                *end == '-' ? HISTORY_NEVER : strtoull(end, NULL, 10));
}

void build(struct history *h, const char *text)
{
    char *copy = mem_copy_string(text, strlen(text));
    char *save;
    memset(h, 0, sizeof *h);
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        build_line(h, line);
    mem_free(copy);
}

enum verdict verdict_of(struct history *h, uint64_t states, struct check_report *report)
{
    struct check_report own;
    struct wgl_limits limits = {states};
    report = report ? report : &own;
    check_history(h, &limits, report);
    return report->is_violated ? BAD : report->inconclusive ? UNDECIDED : GOOD;
}

/* --- all orders --- */

struct brute {
    struct history *h;
    struct model model;
    bool placed[64];
    text_id key[64];
    struct model_state state[64];
    uint32_t key_count;
};

static bool brute_step(struct brute *b, const struct history_operation *o)
{
    for (uint32_t s = o->first_step; s < o->first_step + o->step_count; s++) {
        uint32_t k = 0;
        while (k < b->key_count && b->key[k] != b->h->step[s].key)
            k++;
        if (k == b->key_count)
            b->key[b->key_count++] = b->h->step[s].key;
        if (!model_apply(&b->model, &b->state[k], &b->h->step[s], o->outcome == HISTORY_OK))
            return false;
    }
    return true;
}

static bool brute_search(struct brute *b)
{
    bool is_done = true;
    uint64_t first_end = HISTORY_NEVER;
    for (uint32_t i = 0; i < b->h->operation_count; i++) {
        const struct history_operation *o = &b->h->operation[i];
        if (b->placed[i] || o->outcome != HISTORY_OK)
            continue;
        is_done = false;
        first_end = o->end < first_end ? o->end : first_end;
    }
    if (is_done)
        return true;
    for (uint32_t i = 0; i < b->h->operation_count; i++) {
        const struct history_operation *o = &b->h->operation[i];
        if (b->placed[i] || o->outcome == HISTORY_FAIL || o->start > first_end)
            continue;
        struct model_state before[64];
        memcpy(before, b->state, sizeof before);
        b->placed[i] = true;
        if (brute_step(b, o) && brute_search(b))
            return true;
        b->placed[i] = false;
        memcpy(b->state, before, sizeof before);
    }
    return false;
}

bool brute_force(struct history *h)
{
    struct brute b = {.h = h};
    model_init(&b.model, h);
    bool has_order = brute_search(&b);
    model_deinit(&b.model);
    return has_order;
}

/* --- random --- */

struct at_work {
    uint32_t operation;
    uint64_t point; /* when it takes effect */
    uint64_t end;
    bool is_busy;
    bool is_applied;
};

struct generator {
    struct history *h;
    struct prng *p;
    const struct random_history *r;
    struct model model;
    struct model_state state[16];
    struct at_work client[32];
    uint32_t counter;
};

static text_id fresh_value(struct generator *g)
{
    return texts_intern_number(&g->h->texts, g->r->has_unique_values ? (int64_t)++g->counter : (int64_t)prng_below(g->p, 3));
}

static void random_step(struct generator *g, uint32_t key)
{
    static const enum history_function of[4][6] = {
        {HISTORY_SET, HISTORY_GET, HISTORY_SET, HISTORY_GET, HISTORY_GET, HISTORY_SET},
        {HISTORY_INCR, HISTORY_GET, HISTORY_INCR, HISTORY_INCR, HISTORY_GET, HISTORY_INCR},
        {HISTORY_RPUSH, HISTORY_LRANGE, HISTORY_RPUSH, HISTORY_LRANGE, HISTORY_LRANGE, HISTORY_RPUSH},
        {HISTORY_SADD, HISTORY_SREM, HISTORY_SMEMBERS, HISTORY_SPOP, HISTORY_SCARD, HISTORY_SISMEMBER},
    };
    char name[8];
    size_t n = (size_t)snprintf(name, sizeof name, "k%u", key);
    enum history_function f = of[g->r->kind][prng_below(g->p, 6)];
    text_id value = f == HISTORY_INCR ? texts_intern_number(&g->h->texts, 1) : f == HISTORY_GET || f == HISTORY_LRANGE ? TEXT_NIL : fresh_value(g);
    history_add_step(g->h, f, intern(g->h, name, n), value);
}

/* What the copy answers: the model tells whether a result fits, so ask it with the candidates. */
static text_id true_result(struct generator *g, const struct history_step *s, const struct model_state *state)
{
    struct history_step guess = *s;
    int64_t number = 0;
    if (s->f == HISTORY_GET)
        return state->kind == MODEL_STRING ? state->id : TEXT_NIL;
    if (s->f == HISTORY_INCR)
        return texts_number(&g->h->texts, state->id, &number), texts_intern_number(&g->h->texts, number + 1);
    if (s->f == HISTORY_RPUSH)
        return texts_intern_number(&g->h->texts, state->id ? g->model.chain[state->id - 1].length + 1 : 1);
    for (int64_t i = -1; i < (int64_t)g->counter + 64; i++) {
        struct model_state copy = *state;
        guess.result = i < 0 ? TEXT_NIL : texts_intern_number(&g->h->texts, i);
        if (model_apply(&g->model, &copy, &guess, true))
            return guess.result;
    }
    UNREACHABLE();
}

static void take_effect(struct generator *g, uint32_t operation)
{
    struct history_operation *o = &g->h->operation[operation];
    for (uint32_t s = o->first_step; s < o->first_step + o->step_count; s++) {
        struct history_step *step = &g->h->step[s];
        uint32_t key = (uint32_t)(texts_get(&g->h->texts, step->key).p[1] - '0');
        struct model_state *state = &g->state[key];
        if (step->f == HISTORY_LRANGE || step->f == HISTORY_SMEMBERS) {
            static text_id element[100000];
            uint32_t n = 0;
            for (uint32_t id = state->id; id; id = g->model.chain[id - 1].before)
                element[n++] = g->model.chain[id - 1].last;
            step->has_list = true;
            while (n > 0)
                history_add_to_list(g->h, s, element[--n]);
        } else if (step->f != HISTORY_SET) {
            text_id result = true_result(g, &g->h->step[s], state);
            g->h->step[s].result = result;
        }
        bool fits = model_apply(&g->model, state, &g->h->step[s], true);
        ASSERT(fits);
    }
}

static void damage(struct generator *g, uint32_t operation)
{
    struct history_operation *o = &g->h->operation[operation];
    struct history_step *s = &g->h->step[o->first_step];
    if (s->has_list && s->list_count > 0) {
        s->list_count--;
        s->has_list = true;
    } else if (!s->has_list && s->result != HISTORY_ANY) {
        s->result = texts_intern_number(&g->h->texts, (int64_t)prng_below(g->p, g->counter + 3u));
    }
}

static void begin_one(struct generator *g, uint32_t client, uint64_t now)
{
    char name[8];
    size_t n = (size_t)snprintf(name, sizeof name, "c%u", client);
    uint32_t o = history_begin(g->h, intern(g->h, name, n), now);
    uint32_t steps = g->r->has_transactions ? 1 + (uint32_t)prng_below(g->p, 3) : 1;
    for (uint32_t s = 0; s < steps; s++)
        random_step(g, (uint32_t)prng_below(g->p, g->r->keys));
    uint64_t length = 1 + prng_below(g->p, 20);
    g->client[client] = (struct at_work){o, now + prng_below(g->p, length + 1), now + length, true, false};
}

void random_history(struct history *h, struct prng *p, const struct random_history *r)
{
    static struct generator g;
    memset(h, 0, sizeof *h);
    memset(&g, 0, sizeof g);
    g.h = h;
    g.p = p;
    g.r = r;
    model_init(&g.model, h);
    uint32_t busy = 0;
    for (uint64_t now = 1; busy > 0 || h->operation_count < r->operations; now++) {
        for (uint32_t c = 0; c < r->clients; c++) {
            struct at_work *w = &g.client[c];
            if (!w->is_busy && h->operation_count < r->operations && prng_below(p, 3) == 0) {
                begin_one(&g, c, now);
                busy++;
            }
            if (w->is_busy && !w->is_applied && now >= w->point) {
                take_effect(&g, w->operation);
                w->is_applied = true;
            }
            if (w->is_busy && now >= w->end) {
                bool is_unknown = prng_chance(p, r->unknown);
                if (prng_chance(p, r->damage))
                    damage(&g, w->operation);
                history_end(h, w->operation, is_unknown ? HISTORY_UNKNOWN : HISTORY_OK, now);
                w->is_busy = false;
                busy--;
            }
        }
    }
    model_deinit(&g.model);
}
