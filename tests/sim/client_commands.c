#include "blocking.h"

#include <stdio.h>
#include <string.h>

/* What clients ask. */

void client_key(char prefix, uint32_t key, uint32_t epoch, char out[KEY_BYTES])
{
    bool is_for_ever = prefix == 'r' || prefix == 'e' || prefix == 'p';
    snprintf(out, KEY_BYTES, "%c%u", prefix, is_for_ever ? key : key + 100 * epoch);
}

uint32_t client_epoch(const struct sim *s) { return (uint32_t)(s->world.now_us / EPOCH_US); }

struct pending *client_expect(struct sim_client *c, enum expect expect)
{
    struct pending *p = &c->pending[(c->first + c->count++) % PENDING_MAX];
    *p = (struct pending){.expect = expect, .operation = {NO_OPERATION, NO_OPERATION}, .mark = oracle_mark(ghost_oracle(c->sim->ghost))};
    return p;
}

void client_say(struct sim_client *c, const char *text)
{
    size_t n = strlen(text);
    size_t room;
    uint8_t *at = client_input_reserve(c->connection, n, &room);
    memcpy(at, text, n);
    client_input_commit(c->connection, n);
}

static text_id text_of(struct sim_client *c, const char *text)
{
    return text ? texts_intern(&c->sim->history.texts, slice_from_cstr(text)) : TEXT_NIL;
}

static uint32_t begin_operation(struct sim_client *c)
{
    char name[16];
    snprintf(name, sizeof name, "%u", c->number);
    return history_begin(&c->sim->history, text_of(c, name), c->sim->world.now_us);
}

uint32_t client_begin(struct sim_client *c, enum history_function f, const char *key, const char *value)
{
    uint32_t o = begin_operation(c);
    bool is_list = key[0] == 'a' && f == HISTORY_GET;
    history_add_step(&c->sim->history, is_list ? HISTORY_LRANGE : f, text_of(c, key), text_of(c, value));
    return o;
}

/* "17", never used before; with a dot, a token. */
static void unique_value(struct sim_client *c, char out[KEY_BYTES], bool is_token)
{
    snprintf(out, KEY_BYTES, is_token ? "%llu." : "%llu", (unsigned long long)++c->sim->value_counter);
}

static void send_set(struct sim_client *c, const char *key, const char *options)
{
    char text[128];
    struct pending *p = client_expect(c, EXPECT_OK);
    unique_value(c, p->tag, false);
    p->operation[0] = client_begin(c, HISTORY_SET, key, p->tag);
    c->sim->history.step[c->sim->history.step_count - 1].may_expire = key[0] == 'e';
    if (key[0] == 'p') {
        p->is_private = true;
        p->private_key = c->private_key;
        c->private_value = c->sim->value_counter;
    }
    snprintf(text, sizeof text, "SET %s %s%s\r\n", key, p->tag, options);
    client_say(c, text);
}

static struct pending *send_get(struct sim_client *c, const char *key, enum expect expect)
{
    char text[64];
    struct pending *p = client_expect(c, expect);
    p->is_stale_read = c->is_stale;
    snprintf(p->key, sizeof p->key, "%s", key);
    if (!c->is_stale)
        p->operation[0] = client_begin(c, HISTORY_GET, key, NULL);
    if (key[0] == 'p') {
        p->is_private = true;
        p->private_value = c->private_value;
        p->private_key = c->private_key;
    }
    snprintf(text, sizeof text, "GET %s\r\n", key);
    client_say(c, text);
    return p;
}

/* A command of one word and a key, with a value or without. */
static struct pending *send_one(struct sim_client *c, const char *word, enum history_function f, const char *key, enum expect expect, bool has_value, bool is_token)
{
    char text[128];
    struct pending *p = client_expect(c, expect);
    if (has_value)
        unique_value(c, p->tag, is_token);
    snprintf(p->key, sizeof p->key, "%s", key);
    p->operation[0] = client_begin(c, f, key, f == HISTORY_INCR ? "1" : has_value ? p->tag : NULL);
    snprintf(text, sizeof text, "%s %s%s%s\r\n", word, key, has_value ? " " : "", p->tag);
    client_say(c, text);
    return p;
}

static void send_counter(struct sim_client *c, const char *key)
{
    if (world_chance(&c->sim->world, 700000))
        send_one(c, "INCR", HISTORY_INCR, key, EXPECT_INTEGER, false, false);
    else
        send_get(c, key, EXPECT_VALUE);
}

