#include "check/model.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/number.h"

void model_init(struct model *m, struct history *h)
{
    memset(m, 0, sizeof *m);
    m->history = h;
}

void model_deinit(struct model *m)
{
    mem_free(m->chain);
    mem_free(m->slot);
    mem_free(m->scratch);
}

/* --- chains --- */

static uint32_t chain_hash(uint32_t before, text_id last)
{
    uint64_t h = ((uint64_t)before << 32 | last) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(h >> 32);
}

static void chain_grow(struct model *m)
{
    mem_free(m->slot);
    m->slot_count = m->slot_count ? 2 * m->slot_count : 1024;
    m->slot = mem_alloc_zero(m->slot_count * sizeof *m->slot);
    for (uint32_t id = 1; id <= m->chain_count; id++) {
        uint32_t i = chain_hash(m->chain[id - 1].before, m->chain[id - 1].last) & (m->slot_count - 1);
        while (m->slot[i])
            i = (i + 1) & (m->slot_count - 1);
        m->slot[i] = id;
    }
}

static uint32_t chain_length(const struct model *m, uint32_t id) { return id ? m->chain[id - 1].length : 0; }

static uint32_t chain_add(struct model *m, uint32_t before, text_id last)
{
    if (2 * m->chain_count >= m->slot_count)
        chain_grow(m);
    uint32_t i = chain_hash(before, last) & (m->slot_count - 1);
    for (; m->slot[i]; i = (i + 1) & (m->slot_count - 1)) {
        const struct model_chain *c = &m->chain[m->slot[i] - 1];
        if (c->before == before && c->last == last)
            return m->slot[i];
    }
    if (m->chain_count == m->chain_capacity) {
        m->chain_capacity = m->chain_capacity ? 2 * m->chain_capacity : 256;
        m->chain = mem_realloc_array(m->chain, m->chain_capacity, sizeof *m->chain);
    }
    m->chain[m->chain_count++] = (struct model_chain){before, last, chain_length(m, before) + 1};
    return m->slot[i] = m->chain_count;
}

/* The elements, first to last, in m->scratch; there is room for one more. */
static uint32_t chain_unfold(struct model *m, uint32_t id)
{
    uint32_t n = chain_length(m, id);
    if (n + 1 > m->scratch_capacity) {
        m->scratch_capacity = 2 * n + 64;
        m->scratch = mem_realloc_array(m->scratch, m->scratch_capacity, sizeof *m->scratch);
    }
    for (uint32_t i = n; i > 0; i--, id = m->chain[id - 1].before)
        m->scratch[i - 1] = m->chain[id - 1].last;
    return n;
}

static uint32_t chain_fold(struct model *m, const text_id *element, uint32_t n)
{
    uint32_t id = 0;
    for (uint32_t i = 0; i < n; i++)
        id = chain_add(m, id, element[i]);
    return id;
}

/* --- functions --- */

static bool is_number(struct model *m, const struct history_step *s, int64_t number)
{
    return s->result == HISTORY_ANY || s->result == texts_intern_number(&m->history->texts, number);
}

static bool is_text(const struct history_step *s, text_id id) { return s->result == HISTORY_ANY || s->result == id; }

static void set_string(struct model_state *state, text_id text) { *state = (struct model_state){MODEL_STRING, text}; }

/* An empty list or set is no key. */
static void set_chain(struct model_state *state, enum model_kind kind, uint32_t chain)
{
    *state = (struct model_state){chain ? kind : MODEL_ABSENT, chain};
}

static bool model_incr(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked)
{
    struct texts *t = &m->history->texts;
    int64_t value = 0;
    int64_t by;
    int64_t sum;
    if ((state->kind == MODEL_STRING && !texts_number(t, state->id, &value)) || !texts_number(t, s->value, &by) ||
        !number_add_i64(value, by, &sum))
        return !is_checked;
    if (is_checked && !is_number(m, s, sum))
        return false;
    set_string(state, texts_intern_number(t, sum));
    return true;
}

