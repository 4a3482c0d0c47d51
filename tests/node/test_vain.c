#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

/* Writes that would change nothing (node/client_vain.c): what they answer, that they make no entry, and that they take their place in
 * the log where the state says otherwise. */

static struct rig *rig_at_rest(void)
{
    struct rig *r = rig_three();
    rig_run(r, 300);
    return r;
}

/* Entries that this exchange made. */
static raft_index entries_of(struct rig_client *c, const char *text, const char *answer)
{
    raft_index before = rig_status(c->rig, c->slot).applied;
    CHECK_EQ_STR(rig_ask(c, text, 1000), answer);
    return rig_status(c->rig, c->slot).applied - before;
}

TEST(nothing_to_do_makes_no_entry_on_any_node)
{
    struct rig *r = rig_at_rest();
    int leader = rig_leader(r);
    for (int i = 0; i < 3; i++) {
        struct rig_client c;
        rig_connect(r, (leader + i) % 3, &c);
        test_context("node %d behind the leader", i);
        rig_run(r, 300); /* what was done elsewhere has arrived */
        CHECK_EQ_UINT(entries_of(&c, "SET lock me NX PX 1000000\r\n", i == 0 ? "+OK\r\n" : "$-1\r\n"), i == 0);
        CHECK_EQ_UINT(entries_of(&c, "SADD set member\r\n", i == 0 ? ":1\r\n" : ":0\r\n"), i == 0);
        CHECK_EQ_UINT(entries_of(&c, "SET lock other NX PX 1000000\r\n", "$-1\r\n"), 0);
        CHECK_EQ_UINT(entries_of(&c, "SADD set member\r\n", ":0\r\n"), 0);
        CHECK_EQ_UINT(entries_of(&c, "LPOP queue\r\n", "$-1\r\n"), 0);
        CHECK_EQ_UINT(entries_of(&c, "SPOP nothing 3\r\n", "*0\r\n"), 0);
        CHECK_EQ_UINT(entries_of(&c, "DEL a b c\r\n", ":0\r\n"), 0);
        CHECK_EQ_UINT(entries_of(&c, "LPOP set\r\n", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"), 1);
        rig_disconnect(&c);
    }
    test_context("%s", "");
    rig_free(r);
}

TEST(a_connection_s_order_is_kept)
{
    struct rig *r = rig_at_rest();
    for (int i = 0; i < 3; i++) {
        struct rig_client c;
        rig_connect(r, i, &c);
        rig_ask(&c, "FLUSHALL\r\n", 1000);
        CHECK_EQ_STR(rig_ask(&c, "LPOP q\r\nLPOP q\r\nRPUSH q x\r\nLPOP q\r\nLPOP q\r\n", 1000), "$-1\r\n$-1\r\n:1\r\n$1\r\nx\r\n$-1\r\n");
        CHECK_EQ_STR(rig_ask(&c, "SETNX k a\r\nSETNX k b\r\nGET k\r\nDEL k\r\nSETNX k c\r\nGET k\r\n", 1000),
                     ":1\r\n:0\r\n$1\r\na\r\n:1\r\n:1\r\n$1\r\nc\r\n");
        CHECK_EQ_STR(rig_ask(&c, "LPOP q\r\nMULTI\r\nRPUSH q y\r\nEXEC\r\nLPOP q\r\n", 1000),
                     "$-1\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n$1\r\ny\r\n");
        rig_disconnect(&c);
    }
    rig_free(r);
}

/* The follower does not know yet what the leader has done; what it answers it knows. */
static void let_follower_lag(struct rig *r, int leader, int follower, bool yes)
{
    r->is_bulk_cut[leader][follower] = yes;
}

TEST(a_node_that_lags_answers_what_is_true)
{
    struct rig *r = rig_at_rest();
    int leader = rig_leader(r);
    int follower = (leader + 1) % 3;
    struct rig_client c;
    struct rig_client pusher;
    rig_connect(r, follower, &c);
    rig_connect(r, leader, &pusher);
    CHECK_EQ_STR(rig_ask(&c, "LPOP q\r\n", 1000), "$-1\r\n");
    let_follower_lag(r, leader, follower, true);
    CHECK_EQ_STR(rig_ask(&pusher, "RPUSH q x y\r\n", 1000), ":2\r\n");
    rig_forget(&c);
    rig_say(&c, "LPOP q\r\nGET nothing\r\nLPOP q\r\nLPOP q\r\n");
    rig_run(r, 100);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "");
    let_follower_lag(r, leader, follower, false);
    rig_run(r, 3000);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "$1\r\nx\r\n$-1\r\n$1\r\ny\r\n$-1\r\n");
    rig_disconnect(&c);
    rig_disconnect(&pusher);
    rig_free(r);
}

