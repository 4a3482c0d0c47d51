/* hiredis as applications use it: synchronous, asynchronous over libev, pipelines of 10,000, RESP2 and RESP3. Each
 * test goes to the leader and to a follower: any node answers anything. */
#include <ev.h>
#include <hiredis/adapters/libev.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/lib/cluster.h"

static redisContext *clients_connect(const struct cluster *c, size_t node)
{
    struct timeval limit = {10, 0};
    redisContext *r = redisConnectWithTimeout("127.0.0.1", c->node[node].port, limit);
    REQUIRE(r != NULL && r->err == 0);
    redisSetTimeout(r, limit);
    return r;
}

/* Runs `fn` with the leader, then with a follower where there is one. */
static void clients_on_each(void (*fn)(const struct cluster *c, size_t node))
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    int leader = cluster_leader(&c, -1, 5000);
    REQUIRE(leader >= 0);
    fn(&c, (size_t)leader);
    if (c.count > 1) {
        fn(&c, cluster_follower(&c));
    }
}

static void clients_expect(redisReply *r, int type, long long integer, const char *text)
{
    REQUIRE(r != NULL);
    if (r->type != type) {
        itest_fail("reply type %d (%.100s), not %d", r->type, r->type == REDIS_REPLY_ERROR ? r->str : "", type);
    } else if (type == REDIS_REPLY_INTEGER) {
        CHECK(r->integer == integer);
    } else if (text != NULL) {
        CHECK_STR(r->str, text);
    }
    freeReplyObject(r);
}

#define EXPECT_STATUS(text, ...) clients_expect(redisCommand(r, __VA_ARGS__), REDIS_REPLY_STATUS, 0, text)
#define EXPECT_STRING(text, ...) clients_expect(redisCommand(r, __VA_ARGS__), REDIS_REPLY_STRING, 0, text)
#define EXPECT_ERROR(text, ...) clients_expect(redisCommand(r, __VA_ARGS__), REDIS_REPLY_ERROR, 0, text)
#define EXPECT_INT(n, ...) clients_expect(redisCommand(r, __VA_ARGS__), REDIS_REPLY_INTEGER, n, NULL)
#define EXPECT_NIL(...) clients_expect(redisCommand(r, __VA_ARGS__), REDIS_REPLY_NIL, 0, NULL)

static void clients_check_strings(redisContext *r)
{
    EXPECT_STATUS("PONG", "PING");
    EXPECT_STRING("hello", "ECHO hello");
    EXPECT_STATUS("OK", "FLUSHALL");
    EXPECT_NIL("GET a");
    EXPECT_STATUS("OK", "SET a 1");
    EXPECT_STRING("1", "GET a");
    EXPECT_NIL("SET a 2 NX");
    EXPECT_STRING("1", "SET a 3 XX GET");
    EXPECT_INT(4, "INCR a");
    EXPECT_INT(14, "INCRBY a 10");
    EXPECT_INT(13, "DECR a");
    EXPECT_INT(3, "DECRBY a 10");
    EXPECT_INT(4, "APPEND a xyz");
    EXPECT_INT(4, "STRLEN a");
    EXPECT_ERROR("ERR value is not an integer or out of range", "INCR a");
    EXPECT_ERROR("ERR syntax error", "SET a 1 BOGUS");
    EXPECT_ERROR("ERR wrong number of arguments for 'get' command", "GET");
    EXPECT_STATUS("string", "TYPE a");
    EXPECT_STATUS("OK", "MSET b 2 c 3");
    EXPECT_INT(3, "EXISTS a b c nothing");
    EXPECT_INT(3, "DBSIZE");
    EXPECT_INT(2, "DEL b c nothing");
    EXPECT_INT(-1, "TTL a");
    EXPECT_INT(1, "EXPIRE a 100");
    EXPECT_INT(100, "TTL a");
    EXPECT_INT(1, "PERSIST a");
    EXPECT_INT(-1, "PTTL a");
    EXPECT_INT(-2, "TTL nothing");
}

static void clients_check_mget(redisContext *r)
{
    EXPECT_STATUS("OK", "MSET b 2 c 3");
    redisReply *reply = redisCommand(r, "MGET b nothing c");
    REQUIRE(reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3);
    CHECK_STR(reply->element[0]->str, "2");
    CHECK(reply->element[1]->type == REDIS_REPLY_NIL);
    CHECK_STR(reply->element[2]->str, "3");
    freeReplyObject(reply);
}

