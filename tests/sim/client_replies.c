#include "blocking.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"

/* What a client makes of a reply: right in its form, then told to the oracle and the history. */

static struct oracle *oracle_of(const struct sim_client *c) { return ghost_oracle(c->sim->ghost); }

static void end_operation(struct sim_client *c, uint32_t operation, enum history_outcome outcome)
{
    if (operation != NO_OPERATION)
        history_end(&c->sim->history, operation, outcome, c->sim->world.now_us);
}

static struct history_step *step_of(struct sim_client *c, uint32_t operation, uint32_t step)
{
    return &c->sim->history.step[c->sim->history.operation[operation].first_step + step];
}

static void set_result(struct sim_client *c, uint32_t operation, struct slice text)
{
    if (operation != NO_OPERATION)
        step_of(c, operation, 0)->result = text.p ? texts_intern(&c->sim->history.texts, text) : TEXT_NIL;
}

static void set_number(struct sim_client *c, uint32_t operation, int64_t number)
{
    char digits[NUMBER_TEXT_MAX];
    size_t n = number_format_i64(number, digits);
    set_result(c, operation, (struct slice){(const uint8_t *)digits, n});
}

/* The tokens of a growing string, as the elements of a list. */
static void set_tokens(struct sim_client *c, uint32_t operation, uint32_t step, struct slice text)
{
    struct history *h = &c->sim->history;
    uint32_t s = h->operation[operation].first_step + step;
    h->step[s].has_list = true;
    while (text.n > 0) {
        size_t n = 0;
        while (n < text.n && text.p[n] != '.')
            n++;
        if (n == text.n) {
            world_fail(&c->sim->world, "I11 client %u read half a token: %.*s", c->number, (int)text.n, (const char *)text.p);
            return;
        }
        history_add_to_list(h, s, texts_intern(&h->texts, (struct slice){text.p, n + 1}));
        text = slice_skip(text, n + 1);
    }
}

void client_note_read(struct sim_client *c, uint32_t operation, const char *key, struct slice text)
{
    if (operation == NO_OPERATION)
        return;
    if (key[0] == 'a' || key[0] == 'l')
        set_tokens(c, operation, 0, text);
    else
        set_result(c, operation, text);
    end_operation(c, operation, HISTORY_OK);
}

/* --- not done, unknown --- */

static void client_leave_private(struct sim_client *c, const struct pending *p)
{
    if (!p->is_private || p->private_key != c->private_key)
        return;
    c->private_key += SIM_CLIENTS + 1;
    c->private_value = 0;
}

static void client_settle(struct sim_client *c, struct pending *p, enum history_outcome outcome)
{
    end_operation(c, p->operation[0], outcome);
    end_operation(c, p->operation[1], outcome);
    client_leave_private(c, p);
    if (p->expect == EXPECT_CAS_VALUE)
        c->cas = CAS_NONE;
}

void client_settle_unknown(struct sim_client *c, struct pending *p)
{
    blocking_unknown(c, p);
    client_settle(c, p, HISTORY_UNKNOWN);
}

static void client_settle_refused(struct sim_client *c, struct pending *p)
{
    if (p->tag[0])
        oracle_write_refused(oracle_of(c), p->tag);
    if (p->tag_too[0])
        oracle_write_refused(oracle_of(c), p->tag_too);
    blocking_refused(c, p);
    client_settle(c, p, HISTORY_FAIL);
}

static bool slice_begins(struct slice s, const char *word)
{
    size_t n = strlen(word);
    return s.n >= n && memcmp(s.p, word, n) == 0;
}

/* NOT done, unknown, or nothing a correct server says here. */
static void client_on_error(struct sim_client *c, struct pending *p, struct slice text)
{
    static const char *const not_done[] = {"CLUSTERDOWN", "TRYAGAIN", "MISCONF", "OOM", "LOADING", "EXECABORT"};
    if (slice_begins(text, "UNKNOWN")) {
        world_count("answer: unknown");
        client_settle_unknown(c, p);
        return;
    }
    for (size_t i = 0; i < sizeof not_done / sizeof not_done[0]; i++) {
        if (slice_begins(text, not_done[i])) {
            world_count("answer: not done");
            client_settle_refused(c, p);
            return;
        }
    }
    world_fail(&c->sim->world, "I15 client %u got an error nobody expects: %.*s", c->number, (int)text.n, (const char *)text.p);
}

/* --- done --- */

