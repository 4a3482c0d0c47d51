/* What was acknowledged is there afterwards: nodes killed, stopped, left behind, alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/lib/cluster.h"
#include "integration/lib/writers.h"

/* Every acknowledged write on every node: linearizable reads first, then each node's own state. */
static void durability_verify_everywhere(const struct cluster *c, const struct writers *w)
{
    CHECK(itest_server_is_redis() || cluster_wait_caught_up(c, 20000));
    for (size_t i = 0; i < c->count && !itest_has_failed(); i++) {
        writers_verify(w, c, i);
    }
    if (itest_server_is_redis()) {
        return;
    }
    cluster_config_set(c, "read-consistency", "stale");
    for (size_t i = 0; i < c->count && !itest_has_failed(); i++) {
        writers_verify(w, c, i);
    }
    cluster_config_set(c, "read-consistency", "quorum");
}

/* The harness's own proof on redis-server: nothing is killed there, so nothing may be missing. */
ITEST(acknowledged_writes_are_there, ITEST_ANY_SERVER, 60)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    struct writers *w = writers_start(&c, 6, 10, "w");
    CHECK(writers_wait_progress(w, 5000, 20000));
    writers_stop(w);
    writers_note(w);
    durability_verify_everywhere(&c, w);
    writers_free(w);
}

ITEST(kill_leader_under_load, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    struct writers *w = writers_start(&c, 6, 10, "w");
    for (int round = 0; round < 4; round++) {
        REQUIRE(writers_wait_progress(w, 1000, 20000));
        int leader = cluster_leader(&c, -1, 10000);
        REQUIRE(leader >= 0);
        cluster_node_kill(&c, (size_t)leader);
        REQUIRE(writers_wait_progress(w, 1000, 20000));
        cluster_node_start(&c, (size_t)leader);
    }
    CHECK(writers_wait_progress(w, 1000, 20000));
    writers_stop(w);
    writers_note(w);
    durability_verify_everywhere(&c, w);
    writers_free(w);
}

ITEST(all_nodes_killed_and_restarted, ITEST_CLUSTER, 120)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    struct writers *w = writers_start(&c, 6, 10, "w");
    for (int round = 0; round < 3; round++) {
        REQUIRE(writers_wait_progress(w, 2000, 20000));
        for (size_t i = 0; i < 3; i++) {
            cluster_node_kill(&c, i);
        }
        for (size_t i = 0; i < 3; i++) {
            cluster_node_start(&c, i);
        }
        REQUIRE(cluster_leader(&c, -1, 15000) >= 0);
    }
    CHECK(writers_wait_progress(w, 1000, 20000));
    writers_stop(w);
    writers_note(w);
    durability_verify_everywhere(&c, w);
    writers_free(w);
}

/* SIGTERM under load: clean exits, and nothing missing. */
ITEST(all_nodes_stopped_and_started, ITEST_CLUSTER, 90)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "");
    struct writers *w = writers_start(&c, 3, 10, "w");
    for (int round = 0; round < 2; round++) {
        REQUIRE(writers_wait_progress(w, 1000, 20000));
        for (size_t i = 0; i < 3; i++) {
            CHECK(cluster_node_stop(&c, i) == 0);
        }
        for (size_t i = 0; i < 3; i++) {
            cluster_node_start(&c, i);
        }
        REQUIRE(cluster_leader(&c, -1, 15000) >= 0);
    }
    CHECK(writers_wait_progress(w, 1000, 20000));
    writers_stop(w);
    writers_note(w);
    durability_verify_everywhere(&c, w);
    writers_free(w);
}

/* A follower that was away is fed what it missed, from the leader's disk where memory does not reach back: segments and
 * the log in memory are small here. */
ITEST(follower_stopped_and_back, ITEST_CLUSTER, 90)
{
    static struct cluster c;
    cluster_start(&c, 3, 0, "--log-segment-size 1048576 --log-memory 1048576");
    size_t away = cluster_follower(&c);
    struct writers *w = writers_start(&c, 6, 50, "w");
    REQUIRE(writers_wait_progress(w, 1000, 20000));
    cluster_node_kill(&c, away);
    REQUIRE(writers_wait_progress(w, 60000, 60000)); /* some 10 MB of log */
    cluster_node_start(&c, away);
    REQUIRE(writers_wait_progress(w, 1000, 20000));
    writers_stop(w);
    writers_note(w);
    durability_verify_everywhere(&c, w);
    writers_free(w);
}

