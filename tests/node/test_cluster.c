#include "rig.h"

#include <stdio.h>

#include "tests/test.h"

#define THREE "n1:7000,n2:7000,n3:7000"

static int follower_of(struct rig *r)
{
    return rig_leader(r) == 0 ? 1 : 0;
}

TEST(three_nodes_form_one_cluster)
{
    struct rig *r = rig_three();
    for (int i = 1; i < 3; i++)
        CHECK_EQ_UINT(rig_status(r, i).cluster_id, rig_status(r, 0).cluster_id);
    CHECK(rig_status(r, 0).cluster_id != 0);
    struct node_member member[8];
    CHECK_EQ_UINT(node_get_members(r->host[1].node, member, 8), 3);
    rig_free(r);
}

TEST(writes_and_reads_on_every_node)
{
    struct rig *r = rig_three();
    struct rig_client c[3];
    for (int i = 0; i < 3; i++)
        rig_connect(r, i, &c[i]);
    CHECK_EQ_STR(rig_ask(&c[0], "SET a 1\r\n", 1000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&c[1], "INCR a\r\n", 1000), ":2\r\n");
    CHECK_EQ_STR(rig_ask(&c[2], "INCR a\r\n", 1000), ":3\r\n");
    for (int i = 0; i < 3; i++)
        CHECK_EQ_STR(rig_ask(&c[i], "GET a\r\n", 1000), "$1\r\n3\r\n");
    for (int i = 0; i < 3; i++)
        rig_disconnect(&c[i]);
    rig_free(r);
}

