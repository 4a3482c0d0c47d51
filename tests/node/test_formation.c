#include "rig.h"

#include <stdio.h>

#include "base/mem.h"
#include "node/formation.h"
#include "node/peer_message.h"
#include "tests/test.h"

#define THREE "n1:7000,n2:7000,n3:7000"

static bool all_in_one_cluster(struct rig *r)
{
    for (int i = 0; i < r->count; i++)
        if (!r->host[i].node || rig_status(r, i).is_blank || rig_status(r, i).cluster_id != rig_status(r, 0).cluster_id)
            return false;
    return true;
}

static void set_option(char **option, const char *text)
{
    mem_free(*option);
    *option = mem_copy_string(text, strlen(text));
}

TEST(addresses_have_one_form)
{
    static const struct {
        const char *text;
        const char *normal; /* NULL: refused */
    } row[] = {
        {"h1:7001", "h1:7001"},
        {"  H1.Example:7001\t", "h1.example:7001"},
        {"h1", "h1:6379"},
        {"10.0.0.1", "10.0.0.1:6379"},
        {"[::1]:7001", "[::1]:7001"},
        {"::1", "[::1]:6379"},
        {"[::1]", "[::1]:6379"},
        {"", NULL},
        {":7001", NULL},
        {"h1:", NULL},
        {"h1:0", NULL},
        {"h1:65536", NULL},
        {"h1:-1", NULL},
        {"h1:70a", NULL},
        {"h 1:7001", NULL},
        {"h1/x:7001", NULL},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char out[LIMIT_ADDRESS_BYTES];
        test_context("row %zu \"%s\"", i, row[i].text);
        bool is_ok = address_normalise(slice_from_cstr(row[i].text), 6379, out);
        CHECK(is_ok == (row[i].normal != NULL));
        if (is_ok && row[i].normal)
            CHECK_EQ_STR(out, row[i].normal);
    }
    test_context("");
}

TEST(the_list_may_be_given_in_any_order_and_form)
{
    struct rig *r = rig_new(3, THREE);
    set_option(&r->host[1].options.cluster, "n3:7000, N2 ,n1:7000,n2:7000");
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    CHECK(rig_until(r, all_in_one_cluster, 3000));
    rig_free(r);
}

TEST(another_list_is_named_and_waited_for)
{
    struct rig *r = rig_new(3, THREE);
    set_option(&r->host[2].options.cluster, "n1:7000,n3:7000");
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    rig_run(r, 5000);
    CHECK(rig_status(r, 0).is_blank);
    CHECK_CONTAINS(rig_status(r, 0).trouble, "n3:7000 (it was given another --cluster list)");
    rig_free(r);
}

TEST(an_unreachable_node_is_waited_for_by_name)
{
    struct rig *r = rig_new(3, THREE);
    rig_start(r, 0);
    rig_start(r, 1);
    rig_run(r, 5000);
    CHECK(rig_status(r, 0).is_blank);
    CHECK_EQ_STR(rig_status(r, 0).trouble, "waiting for n3:7000");
    struct rig_client c;
    rig_connect(r, 0, &c);
    CHECK_CONTAINS(rig_ask(&c, "SET a 1\r\n", 7000), "waiting for n3:7000");
    rig_start(r, 2);
    CHECK(rig_until(r, all_in_one_cluster, 3000));
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 5000), "+OK\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(announce_must_be_listed)
{
    struct rig *r = rig_new(3, THREE);
    set_option(&r->host[0].options.announce, "n9:7000");
    rig_start(r, 0);
    CHECK(r->host[0].node == NULL);
    rig_free(r);
}

TEST(announced_nodes_need_not_call_themselves)
{
    struct rig *r = rig_new(3, THREE);
    for (int i = 0; i < 3; i++) {
        set_option(&r->host[i].options.announce, r->host[i].address);
        rig_start(r, i);
    }
    CHECK(rig_until(r, all_in_one_cluster, 3000));
    rig_free(r);
}