static void send_tokens(struct sim_client *c, const char *key)
{
    if (world_chance(&c->sim->world, 500000))
        send_one(c, "APPEND", HISTORY_RPUSH, key, EXPECT_NUMBER, true, true);
    else
        send_get(c, key, EXPECT_VALUE);
}

static void send_list(struct sim_client *c, const char *key)
{
    char text[64];
    if (world_chance(&c->sim->world, 500000)) {
        send_one(c, "RPUSH", HISTORY_RPUSH, key, EXPECT_NUMBER, true, true);
        return;
    }
    struct pending *p = client_expect(c, EXPECT_LIST);
    p->is_stale_read = c->is_stale;
    snprintf(p->key, sizeof p->key, "%s", key);
    if (!c->is_stale)
        p->operation[0] = client_begin(c, HISTORY_LRANGE, key, NULL);
    snprintf(text, sizeof text, "LRANGE %s 0 -1\r\n", key);
    client_say(c, text);
}

static void send_setnx(struct sim_client *c, const char *key)
{
    uint64_t dice = world_below(&c->sim->world, 3);
    if (dice == 0)
        send_one(c, "SETNX", HISTORY_SETNX, key, EXPECT_NUMBER, true, false);
    else if (dice == 1)
        send_one(c, "GETDEL", HISTORY_GETDEL, key, EXPECT_TAKEN, false, false);
    else
        send_get(c, key, EXPECT_VALUE);
}

static void maybe_watch(struct sim_client *c, const char *key)
{
    char text[64];
    if (!world_chance(&c->sim->world, 500000))
        return;
    client_expect(c, EXPECT_OK);
    snprintf(text, sizeof text, "WATCH %s\r\n", key);
    client_say(c, text);
}

static void send_pair(struct sim_client *c, const char *register_key, const char *counter_key)
{
    char text[160];
    maybe_watch(c, register_key);
    client_expect(c, EXPECT_OK);
    client_expect(c, EXPECT_QUEUED);
    client_expect(c, EXPECT_QUEUED);
    struct pending *p = client_expect(c, EXPECT_EXEC_PAIR);
    unique_value(c, p->tag, false);
    snprintf(p->key, sizeof p->key, "%s", counter_key);
    p->operation[0] = client_begin(c, HISTORY_SET, register_key, p->tag);
    p->operation[1] = client_begin(c, HISTORY_INCR, counter_key, "1");
    snprintf(text, sizeof text, "MULTI\r\nSET %s %s\r\nINCR %s\r\nEXEC\r\n", register_key, p->tag, counter_key);
    client_say(c, text);
}

/* Two appends and a read, on any keys, as one: of strings of tokens, or (only where the plan has observers, so that other seeds stay what they
 * are) of lists. */
static void send_appends(struct sim_client *c, uint32_t epoch)
{
    char key[3][KEY_BYTES];
    char text[200];
    bool is_list = c->sim->plan.has_observers && world_chance(&c->sim->world, 500000);
    for (int i = 0; i < 3; i++)
        client_key(is_list ? 'l' : 'a', (uint32_t)world_below(&c->sim->world, c->sim->plan.key_count), epoch, key[i]);
    client_expect(c, EXPECT_OK);
    for (int i = 0; i < 3; i++)
        client_expect(c, EXPECT_QUEUED);
    struct pending *p = client_expect(c, EXPECT_EXEC_APPENDS);
    unique_value(c, p->tag, true);
    unique_value(c, p->tag_too, true);
    snprintf(p->key, sizeof p->key, "%s", key[2]);
    p->operation[0] = begin_operation(c);
    history_add_step(&c->sim->history, HISTORY_RPUSH, text_of(c, key[0]), text_of(c, p->tag));
    history_add_step(&c->sim->history, HISTORY_RPUSH, text_of(c, key[1]), text_of(c, p->tag_too));
    history_add_step(&c->sim->history, HISTORY_LRANGE, text_of(c, key[2]), TEXT_NIL);
    snprintf(text, sizeof text,
             is_list ? "MULTI\r\nRPUSH %s %s\r\nRPUSH %s %s\r\nLRANGE %s 0 -1\r\nEXEC\r\n" : "MULTI\r\nAPPEND %s %s\r\nAPPEND %s %s\r\nGET %s\r\nEXEC\r\n",
             key[0], p->tag, key[1], p->tag_too, key[2]);
    client_say(c, text);
}