/* Who reads stale still writes what is true. */
TEST(stale_readers_too)
{
    struct rig *r = rig_at_rest();
    int follower = (rig_leader(r) + 1) % 3;
    struct rig_client c;
    rig_connect(r, follower, &c);
    CHECK_EQ_STR(rig_ask(&c, "RAFT CONSISTENCY stale\r\n", 1000), "+OK\r\n");
    rig_isolate(r, follower, true);
    CHECK_EQ_STR(rig_ask(&c, "GET nothing\r\n", 100), "$-1\r\n");
    CHECK_EQ_STR(rig_ask(&c, "LPOP q\r\n", 3000), "");
    rig_run(r, 6000);
    rig_collect(r);
    CHECK(strncmp(c.text, "-CLUSTERDOWN no leader, the command was not executed: ", 54) == 0);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_lock_that_ran_out_is_free)
{
    struct rig *r = rig_at_rest();
    for (int i = 0; i < 3; i++) {
        struct rig_client c;
        rig_connect(r, i, &c);
        CHECK_EQ_STR(rig_ask(&c, "SET lock me NX PX 300\r\n", 1000), "+OK\r\n");
        CHECK_EQ_STR(rig_ask(&c, "SET lock other NX PX 300\r\n", 100), "$-1\r\n");
        rig_run(r, 310);
        CHECK_EQ_STR(rig_ask(&c, "SET lock other NX PX 300\r\nSET lock third NX\r\n", 1000), "+OK\r\n$-1\r\n");
        rig_run(r, 700);
        rig_disconnect(&c);
    }
    rig_free(r);
}

/* At level `lease` the leader answers in the same turn. */
TEST(a_lease_is_enough_where_it_is_for_reads)
{
    struct rig *r = rig_at_rest();
    struct rig_client c;
    rig_connect(r, rig_leader(r), &c);
    CHECK_EQ_STR(rig_ask(&c, "RAFT CONSISTENCY lease\r\n", 1000), "+OK\r\n");
    rig_forget(&c);
    rig_say(&c, "LPOP q\r\nRPUSH q x\r\n");
    rig_collect(r);
    CHECK_EQ_STR(c.text, "$-1\r\n");
    rig_run(r, 100);
    rig_collect(r);
    rig_forget(&c);
    CHECK_EQ_STR(rig_ask(&c, "LPOP q\r\n", 1000), "$1\r\nx\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

/* Who never writes in vain is asked less and less; who does, at once. */
TEST(a_writer_that_is_never_in_vain_is_seldom_asked)
{
    struct rig *r = rig_at_rest();
    struct rig_client c;
    char text[64];
    rig_connect(r, rig_leader(r), &c);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "SADD set member-%d\r\n", i);
        CHECK_EQ_STR(rig_ask(&c, text, 1000), ":1\r\n");
    }
    raft_index before = rig_status(r, c.slot).applied;
    for (int i = 0; i < 40; i++)
        CHECK_EQ_STR(rig_ask(&c, "SADD set member-0\r\n", 1000), ":0\r\n");
    raft_index entries = rig_status(r, c.slot).applied - before;
    CHECK(entries > 0 && entries < 20);
    rig_disconnect(&c);
    rig_free(r);
}

/* What is kept of them is bounded as it is of writes: forward-window-bytes. */
TEST(long_ones_are_not_read_without_end)
{
    enum { EACH = 1 << 20, COUNT = 20 };
    struct rig *r = rig_at_rest();
    int follower = (rig_leader(r) + 1) % 3;
    struct rig_client c;
    struct buf text = {0};
    rig_connect(r, follower, &c);
    CHECK_EQ_STR(rig_ask(&c, "SETNX lock me\r\n", 1000), ":1\r\n");
    rig_forget(&c);
    rig_isolate(r, follower, true);
    buf_printf(&text, "*3\r\n$5\r\nSETNX\r\n$4\r\nlock\r\n$%d\r\n", EACH);
    memset(buf_reserve(&text, EACH), 'v', EACH);
    buf_commit(&text, EACH);
    buf_append(&text, "\r\n", 3);
    for (int i = 0; i < COUNT; i++)
        rig_say(&c, (const char *)buf_slice(&text).p);
    rig_run(r, 100);
    CHECK_EQ_UINT(rig_status(r, follower).reads_pending, 8);
    rig_isolate(r, follower, false);
    for (int i = 0; i < 40; i++) {
        rig_run(r, 100);
        rig_collect(r);
    }
    CHECK_EQ_UINT(strlen(c.text), strlen(":0\r\n") * COUNT);
    CHECK_EQ_UINT(rig_status(r, follower).reads_pending, 0);
    buf_deinit(&text);
    rig_disconnect(&c);
    rig_free(r);
}

TEST_MAIN()
