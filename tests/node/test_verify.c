/* Divergence is found and told: RAFT VERIFY, the running digest, DEBUG CORRUPT-KEY. */
#include <stdio.h>
#include <string.h>

#include "keyspace/keyspace_running.h"
#include "node/peer_message.h"
#include "rig.h"
#include "tests/test.h"

static const char three[] = "n1:7000,n2:7000,n3:7000";

static struct rig *cluster(int count)
{
    struct rig *r = rig_new(count, count == 2 ? "n1:7000,n2:7000" : three);
    for (int i = 0; i < count; i++) {
        r->host[i].options.test_mode = true;
        r->host[i].options.enable_debug_command = 1;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    return r;
}

static void spoil(struct rig *r, int slot, const char *key)
{
    struct rig_client c;
    char text[64];
    snprintf(text, sizeof text, "DEBUG CORRUPT-KEY %s\r\n", key);
    rig_connect(r, slot, &c);
    CHECK_EQ_STR(rig_ask(&c, text, 1000), "+OK\r\n");
    rig_disconnect(&c);
}

TEST(equal_nodes_say_so)
{
    struct rig *r = cluster(3);
    rig_write_keys(r, 0, 0, 30);
    for (int slot = 0; slot < 3; slot++) {
        struct rig_client c;
        rig_connect(r, slot, &c);
        const char *answer = rig_ask(&c, "RAFT VERIFY\r\n", 5000);
        CHECK(strstr(answer, "verdict\r\n$5\r\nequal\r\n") != NULL);
        CHECK(strstr(answer, "no answer") == NULL);
        rig_disconnect(&c);
    }
    rig_write_keys(r, 1, 30, 160); /* over some indices at which running digests are told (slow checks: every 64) */
    for (int slot = 0; slot < 3; slot++)
        CHECK(node_verify_alarm(r->host[slot].node) == NULL);
    rig_free(r);
}

static int lost;
static bool lose_first_digests(struct rig *r, int from, int to, enum link_role role, struct slice message)
{
    (void)r;
    (void)role;
    bool is_digest = message.p[0] == PEER_DIGEST;
    if (!is_digest || from == to || lost >= 6)
        return true;
    lost++;
    return false;
}

/* Every first digest is lost, and followers hear of each other only through the leader: the answer is complete on all nodes. */
TEST(digests_that_were_lost_are_told_again)
{
    struct rig *r = cluster(3);
    rig_write_keys(r, 0, 0, 30);
    rig_run(r, 3000); /* nobody has heard a follower but the leader */
    for (int slot = 0; slot < 3; slot++) {
        struct rig_client c;
        lost = 0;
        r->filter = lose_first_digests;
        rig_connect(r, slot, &c);
        const char *answer = rig_ask(&c, "RAFT VERIFY\r\n", 5000);
        CHECK_EQ_INT(lost, 6);
        CHECK(strstr(answer, "verdict\r\n$5\r\nequal\r\n") != NULL);
        CHECK(strstr(answer, "no answer") == NULL);
        rig_disconnect(&c);
        rig_run(r, 3000);
    }
    rig_free(r);
}

static bool one_has_stopped(struct rig *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->host[i].fatal[0] != '\0')
            return true;
    return false;
}

TEST(a_node_that_differs_stops_and_says_so)
{
    for (int who = 0; who < 2; who++) { /* a follower, the leader */
        struct rig *r = cluster(3);
        rig_write_keys(r, 0, 0, 30);
        int bad = who ? rig_leader(r) : (rig_leader(r) + 1) % 3;
        int good = (bad + 1) % 3;
        struct rig_client c;
        rig_run(r, 300);
        spoil(r, bad, "key7");
        rig_connect(r, good, &c);
        rig_say(&c, "RAFT VERIFY\r\n");
        REQUIRE(rig_until(r, one_has_stopped, 5000));
        CHECK(strstr(r->host[bad].fatal, "differ from those of the majority") != NULL);
        CHECK(r->host[good].fatal[0] == '\0');
        rig_run(r, 2000);
        rig_disconnect(&c);
        rig_free(r);
    }
}

