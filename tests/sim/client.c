#include "sim.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "resp/resp_value.h"

/* Simulated clients: they speak RESP through the server's own client state machine, remember what they asked for, and tell the
 * history what they were told. They time out, reconnect elsewhere, pipeline, watch and run transactions.
 *
 * Keys: r<k> registers with unique values, c<k> counters, p<n> registers that only one client writes (program order is
 * checked on them exactly), e<k> registers whose values expire. */

#define KEY_COUNTER 1000
#define KEY_PRIVATE 100000
#define KEY_EXPIRING HISTORY_KEY_EXPIRING
#define PENDING_MAX 64
#define NO_OPERATION SIZE_MAX

enum expect { EXPECT_ANY, EXPECT_OK, EXPECT_QUEUED, EXPECT_VALUE, EXPECT_INTEGER, EXPECT_EXEC };

struct pending {
    enum expect expect;
    size_t operation[2];    /* in the history; EXEC: the write and the increment */
    bool is_stale_read;     /* only "was written once" is promised */
    bool is_private;
    uint64_t private_value; /* reads of the own key: what must come */
    uint32_t private_key;   /* the own key it is about; void once the client has moved to another */
};

struct sim_client {
    struct sim *sim;
    uint32_t number;
    struct client *connection; /* NULL: not connected */
    uint32_t slot;
    uint64_t life;             /* of this connection; voids timers */
    struct buf input;          /* replies not parsed yet */
    struct resp_value_reader reader;
    struct pending pending[PENDING_MAX]; /* ring */
    uint32_t first;
    uint32_t count;
    bool is_stale;
    bool is_manual; /* a scenario's: replies stay in `input` */
    /* The own key and what it holds. After a write that was not answered "done" nobody knows for how long it may
     * still take effect: then the client takes a new key. */
    uint32_t private_key;
    uint64_t private_value;
};

static void client_step(struct world *w, void *ctx, uint64_t life, uint64_t b);

static void client_schedule(struct sim_client *c, uint64_t delay)
{
    world_at(&c->sim->world, delay, client_step, c, c->life, 0);
}

static void client_settle(struct sim_client *c, struct pending *p, enum operation_outcome outcome, uint64_t value)
{
    for (int i = 0; i < 2; i++) {
        if (p->operation[i] != NO_OPERATION)
            history_return(c->sim->history, p->operation[i], outcome, value, c->sim->world.now_us);
    }
    if (p->is_private && outcome != OUTCOME_OK && p->private_key == c->private_key) {
        c->private_key += SIM_CLIENTS + 1;
        c->private_value = 0;
    }
}

/* The connection is gone: what was asked and not answered has an unknown outcome. */
static void client_drop(struct sim_client *c, uint64_t again_us)
{
    for (; c->count > 0; c->count--, c->first = (c->first + 1) % PENDING_MAX)
        client_settle(c, &c->pending[c->first], OUTCOME_UNKNOWN, 0);
    c->connection = NULL;
    buf_clear(&c->input, 0);
    memset(&c->reader, 0, sizeof c->reader);
    c->life++;
    client_schedule(c, again_us);
}

/* --- replies --- */

static uint64_t client_parse_value(struct slice text)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return UINT64_MAX;
        value = value * 10 + (uint64_t)(text.p[i] - '0');
    }
    return value;
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
        client_settle(c, p, OUTCOME_UNKNOWN, 0);
        return;
    }
    for (size_t i = 0; i < sizeof not_done / sizeof not_done[0]; i++) {
        if (slice_begins(text, not_done[i])) {
            world_count("answer: not done");
            client_settle(c, p, OUTCOME_NOT_DONE, 0);
            return;
        }
    }
    world_fail(&c->sim->world, "I15 client %u got an error nobody expects: %.*s", c->number, (int)text.n,
               (const char *)text.p);
}