static uint64_t value_of(struct slice text)
{
    uint64_t value = 0;
    if (!text.p)
        return 0;
    return number_parse_u64(text, &value) ? value : UINT64_MAX;
}

static void client_on_value(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    struct slice text = v->type == RESP_NULL ? (struct slice){NULL, 0} : v->text;
    struct world *w = &c->sim->world;
    if (p->is_private && p->private_key == c->private_key && !p->is_stale_read && value_of(text) != p->private_value)
        world_fail(w, "I11 client %u read %.*s on its own key after writing %llu", c->number, (int)text.n, (const char *)text.p,
                   (unsigned long long)p->private_value);
    oracle_read_done(oracle_of(c), p->key, text, p->mark, p->is_stale_read);
    client_note_read(c, p->operation[0], p->key, text);
    if (p->expect != EXPECT_CAS_VALUE)
        return;
    c->cas = CAS_READY;
    snprintf(c->cas_old, sizeof c->cas_old, "%.*s", (int)text.n, text.p ? (const char *)text.p : "");
}

/* To the oracle a list is its tokens, one behind the other; a string of them is that already. */
static struct slice tokens_of(const struct resp_value *v, struct buf *joined)
{
    for (size_t i = 0; v->type == RESP_ARRAY && i < v->child_count; i++)
        buf_append_slice(joined, v->child[i].text);
    if (v->type == RESP_BULK)
        return v->text;
    return v->type == RESP_ARRAY && v->child_count ? buf_slice(joined) : (struct slice){NULL, 0};
}

static void client_on_list(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    struct buf joined = {0};
    struct slice text = tokens_of(v, &joined);
    oracle_read_done(oracle_of(c), p->key, text, p->mark, p->is_stale_read);
    client_note_read(c, p->operation[0], p->key, text);
    buf_deinit(&joined);
}

static void client_on_taken(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    struct slice text = v->type == RESP_NULL ? (struct slice){NULL, 0} : v->text;
    char tag[KEY_BYTES + 8];
    if (text.p) {
        snprintf(tag, sizeof tag, "del %.*s", (int)(text.n < KEY_BYTES ? text.n : KEY_BYTES), (const char *)text.p);
        oracle_write_done(oracle_of(c), tag, 0, p->mark);
    } else {
        oracle_read_done(oracle_of(c), p->key, text, p->mark, false);
    }
    client_note_read(c, p->operation[0], p->key, text);
}

static void client_on_increment(struct sim_client *c, struct pending *p, uint32_t operation, int64_t value)
{
    char tag[KEY_BYTES + 24];
    snprintf(tag, sizeof tag, "%s=%lld", p->key, (long long)value);
    oracle_write_done(oracle_of(c), tag, value, p->mark);
    set_number(c, operation, value);
    end_operation(c, operation, HISTORY_OK);
}

static void client_on_number(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    if (p->expect == EXPECT_INTEGER) {
        client_on_increment(c, p, p->operation[0], v->integer);
        return;
    }
    if (p->tag[0] && step_of(c, p->operation[0], 0)->f == HISTORY_SETNX)
        oracle_setnx_done(oracle_of(c), p->tag, p->key, v->integer, p->mark);
    else if (p->tag[0])
        oracle_write_done(oracle_of(c), p->tag, v->integer, p->mark);
    if (p->operation[0] != NO_OPERATION && step_of(c, p->operation[0], 0)->f != HISTORY_RPUSH)
        set_number(c, p->operation[0], v->integer);
    end_operation(c, p->operation[0], HISTORY_OK);
}

/* --- EXEC --- */

static void client_on_pair(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    raft_index index = oracle_write_done(oracle_of(c), p->tag, 0, p->mark);
    end_operation(c, p->operation[0], HISTORY_OK);
    client_on_increment(c, p, p->operation[1], v->child[1].integer);
    if (index != oracle_write_done(oracle_of(c), p->tag, 0, p->mark))
        world_fail(&c->sim->world, "I12 a transaction took effect in two places");
}

