#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "node/peer_message.h"
#include "raft/message.h"
#include "tests/test.h"

/* Rules of the checklist with whole nodes: stalls, full disks, links that come back. */
#define THREE "n1:7000,n2:7000,n3:7000"

static int other_than(int a, int b)
{
    for (int i = 0; i < 3; i++)
        if (i != a && i != b)
            return i;
    return -1;
}

/* R10: the leader's disk stops answering. Another node leads within three election timeouts, and writes go on. */
TEST(a_leader_with_a_stalled_disk_lets_another_lead)
{
    struct rig *r = rig_three();
    int stalled = rig_leader(r);
    int follower = other_than(stalled, -1);
    struct rig_client c;
    rig_connect(r, follower, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 1000), "+OK\r\n");
    r->host[stalled].is_disk_held = true;
    CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 1000), ":2\r\n"); /* two of three disks */
    rig_run(r, 900);
    CHECK(rig_status(r, stalled).raft.role != RAFT_LEADER);
    CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 1000), ":3\r\n");
    r->host[stalled].is_disk_held = false;
    rig_run(r, 1000);
    CHECK_EQ_UINT(rig_status(r, stalled).applied, rig_status(r, follower).applied);
    rig_disconnect(&c);
    rig_free(r);
}

/* Nobody hears that it is to lead: after three election timeouts the leader steps down in any case. */
static bool lose_timeout_now(struct rig *r, int from, int to, enum link_role role, struct slice message)
{
    struct peer_envelope envelope;
    struct slice body;
    (void)r;
    (void)from;
    (void)to;
    (void)role;
    bool is_raft = peer_envelope_decode(message, &envelope, &body) == ERR_OK && envelope.kind == PEER_RAFT;
    return !is_raft || body.n < 2 || body.p[1] != RAFT_TIMEOUT_NOW;
}

TEST(a_leader_with_a_stalled_disk_steps_down)
{
    struct rig *r = rig_three();
    int stalled = rig_leader(r);
    struct rig_client c;
    rig_connect(r, other_than(stalled, -1), &c);
    r->filter = lose_timeout_now;
    r->host[stalled].is_disk_held = true;
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 1000), "+OK\r\n");
    rig_run(r, 500);
    CHECK(rig_status(r, stalled).raft.role == RAFT_LEADER); /* not yet */
    rig_run(r, 1500);
    CHECK(strstr(r->host[stalled].warning, "no longer leads") != NULL);
    CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 5000), ":2\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

/* §4: a bulk link that takes bytes and delivers none is replaced; what was on it comes again, once. */
TEST(a_silent_bulk_link_is_replaced)
{
    struct rig *r = rig_three();
    int leader = rig_leader(r);
    int deaf = other_than(leader, -1);
    struct rig_client c;
    struct rig_client d;
    rig_connect(r, leader, &c);
    rig_connect(r, deaf, &d);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 1000), "+OK\r\n");
    r->is_bulk_cut[leader][deaf] = r->is_bulk_cut[deaf][leader] = true;
    CHECK_EQ_STR(rig_ask(&c, "INCR a\r\n", 1000), ":2\r\n");
    rig_run(r, 13000); /* past the CLOSE of sessions, too */
    r->is_bulk_cut[leader][deaf] = r->is_bulk_cut[deaf][leader] = false;
    rig_run(r, 2000);
    CHECK_EQ_UINT(rig_status(r, deaf).applied, rig_status(r, leader).applied);
    CHECK_EQ_STR(rig_ask(&d, "INCR a\r\n", 2000), ":3\r\n");
    rig_disconnect(&c);
    rig_disconnect(&d);
    rig_free(r);
}

/* P17: a node alone with a log that may hold anything answers no read from it (but a stale one). */
TEST(a_restarted_minority_answers_no_read)
{
    struct rig *r = rig_three();
    struct rig_client c;
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 1000), "+OK\r\n");
    rig_disconnect(&c);
    for (int i = 0; i < 3; i++)
        rig_stop(r, i, RIG_POWER_LOSS);
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    const char *answer = rig_ask(&c, "GET a\r\n", 8000);
    CHECK(strncmp(answer, "-CLUSTERDOWN", 12) == 0 || strncmp(answer, "-TRYAGAIN", 9) == 0);
    CHECK_EQ_UINT(rig_status(r, 0).applied, 0);
    rig_disconnect(&c);
    rig_free(r);
}

/* P12: with every disk full a new leader is still found, and reads are answered. */
TEST(full_disks_keep_votes_and_reads)
{
    struct rig *r = rig_new(3, THREE);
    for (int i = 0; i < 3; i++) {
        r->host[i].options.disk_reserve = 262144;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 5000));
    struct rig_client c;
    int leader = rig_leader(r);
    int other = other_than(leader, -1);
    rig_connect(r, other, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 1000), "+OK\r\n");
    /* Less room than the reserve: new entries are refused, the node's own records still fit. */
    for (int i = 0; i < 3; i++)
        sim_disk_set_quota(r->host[i].disk, sim_disk_used(r->host[i].disk) + (uint64_t)r->host[i].options.disk_reserve / 2);
    char line[4200];
    memset(line, 'x', sizeof line);
    memcpy(line, "SET b ", 6);
    memcpy(line + 4100, "\r\n", 3);
    bool is_refused = false;
    for (int i = 0; i < 20000 && !is_refused; i++) {
        rig_forget(&c);
        is_refused = rig_ask(&c, line, 8000)[0] == '-';
    }
    CHECK(is_refused);
    rig_forget(&c);
    rig_stop(r, leader, RIG_KILL);
    rig_run(r, 3000);
    CHECK(rig_leader(r) >= 0);
    rig_forget(&c);
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 6000), "$1\r\n1\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

/* R8: a message bigger than what the bulk link carries in an election timeout is progress all the while it comes. */
static bool lose_everything(struct rig *r, int from, int to, enum link_role role, struct slice message)
{
    (void)r, (void)from, (void)to, (void)message;
    return role != LINK_BULK;
}

TEST(a_big_message_on_a_slow_link_is_no_silence)
{
    for (int is_told = 0; is_told < 2; is_told++) {
        struct rig *r = rig_three();
        int leader = rig_leader(r);
        int slow = other_than(leader, -1);
        link_id bulk = 0;
        struct rig_client c;
        test_context("told: %d", is_told);
        rig_connect(r, leader, &c);
        for (int i = 0; i < RIG_LINKS; i++) {
            const struct rig_link *l = &r->link[i];
            for (int end = 0; end < 2; end++)
                if (l->is_used && l->is_up && l->role == LINK_BULK && l->host[end] == slow && l->host[!end] == leader)
                    bulk = l->id[end];
        }
        REQUIRE(bulk != 0);
        r->filter = lose_everything; /* the message is never whole */
        rig_say(&c, "SET a 1\r\n");
        for (int ms = 0; ms < 1500; ms += 50) {
            rig_run(r, 50);
            if (is_told && r->host[slow].node)
                node_link_progress(r->host[slow].node, bulk, 1000 + (size_t)ms);
        }
        bool is_same = false;
        for (int i = 0; i < RIG_LINKS; i++)
            for (int end = 0; end < 2; end++)
                is_same |= r->link[i].is_used && r->link[i].is_up && r->link[i].id[end] == bulk && r->link[i].host[end] == slow;
        CHECK_EQ_INT(is_same, is_told);
        rig_disconnect(&c);
        rig_free(r);
    }
    test_context("%s", "");
}

TEST_MAIN()