static bool model_append(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked)
{
    struct texts *t = &m->history->texts;
    struct buf joined = {0};
    if (state->kind == MODEL_STRING)
        buf_append_slice(&joined, texts_get(t, state->id));
    buf_append_slice(&joined, texts_get(t, s->value));
    bool fits = !is_checked || is_number(m, s, (int64_t)buf_size(&joined));
    if (fits)
        set_string(state, texts_intern(t, buf_slice(&joined)));
    buf_deinit(&joined);
    return fits;
}

static bool model_string(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked)
{
    text_id old = state->kind == MODEL_STRING ? state->id : TEXT_NIL;
    switch ((int)s->f) {
    case HISTORY_GET: return !is_checked || is_text(s, old);
    case HISTORY_STRLEN: return !is_checked || is_number(m, s, (int64_t)texts_get(&m->history->texts, old).n);
    case HISTORY_INCR: return model_incr(m, state, s, is_checked);
    case HISTORY_APPEND: return model_append(m, state, s, is_checked);
    case HISTORY_GETSET:
        if (is_checked && !is_text(s, old))
            return false;
        set_string(state, s->value);
        return true;
    case HISTORY_GETDEL:
        if (is_checked && !is_text(s, old))
            return false;
        *state = (struct model_state){MODEL_ABSENT, 0};
        return true;
    case HISTORY_CAS:
        if (is_checked && !is_number(m, s, old == s->expected))
            return false;
        if (old == s->expected)
            set_string(state, s->value);
        return true;
    default: UNREACHABLE();
    }
}

static bool model_push(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked)
{
    uint32_t n = chain_length(m, state->id);
    if (is_checked && !is_number(m, s, (int64_t)n + 1))
        return false;
    if (s->f == HISTORY_RPUSH) {
        set_chain(state, MODEL_LIST, chain_add(m, state->id, s->value));
        return true;
    }
    n = chain_unfold(m, state->id);
    memmove(m->scratch + 1, m->scratch, n * sizeof *m->scratch);
    m->scratch[0] = s->value;
    set_chain(state, MODEL_LIST, chain_fold(m, m->scratch, n + 1));
    return true;
}

static bool model_pop(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked)
{
    uint32_t n = chain_unfold(m, state->id);
    text_id got = n == 0 ? TEXT_NIL : s->f == HISTORY_RPOP ? m->scratch[n - 1] : m->scratch[0];
    if (is_checked && !is_text(s, got))
        return false;
    if (n > 0)
        set_chain(state, MODEL_LIST, chain_fold(m, m->scratch + (s->f == HISTORY_LPOP), n - 1));
    return true;
}

static bool model_lrange(struct model *m, const struct model_state *state, const struct history_step *s)
{
    if (!s->has_list)
        return true;
    if (chain_length(m, state->id) != s->list_count)
        return false;
    uint32_t id = state->id;
    for (uint32_t i = s->list_count; i > 0; i--, id = m->chain[id - 1].before) {
        if (m->chain[id - 1].last != m->history->list[s->list + i - 1])
            return false;
    }
    return true;
}

static bool model_list(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked)
{
    switch ((int)s->f) {
    case HISTORY_RPUSH:
    case HISTORY_LPUSH: return model_push(m, state, s, is_checked);
    case HISTORY_RPOP:
    case HISTORY_LPOP: return model_pop(m, state, s, is_checked);
    case HISTORY_LLEN: return !is_checked || is_number(m, s, chain_length(m, state->id));
    case HISTORY_LRANGE: return !is_checked || model_lrange(m, state, s);
    default: UNREACHABLE();
    }
}

/* Sets are chains in ascending order of text. Returns where it is or would be. */
static uint32_t set_find(const text_id *element, uint32_t n, text_id wanted)
{
    uint32_t i = 0;
    while (i < n && element[i] < wanted)
        i++;
    return i;
}