static void client_on_value(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    struct world *w = &c->sim->world;
    if (v->type != RESP_BULK && v->type != RESP_NULL) {
        world_fail(w, "I15 client %u: a read was answered with type %d", c->number, (int)v->type);
        return;
    }
    uint64_t value = v->type == RESP_NULL ? 0 : client_parse_value(v->text);
    if (p->is_private && p->private_key == c->private_key && !p->is_stale_read && value != p->private_value)
        world_fail(w, "I11 client %u read %llu on its own key after writing %llu", c->number,
                   (unsigned long long)value, (unsigned long long)p->private_value);
    client_settle(c, p, OUTCOME_OK, value);
}

static void client_on_exec(struct sim_client *c, struct pending *p, const struct resp_value *v)
{
    struct world *w = &c->sim->world;
    if (v->type == RESP_NULL) { /* WATCH saw a change: nothing was done */
        world_count("transaction refused by WATCH");
        client_settle(c, p, OUTCOME_NOT_DONE, 0);
        return;
    }
    if (v->type != RESP_ARRAY || v->child_count != 2 || v->child[1].type != RESP_INTEGER) {
        world_fail(w, "I15 client %u: EXEC was answered with type %d of %zu", c->number, (int)v->type, v->child_count);
        return;
    }
    world_count("transaction done");
    history_return(c->sim->history, p->operation[0], OUTCOME_OK, 0, w->now_us);
    history_return(c->sim->history, p->operation[1], OUTCOME_OK, (uint64_t)v->child[1].integer, w->now_us);
}

static void client_on_reply(struct sim_client *c, const struct resp_value *v)
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
    switch (p->expect) {
    case EXPECT_ANY:
        break;
    case EXPECT_OK:
    case EXPECT_QUEUED:
        if (v->type != RESP_SIMPLE)
            world_fail(w, "I15 client %u: type %d where a simple string was due", c->number, (int)v->type);
        else
            client_settle(c, p, OUTCOME_OK, 0);
        break;
    case EXPECT_VALUE:
        client_on_value(c, p, v);
        break;
    case EXPECT_INTEGER:
        if (v->type != RESP_INTEGER)
            world_fail(w, "I15 client %u: type %d where an integer was due", c->number, (int)v->type);
        else
            client_settle(c, p, OUTCOME_OK, (uint64_t)v->integer);
        break;
    case EXPECT_EXEC:
        client_on_exec(c, p, v);
        break;
    }
}

static void client_parse(struct sim_client *c)
{
    struct resp_value *v;
    size_t consumed;
    for (;;) {
        enum parse_result result = resp_value_next(&c->reader, buf_slice(&c->input), &v, &consumed);
        if (result == PARSE_NEED_MORE)
            return;
        if (result != PARSE_OK) {
            world_fail(&c->sim->world, "I15 client %u got bytes that are no RESP", c->number);
            return;
        }
        client_on_reply(c, v);
        resp_value_free(v);
        buf_consume(&c->input, consumed);
        memset(&c->reader, 0, sizeof c->reader);
    }
}

void sim_clients_collect(struct sim_host *h)
{
    struct client *connection;
    while ((connection = node_next_dirty_client(h->node)) != NULL) {
        struct sim_client *c = client_owner(connection);
        struct slice out;
        while ((out = client_output(connection)).n > 0) {
            buf_append_slice(&c->input, out);
            client_output_sent(connection, out.n);
        }
        enum client_state state = client_process(connection);
        if (c->is_manual)
            continue;
        client_parse(c);
        if (state == CLIENT_CLOSE || state == CLIENT_CLOSE_NOW) {
            client_close(connection);
            client_drop(c, 10000);
        }
    }
}

/* --- commands --- */

static struct pending *client_expect(struct sim_client *c, enum expect expect)
{
    struct pending *p = &c->pending[(c->first + c->count++) % PENDING_MAX];
    *p = (struct pending){.expect = expect, .operation = {NO_OPERATION, NO_OPERATION}};
    return p;
}

static void client_say(struct sim_client *c, const char *text)
{
    size_t n = strlen(text);
    size_t room;
    uint8_t *at = client_input_reserve(c->connection, n, &room);
    memcpy(at, text, n);
    client_input_commit(c->connection, n);
}