static void clients_check_binary(redisContext *r)
{
    char value[256];
    for (int i = 0; i < 256; i++) {
        value[i] = (char)i;
    }
    EXPECT_STATUS("OK", "SET %b %b", value, sizeof value, value, sizeof value);
    redisReply *reply = redisCommand(r, "GET %b", value, sizeof value);
    REQUIRE(reply != NULL && reply->type == REDIS_REPLY_STRING && reply->len == sizeof value);
    CHECK(memcmp(reply->str, value, sizeof value) == 0);
    freeReplyObject(reply);
    EXPECT_STATUS("OK", "SET empty %b", "", (size_t)0);
    EXPECT_STRING("", "GET empty");
}

static void clients_check_large(redisContext *r)
{
    size_t n = 8 * 1024 * 1024;
    char *value = malloc(n);
    memset(value, 'v', n);
    value[n / 2] = '\0';
    EXPECT_STATUS("OK", "SET large %b", value, n);
    redisReply *reply = redisCommand(r, "GET large");
    REQUIRE(reply != NULL && reply->type == REDIS_REPLY_STRING && reply->len == n);
    CHECK(memcmp(reply->str, value, n) == 0);
    freeReplyObject(reply);
    EXPECT_INT(1, "DEL large");
    free(value);
}

static void clients_check_transaction(redisContext *r)
{
    EXPECT_STATUS("OK", "MULTI");
    EXPECT_STATUS("QUEUED", "SET t 1");
    EXPECT_STATUS("QUEUED", "INCR t");
    EXPECT_STATUS("QUEUED", "GET t");
    redisReply *reply = redisCommand(r, "EXEC");
    REQUIRE(reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 3);
    CHECK_STR(reply->element[0]->str, "OK");
    CHECK(reply->element[1]->integer == 2);
    CHECK_STR(reply->element[2]->str, "2");
    freeReplyObject(reply);
    EXPECT_ERROR("ERR EXEC without MULTI", "EXEC");
    EXPECT_STATUS("OK", "MULTI");
    EXPECT_STATUS("OK", "DISCARD");
}

/* A key watched by one connection and changed by another: nothing of the transaction happens. */
static void clients_check_watch(const struct cluster *c, size_t node, redisContext *r)
{
    redisContext *other = clients_connect(c, (node + 1) % c->count);
    EXPECT_STATUS("OK", "SET w 1");
    EXPECT_STATUS("OK", "WATCH w");
    clients_expect(redisCommand(other, "SET w 2"), REDIS_REPLY_STATUS, 0, "OK");
    EXPECT_STATUS("OK", "MULTI");
    EXPECT_STATUS("QUEUED", "SET w 3");
    EXPECT_NIL("EXEC");
    EXPECT_STRING("2", "GET w");
    EXPECT_STATUS("OK", "WATCH w");
    EXPECT_STATUS("OK", "MULTI");
    EXPECT_STATUS("QUEUED", "SET w 4");
    redisReply *reply = redisCommand(r, "EXEC");
    REQUIRE(reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 1);
    freeReplyObject(reply);
    EXPECT_STRING("4", "GET w");
    redisFree(other);
}

static void clients_sync(const struct cluster *c, size_t node)
{
    redisContext *r = clients_connect(c, node);
    clients_check_strings(r);
    clients_check_mget(r);
    clients_check_binary(r);
    clients_check_large(r);
    clients_check_transaction(r);
    clients_check_watch(c, node, r);
    EXPECT_STATUS("OK", "QUIT");
    redisFree(r);
}

ITEST(hiredis_resp2, ITEST_ANY_SERVER, 60)
{
    clients_on_each(clients_sync);
}

/* What is written through one node is read through every other: linearizable, not eventually. */
ITEST(hiredis_reads_see_writes_of_other_nodes, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    redisContext *r[3];
    cluster_start(&c, 3, 0, "");
    for (size_t i = 0; i < 3; i++) {
        r[i] = clients_connect(&c, i);
    }
    for (int i = 0; i < 300 && !itest_has_failed(); i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        clients_expect(redisCommand(r[i % 3], "SET x %s", value), REDIS_REPLY_STATUS, 0, "OK");
        clients_expect(redisCommand(r[(i + 1) % 3], "GET x"), REDIS_REPLY_STRING, 0, value);
        clients_expect(redisCommand(r[(i + 2) % 3], "GET x"), REDIS_REPLY_STRING, 0, value);
    }
    for (size_t i = 0; i < 3; i++) {
        redisFree(r[i]);
    }
}

/* ---- RESP3 ----
 * hiredis before 1.0 can format requests but not parse RESP3, so the bytes are read by the wire. */

static void clients_expect_raw(struct wire *w, const char *want, const char *command)
{
    const char *got = wire_call(w, "%s", command);
    if (got == NULL || strcmp(got, want) != 0) {
        itest_fail("%s: \"%.200s\", not \"%.200s\"", command, got != NULL ? got : "(no reply)", want);
    }
}

