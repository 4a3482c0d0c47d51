#include "integration/lib/recorder.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Keys are used for a while and then left for new ones, so that no key has more operations than a search can follow. */
enum { RECORDER_KEYS = 3, RECORDER_ROUND = 1500, RECORDER_REPLY = 60000 };

struct recorder_client {
    struct recorder *all;
    size_t id;
    size_t node;
    pthread_t thread;
    struct wire wire;
    uint64_t random;
    uint64_t start; /* of the operation under way */
    char reply[RECORDER_REPLY];
    char wrong[200]; /* the first reply that can't be right in itself */
};

struct recorder {
    const struct cluster *cluster;
    const char *level;
    bool has_lists;
    FILE *file;
    char path[700];
    atomic_bool is_over;
    atomic_uint_fast64_t answered;
    atomic_uint_fast64_t unknown;
    atomic_uint_fast64_t refused;
    atomic_uint_fast64_t operations;
    atomic_uint_fast64_t values;
    struct recorder_client client[RECORDER_CLIENTS];
};

static uint64_t recorder_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t recorder_below(struct recorder_client *c, uint64_t bound)
{
    uint64_t z = (c->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % bound;
}

static unsigned long long recorder_value(struct recorder_client *c) { return atomic_fetch_add(&c->all->values, 1) + 1; }

/* --- asking --- */

enum outcome { OUTCOME_OK, OUTCOME_FAIL, OUTCOME_UNKNOWN };

/* Sends one command and takes its reply into c->reply. Without a reply the connection is closed. */
static enum outcome recorder_ask(struct recorder_client *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum outcome recorder_ask(struct recorder_client *c, const char *format, ...)
{
    char command[200];
    const char *reply;
    size_t len = 0;
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    c->start = recorder_now();
    if (!wire_send(&c->wire, "%s", command) || wire_read(&c->wire, 20000, &reply, &len) != WIRE_OK) {
        wire_close(&c->wire);
        c->node = (c->node + 1) % c->all->cluster->count;
        atomic_fetch_add(&c->all->unknown, 1);
        return OUTCOME_UNKNOWN;
    }
    snprintf(c->reply, sizeof c->reply, "%s", reply);
    if (c->reply[0] == '-') {
        bool is_unknown = strncmp(c->reply, "-UNKNOWN ", 9) == 0;
        atomic_fetch_add(is_unknown ? &c->all->unknown : &c->all->refused, 1);
        itest_sleep_ms(2);
        return is_unknown ? OUTCOME_UNKNOWN : OUTCOME_FAIL;
    }
    atomic_fetch_add(&c->all->answered, 1);
    return OUTCOME_OK;
}

/* --- noting --- */

/* One line; `what` is the rest of the object. */
static void recorder_note(struct recorder_client *c, enum outcome outcome, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void recorder_note(struct recorder_client *c, enum outcome outcome, const char *format, ...)
{
    static const char *const word[] = {"ok", "fail", "unknown"};
    FILE *f = c->all->file;
    va_list list;
    flockfile(f);
    fprintf(f, "{\"client\":%zu,\"start\":%llu,\"end\":%llu,\"outcome\":\"%s\",", c->id, (unsigned long long)c->start,
            (unsigned long long)recorder_now(), word[outcome]);
    va_start(list, format);
    vfprintf(f, format, list);
    va_end(list);
    fputs("}\n", f);
    funlockfile(f);
    atomic_fetch_add(&c->all->operations, 1);
}

static void recorder_wrong(struct recorder_client *c, const char *to)
{
    if (c->wrong[0] == '\0') {
        snprintf(c->wrong, sizeof c->wrong, "to %s: %.100s", to, c->reply);
    }
}

/* One value of a reply (an integer, a string, nil) as JSON into `out`; returns what follows it. Only digits and dots are ever stored, so
 * nothing needs escaping. */
static const char *recorder_one(const char *at, char *out, size_t size)
{
    const char *end = strchr(at, '\n');
    size_t n = at[0] == '$' && at[1] != '-' ? strtoul(at + 1, NULL, 10) : 0;
    if (end == NULL) {
        snprintf(out, size, "null");
        return at + strlen(at);
    }
    if (at[0] == ':') {
        snprintf(out, size, "%.*s", (int)strcspn(at + 1, "\r"), at + 1);
    } else if (at[0] == '$' && at[1] != '-') {
        snprintf(out, size, "\"%.*s\"", (int)n, end + 1);
        return end + 1 + n + 2;
    } else {
        snprintf(out, size, "null");
    }
    return end + 1;
}

/* ",\"result\":..." of a reply, of an array of values too; "" when the outcome is not ok. */
static void recorder_result(enum outcome outcome, const char *reply, char *out, size_t size)
{
    out[0] = '\0';
    if (outcome != OUTCOME_OK) {
        return;
    }
    size_t n = (size_t)snprintf(out, size, reply[0] == '*' ? ",\"result\":[" : ",\"result\":");
    if (reply[0] != '*') {
        recorder_one(reply, out + n, size - n);
        return;
    }
    size_t count = strtoul(reply + 1, NULL, 10);
    const char *at = strchr(reply, '\n') + 1;
    for (size_t i = 0; i < count && n + 100 < size; i++) {
        n += (size_t)snprintf(out + n, size - n, "%s", i > 0 ? "," : "");
        at = recorder_one(at, out + n, size - n);
        n += strlen(out + n);
    }
    snprintf(out + n, size - n, "]");
}

/* --- what the clients do. `key` is the end of a key's name --- */

static void do_register(struct recorder_client *c, const char *key)
{
    static char result[RECORDER_CLIENTS][RECORDER_REPLY];
    char *r = result[c->id];
    if (recorder_below(c, 2) == 0) {
        unsigned long long v = recorder_value(c);
        enum outcome o = recorder_ask(c, "SET r%s %llu", key, v);
        recorder_note(c, o, "\"f\":\"set\",\"key\":\"r%s\",\"value\":\"%llu\"", key, v);
        if (o == OUTCOME_OK && strcmp(c->reply, "+OK\r\n") != 0) {
            recorder_wrong(c, "SET");
        }
        return;
    }
    enum outcome o = recorder_ask(c, "GET r%s", key);
    recorder_result(o, c->reply, r, RECORDER_REPLY);
    recorder_note(c, o, "\"f\":\"get\",\"key\":\"r%s\"%s", key, r);
}

static void do_one(struct recorder_client *c, char prefix, const char *key, const char *command, const char *f, const char *value)
{
    static char result[RECORDER_CLIENTS][RECORDER_REPLY];
    char *r = result[c->id];
    char member[64] = "";
    if (value[0] != '\0') {
        snprintf(member, sizeof member, ",\"value\":\"%s\"", value);
    }
    enum outcome o = recorder_ask(c, "%s %c%s%s%s", command, prefix, key, value[0] != '\0' ? " " : "", strcmp(f, "lrange") == 0 ? "0 -1" : value);
    recorder_result(o, c->reply, r, RECORDER_REPLY);
    recorder_note(c, o, "\"f\":\"%s\",\"key\":\"%c%s\"%s%s", f, prefix, key, member, r);
}

static void do_counter(struct recorder_client *c, const char *key)
{
    if (recorder_below(c, 3) > 0) {
        do_one(c, 'c', key, "INCR", "incr", "");
    } else {
        do_one(c, 'c', key, "GET", "get", "");
    }
}

static void do_lock(struct recorder_client *c, const char *key)
{
    char value[24];
    snprintf(value, sizeof value, "%llu", recorder_value(c));
    switch (recorder_below(c, 4)) {
    case 0: do_one(c, 'n', key, "SETNX", "setnx", value); break;
    case 1: do_one(c, 'n', key, "GETDEL", "getdel", ""); break;
    case 2: do_one(c, 'n', key, "GETSET", "getset", value); break;
    default: do_one(c, 'n', key, "GET", "get", ""); break;
    }
}

static void do_text(struct recorder_client *c, const char *key)
{
    char value[24];
    snprintf(value, sizeof value, "%llu.", recorder_value(c));
    if (recorder_below(c, 2) == 0) {
        do_one(c, 'a', key, "APPEND", "append", value);
    } else {
        do_one(c, 'a', key, "GET", "get", "");
    }
}

/* Compare and set by WATCH: EXEC is done only if the value is still the one that was read. (Not done, the key may have changed between WATCH
 * and GET, so that says nothing of the value.) */
static void do_compare_and_set(struct recorder_client *c, const char *key)
{
    char old[RECORDER_REPLY / 100];
    unsigned long long v = recorder_value(c);
    if (recorder_ask(c, "WATCH w%s", key) != OUTCOME_OK) {
        return;
    }
    enum outcome o = recorder_ask(c, "GET w%s", key);
    if (o != OUTCOME_OK) {
        wire_close(&c->wire); /* A refused GET leaves the WATCH, which would fail the next EXEC of this connection. */
        return;
    }
    recorder_one(c->reply, old, sizeof old);
    recorder_note(c, o, "\"f\":\"get\",\"key\":\"w%s\",\"result\":%s", key, old);
    if (recorder_ask(c, "MULTI") != OUTCOME_OK || recorder_ask(c, "SET w%s %llu", key, v) != OUTCOME_OK) {
        wire_close(&c->wire);
        return;
    }
    o = recorder_ask(c, "EXEC");
    bool is_done = strcmp(c->reply, "*1\r\n+OK\r\n") == 0;
    if (o == OUTCOME_OK && !is_done && strcmp(c->reply, "*-1\r\n") != 0) {
        recorder_wrong(c, "EXEC");
    }
    recorder_note(c, o == OUTCOME_OK && !is_done ? OUTCOME_FAIL : o, "\"f\":\"cas\",\"key\":\"w%s\",\"expected\":%s,\"value\":\"%llu\",\"result\":1", key, old, v);
}

/* MULTI, two commands, EXEC; the reply of EXEC is in c->reply. Queueing that fails fails all. */
static enum outcome recorder_pair(struct recorder_client *c, const char *first, const char *second)
{
    if (recorder_ask(c, "MULTI") != OUTCOME_OK) {
        return OUTCOME_FAIL;
    }
    if (recorder_ask(c, "%s", first) != OUTCOME_OK || recorder_ask(c, "%s", second) != OUTCOME_OK) {
        wire_close(&c->wire);
        return OUTCOME_FAIL;
    }
    return recorder_ask(c, "EXEC");
}

static void do_pair(struct recorder_client *c, const char *key)
{
    char first[64];
    char second[64];
    char result[2][RECORDER_REPLY / 100] = {"", ""};
    unsigned long long v = recorder_value(c);
    bool is_write = recorder_below(c, 2) == 0;
    snprintf(first, sizeof first, is_write ? "SET x%s %llu" : "GET x%s", key, v);
    snprintf(second, sizeof second, is_write ? "INCR y%s" : "GET y%s", key);
    enum outcome o = recorder_pair(c, first, second);
    if (o == OUTCOME_OK && strncmp(c->reply, "*2\r\n", 4) == 0) {
        recorder_one(recorder_one(c->reply + 4, result[0], sizeof result[0]), result[1], sizeof result[1]);
    } else if (o == OUTCOME_OK) {
        recorder_wrong(c, "EXEC of two");
        return;
    }
    if (is_write) {
        recorder_note(c, o, "\"ops\":[{\"f\":\"set\",\"key\":\"x%s\",\"value\":\"%llu\"},{\"f\":\"incr\",\"key\":\"y%s\"%s%s}]", key, v, key,
                      o == OUTCOME_OK ? ",\"result\":" : "", result[1]);
    } else {
        recorder_note(c, o, "\"ops\":[{\"f\":\"get\",\"key\":\"x%s\"%s%s},{\"f\":\"get\",\"key\":\"y%s\"%s%s}]", key, o == OUTCOME_OK ? ",\"result\":" : "",
                      result[0], key, o == OUTCOME_OK ? ",\"result\":" : "", result[1]);
    }
}

static void do_list(struct recorder_client *c, const char *key)
{
    char value[24];
    snprintf(value, sizeof value, "%llu", recorder_value(c));
    switch (recorder_below(c, 6)) {
    case 0: do_one(c, 'l', key, "RPUSH", "rpush", value); break;
    case 1: do_one(c, 'l', key, "LPUSH", "lpush", value); break;
    case 2: do_one(c, 'l', key, "LPOP", "lpop", ""); break;
    case 3: do_one(c, 'l', key, "RPOP", "rpop", ""); break;
    case 4: do_one(c, 'q', key, "RPUSH", "rpush", value); break;
    default: do_one(c, 'q', key, "LRANGE", "lrange", " "); break;
    }
}

static void recorder_step(struct recorder_client *c)
{
    char key[32];
    snprintf(key, sizeof key, "%u:%llu", (unsigned)recorder_below(c, RECORDER_KEYS),
             (unsigned long long)(atomic_load(&c->all->operations) / RECORDER_ROUND));
    switch (recorder_below(c, c->all->has_lists ? 7 : 6)) {
    case 0: do_register(c, key); break;
    case 1: do_counter(c, key); break;
    case 2: do_lock(c, key); break;
    case 3: do_text(c, key); break;
    case 4: do_compare_and_set(c, key); break;
    case 5: do_pair(c, key); break;
    default: do_list(c, key); break;
    }
}

static void *recorder_main(void *ctx)
{
    struct recorder_client *c = ctx;
    while (!atomic_load(&c->all->is_over)) {
        if (c->wire.fd < 0) {
            if (!wire_open(&c->wire, c->all->cluster->node[c->node].port, 5000)) {
                c->wire.fd = -1;
                c->node = (c->node + 1) % c->all->cluster->count;
                itest_sleep_ms(5);
                continue;
            }
            if (c->all->level != NULL && recorder_ask(c, "RAFT CONSISTENCY %s", c->all->level) != OUTCOME_OK) {
                continue;
            }
        }
        recorder_step(c);
    }
    if (c->wire.fd >= 0) {
        wire_close(&c->wire);
    }
    return NULL;
}

/* --- all together --- */

struct recorder *recorder_start(const struct cluster *c, const char *level)
{
    struct recorder *r = calloc(1, sizeof *r);
    char reply[200] = "";
    r->cluster = c;
    r->level = level;
    snprintf(r->path, sizeof r->path, "%s/history.jsonl", itest_dir());
    r->file = fopen(r->path, "w");
    REQUIRE(r->file != NULL);
    for (size_t i = 0; i < c->count && reply[0] == '\0'; i++) {
        wire_once(c->node[i].port, 10000, reply, sizeof reply, "LLEN recorder:none");
    }
    r->has_lists = strcmp(reply, ":0\r\n") == 0;
    for (size_t i = 0; i < RECORDER_CLIENTS; i++) {
        r->client[i] = (struct recorder_client){.all = r, .id = i, .node = i % c->count, .random = itest_random()};
        r->client[i].wire.fd = -1;
        pthread_create(&r->client[i].thread, NULL, recorder_main, &r->client[i]);
    }
    return r;
}

bool recorder_wait_progress(const struct recorder *r, uint64_t more, int timeout_ms)
{
    uint64_t begin = atomic_load(&r->answered);
    for (int64_t deadline = itest_now_ms() + timeout_ms; itest_now_ms() < deadline; itest_sleep_ms(2)) {
        if (atomic_load(&r->answered) >= begin + more) {
            return true;
        }
    }
    return false;
}

/* The checker lies beside the server, unless CORACLE_CHECK says where. */
static void recorder_judge(const struct recorder *r)
{
    char out[4000];
    int status = itest_shell(out, sizeof out, "\"${CORACLE_CHECK:-${CORACLE_BUILD:-build/release}/coracle-check}\" '%s' 2>&1", r->path);
    out[strcspn(out, "\n")] = '\0';
    itest_note("%s", out);
    if (status == 1) {
        itest_shell(out, sizeof out, "cp '%s' /tmp/coracle-history-$$.jsonl && echo kept as /tmp/coracle-history-$$.jsonl", r->path);
        itest_fail("the history is not linearizable; %s", out);
    } else if (status != 0 && status != 2) {
        itest_fail("coracle-check ended with status %d", status);
    }
}

void recorder_finish(struct recorder *r)
{
    atomic_store(&r->is_over, true);
    for (size_t i = 0; i < RECORDER_CLIENTS; i++) {
        pthread_join(r->client[i].thread, NULL);
        if (r->client[i].wrong[0] != '\0') {
            itest_fail("client %zu got a wrong reply %s", i, r->client[i].wrong);
        }
    }
    fclose(r->file);
    itest_note("recorded %llu operations%s: %llu replies without error, %llu refused, %llu unknown", (unsigned long long)atomic_load(&r->operations),
               r->has_lists ? ", lists too" : "", (unsigned long long)atomic_load(&r->answered), (unsigned long long)atomic_load(&r->refused),
               (unsigned long long)atomic_load(&r->unknown));
    recorder_judge(r);
    free(r);
}