static size_t client_invoke(struct sim_client *c, uint32_t key, enum operation_kind kind, uint64_t value)
{
    return history_invoke(c->sim->history, c->number, key, kind, value, c->sim->world.now_us);
}

static void client_send_set(struct sim_client *c, char prefix, uint32_t key, uint32_t history_key, const char *options)
{
    char text[128];
    uint64_t value = ++c->sim->value_counter;
    snprintf(text, sizeof text, "SET %c%u %llu%s\r\n", prefix, key, (unsigned long long)value, options);
    struct pending *p = client_expect(c, EXPECT_OK);
    p->operation[0] = client_invoke(c, history_key, OPERATION_WRITE, value);
    if (prefix == 'p') {
        p->is_private = true;
        p->private_key = c->private_key;
        c->private_value = value;
    }
    client_say(c, text);
}

static void client_send_get(struct sim_client *c, char prefix, uint32_t key, uint32_t history_key)
{
    char text[64];
    snprintf(text, sizeof text, "GET %c%u\r\n", prefix, key);
    struct pending *p = client_expect(c, EXPECT_VALUE);
    p->is_stale_read = c->is_stale;
    if (!c->is_stale)
        p->operation[0] = client_invoke(c, history_key, OPERATION_READ, 0);
    if (prefix == 'p') {
        p->is_private = true;
        p->private_value = c->private_value;
        p->private_key = c->private_key;
    }
    client_say(c, text);
}

static void client_send_incr(struct sim_client *c, uint32_t key)
{
    char text[64];
    snprintf(text, sizeof text, "INCR c%u\r\n", key);
    client_expect(c, EXPECT_INTEGER)->operation[0] = client_invoke(c, KEY_COUNTER + key, OPERATION_INCR, 0);
    client_say(c, text);
}

static void client_send_transaction(struct sim_client *c, uint32_t key)
{
    char text[128];
    uint64_t value = ++c->sim->value_counter;
    if (world_chance(&c->sim->world, 500000)) {
        client_expect(c, EXPECT_OK);
        snprintf(text, sizeof text, "WATCH r%u\r\n", key);
        client_say(c, text);
    }
    client_expect(c, EXPECT_OK);
    client_expect(c, EXPECT_QUEUED);
    client_expect(c, EXPECT_QUEUED);
    struct pending *p = client_expect(c, EXPECT_EXEC);
    p->operation[0] = client_invoke(c, key, OPERATION_WRITE, value);
    p->operation[1] = client_invoke(c, KEY_COUNTER + key, OPERATION_INCR, 0);
    snprintf(text, sizeof text, "MULTI\r\nSET r%u %llu\r\nINCR c%u\r\nEXEC\r\n", key, (unsigned long long)value, key);
    client_say(c, text);
}

static void client_send_private(struct sim_client *c)
{
    for (uint64_t i = 1 + world_below(&c->sim->world, 3); i > 0; i--) {
        client_send_set(c, 'p', c->private_key, KEY_PRIVATE + c->private_key, "");
        client_send_get(c, 'p', c->private_key, KEY_PRIVATE + c->private_key);
    }
}

static void client_send_expiring(struct sim_client *c, uint32_t key)
{
    char options[32];
    if (world_chance(&c->sim->world, 300000)) {
        snprintf(options, sizeof options, " PX %u", (unsigned)world_between(&c->sim->world, 1, 3000));
        client_send_set(c, 'e', key, KEY_EXPIRING + key, options);
    } else {
        client_send_get(c, 'e', key, KEY_EXPIRING + key);
    }
}