TEST(a_pipeline_on_a_follower_keeps_its_order_both_ways)
{
    struct rig *r = rig_three();
    struct rig_client c;
    rig_connect(r, follower_of(r), &c);
    rig_say(&c, "GET a\r\nSET a 1\r\nGET a\r\nSET a 2\r\nGET a\r\nINCR a\r\nGET a\r\nSTRLEN a\r\n");
    rig_run(r, 200);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "$-1\r\n+OK\r\n$1\r\n1\r\n+OK\r\n$1\r\n2\r\n:3\r\n$1\r\n3\r\n:1\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(the_leader_dies_with_writes_under_way_on_a_follower)
{
    struct rig *r = rig_three();
    int leader = rig_leader(r);
    int origin = follower_of(r);
    struct rig_client c;
    rig_connect(r, origin, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET n 0\r\n", 1000), "+OK\r\n");
    rig_forget(&c);
    for (int i = 0; i < 20; i++) {
        rig_say(&c, "INCR n\r\n");
        rig_round(r);
    }
    rig_stop(r, leader, RIG_KILL);
    rig_run(r, 3000);
    rig_collect(r);
    char expected[400] = "";
    for (int i = 1; i <= 20; i++)
        snprintf(expected + strlen(expected), 20, ":%d\r\n", i);
    CHECK_EQ_STR(c.text, expected);
    CHECK_EQ_STR(rig_ask(&c, "GET n\r\n", 1000), "$2\r\n20\r\n");
    rig_start(r, leader);
    REQUIRE(rig_until(r, rig_has_leader, 3000));
    struct rig_client other;
    rig_connect(r, leader, &other);
    CHECK_EQ_STR(rig_ask(&other, "GET n\r\n", 1000), "$2\r\n20\r\n");
    rig_disconnect(&other);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(every_node_knows_who_is_there)
{
    struct rig *r = rig_three();
    rig_run(r, 1200);
    struct node_member member[8];
    for (int i = 0; i < 3; i++) {
        REQUIRE(node_get_members(r->host[i].node, member, 8) == 3);
        for (int j = 0; j < 3; j++) {
            CHECK_EQ_STR(member[j].address, r->host[j].address);
            CHECK(member[j].is_reachable);
            CHECK(member[j].is_in_sync);
        }
    }
    int gone = follower_of(r);
    rig_stop(r, gone, RIG_KILL);
    rig_run(r, 2500);
    for (int i = 0; i < 3; i++) {
        if (i == gone)
            continue;
        REQUIRE(node_get_members(r->host[i].node, member, 8) == 3);
        for (int j = 0; j < 3; j++)
            CHECK(member[j].is_reachable == (j != gone));
    }
    rig_free(r);
}

TEST(a_write_without_a_majority_is_unknown_once_sent_and_refused_before)
{
    struct rig *r = rig_three();
    int leader = rig_leader(r);
    struct rig_client sent;
    struct rig_client unsent;
    struct rig_client reader;
    rig_connect(r, leader, &sent);
    rig_connect(r, leader, &unsent);
    rig_connect(r, leader, &reader);
    rig_isolate(r, leader, true);
    rig_say(&sent, "SET a 1\r\n"); /* appended, but never committed */
    rig_run(r, 2000);               /* it steps down */
    CHECK_EQ_INT(rig_leader(r) >= 0 && rig_leader(r) != leader, 1);
    rig_say(&unsent, "SET b 1\r\n");
    rig_say(&reader, "GET a\r\n");
    rig_run(r, 8000);
    rig_collect(r);
    CHECK_CONTAINS(sent.text, "-UNKNOWN the outcome of this write is not known");
    CHECK_CONTAINS(unsent.text, "-CLUSTERDOWN no leader");
    CHECK_CONTAINS(reader.text, "-CLUSTERDOWN no leader");
    rig_isolate(r, leader, false);
    rig_run(r, 3000);
    /* CANCEL or the write itself decided it; either way the session goes on. */
    CHECK_EQ_STR(rig_ask(&sent, "SET c 1\r\n", 1000), "+OK\r\n");
    rig_disconnect(&sent);
    rig_disconnect(&unsent);
    rig_disconnect(&reader);
    rig_free(r);
}

TEST(a_leader_with_a_majority_cancels_what_times_out)
{
    struct rig *r = rig_three();
    int origin = follower_of(r);
    struct rig_client c;
    rig_connect(r, origin, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 1000), "+OK\r\n");
    /* Forwards get lost without a word, control goes on: at the timeout CANCEL decides, and says: not done. */
    int leader = rig_leader(r);
    r->host[origin].options.request_timeout = 200;
    r->is_bulk_cut[origin][leader] = true;
    CHECK_CONTAINS(rig_ask(&c, "SET a 2\r\n", 1500), "-TRYAGAIN cancelled");
    r->is_bulk_cut[origin][leader] = false;
    r->host[origin].options.request_timeout = 5000;
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 3000), "$1\r\n1\r\n");
    CHECK_EQ_STR(rig_ask(&c, "SET a 3\r\n", 3000), "+OK\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

/* Loses every second FORWARD, by its kind byte. */
static bool lose_forwards(struct rig *r, int from, int to, enum link_role role, struct slice message)
{
    static unsigned count;
    (void)r;
    (void)from;
    (void)to;
    return role != LINK_BULK || message.p[0] != 2 || ++count % 2 == 0;
}

/* A follower whose disk is full says so, and no more than that: writes through it go on. */
TEST(a_follower_with_a_full_disk_forwards)
{
    struct rig *r = rig_three();
    int slot = follower_of(r);
    struct rig_client c;
    char line[4096];
    for (int i = 0; i < (int)sizeof line - 1; i++)
        line[i] = 'x';
    memcpy(line, "SET a ", 6);
    memcpy(line + sizeof line - 3, "\r\n", 3);
    sim_disk_set_quota(r->host[slot].disk, 1);
    rig_connect(r, slot, &c);
    for (int i = 0; i < 200 && r->host[slot].warnings == 0; i++)
        CHECK_EQ_STR(rig_ask(&c, line, 1000), "+OK\r\n");
    CHECK_CONTAINS(r->host[slot].warning, "The disk is full: this node, a follower, falls behind until there is room.");
    CHECK_CONTAINS(rig_status(r, slot).trouble, "writes go on through the leader");
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 1000), "+OK\r\n");
    sim_disk_set_quota(r->host[slot].disk, UINT64_MAX);
    rig_run(r, 3000);
    CHECK(rig_status(r, slot).trouble == NULL);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(lost_forwards_are_sent_again_in_order)
{
    struct rig *r = rig_three();
    struct rig_client c;
    rig_connect(r, follower_of(r), &c);
    r->filter = lose_forwards;
    CHECK_EQ_STR(rig_ask(&c, "SET n 0\r\n", 3000), "+OK\r\n");
    rig_forget(&c);
    for (int i = 0; i < 30; i++) {
        rig_say(&c, "INCR n\r\n");
        rig_run(r, 1);
    }
    rig_run(r, 4000);
    rig_collect(r);
    char expected[500] = "";
    for (int i = 1; i <= 30; i++)
        snprintf(expected + strlen(expected), 20, ":%d\r\n", i);
    CHECK_EQ_STR(c.text, expected);
    r->filter = NULL;
    rig_disconnect(&c);
    rig_free(r);
}

TEST(an_origin_that_lives_through_its_close_answers_every_write_once)
{
    struct rig *r = rig_three();
    int origin = follower_of(r);
    struct rig_client c;
    r->host[origin].options.request_timeout = 60000;
    rig_connect(r, origin, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET n 0\r\n", 1000), "+OK\r\n");
    uint64_t before = rig_status(r, origin).session_number;
    rig_forget(&c);
    for (int i = 0; i < 5; i++) /* sent, but maybe not heard */
        rig_say(&c, "INCR n\r\n");
    node_iterate(r->host[origin].node);
    rig_isolate(r, origin, true);
    rig_run(r, 14000); /* the others close its session */
    rig_isolate(r, origin, false);
    rig_run(r, 4000);
    rig_collect(r);
    CHECK_EQ_STR(c.text, ":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n");
    CHECK(rig_status(r, origin).session_number > before);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_stopped_leader_serves_no_stale_read)
{
    struct rig *r = rig_three();
    int old = rig_leader(r);
    struct rig_client at_old;
    struct rig_client at_new;
    rig_connect(r, old, &at_old);
    CHECK_EQ_STR(rig_ask(&at_old, "SET a 1\r\n", 1000), "+OK\r\n");
    r->host[old].is_paused = true;
    rig_run(r, 2000);
    int leader = rig_leader(r);
    REQUIRE(leader >= 0);
    rig_connect(r, leader, &at_new);
    CHECK_EQ_STR(rig_ask(&at_new, "SET a 2\r\n", 1000), "+OK\r\n");
    rig_forget(&at_old);
    rig_say(&at_old, "GET a\r\n"); /* it still thinks that it leads */
    r->host[old].is_paused = false;
    rig_run(r, 3000);
    rig_collect(r);
    CHECK_EQ_STR(at_old.text, "$1\r\n2\r\n");
    rig_disconnect(&at_old);
    rig_disconnect(&at_new);
    rig_free(r);
}

TEST(a_black_holed_bulk_link_is_dialled_again)
{
    struct rig *r = rig_three();
    int leader = rig_leader(r);
    struct rig_client c;
    rig_connect(r, leader, &c);
    for (int i = 0; i < 3; i++) /* towards all: control stays alive */
        r->is_bulk_cut[leader][i] = i != leader;
    rig_say(&c, "SET a 1\r\n");
    rig_run(r, 4000);
    rig_collect(r);
    /* Somebody else leads by now: its bulk links carry data both ways but for those to the old leader. */
    CHECK(rig_leader(r) != leader);
    for (int i = 0; i < 3; i++)
        r->is_bulk_cut[leader][i] = false;
    rig_run(r, 3000);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "+OK\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(log_time_goes_on_over_leaders_and_a_far_clock_expires_nothing)
{
    struct rig *r = rig_three();
    struct rig_client c;
    int origin = follower_of(r);
    rig_connect(r, origin, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1 EX 3600\r\n", 1000), "+OK\r\n");
    for (int i = 0; i < 3; i++)
        if (i != origin)
            r->host[i].wall_offset_ms = 365ll * 86400 * 1000;
    rig_stop(r, rig_leader(r), RIG_KILL);
    rig_run(r, 3000);
    CHECK_EQ_STR(rig_ask(&c, "GET a\r\n", 2000), "$1\r\n1\r\n");
    CHECK_EQ_STR(rig_ask(&c, "SET b 1\r\n", 2000), "+OK\r\n");
    int64_t off = rig_status(r, origin).log_time_ms - (1700000000000 + (int64_t)(r->now_us / 1000));
    CHECK(off > -1000 && off < 1000);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(all_nodes_down_for_two_hours)
{
    struct rig *r = rig_three();
    struct rig_client c;
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET hour 1 EX 3600\r\n", 1000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&c, "SET day 1 EX 86400\r\n", 1000), "+OK\r\n");
    rig_disconnect(&c);
    for (int i = 0; i < 3; i++)
        rig_stop(r, i, RIG_POWER_LOSS);
    r->now_us += 7200ull * 1000000;
    r->host[1].wall_offset_ms = 365ll * 86400 * 1000; /* one clock a year ahead */
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    REQUIRE(rig_until(r, rig_has_leader, 5000));
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "GET hour\r\n", 2000), "$-1\r\n");
    CHECK_EQ_STR(rig_ask(&c, "GET day\r\n", 2000), "$1\r\n1\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_leader_whose_disk_stalls_hands_over_and_nobody_notices)
{
    struct rig *r = rig_three();
    int leader = rig_leader(r);
    struct rig_client c;
    rig_connect(r, follower_of(r), &c);
    CHECK_EQ_STR(rig_ask(&c, "SET n 0\r\n", 1000), "+OK\r\n");
    r->host[leader].is_disk_held = true;
    for (int i = 1; i <= 100; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, ":%d\r\n", i);
        CHECK_EQ_STR(rig_ask(&c, "INCR n\r\n", 150), expected);
        rig_run(r, 10);
    }
    CHECK(rig_leader(r) != leader);
    r->host[leader].is_disk_held = false;
    rig_run(r, 1000);
    CHECK_EQ_UINT(rig_status(r, leader).applied, rig_status(r, follower_of(r)).applied);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(slow_disks_everywhere_cause_no_election)
{
    struct rig *r = rig_three();
    struct rig_client c;
    int leader = rig_leader(r);
    rig_connect(r, leader, &c);
    uint64_t elections = 0;
    for (int i = 0; i < 3; i++)
        elections += rig_status(r, i).elections;
    for (int i = 0; i < 3; i++)
        r->host[i].is_disk_held = true;
    rig_say(&c, "SET a 1\r\n");
    rig_run(r, 3000);
    for (int i = 0; i < 3; i++)
        r->host[i].is_disk_held = false;
    rig_run(r, 100);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "+OK\r\n");
    for (int i = 0; i < 3; i++)
        elections -= rig_status(r, i).elections;
    CHECK_EQ_UINT(elections, 0);
    CHECK_EQ_INT(rig_leader(r), leader);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_clean_stop_closes_the_session_and_hands_over)
{
    struct rig *r = rig_three();
    int leader = rig_leader(r);
    int ms = 0;
    struct rig_client own;
    rig_connect(r, leader, &own);
    while (!node_hand_over(r->host[leader].node) && ms++ < 3000)
        rig_run(r, 1);
    CHECK(ms < 200);
    CHECK(rig_leader(r) != leader);
    /* It goes on serving, as a follower. */
    CHECK_EQ_STR(rig_ask(&own, "SET b 1\r\n", 1000), "+OK\r\n");
    while (!node_drain(r->host[leader].node) && ms++ < 3000)
        rig_run(r, 1);
    CHECK(ms < 300);
    rig_disconnect(&own);
    CHECK(!rig_status(r, leader).session_is_open);
    rig_stop(r, leader, RIG_KILL);
    struct rig_client c;
    rig_connect(r, follower_of(r), &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 1000), "+OK\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_follower_far_behind_is_fed_from_disk)
{
    struct rig *r = rig_new(3, THREE);
    for (int i = 0; i < 3; i++) {
        r->host[i].options.log_memory = 65536;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 5000));
    int gone = follower_of(r);
    struct rig_client c;
    rig_stop(r, gone, RIG_KILL);
    rig_connect(r, rig_leader(r), &c);
    for (int i = 0; i < 300; i++) {
        char line[1100];
        snprintf(line, sizeof line, "SET k%d %01000d\r\n", i, i);
        CHECK_EQ_STR(rig_ask(&c, line, 1000), "+OK\r\n");
    }
    rig_start(r, gone);
    rig_run(r, 2000);
    CHECK_EQ_UINT(rig_status(r, gone).applied, rig_status(r, rig_leader(r)).applied);
    rig_disconnect(&c);
    rig_connect(r, gone, &c);
    CHECK_EQ_STR(rig_ask(&c, "DBSIZE\r\n", 1000), ":300\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST_MAIN()