TEST(without_a_majority_nobody_stops_and_everybody_is_alarmed)
{
    struct rig *r = cluster(2);
    rig_write_keys(r, 0, 0, 30);
    rig_run(r, 300);
    spoil(r, 1, "key7");
    struct rig_client c;
    rig_connect(r, 0, &c);
    const char *answer = rig_ask(&c, "RAFT VERIFY\r\n", 5000);
    CHECK(strstr(answer, "verdict\r\n$9\r\ndifferent\r\n") != NULL);
    rig_run(r, 500);
    for (int slot = 0; slot < 2; slot++) {
        CHECK(r->host[slot].fatal[0] == '\0');
        CHECK(node_verify_alarm(r->host[slot].node) != NULL);
        CHECK(rig_status(r, slot).trouble != NULL);
    }
    rig_disconnect(&c);
    rig_free(r);
}

/* The running digest finds a change that came out differently, without anybody asking. */
TEST(a_change_that_came_out_differently_is_found)
{
    struct rig *r = cluster(3);
    rig_write_keys(r, 0, 0, 5);
    rig_run(r, 300);
    int bad = (rig_leader(r) + 1) % 3;
    spoil(r, bad, "key3");
    struct rig_client c;
    rig_connect(r, rig_leader(r), &c);
    CHECK_EQ_STR(rig_ask(&c, "APPEND key3 x\r\n", 1000), ":7\r\n"); /* of another value there */
    rig_disconnect(&c);
    int writer = rig_leader(r);
    struct rig_client w;
    rig_connect(r, writer, &w);
    for (int i = 0; i < 9000 && !one_has_stopped(r); i++) /* twice VERIFY_EVERY */
        rig_ask(&w, "INCR n\r\n", 2000);
    rig_disconnect(&w);
    CHECK(strstr(r->host[bad].fatal, "running digest") != NULL);
    rig_free(r);
}

TEST(spoiling_needs_test_mode)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    r->host[0].options.enable_debug_command = 1;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    CHECK(strstr(rig_ask(&c, "DEBUG CORRUPT-KEY a\r\n", 1000), "needs test-mode") != NULL);
    rig_disconnect(&c);
    rig_free(r);
}

/* WATCH, a snapshot installed on one node, EXEC: all refuse it or all carry it out. */
TEST(a_watch_outlives_an_installed_snapshot)
{
    struct rig *r = cluster(3);
    for (int i = 0; i < 3; i++)
        r->host[i].options.log_retention_entries = 1;
    rig_write_keys(r, 0, 0, 20);
    int lagging = (rig_leader(r) + 1) % 3;
    rig_stop(r, lagging, RIG_KILL);
    rig_run(r, 1000);
    rig_write_keys(r, rig_leader(r), 20, 60);
    struct rig_client c;
    rig_connect(r, rig_leader(r), &c);
    CHECK_EQ_STR(rig_ask(&c, "WATCH key5 none\r\n", 2000), "+OK\r\n");
    rig_run(r, 700);
    for (int i = 0; i < 3; i++)
        if (r->host[i].node)
            node_snapshot(r->host[i].node);
    rig_run(r, 2000);
    rig_start(r, lagging);
    rig_run(r, 4000);
    struct node_snapshot_status s;
    node_get_snapshot(r->host[lagging].node, &s);
    CHECK(s.index > 50);
    CHECK_EQ_STR(rig_ask(&c, "MULTI\r\n", 2000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&c, "SET watched 1\r\n", 2000), "+QUEUED\r\n");
    CHECK_EQ_STR(rig_ask(&c, "EXEC\r\n", 2000), "*1\r\n+OK\r\n");
    const char *answer = rig_ask(&c, "RAFT VERIFY\r\n", 5000);
    CHECK(strstr(answer, "verdict\r\n$5\r\nequal\r\n") != NULL);
    CHECK(strstr(answer, "no answer") == NULL);
    rig_disconnect(&c);
    rig_free(r);
}

TEST_MAIN()