/* Values of many chunks, grown in place and dropped. What they hold is not followed, only that all nodes hold the same. */
static void client_send_big(struct sim_client *c, uint32_t key)
{
    struct world *w = &c->sim->world;
    struct buf text = {0};
    size_t n = 20000 + world_below(w, 120000);
    switch (world_below(w, 4)) {
    case 0:
        client_expect(c, EXPECT_INTEGER);
        buf_printf(&text, "DEL b%u\r\n", key);
        break;
    case 1:
        client_expect(c, EXPECT_OK);
        buf_printf(&text, "*3\r\n$3\r\nSET\r\n$2\r\nb%u\r\n$%zu\r\n", key % 10, n);
        memset(buf_reserve(&text, n), 'x', n);
        buf_commit(&text, n);
        buf_printf(&text, "\r\n");
        break;
    default:
        client_expect(c, EXPECT_INTEGER);
        buf_printf(&text, "*3\r\n$6\r\nAPPEND\r\n$2\r\nb%u\r\n$%zu\r\n", key % 10, n / 2);
        memset(buf_reserve(&text, n / 2), 'y', n / 2);
        buf_commit(&text, n / 2);
        buf_printf(&text, "\r\n");
        break;
    }
    buf_append_byte(&text, 0);
    client_say(c, (const char *)text.data + text.start);
    buf_deinit(&text);
}

/* Any command at all on a few keys whose replies nobody follows: what counts is that all nodes hold the same afterwards. */
static void client_send_any(struct sim_client *c)
{
    static const char *const forms[] = {
        "SETNX x%u a",       "GETDEL x%u",          "GETSET x%u b",      "SETRANGE x%u 70 tail", "INCRBYFLOAT y%u 0.1",
        "RENAME x%u x1",     "RENAMENX x%u x2",     "COPY x%u x3",       "UNLINK x%u",           "APPEND x%u more",
        "EXPIRE x%u 1",      "PEXPIRE x%u 700 NX",  "PERSIST x%u",       "GETEX x%u PX 500",     "PSETEX x%u 300 v",
        "MSETNX x%u a x4 b", "SETBIT z%u 1000 1",   "BITOP NOT z9 z%u",  "BITFIELD z%u INCRBY u8 3 7", "MOVE x%u 1",
        "SET x%u v KEEPTTL", "DECRBY n%u 7",        "SET x%u v XX GET",  "SETEX x%u 1 w",        "SWAPDB 1 2",
    };
    char text[64];
    client_expect(c, EXPECT_ANY);
    const char *form = forms[world_below(&c->sim->world, sizeof forms / sizeof forms[0])];
    size_t n = strcspn(form, "%");
    uint32_t key = (uint32_t)world_below(&c->sim->world, 5);
    if (form[n])
        snprintf(text, sizeof text, "%.*s%u%s\r\n", (int)n, form, key, form + n + 2);
    else
        snprintf(text, sizeof text, "%s\r\n", form);
    client_say(c, text);
}

/* Many keys that become due at once, more than one entry removes, and a write that meets one of them. */
static void client_send_burst(struct sim_client *c)
{
    char text[64];
    for (uint32_t i = 0; i < PENDING_MAX / 2 - 3; i++) {
        client_expect(c, EXPECT_OK);
        snprintf(text, sizeof text, "SET d%u_%u x PX 20\r\n", c->number, i);
        client_say(c, text);
    }
    uint32_t i = (uint32_t)world_below(&c->sim->world, PENDING_MAX / 2 - 3);
    client_expect(c, EXPECT_INTEGER);
    snprintf(text, sizeof text, "APPEND d%u_%u y\r\n", (c->number + 1) % c->sim->plan.client_count, i);
    client_say(c, text);
}

static void client_send(struct sim_client *c)
{
    struct sim *s = c->sim;
    uint32_t key = (uint32_t)world_below(&s->world, s->plan.key_count);
    uint64_t dice = world_below(&s->world, 100);
    if (s->plan.has_big_values && world_chance(&s->world, 10000))
        client_send_big(c, key);
    else if (world_chance(&s->world, 100000))
        client_send_any(c);
    else if (s->plan.has_expiry && c->count == 0 && world_chance(&s->world, 20000))
        client_send_burst(c);
    else if (dice < 30)
        client_send_set(c, 'r', key, key, "");
    else if (dice < 60)
        client_send_get(c, 'r', key, key);
    else if (dice < 75)
        client_send_incr(c, key);
    else if (dice < 85)
        client_send_private(c);
    else if (dice < 92 && s->plan.has_transactions)
        client_send_transaction(c, key);
    else if (s->plan.has_expiry)
        client_send_expiring(c, key);
}

