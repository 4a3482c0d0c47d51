/* Client libraries in their modes, and what an application sees when the leader is killed, ends, or hands over. The scripts
 * of integration/clients write one after the other; docs/CLIENTS.md has the table of what came out. MATRIX=all runs every
 * cell (`make nightly`, `make clients`), otherwise a few of them. */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/lib/cluster.h"
#include "integration/lib/script.h"

enum matrix_mode { MATRIX_PLAIN, MATRIX_SENTINEL, MATRIX_CLUSTER };

struct matrix_cell {
    const char *script; /* with its first arguments */
    enum matrix_mode mode;
    bool is_stuck; /* the library itself does not find another node: the dead one comes back before anything is expected */
    bool is_short; /* part of `make test` */
    int most_errors; /* that the application may see in all; 0 where it is possible */
};

static struct cluster matrix_cluster;
static const char *const matrix_mode_name[] = {"plain", "sentinel", "cluster"};

/* The ports to tell the library: of a follower; of all nodes. */
static void matrix_ports(const struct cluster *c, enum matrix_mode mode, char *out, size_t size)
{
    size_t used = 0;
    if (mode == MATRIX_PLAIN) {
        snprintf(out, size, "%u", c->node[cluster_follower(c)].port);
        return;
    }
    for (size_t i = 0; i < c->count; i++) {
        unsigned port = mode == MATRIX_SENTINEL ? c->node[i].sentinel_port : c->node[i].port;
        used += (size_t)snprintf(out + used, size - used, "%s%u", i ? "," : "", port);
    }
}

static bool matrix_is_whole(void)
{
    const char *which = getenv("MATRIX");
    return which && strcmp(which, "all") == 0;
}

static void matrix_event(struct cluster *c, size_t event, bool is_stuck, struct script *s)
{
    static const char *const name[] = {"kill -9 of the leader", "SIGTERM of the leader", "RAFT TRANSFER"};
    size_t leader = (size_t)cluster_leader(c, -1, 15000);
    char out[200];
    if (event == 0) {
        cluster_node_kill(c, leader);
    } else if (event == 1) {
        CHECK(cluster_node_stop(c, leader) == 0);
    } else {
        wire_once(c->node[leader].port, 10000, out, sizeof out, "RAFT TRANSFER");
        CHECK_STR(out, "+OK\r\n");
    }
    REQUIRE(cluster_leader(c, event < 2 ? (int)leader : -1, 15000) >= 0);
    if (event < 2 && is_stuck) {
        cluster_node_start(c, leader);
    }
    REQUIRE(script_answer(s, name[event]));
}

static void matrix_heal(struct cluster *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (c->node[i].pid == 0) {
            cluster_node_start(c, i);
        }
    }
    REQUIRE(cluster_leader(c, -1, 15000) >= 0);
    REQUIRE(cluster_wait_caught_up(c, 30000));
}

static void matrix_run(const struct matrix_cell *cell)
{
    static struct script s;
    struct cluster *c = &matrix_cluster;
    char ports[100];
    size_t events = matrix_is_whole() ? 3 : 1;
    if (!cell->is_short && !matrix_is_whole()) {
        itest_skip("MATRIX=all runs it (make nightly)");
    }
    cluster_start(c, 3, 0, cell->mode == MATRIX_CLUSTER ? "--cluster-enabled yes" : "");
    matrix_ports(c, cell->mode, ports, sizeof ports);
    script_start(&s, "%s%s %s %zu", cell->script, matrix_mode_name[cell->mode], ports, events);
    for (size_t i = 0; i < events; i++) {
        char want[20];
        snprintf(want, sizeof want, "event %zu", i);
        REQUIRE(script_expect(&s, 60000, want));
        matrix_heal(c);
        if (cell->mode == MATRIX_PLAIN && c->node[cluster_leader(c, -1, 5000)].port == (unsigned)atoi(ports)) {
            char out[100]; /* the client's own node stays: another shall lead */
            wire_once((uint16_t)atoi(ports), 10000, out, sizeof out, "RAFT TRANSFER");
            CHECK_STR(out, "+OK\r\n");
        }
        matrix_event(c, i, cell->is_stuck, &s);
    }
    const char *line = script_line(&s, 90000);
    REQUIRE(line && strncmp(line, "errors ", 7) == 0);
    itest_note("%s%s: %s", cell->script, matrix_mode_name[cell->mode], line);
    CHECK(atoi(line + 7) <= cell->most_errors);
    script_end(&s, 30000);
}

#define CELL(id, script_name, ...)                                                        \
    ITEST(id, ITEST_CLUSTER, 120)                                                         \
    {                                                                                     \
        static const struct matrix_cell cell = {.script = script_name " ", __VA_ARGS__};  \
        matrix_run(&cell);                                                                \
    }

/* An error is possible where a library gives up the one command that was under way when the process died, as these do. */
CELL(matrix_ioredis_plain, "follow.js ioredis", .mode = MATRIX_PLAIN)
CELL(matrix_ioredis_sentinel, "follow.js ioredis", .mode = MATRIX_SENTINEL, .is_short = true)
CELL(matrix_ioredis_cluster, "follow.js ioredis", .mode = MATRIX_CLUSTER, .is_short = true)
CELL(matrix_node_redis_4_plain, "follow.js node-redis-4", .mode = MATRIX_PLAIN)
CELL(matrix_node_redis_4_cluster, "follow.js node-redis-4", .mode = MATRIX_CLUSTER, .is_stuck = true, .most_errors = 1)
CELL(matrix_node_redis_5_plain, "follow.js node-redis-5", .mode = MATRIX_PLAIN)
CELL(matrix_node_redis_5_sentinel, "follow.js node-redis-5", .mode = MATRIX_SENTINEL)
CELL(matrix_node_redis_5_cluster, "follow.js node-redis-5", .mode = MATRIX_CLUSTER, .is_stuck = true, .most_errors = 1)
CELL(matrix_redis_py_plain, "follow.py", .mode = MATRIX_PLAIN)
CELL(matrix_redis_py_sentinel, "follow.py", .mode = MATRIX_SENTINEL, .is_short = true, .most_errors = 2)

/* hiredis finds nothing by itself: in plain mode its connection to a follower outlives the leader. */
ITEST(matrix_hiredis_plain, ITEST_CLUSTER, 60)
{
    struct cluster *c = &matrix_cluster;
    int64_t slowest = 0;
    cluster_start(c, 3, 0, "");
    size_t leader = (size_t)cluster_leader(c, -1, 5000);
    redisContext *redis = redisConnect("127.0.0.1", c->node[(leader + 1) % 3].port);
    REQUIRE(redis && !redis->err);
    for (int i = 0; i < 300; i++) {
        int64_t began = itest_now_ms();
        if (i == 100) {
            cluster_node_kill(c, leader);
        }
        redisReply *reply = redisCommand(redis, "SET follow:%d %d", i, i);
        REQUIRE(reply && reply->type == REDIS_REPLY_STATUS);
        freeReplyObject(reply);
        slowest = itest_now_ms() - began > slowest ? itest_now_ms() - began : slowest;
    }
    redisFree(redis);
    itest_note("hiredis, plain, kill -9 of the leader: 0 errors, slowest write %lld ms", (long long)slowest);
}

ITEST_MAIN()