/* First half: WATCH and GET. The second comes when the value is there. */
static void send_cas_begin(struct sim_client *c, const char *key)
{
    char text[64];
    client_expect(c, EXPECT_OK);
    snprintf(text, sizeof text, "WATCH %s\r\n", key);
    client_say(c, text);
    snprintf(c->cas_key, sizeof c->cas_key, "%s", key);
    c->cas = CAS_ASKED;
    send_get(c, key, EXPECT_CAS_VALUE);
}

static void send_cas_end(struct sim_client *c)
{
    char text[128];
    client_expect(c, EXPECT_OK);
    client_expect(c, EXPECT_QUEUED);
    struct pending *p = client_expect(c, EXPECT_EXEC_CAS);
    unique_value(c, p->tag, false);
    p->operation[0] = client_begin(c, HISTORY_CAS, c->cas_key, p->tag);
    c->sim->history.step[c->sim->history.step_count - 1].expected = c->cas_old[0] ? text_of(c, c->cas_old) : TEXT_NIL;
    snprintf(text, sizeof text, "MULTI\r\nSET %s %s\r\nEXEC\r\n", c->cas_key, p->tag);
    c->cas = CAS_NONE;
    client_say(c, text);
}

static void send_private(struct sim_client *c)
{
    char key[KEY_BYTES];
    client_key('p', c->private_key, 0, key);
    for (uint64_t i = 1 + world_below(&c->sim->world, 3); i > 0; i--) {
        send_set(c, key, "");
        send_get(c, key, EXPECT_VALUE);
    }
}

static void send_expiring(struct sim_client *c, const char *key)
{
    char options[32];
    if (world_chance(&c->sim->world, 300000)) {
        snprintf(options, sizeof options, " PX %u", (unsigned)world_between(&c->sim->world, 1, 3000));
        send_set(c, key, options);
    } else {
        send_get(c, key, EXPECT_VALUE);
    }
}