static void client_timeout(struct world *w, void *ctx, uint64_t life, uint64_t b)
{
    struct sim_client *c = ctx;
    (void)w;
    (void)b;
    if (c->life != life || !c->connection)
        return;
    world_count("client gave up");
    client_close(c->connection);
    client_drop(c, 1000);
}

static void client_connect(struct sim_client *c)
{
    struct sim *s = c->sim;
    static const char *const level_name[] = {"quorum", "lease", "stale"};
    struct sim_host *h = &s->host[world_below(&s->world, s->plan.host_count)];
    if (!host_is_running(h) || h->fatal_reason) {
        client_schedule(c, 20000);
        return;
    }
    struct client_info info = {.fd = -1, .is_local = true};
    snprintf(info.address, sizeof info.address, "127.0.0.1:%u", 40000 + c->number);
    snprintf(info.local_address, sizeof info.local_address, "%s", h->address);
    c->slot = h->slot;
    c->connection = client_open(h->node, &info, c);
    uint32_t level;
    do
        level = (uint32_t)world_below(&s->world, 3);
    while (!(s->plan.read_level_mix >> level & 1));
    c->is_stale = level == 2;
    char text[64];
    snprintf(text, sizeof text, "RAFT CONSISTENCY %s\r\n", level_name[level]);
    client_expect(c, EXPECT_OK);
    client_say(c, text);
}

static void client_step(struct world *w, void *ctx, uint64_t life, uint64_t b)
{
    struct sim_client *c = ctx;
    struct sim *s = c->sim;
    (void)b;
    if (c->life != life || s->is_quiet)
        return;
    if (!c->connection) {
        client_connect(c);
        if (!c->connection)
            return;
        uint64_t patience = world_chance(w, 300000) ? world_between(w, 200000, 3000000) : world_between(w, 3000000, 20000000);
        world_at(w, patience, client_timeout, c, c->life, 0);
    }
    struct sim_host *h = &s->host[c->slot];
    if (c->count < PENDING_MAX / 2 && !h->fatal_reason) {
        for (uint64_t i = 1 + (world_chance(w, 200000) ? world_below(w, 3) : 0); i > 0 && c->count < PENDING_MAX / 2; i--)
            client_send(c);
        if (host_is_running(h)) {
            client_process(c->connection);
            host_kick(h);
        }
    }
    client_schedule(c, world_exponential(w, s->plan.think_us));
}

/* --- clients that a scenario drives by hand --- */

struct sim_client *manual_open(struct sim *s, uint32_t slot)
{
    struct sim_client *c = mem_alloc_zero(sizeof *c);
    struct client_info info = {.address = "127.0.0.1:50000", .fd = -1, .is_local = true};
    c->sim = s;
    c->slot = slot;
    c->is_manual = true;
    c->life = s->host[slot].life;
    c->connection = client_open(s->host[slot].node, &info, c);
    return c;
}

void manual_say(struct sim_client *c, const char *line)
{
    struct slice word[8];
    size_t count = 0;
    for (const char *at = line; *at && count < 8; count++) {
        size_t n = strcspn(at, " ");
        word[count] = (struct slice){(const uint8_t *)at, n};
        at += n + (at[n] == ' ');
    }
    struct buf text = {0};
    buf_printf(&text, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "$%zu\r\n%.*s\r\n", word[i].n, (int)word[i].n, (const char *)word[i].p);
    buf_append_byte(&text, 0);
    client_say(c, (const char *)text.data + text.start);
    buf_deinit(&text);
    client_process(c->connection);
    host_kick(&c->sim->host[c->slot]);
}

struct slice manual_output(const struct sim_client *c) { return buf_slice(&c->input); }