static void clients_resp3(const struct cluster *c, size_t node)
{
    struct wire w;
    REQUIRE(wire_open(&w, c->node[node].port, 5000));
    const char *hello = wire_call(&w, "HELLO 3");
    REQUIRE(hello != NULL && hello[0] == '%');
    CHECK(strstr(hello, "$5\r\nproto\r\n:3\r\n") != NULL);
    CHECK(strstr(hello, "$7\r\nversion\r\n") != NULL);
    clients_expect_raw(&w, "+OK\r\n", "FLUSHALL");
    clients_expect_raw(&w, "_\r\n", "GET nothing");
    clients_expect_raw(&w, "+OK\r\n", "SET a 1");
    clients_expect_raw(&w, "$1\r\n1\r\n", "GET a");
    clients_expect_raw(&w, ":2\r\n", "INCR a");
    clients_expect_raw(&w, "*2\r\n$1\r\n2\r\n_\r\n", "MGET a nothing");
    clients_expect_raw(&w, "%1\r\n$9\r\ndatabases\r\n$2\r\n16\r\n", "CONFIG GET databases");
    clients_expect_raw(&w, "-ERR syntax error\r\n", "SET a b c");
    const char *info = wire_call(&w, "INFO server");
    CHECK(info != NULL && info[0] == '=');
    clients_expect_raw(&w, "+OK\r\n", "WATCH a");
    clients_expect_raw(&w, "+OK\r\n", "SET a 5");
    clients_expect_raw(&w, "+OK\r\n", "MULTI");
    clients_expect_raw(&w, "+QUEUED\r\n", "GET a");
    clients_expect_raw(&w, "_\r\n", "EXEC");
    hello = wire_call(&w, "HELLO 2");
    CHECK(hello != NULL && hello[0] == '*');
    clients_expect_raw(&w, "$-1\r\n", "GET nothing");
    clients_expect_raw(&w, "-NOPROTO unsupported protocol version\r\n", "HELLO 4");
    wire_close(&w);
}

ITEST(hiredis_resp3, ITEST_ANY_SERVER, 40)
{
    clients_on_each(clients_resp3);
}

/* ---- pipelines ---- */

static void clients_pipeline(const struct cluster *c, size_t node)
{
    enum { DEPTH = 10000 };
    redisContext *r = clients_connect(c, node);
    redisReply *reply;
    EXPECT_STATUS("OK", "FLUSHALL");
    for (int i = 0; i < DEPTH; i++) {
        redisAppendCommand(r, "INCR counter");
    }
    for (int i = 1; i <= DEPTH && !itest_has_failed(); i++) {
        REQUIRE(redisGetReply(r, (void **)&reply) == REDIS_OK);
        clients_expect(reply, REDIS_REPLY_INTEGER, i, NULL);
    }
    /* Reads between writes see those before them and none of those after. */
    for (int i = 0; i < DEPTH / 2; i++) {
        redisAppendCommand(r, "SET k %d", i);
        redisAppendCommand(r, "GET k");
    }
    for (int i = 0; i < DEPTH / 2 && !itest_has_failed(); i++) {
        char value[16];
        snprintf(value, sizeof value, "%d", i);
        REQUIRE(redisGetReply(r, (void **)&reply) == REDIS_OK);
        clients_expect(reply, REDIS_REPLY_STATUS, 0, "OK");
        REQUIRE(redisGetReply(r, (void **)&reply) == REDIS_OK);
        clients_expect(reply, REDIS_REPLY_STRING, 0, value);
    }
    redisFree(r);
}

ITEST(hiredis_pipeline_10000, ITEST_ANY_SERVER, 60)
{
    clients_on_each(clients_pipeline);
}

/* 10,000 commands of which nothing is read until the last one is sent: replies wait in the server. 1 KiB values make
 * it more than the sockets hold. */
static void clients_pipeline_unread(const struct cluster *c, size_t node)
{
    enum { DEPTH = 10000 };
    struct wire w;
    char command[1200];
    const char *reply;
    size_t len;
    REQUIRE(wire_open(&w, c->node[node].port, 30000));
    memset(command, 'x', sizeof command);
    int n = snprintf(command, sizeof command, "*2\r\n$4\r\nECHO\r\n$1024\r\n");
    command[n] = 'x';
    memcpy(command + n + 1024, "\r\n", 2);
    for (int i = 0; i < DEPTH; i++) {
        REQUIRE(wire_write(&w, command, (size_t)n + 1026));
    }
    for (int i = 0; i < DEPTH; i++) {
        REQUIRE(wire_read(&w, 10000, &reply, &len) == WIRE_OK && len == 1024 + 9);
    }
    wire_close(&w);
}

