#include "blocking.h"
#include "observers.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* Simulated clients: they speak RESP through the server's own client state machine, remember what they asked for, and tell the
 * oracle and the history what they were told. They time out, reconnect elsewhere, pipeline, watch and run transactions.
 * What they ask: client_commands.c; what they make of replies: client_replies.c. */

static void client_step(struct world *w, void *ctx, uint64_t life, uint64_t b);

static void client_schedule(struct sim_client *c, uint64_t delay)
{
    world_at(&c->sim->world, delay, client_step, c, c->life, 0);
}

/* The connection is gone: what was asked and not answered has an unknown outcome. */
static void client_drop(struct sim_client *c, uint64_t again_us)
{
    for (; c->count > 0; c->count--, c->first = (c->first + 1) % PENDING_MAX)
        client_settle_unknown(c, &c->pending[c->first]);
    c->connection = NULL;
    c->cas = CAS_NONE;
    buf_clear(&c->input, 0);
    memset(&c->reader, 0, sizeof c->reader);
    c->life++;
    client_schedule(c, again_us);
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
    bool is_stranger = s->churn && host_is_running(h) && node_raft(h->node) == NULL && h->options.cluster[0] == 0;
    if (!host_is_running(h) || h->fatal_reason || is_stranger) {
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

/* Reads a key on a node through a client of its own, into the history and past the oracle. */
static void read_at_end(struct sim *s, uint32_t slot, const char *key)
{
    struct sim_client *c = manual_open(s, slot);
    char line[64];
    snprintf(line, sizeof line, "GET %s", key);
    raft_index mark = oracle_mark(ghost_oracle(s->ghost));
    uint32_t operation = client_begin(c, HISTORY_GET, key, NULL);
    manual_say(c, line);
    for (int i = 0; i < 10000 && buf_size(&c->input) < 5 && !s->world.failure; i++)
        sim_run(s, 500);
    struct resp_value *v = NULL;
    size_t consumed;
    if (!s->world.failure &&
        (resp_value_next(&c->reader, buf_slice(&c->input), &v, &consumed) != PARSE_OK || (v->type != RESP_BULK && v->type != RESP_NULL)))
        world_fail(&s->world, "L3 node %u was asked %s at the end and answered %.*s", slot, line, (int)buf_size(&c->input),
                   (const char *)buf_slice(&c->input).p);
    if (v && !s->world.failure) {
        struct slice text = v->type == RESP_BULK ? v->text : (struct slice){NULL, 0};
        client_note_read(c, operation, key, text);
        oracle_read_done(ghost_oracle(s->ghost), key, text, mark, false);
    }
    resp_value_free(v);
    manual_close(c);
}

void sim_clients_read_all(struct sim *s)
{
    blocking_finish(s);
    observers_finish(s);
    static const char prefixes[] = "rcasw";
    char key[24];
    uint32_t epochs = client_epoch(s) + 1;
    for (uint32_t slot = 0; slot < s->plan.host_count && !s->world.failure; slot++) {
        if (s->churn && !ghost_is_member(s->ghost, slot))
            continue;
        for (uint32_t k = 0; k < s->plan.key_count * epochs && !s->world.failure; k++) {
            for (const char *p = prefixes; *p; p++) {
                client_key(*p, k % s->plan.key_count, k / s->plan.key_count, key);
                if (slot == k % s->plan.host_count || k / s->plan.key_count + 1 == epochs)
                    read_at_end(s, slot, key);
            }
        }
        for (uint32_t i = 0; i < s->plan.client_count && !s->world.failure; i++) {
            client_key('p', s->client[i].private_key, 0, key);
            read_at_end(s, slot, key);
        }
    }
}

void sim_clients_start(struct sim *s)
{
    blocking_start(s);
    observers_start(s);
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
    observers_host_died(s, slot);
    for (uint32_t i = 0; i < SIM_ADMINS; i++) {
        if (s->admin[i] && s->admin[i]->slot == slot) {
            manual_close(s->admin[i]);
            s->admin[i] = NULL;
        }
    }
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
    blocking_free(s);
    observers_free(s);
}