void manual_close(struct sim_client *c)
{
    if (c->life == c->sim->host[c->slot].life && c->sim->host[c->slot].node)
        client_close(c->connection);
    buf_deinit(&c->input);
    mem_free(c);
}

/* The value of a key on a node, 0 if it has none. */
static uint64_t manual_read(struct sim *s, uint32_t slot, char prefix, uint32_t key)
{
    struct sim_client *c = manual_open(s, slot);
    char line[64];
    snprintf(line, sizeof line, "GET %c%u", prefix, key);
    manual_say(c, line);
    for (int i = 0; i < 10000 && buf_size(&c->input) < 5 && !s->world.failure; i++)
        sim_run(s, 500);
    struct slice out = buf_slice(&c->input);
    const uint8_t *text = out.n ? memchr(out.p, '\n', out.n) : NULL;
    uint64_t value = 0;
    if (!text || (out.p[0] != '$'))
        world_fail(&s->world, "L3 node %u was asked %s at the end and answered %.*s", slot, line, (int)out.n, (const char *)out.p);
    else if (out.p[1] != '-')
        value = client_parse_value((struct slice){text + 1, out.n - (size_t)(text + 1 - out.p) - 2});
    manual_close(c);
    return value;
}

static void read_into_history(struct sim *s, uint32_t slot, char prefix, uint32_t key, uint32_t history_key)
{
    size_t operation = history_invoke(s->history, SIM_CLIENTS, history_key, OPERATION_READ, 0, s->world.now_us);
    uint64_t value = manual_read(s, slot, prefix, key);
    history_return(s->history, operation, OUTCOME_OK, value, s->world.now_us);
}

void sim_clients_read_all(struct sim *s)
{
    for (uint32_t slot = 0; slot < s->plan.host_count && !s->world.failure; slot++) {
        for (uint32_t key = 0; key < s->plan.key_count && !s->world.failure; key++) {
            read_into_history(s, slot, 'r', key, key);
            uint64_t counter = manual_read(s, slot, 'c', key);
            if (!history_counter_may_be(s->history, KEY_COUNTER + key, counter))
                world_fail(&s->world, "I10 node %u holds %llu in counter %u: an answered increment is missing, or one that was not done is in",
                           slot, (unsigned long long)counter, key);
        }
        for (uint32_t i = 0; i < s->plan.client_count && !s->world.failure; i++)
            read_into_history(s, slot, 'p', s->client[i].private_key, KEY_PRIVATE + s->client[i].private_key);
    }
}

void sim_clients_start(struct sim *s)
{
    s->client = mem_alloc_zero(s->plan.client_count * sizeof *s->client);
    for (uint32_t i = 0; i < s->plan.client_count; i++) {
        s->client[i].sim = s;
        s->client[i].number = i;
        s->client[i].private_key = i;
        buf_init(&s->client[i].input);
        client_schedule(&s->client[i], world_between(&s->world, 1000, 500000));
    }
}

void sim_clients_stop(struct sim *s) { s->is_quiet = true; }

void sim_clients_host_resumed(struct sim *s, uint32_t slot)
{
    for (uint32_t i = 0; s->client && i < s->plan.client_count; i++) {
        struct sim_client *c = &s->client[i];
        if (c->connection && c->slot == slot)
            client_process(c->connection);
    }
}

void sim_clients_host_died(struct sim *s, uint32_t slot)
{
    for (uint32_t i = 0; s->client && i < s->plan.client_count; i++) {
        struct sim_client *c = &s->client[i];
        if (!c->connection || c->slot != slot)
            continue;
        client_close(c->connection);
        client_drop(c, world_between(&s->world, 1000, 200000));
    }
}

bool sim_clients_are_idle(const struct sim *s)
{
    for (uint32_t i = 0; s->client && i < s->plan.client_count; i++) {
        if (s->client[i].count > 0)
            return false;
    }
    return true;
}

void sim_clients_free(struct sim *s)
{
    for (uint32_t i = 0; s->client && i < s->plan.client_count; i++)
        buf_deinit(&s->client[i].input);
    mem_free(s->client);
    s->client = NULL;
}
