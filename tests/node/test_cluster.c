#include "rig.h"

#include <stdio.h>

#include "tests/test.h"

#define THREE "n1:7000,n2:7000,n3:7000"

static struct rig *rig_three(void)
{
    struct rig *r = rig_new(3, THREE);
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    if (!CHECK(rig_until(r, rig_has_leader, 5000)))
        test_leave();
    return r;
}

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

TEST_MAIN()