/* n3:7000 leads to the second node, too. */
TEST(two_addresses_of_one_node_are_an_error)
{
    struct rig *r = rig_new(2, THREE);
    for (int i = 0; i < 2; i++) {
        set_option(&r->host[i].options.announce, r->host[i].address);
        rig_start(r, i);
    }
    r->alias = "n3:7000";
    r->alias_slot = 1;
    rig_run(r, 5000);
    CHECK(rig_status(r, 0).is_blank);
    CHECK_CONTAINS(r->host[0].fatal, "n2:7000 and n3:7000, lead to the same node");
    rig_free(r);
}

TEST(a_node_that_finds_itself_twice_stops)
{
    struct rig *r = rig_new(2, THREE);
    r->alias = "n3:7000";
    r->alias_slot = 1;
    rig_start(r, 0);
    rig_start(r, 1);
    rig_run(r, 3000);
    CHECK_CONTAINS(r->host[1].fatal, "both lead to this node");
    rig_free(r);
}

TEST(a_member_that_was_down_when_the_others_formed_is_adopted_by_any)
{
    struct rig *r = rig_new(3, THREE);
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    /* The first answers come; then the third is cut off from everybody, and its ADOPT is lost. */
    for (int i = 0; i < 2000 && rig_status(r, 0).is_blank; i++)
        rig_run(r, 1);
    rig_isolate(r, 2, true);
    rig_run(r, 2000);
    if (rig_status(r, 2).is_blank) { /* else it was quick */
        rig_stop(r, 0, RIG_KILL);
        rig_isolate(r, 2, false);
        rig_run(r, 3000);
        CHECK(!rig_status(r, 2).is_blank);
        rig_start(r, 0);
    }
    rig_isolate(r, 2, false);
    CHECK(rig_until(r, all_in_one_cluster, 3000));
    CHECK(rig_until(r, rig_has_leader, 3000));
    rig_free(r);
}

TEST(a_wiped_node_never_forms_a_second_cluster)
{
    struct rig *r = rig_new(3, THREE);
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    REQUIRE(rig_until(r, rig_has_leader, 5000));
    uint64_t cluster = rig_status(r, 0).cluster_id;
    for (int slot = 0; slot < 3; slot += 2) { /* the one that forms, and another: a majority */
        rig_stop(r, slot, RIG_WIPE);
        rig_start(r, slot);
    }
    rig_run(r, 8000);
    CHECK(rig_status(r, 0).is_blank);
    CHECK(rig_status(r, 2).is_blank);
    CHECK_EQ_UINT(rig_status(r, 1).cluster_id, cluster);
    CHECK_CONTAINS(rig_status(r, 0).trouble, "RAFT REPLACE n1:7000");
    CHECK(rig_leader(r) == -1);
    struct rig_client c;
    rig_connect(r, 0, &c);
    CHECK_CONTAINS(rig_ask(&c, "SET a 1\r\n", 7000), "RAFT REPLACE n1:7000");
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_node_of_another_cluster_is_refused)
{
    struct rig *r = rig_new(2, "");
    for (int i = 0; i < 2; i++) {
        struct rig_client c;
        rig_start(r, i);
        rig_connect(r, i, &c);
        CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
        rig_disconnect(&c);
    }
    struct peer_hello stranger;
    char reason[256];
    link_id id = 0;
    node_get_hello(r->host[1].node, LINK_CONTROL, &stranger);
    CHECK(!node_link_up(r->host[0].node, &id, true, &stranger, reason));
    CHECK_CONTAINS(reason, "belongs to another cluster");
    /* Its own id, a foreign format, and a dialler that looks for somebody else. */
    node_get_hello(r->host[0].node, LINK_CONTROL, &stranger);
    CHECK(!node_link_up(r->host[0].node, &id, true, &stranger, reason));
    CHECK_CONTAINS(reason, "own id");
    stranger.id++;
    stranger.expected_id = 12345;
    CHECK(!node_link_up(r->host[0].node, &id, true, &stranger, reason));
    CHECK_CONTAINS(reason, "is not here");
    stranger.format = PEER_FORMAT + 1;
    CHECK(!node_link_up(r->host[0].node, &id, true, &stranger, reason));
    CHECK_CONTAINS(reason, "peer format");
    rig_free(r);
}