static void client_on_appends(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    const struct resp_value *read = &v->child[2];
    raft_index one = oracle_write_done(oracle_of(c), p->tag, v->child[0].integer, p->mark);
    raft_index two = oracle_write_done(oracle_of(c), p->tag_too, v->child[1].integer, p->mark);
    struct buf joined = {0};
    struct slice text = tokens_of(read, &joined);
    if (read->type == RESP_ARRAY)
        world_count("transaction on lists done");
    if (one != two)
        world_fail(&c->sim->world, "I12 a transaction took effect at entries %llu and %llu", (unsigned long long)one, (unsigned long long)two);
    oracle_read_inside(oracle_of(c), p->key, text, one);
    set_tokens(c, p->operation[0], 2, text);
    end_operation(c, p->operation[0], HISTORY_OK);
    buf_deinit(&joined);
}

static void client_on_exec(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    struct world *w = &c->sim->world;
    size_t wanted = p->expect == EXPECT_EXEC_PAIR ? 2 : p->expect == EXPECT_EXEC_APPENDS ? 3 : 1;
    if (v->type == RESP_NULL) { /* WATCH saw a change: nothing was done */
        world_count("transaction refused by WATCH");
        oracle_write_done(oracle_of(c), p->tag, -1, p->mark);
        client_settle(c, p, HISTORY_FAIL);
        return;
    }
    if (v->type != RESP_ARRAY || v->child_count != wanted) {
        world_fail(w, "I15 client %u: EXEC was answered with type %d of %zu", c->number, (int)v->type, v->child_count);
        return;
    }
    world_count("transaction done");
    if (p->expect == EXPECT_EXEC_PAIR) {
        client_on_pair(c, p, v);
    } else if (p->expect == EXPECT_EXEC_APPENDS) {
        client_on_appends(c, p, v);
    } else {
        world_count("compare and set by WATCH done");
        oracle_write_done(oracle_of(c), p->tag, 0, p->mark);
        set_number(c, p->operation[0], 1);
        end_operation(c, p->operation[0], HISTORY_OK);
    }
}

/* --- any --- */

static bool reply_fits(enum expect expect, const struct resp_value *v)
{
    switch (expect) {
    case EXPECT_ANY: return true;
    case EXPECT_OK:
    case EXPECT_QUEUED: return v->type == RESP_SIMPLE;
    case EXPECT_VALUE:
    case EXPECT_TAKEN:
    case EXPECT_CAS_VALUE: return v->type == RESP_BULK || v->type == RESP_NULL;
    case EXPECT_INTEGER:
    case EXPECT_PUSHED:
    case EXPECT_NUMBER: return v->type == RESP_INTEGER;
    case EXPECT_POPPED: return v->type == RESP_ARRAY || v->type == RESP_NULL;
    case EXPECT_LIST: return v->type == RESP_ARRAY;
    case EXPECT_EXEC_PAIR:
    case EXPECT_EXEC_APPENDS:
    case EXPECT_EXEC_CAS: return v->type == RESP_ARRAY || v->type == RESP_NULL;
    }
    return false;
}

void client_on_reply(struct sim_client *c, const struct resp_value *v)
{
    struct world *w = &c->sim->world;
    if (c->count == 0) {
        world_fail(w, "I15 client %u got a reply to nothing", c->number);
        return;
    }
    struct pending *p = &c->pending[c->first];
    c->first = (c->first + 1) % PENDING_MAX;
    c->count--;
    if (p->expect == EXPECT_ANY)
        return;
    if (v->type == RESP_ERROR) {
        client_on_error(c, p, v->text);
        return;
    }
    if (!reply_fits(p->expect, v)) {
        world_fail(w, "I15 client %u: type %d where another was due (%d)", c->number, (int)v->type, (int)p->expect);
        return;
    }
    switch (p->expect) {
    case EXPECT_ANY:
    case EXPECT_QUEUED:
        break;
    case EXPECT_OK:
        if (p->tag[0])
            oracle_write_done(oracle_of(c), p->tag, 0, p->mark);
        end_operation(c, p->operation[0], HISTORY_OK);
        break;
    case EXPECT_VALUE:
    case EXPECT_CAS_VALUE: client_on_value(c, p, v); break;
    case EXPECT_LIST: client_on_list(c, p, v); break;
    case EXPECT_TAKEN: client_on_taken(c, p, v); break;
    case EXPECT_INTEGER:
    case EXPECT_NUMBER: client_on_number(c, p, v); break;
    case EXPECT_EXEC_PAIR:
    case EXPECT_EXEC_APPENDS:
    case EXPECT_EXEC_CAS: client_on_exec(c, p, v); break;
    case EXPECT_PUSHED: blocking_pushed(c, p); break;
    case EXPECT_POPPED: blocking_popped(c, v); break;
    }
}