/* Values of many chunks, grown in place and dropped. What they hold is not followed, only that all nodes hold the same. */
static void send_big(struct sim_client *c, uint32_t key)
{
    struct world *w = &c->sim->world;
    struct buf text = {0};
    size_t n = 20000 + world_below(w, 120000);
    switch (world_below(w, 4)) {
    case 0:
        client_expect(c, EXPECT_NUMBER);
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
        client_expect(c, EXPECT_NUMBER);
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

/* Hashes and sets that grow beyond a leaf and shrink again. */
static void send_members(struct sim_client *c)
{
    struct world *w = &c->sim->world;
    struct buf text = {0};
    uint32_t key = (uint32_t)world_below(w, 5);
    bool is_set = world_chance(w, 500000);
    bool is_removal = world_chance(w, 300000);
    bool is_text = world_chance(w, 300000);
    client_expect(c, EXPECT_ANY);
    buf_printf(&text, is_set ? (is_removal ? "SREM m%u" : "SADD m%u") : (is_removal ? "HDEL h%u" : "HSET h%u"), key);
    for (uint64_t i = 20 + world_below(w, 60); i > 0; i--) {
        uint32_t n = (uint32_t)world_below(w, 300);
        buf_printf(&text, is_text ? " member-%u" : " %u", n);
        if (!is_set && !is_removal) {
            buf_printf(&text, " %u", n * n);
        }
    }
    buf_printf(&text, "\r\n");
    buf_append_byte(&text, 0);
    client_say(c, (const char *)text.data + text.start);
    buf_deinit(&text);
}

/* Any command at all on a few keys whose replies nobody follows: what counts is that all nodes hold the same afterwards. */
static void send_any(struct sim_client *c)
{
    static const char *const forms[] = {
        "SETNX x%u a",       "GETDEL x%u",          "GETSET x%u b",      "SETRANGE x%u 70 tail", "INCRBYFLOAT y%u 0.1",
        "RENAME x%u x1",     "RENAMENX x%u x2",     "COPY x%u x3",       "UNLINK x%u",           "APPEND x%u more",
        "EXPIRE x%u 1",      "PEXPIRE x%u 700 NX",  "PERSIST x%u",       "GETEX x%u PX 500",     "PSETEX x%u 300 v",
        "MSETNX x%u a x4 b", "SETBIT z%u 1000 1",   "BITOP NOT z9 z%u",  "BITFIELD z%u INCRBY u8 3 7", "MOVE x%u 1",
        "SET x%u v KEEPTTL", "DECRBY n%u 7",        "SET x%u v XX GET",  "SETEX x%u 1 w",        "SWAPDB 1 2",
        "CONFIG SET set-max-intset-entries %u hash-max-listpack-value 7",
        "HSET h%u a 1 b 2",  "HSET h%u a longer-than-7", "HSETNX h%u c 3", "HINCRBY h%u n 3",      "HINCRBYFLOAT h%u x 0.1",
        "HDEL h%u a b",      "HGETALL h%u",         "HRANDFIELD h%u -3", "COPY h%u h9 REPLACE",  "SADD m%u 1 2 3",
        "SADD m%u a b c",    "SREM m%u 1 a 60",     "SPOP m%u",          "SPOP m%u 3",           "SPOP m%u 70",
        "SMOVE m%u m1 b",    "SINTERSTORE m9 m%u m1", "SUNIONSTORE m8 m9 m%u", "SDIFFSTORE m%u m8 m1", "SRANDMEMBER m%u 2",
        "PEXPIRE m%u 500",   "RENAME m%u m7",       "PFADD g%u a b c",   "PFMERGE g9 g%u g1",    "DEL m%u h1",
    };
    char text[96];
    if (world_chance(&c->sim->world, 200000)) {
        send_members(c);
        return;
    }
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
static void send_burst(struct sim_client *c)
{
    char text[64];
    for (uint32_t i = 0; i < PENDING_MAX / 2 - 3; i++) {
        client_expect(c, EXPECT_OK);
        snprintf(text, sizeof text, "SET d%u_%u x PX 20\r\n", c->number, i);
        client_say(c, text);
    }
    uint32_t i = (uint32_t)world_below(&c->sim->world, PENDING_MAX / 2 - 3);
    client_expect(c, EXPECT_NUMBER);
    snprintf(text, sizeof text, "APPEND d%u_%u y\r\n", (c->number + 1) % c->sim->plan.client_count, i);
    client_say(c, text);
}

/* One dice throw decides, whatever is switched on: the same draws for every plan. */
static void send_followed(struct sim_client *c)
{
    struct sim *s = c->sim;
    uint32_t n = (uint32_t)world_below(&s->world, s->plan.key_count);
    uint64_t dice = world_below(&s->world, 100);
    uint32_t epoch = client_epoch(s);
    char key[KEY_BYTES];
    char counter[KEY_BYTES];
    static const struct {
        uint8_t below;
        char prefix;
    } share[] = {{18, 'r'}, {36, 'R'}, {50, 'c'}, {58, 'p'}, {65, 'a'}, {71, 'l'}, {76, 's'}, {82, 'w'}, {88, 'T'}, {93, 'A'}, {100, 'e'}};
    size_t i = 0;
    while (dice >= share[i].below)
        i++;
    char prefix = share[i].prefix;
    client_key(prefix == 'R' || prefix == 'T' ? 'r' : prefix, n, epoch, key);
    client_key('c', n, epoch, counter);
    switch (prefix) {
    case 'r': send_set(c, key, ""); break;
    case 'R': send_get(c, key, EXPECT_VALUE); break;
    case 'c': send_counter(c, key); break;
    case 'p': send_private(c); break;
    case 'a': send_tokens(c, key); break;
    case 'l': send_list(c, key); break;
    case 's': send_setnx(c, key); break;
    case 'w':
        if (c->is_stale || !s->plan.has_transactions)
            send_set(c, key, "");
        else
            send_cas_begin(c, key);
        break;
    case 'T':
        if (s->plan.has_transactions)
            send_pair(c, key, counter);
        break;
    case 'A':
        if (s->plan.has_transactions)
            send_appends(c, epoch);
        break;
    default:
        if (s->plan.has_expiry)
            send_expiring(c, key);
        break;
    }
}

void client_send(struct sim_client *c)
{
    struct sim *s = c->sim;
    if (c->cas == CAS_ASKED)
        return; /* WATCH holds until the EXEC it is meant for */
    if (c->cas == CAS_READY)
        send_cas_end(c);
    else if (s->plan.has_blocking && world_chance(&s->world, 400000))
        blocking_send(c);
    else if (s->plan.has_big_values && world_chance(&s->world, 10000))
        send_big(c, (uint32_t)world_below(&s->world, s->plan.key_count));
    else if (world_chance(&s->world, 100000))
        send_any(c);
    else if (s->plan.has_expiry && c->count == 0 && world_chance(&s->world, 20000))
        send_burst(c);
    else
        send_followed(c);
}