/* SPOP of nothing noted takes no member: which one it took must be known, or the history has many futures. */
static bool model_spop(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked, uint32_t n)
{
    uint32_t at = set_find(m->scratch, n, s->result);
    bool is_member = s->result != HISTORY_ANY && at < n && m->scratch[at] == s->result;
    if (!is_member)
        return !is_checked || (n == 0 && s->result == TEXT_NIL);
    memmove(m->scratch + at, m->scratch + at + 1, (n - at - 1) * sizeof *m->scratch);
    set_chain(state, MODEL_SET, chain_fold(m, m->scratch, n - 1));
    return true;
}

static bool model_smembers(struct model *m, const struct history_step *s, uint32_t n)
{
    if (!s->has_list)
        return true;
    if (s->list_count != n)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        text_id e = m->history->list[s->list + i];
        uint32_t at = set_find(m->scratch, n, e);
        if (at == n || m->scratch[at] != e)
            return false;
    }
    return true;
}

static bool model_set(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked)
{
    uint32_t n = chain_unfold(m, state->id);
    uint32_t at = set_find(m->scratch, n, s->value);
    bool is_member = at < n && m->scratch[at] == s->value;
    switch ((int)s->f) {
    case HISTORY_SCARD: return !is_checked || is_number(m, s, n);
    case HISTORY_SISMEMBER: return !is_checked || is_number(m, s, is_member);
    case HISTORY_SMEMBERS: return !is_checked || model_smembers(m, s, n);
    case HISTORY_SPOP: return model_spop(m, state, s, is_checked, n);
    case HISTORY_SADD:
        if (is_checked && !is_number(m, s, !is_member))
            return false;
        if (is_member)
            return true;
        memmove(m->scratch + at + 1, m->scratch + at, (n - at) * sizeof *m->scratch);
        m->scratch[at] = s->value;
        set_chain(state, MODEL_SET, chain_fold(m, m->scratch, n + 1));
        return true;
    case HISTORY_SREM:
        if (is_checked && !is_number(m, s, is_member))
            return false;
        if (!is_member)
            return true;
        memmove(m->scratch + at, m->scratch + at + 1, (n - at - 1) * sizeof *m->scratch);
        set_chain(state, MODEL_SET, chain_fold(m, m->scratch, n - 1));
        return true;
    default: UNREACHABLE();
    }
}

bool model_apply(struct model *m, struct model_state *state, const struct history_step *s, bool is_checked)
{
    bool is_absent = state->kind == MODEL_ABSENT;
    switch (s->f) {
    case HISTORY_SET:
        set_string(state, s->value);
        return true;
    case HISTORY_SETNX:
        if (is_checked && !is_number(m, s, is_absent))
            return false;
        if (is_absent)
            set_string(state, s->value);
        return true;
    case HISTORY_EXISTS: return !is_checked || is_number(m, s, !is_absent);
    case HISTORY_DEL:
        if (is_checked && !is_number(m, s, !is_absent))
            return false;
        *state = (struct model_state){MODEL_ABSENT, 0};
        return true;
    case HISTORY_GET:
    case HISTORY_STRLEN:
    case HISTORY_INCR:
    case HISTORY_APPEND:
    case HISTORY_GETSET:
    case HISTORY_GETDEL:
    case HISTORY_CAS: return is_absent || state->kind == MODEL_STRING ? model_string(m, state, s, is_checked) : !is_checked;
    case HISTORY_RPUSH:
    case HISTORY_LPUSH:
    case HISTORY_RPOP:
    case HISTORY_LPOP:
    case HISTORY_LLEN:
    case HISTORY_LRANGE: return is_absent || state->kind == MODEL_LIST ? model_list(m, state, s, is_checked) : !is_checked;
    case HISTORY_SADD:
    case HISTORY_SREM:
    case HISTORY_SPOP:
    case HISTORY_SCARD:
    case HISTORY_SISMEMBER:
    case HISTORY_SMEMBERS: return is_absent || state->kind == MODEL_SET ? model_set(m, state, s, is_checked) : !is_checked;
    case HISTORY_FUNCTION_COUNT: break;
    }
    UNREACHABLE();
}