ITEST(pipeline_unread_replies, ITEST_ANY_SERVER, 60)
{
    clients_on_each(clients_pipeline_unread);
}

/* ---- asynchronous ---- */

enum { CLIENTS_ASYNC = 50, CLIENTS_ASYNC_OPS = 200 };

struct clients_async {
    redisAsyncContext *context;
    int id;
    int replies;
    long long expected; /* value of the next INCR reply */
};

static int clients_async_open;

static void clients_on_incr(redisAsyncContext *context, void *reply, void *ctx)
{
    const redisReply *r = reply;
    struct clients_async *a = ctx;
    (void)context;
    if (r == NULL || r->type != REDIS_REPLY_INTEGER || r->integer != a->expected) {
        itest_fail("client %d: reply %d is not %lld", a->id, a->replies, a->expected);
    }
    a->expected++;
    a->replies++;
}

static void clients_on_get(redisAsyncContext *context, void *reply, void *ctx)
{
    const redisReply *r = reply;
    struct clients_async *a = ctx;
    if (r == NULL || r->type != REDIS_REPLY_STRING || strtoll(r->str, NULL, 10) != a->expected - 1) {
        itest_fail("client %d: GET after reply %d is not %lld", a->id, a->replies, a->expected - 1);
    }
    if (++a->replies == 2 * CLIENTS_ASYNC_OPS) {
        redisAsyncDisconnect(context);
    }
}

static void clients_on_disconnect(const redisAsyncContext *context, int status)
{
    (void)context;
    CHECK(status == REDIS_OK);
    if (--clients_async_open == 0) {
        ev_break(EV_DEFAULT, EVBREAK_ALL);
    }
}

static void clients_on_connect(const redisAsyncContext *context, int status)
{
    (void)context;
    CHECK(status == REDIS_OK);
}

static void clients_async_run(const struct cluster *c, size_t node)
{
    static struct clients_async a[CLIENTS_ASYNC];
    redisContext *r = clients_connect(c, node);
    EXPECT_STATUS("OK", "FLUSHALL");
    redisFree(r);
    for (int i = 0; i < CLIENTS_ASYNC; i++) {
        a[i] = (struct clients_async){.id = i, .expected = 1, .context = redisAsyncConnect("127.0.0.1", c->node[node].port)};
        REQUIRE(a[i].context != NULL && a[i].context->err == 0);
        clients_async_open++;
        redisLibevAttach(EV_DEFAULT, a[i].context);
        redisAsyncSetConnectCallback(a[i].context, clients_on_connect);
        redisAsyncSetDisconnectCallback(a[i].context, clients_on_disconnect);
        for (int op = 0; op < CLIENTS_ASYNC_OPS; op++) {
            redisAsyncCommand(a[i].context, clients_on_incr, &a[i], "INCR n:%d", i);
            redisAsyncCommand(a[i].context, clients_on_get, &a[i], "GET n:%d", i);
        }
    }
    ev_run(EV_DEFAULT, 0);
    for (int i = 0; i < CLIENTS_ASYNC; i++) {
        CHECK(a[i].replies == 2 * CLIENTS_ASYNC_OPS);
    }
}

ITEST(hiredis_async_libev, ITEST_ANY_SERVER, 60)
{
    clients_on_each(clients_async_run);
}

/* What several connections sent while the node did not run is executed in the order in which it came. */
ITEST(order_of_arrival_across_connections, ITEST_ANY_SERVER, 30)
{
    static struct cluster c;
    static struct wire w[10];
    struct wire control;

    cluster_start(&c, 1, 0, "");
    REQUIRE(wire_open(&control, c.node[0].port, 5000));
    for (size_t i = 0; i < 10; i++) {
        REQUIRE(wire_open(&w[i], c.node[0].port, 5000));
        CHECK_STR(wire_call(&w[i], "PING"), "+PONG\r\n");
    }
    for (int round = 0; round < 5; round++) {
        CHECK(wire_call(&control, "DEL order") != NULL);
        cluster_node_suspend(&c, 0);
        for (size_t i = 0; i < 10; i++) {
            size_t at = (i * 7 + (size_t)round) % 10;
            REQUIRE(wire_send(&w[at], "APPEND order %zu", i));
        }
        cluster_node_resume(&c, 0);
        for (size_t i = 0; i < 10; i++) {
            const char *reply;
            size_t len;
            REQUIRE(wire_read(&w[i], 5000, &reply, &len) == WIRE_OK);
        }
        CHECK_STR(wire_call(&control, "GET order"), "$10\r\n0123456789\r\n");
    }
    for (size_t i = 0; i < 10; i++) {
        wire_close(&w[i]);
    }
    wire_close(&control);
}

ITEST_MAIN()