static uint64_t adopt_is_lost_until_us;

static bool lose_adopt_for_the_third(struct rig *r, int from, int to, enum link_role role, struct slice message)
{
    (void)from;
    (void)role;
    return to != 2 || r->now_us > adopt_is_lost_until_us || message.n == 0 || message.p[0] != PEER_ADOPT;
}

/* A WARNING asks a person to do something. While a cluster is formed nobody has to, in whatever order the nodes come and their messages
 * meet; one whose disk is new says what to do, and so do the others. */
TEST(forming_warns_nobody)
{
    for (int third_ms = 0; third_ms < 300; third_ms += 7) {
        struct rig *r = rig_new(3, THREE);
        test_context("the third node starts after %d ms", third_ms);
        if (third_ms % 2 == 1) /* The second belongs to the cluster before the third: they meet while one is still blank. */
            r->filter = lose_adopt_for_the_third;
        rig_start(r, third_ms % 3);
        rig_run(r, third_ms / 10);
        rig_start(r, (third_ms + 1) % 3);
        rig_run(r, third_ms % 5 == 0 ? 4000 : third_ms);
        adopt_is_lost_until_us = r->now_us + 1500000;
        rig_start(r, (third_ms + 2) % 3);
        CHECK(rig_until(r, rig_has_leader, 5000));
        rig_run(r, 2000);
        for (int i = 0; i < 3; i++) {
            CHECK_EQ_STR(r->host[i].warning, "");
        }
        if (third_ms == 0) {
            rig_stop(r, 1, RIG_WIPE);
            rig_start(r, 1);
            rig_run(r, 8000);
            CHECK_CONTAINS(r->host[0].warning, "RAFT REPLACE n2:7000");
            CHECK_CONTAINS(r->host[1].warning, "RAFT REPLACE n2:7000");
            CHECK(r->host[1].warnings <= 4); /* Each of the others has called many times. */
        }
        rig_free(r);
    }
    test_context("");
}

/* Links that a node which is not in its cluster yet can't take: no news. */
TEST(a_link_before_the_configuration_is_early)
{
    struct rig *r = rig_new(2, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_start(r, 1);
    rig_connect(r, 0, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 2000), "+OK\r\n");
    rig_disconnect(&c);
    struct peer_hello member;
    char reason[256];
    link_id id = 0;
    node_get_hello(r->host[0].node, LINK_BULK, &member);
    member.expected_id = rig_status(r, 1).id;
    CHECK(!node_link_up(r->host[1].node, &id, true, &member, reason));
    CHECK_CONTAINS(reason, "only just joining");
    CHECK_EQ_UINT(r->host[1].warnings, 0);
    member.expected_id++;
    CHECK(!node_link_up(r->host[1].node, &id, true, &member, reason));
    CHECK_CONTAINS(reason, "RAFT REPLACE");
    CHECK_EQ_UINT(r->host[1].warnings, 1);
    rig_free(r);
}

/* The process dies after each of the first disk calls of formation, on each node in turn; then everybody comes back. */
TEST(formation_survives_a_crash_at_every_disk_call)
{
    for (int victim = 0; victim < 3; victim++) {
        for (uint64_t calls = 0; calls < 14; calls++) {
            struct rig *r = rig_new(3, THREE);
            test_context("node %d dies at call %llu", victim, (unsigned long long)calls);
            for (int i = 0; i < 3; i++)
                rig_start(r, i);
            sim_disk_power_fail_after(r->host[victim].disk, calls);
            for (int i = 0; i < 3000 && !sim_disk_is_dead(r->host[victim].disk) && !all_in_one_cluster(r); i++)
                rig_run(r, 1);
            rig_stop(r, victim, RIG_POWER_LOSS);
            sim_disk_power_fail_after(r->host[victim].disk, UINT64_MAX);
            rig_run(r, 700);
            rig_start(r, victim);
            REQUIRE(r->host[victim].node != NULL);
            CHECK(rig_until(r, all_in_one_cluster, 5000));
            CHECK(rig_until(r, rig_has_leader, 5000));
            rig_free(r);
        }
    }
    test_context("");
}

TEST_MAIN()