/* Without --cluster: a durable server of one node. */
ITEST(one_node_alone, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    char reply[512];
    cluster_prepare(&c, "alone", 1, 0, "");
    cluster_node_start_as(&c, 0, "", c.node[0].dir);
    REQUIRE(cluster_wait_writable(&c, 0, 10000));
    struct writers *w = writers_start(&c, 4, 10, "w");
    for (int round = 0; round < 3; round++) {
        REQUIRE(writers_wait_progress(w, 1000, 20000));
        cluster_node_kill(&c, 0);
        cluster_node_start_as(&c, 0, "", c.node[0].dir);
        REQUIRE(cluster_wait_writable(&c, 0, 10000));
    }
    writers_stop(w);
    writers_note(w);
    writers_verify(w, &c, 0);
    CHECK(wire_once(c.node[0].port, 5000, reply, sizeof reply, "DBSIZE") && reply[0] == ':');
    writers_free(w);
}

/* Times of death survive a restart: a key that came due meanwhile is gone, another keeps its TTL. */
ITEST(expiry_across_restart, ITEST_CLUSTER, 60)
{
    static struct cluster c;
    struct wire w;
    cluster_start(&c, 3, 0, "");
    REQUIRE(wire_open(&w, c.node[0].port, 5000));
    CHECK_STR(wire_call(&w, "SET soon 1 PX 700"), "+OK\r\n");
    CHECK_STR(wire_call(&w, "SET later 1 EX 1000"), "+OK\r\n");
    CHECK_STR(wire_call(&w, "SET never 1"), "+OK\r\n");
    CHECK_STR(wire_call(&w, "GET soon"), "$1\r\n1\r\n");
    wire_close(&w);
    for (size_t i = 0; i < 3; i++) {
        cluster_node_kill(&c, i);
    }
    itest_sleep_ms(800);
    for (size_t i = 0; i < 3; i++) {
        cluster_node_start(&c, i);
    }
    REQUIRE(cluster_leader(&c, -1, 15000) >= 0);
    for (size_t i = 0; i < 3; i++) {
        REQUIRE(wire_open(&w, c.node[i].port, 5000));
        CHECK_STR(wire_call(&w, "GET soon"), "$-1\r\n");
        CHECK_STR(wire_call(&w, "TTL soon"), ":-2\r\n");
        CHECK_STR(wire_call(&w, "EXISTS soon later never"), ":2\r\n");
        CHECK_STR(wire_call(&w, "TTL never"), ":-1\r\n");
        const char *ttl = wire_call(&w, "TTL later");
        CHECK(ttl != NULL && atoi(ttl + 1) > 900 && atoi(ttl + 1) <= 1000);
        wire_close(&w);
    }
}

/* Two processes never share a data folder. */
ITEST(data_folder_is_locked, ITEST_CLUSTER, 30)
{
    static struct cluster c;
    static struct cluster other;
    int status = 0;
    cluster_start(&c, 1, 0, "");
    cluster_prepare(&other, "other", 1, 0, "");
    cluster_node_start_as(&other, 0, other.members, c.node[0].dir);
    REQUIRE(cluster_node_has_exited(&other, 0, 10000, &status));
    CHECK(status != 0);
    CHECK(cluster_log_contains(&other, 0, "lock") || cluster_log_contains(&other, 0, "in use"));
    CHECK(cluster_wait_writable(&c, 0, 5000));
}

/* A wrong option is refused by name, with the nearest one or the range; nothing is started. */
ITEST(options_are_refused, ITEST_CLUSTER, 30)
{
    static const struct {
        const char *flags;
        const char *says;
    } row[] = {
        {"--prot 7000", "port"},
        {"--port 0", "65535"},
        {"--port seven", "port"},
        {"--read-consistency sometimes", "lease"},
        {"--heartbeat", "heartbeat"},
        {"no-such-file.conf", "no-such-file.conf"},
    };
    static struct cluster c;
    cluster_prepare(&c, "none", 1, 0, "");
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char out[4096];
        int code = itest_shell(out, sizeof out, "program=$(realpath \"${CORACLE:-build/release/coracle}\"); cd '%s' && timeout 5 \"$program\" %s 2>&1 < /dev/null",
                               itest_dir(), row[i].flags);
        if (code == 0 || code == 124 || strstr(out, row[i].says) == NULL) {
            itest_fail("%s: exit status %d, \"%s\" is not in: %s", row[i].flags, code, row[i].says, out);
        }
    }
}

ITEST_MAIN()
