#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "keyspace/used_ids.h"
#include "node/node_internal.h"
#include "tests/test.h"

/* Membership on whole nodes, without chance: commands, refusals, what a leader's death in each phase leaves behind. */

static void set_option(char **option, const char *text)
{
    mem_free(*option);
    *option = mem_copy_string(text, strlen(text));
}

/* `running` nodes of which the first `members` are a cluster; the others are blank. */
static struct rig *rig_grown(int members, int running)
{
    char list[256] = "";
    for (int i = 0; i < members; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%sn%d:7000", i ? "," : "", i + 1);
    struct rig *r = rig_new(running, members > 1 ? list : "");
    for (int i = 0; i < running; i++) {
        set_option(&r->host[i].options.cluster_secret_file, "there is one");
        if (i >= members || members == 1) {
            char own[32];
            snprintf(own, sizeof own, "n%d:7000", i + 1);
            set_option(&r->host[i].options.cluster, "");
            set_option(&r->host[i].options.announce, own);
        }
    }
    for (int i = 0; i < running; i++)
        rig_start(r, i);
    int count = r->count;
    r->count = members;
    if (members == 1) {
        struct rig_client c;
        rig_connect(r, 0, &c);
        rig_ask(&c, "SET seed 1\r\n", 3000);
        rig_disconnect(&c);
    }
    bool is_up = rig_until(r, rig_has_leader, 5000);
    r->count = count;
    CHECK(is_up);
    return r;
}

static const char *ask(struct rig *r, int slot, const char *line)
{
    static char text[4096];
    struct rig_client c;
    rig_connect(r, slot, &c);
    snprintf(text, sizeof text, "%s", rig_ask(&c, line, 20000));
    rig_disconnect(&c);
    return text;
}

/* The same in a text session, for `ms`; all that is said. */
static const char *ask_text(struct rig *r, int slot, const char *line, int ms)
{
    static char text[4096];
    struct client_info info = {.address = "127.0.0.1:1", .local_address = "127.0.0.1:2", .fd = -1, .is_local = true};
    struct rig_client c = {.rig = r, .slot = slot};
    c.client = client_open(r->host[slot].node, &info, &c);
    rig_say(&c, line);
    rig_run(r, ms);
    rig_collect(r);
    snprintf(text, sizeof text, "%.4000s", c.text);
    rig_disconnect(&c);
    return text;
}

/* How many voters and learners node `slot` knows of: 10 * voters + learners. 1000 and more: joint. */
static int shape(struct rig *r, int slot)
{
    raft_index index;
    int sum = 0;
    if (!r->host[slot].node || !node_raft(r->host[slot].node))
        return -1;
    const struct raft_conf *conf = raft_get_conf(node_raft(r->host[slot].node), &index);
    for (uint32_t i = 0; i < conf->member_count; i++)
        sum += conf->member[i].flags == RAFT_LEARNER ? 1 : 10;
    return sum + (conf->is_joint ? 1000 : 0);
}

static bool has_cluster(struct rig *r)
{
    int leader = rig_leader(r);
    return leader >= 0;
}

static int leader_of(struct rig *r)
{
    CHECK(rig_until(r, has_cluster, 5000));
    return rig_leader(r);
}

TEST(one_grows_to_five_and_shrinks_to_two_from_any_node)
{
    struct rig *r = rig_grown(1, 5);
    CHECK_EQ_STR(ask(r, 0, "SET a 1\r\n"), "+OK\r\n");
    CHECK_EQ_STR(ask(r, 0, "RAFT ADD n2:7000\r\n"), "+OK\r\n");
    CHECK_EQ_INT(shape(r, 0), 20);
    CHECK_EQ_STR(ask(r, 1, "RAFT ADD n3:7000 n4:7000 n5:7000\r\n"), "+OK\r\n"); /* several at once, on a follower */
    rig_run(r, 200);
    for (int i = 0; i < 5; i++) {
        CHECK_EQ_INT(shape(r, i), 50);
        CHECK_EQ_STR(ask(r, i, "GET a\r\n"), "$1\r\n1\r\n");
    }
    CHECK_EQ_STR(ask(r, 4, "RAFT REMOVE n2:7000 n3:7000 DEMOTE n4:7000\r\n"), "+OK\r\n");
    rig_run(r, 2000);
    CHECK_CONTAINS(r->host[1].fatal, "removed from the cluster");
    CHECK_CONTAINS(r->host[2].fatal, "removed from the cluster");
    CHECK_EQ_INT(shape(r, 0), 21);
    CHECK_EQ_STR(ask(r, 3, "GET a\r\n"), "$1\r\n1\r\n"); /* a learner answers */
    CHECK_EQ_STR(ask(r, 3, "SET a 2\r\n"), "+OK\r\n");
    CHECK_EQ_STR(ask(r, 0, "RAFT PROMOTE n4:7000\r\n"), "+OK\r\n");
    CHECK_EQ_INT(shape(r, 0), 30);
    rig_free(r);
}

TEST(three_to_two_to_one_the_leader_first)
{
    struct rig *r = rig_grown(3, 3);
    char line[64];
    for (int left = 3; left > 1; left--) {
        int leader = leader_of(r);
        snprintf(line, sizeof line, "RAFT REMOVE n%d:7000\r\n", leader + 1);
        CHECK_EQ_STR(ask(r, leader, line), "+OK\r\n");
        rig_run(r, 1500);
        CHECK_CONTAINS(r->host[leader].fatal, "removed");
        rig_stop(r, leader, RIG_KILL);
    }
    int last = leader_of(r);
    CHECK_EQ_INT(shape(r, last), 10);
    snprintf(line, sizeof line, "RAFT REMOVE n%d:7000\r\n", last + 1);
    CHECK_CONTAINS(ask(r, last, line), "-ERR the last voter can't be removed");
    snprintf(line, sizeof line, "RAFT DEMOTE n%d:7000\r\n", last + 1);
    CHECK_CONTAINS(ask(r, last, line), "-ERR the last voter can't be removed or demoted");
    CHECK_EQ_STR(ask(r, last, "SET a 1\r\n"), "+OK\r\n");
    rig_free(r);
}

TEST(what_can_not_be_is_refused_in_words)
{
    static const struct {
        const char *line;
        const char *reply;
    } row[] = {
        {"RAFT ADD n2:7000\r\n", "-ERR Node n2:7000 already exists in cluster.\r\n"},
        {"RAFT REMOVE n9:7000\r\n", "-ERR Node n9:7000 does not exist in cluster.\r\n"},
        {"RAFT ADD n9:7000\r\n", "-ERR Node n9:7000 can't be reached"},
        {"RAFT ADD n4:7000 n4:7000\r\n", "-ERR n4:7000 is named twice\r\n"},
        {"RAFT ADD n4:70000\r\n", "-ERR 'n4:70000' is not host:port"},
        {"RAFT ADD LEARNER\r\n", "-ERR an address is missing"},
        {"RAFT ADD n4:7000 REMOVE\r\n", "-ERR an address is missing"},
        {"RAFT ADD n4:7000 CANCEL\r\n", "-ERR REPLACE, TRANSFER and CANCEL stand alone"},
        {"RAFT ADD a b c d e f g h i\r\n", "-ERR at most 8 nodes"},
        {"RAFT REPLACE n1:7000 n4:7000 n5:7000\r\n", "-ERR usage: RAFT REPLACE"},
        {"RAFT REPLACE n1:7000\r\n", "-ERR Node n1:7000 is "},
        {"RAFT PROMOTE n1:7000\r\n", "-ERR Node n1:7000 is a voter already.\r\n"},
        {"RAFT PROMOTE n9:7000\r\n", "-ERR Node n9:7000 does not exist in cluster.\r\n"},
        {"RAFT REMOVE n1:7000 n2:7000 n3:7000\r\n", "-ERR the last voter can't be removed"},
        {"RAFT TRANSFER n9:7000\r\n", "-ERR Node n9:7000 does not exist in cluster.\r\n"},
        {"RAFT CANCEL\r\n", "-ERR no membership change is under way\r\n"},
        {"RAFT CANCEL now\r\n", "-ERR wrong number of arguments"},
        {"RAFT LOG 0\r\n", "-ERR usage: RAFT LOG"},
        {"RAFT NONSENSE\r\n", "-ERR unknown subcommand"},
    };
    struct rig *r = rig_grown(3, 4);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].line);
        CHECK_CONTAINS(ask(r, (int)(i % 3), row[i].line), row[i].reply);
    }
    test_context("");
    CHECK_EQ_INT(shape(r, 0), 30);
    CHECK(rig_status(r, 3).is_blank);
    rig_free(r);
}

TEST(text_verbs_say_what_the_grammar_says)
{
    struct rig *r = rig_grown(3, 4);
    CHECK_EQ_STR(ask_text(r, 1, "add-node n4:7000\n", 3000), "SUCCESS: Node n4:7000 added to cluster.\n");
    CHECK_EQ_STR(ask_text(r, 1, "add-node n4:7000\n", 3000), "ERROR: Node n4:7000 already exists in cluster.\n");
    CHECK_EQ_STR(ask_text(r, 2, "remove-node n4:7000\n", 3000), "SUCCESS: Node n4:7000 removed from cluster.\n");
    CHECK_EQ_STR(ask_text(r, 0, "remove-node n4:7000\n", 3000), "ERROR: Node n4:7000 does not exist in cluster.\n");
    CHECK_EQ_STR(ask_text(r, 0, "add-node a b\n", 3000), "ERROR: Invalid command format. Usage: add-node <host>[:<port>]\n");
    CHECK_EQ_STR(ask_text(r, 0, "add-node n4:99999\n", 3000), "ERROR: Invalid command format. Usage: add-node <host>[:<port>]\n");
    rig_free(r);
}

/* J8: one that answers the call and then is gone is dropped again, and the cluster is as it was. */
TEST(a_node_that_stops_answering_is_dropped)
{
    struct rig *r = rig_grown(3, 4);
    struct rig_client c;
    int leader = rig_leader(r);
    rig_connect(r, leader, &c);
    rig_say(&c, "RAFT ADD n4:7000\r\n");
    for (int i = 0; i < 2000 && shape(r, leader) != 31; i++)
        rig_run(r, 1);
    CHECK_EQ_INT(shape(r, leader), 31);
    rig_isolate(r, 3, true);
    rig_run(r, 9000);
    rig_collect(r);
    CHECK_CONTAINS(c.text, "-ERR Node n4:7000 can't be reached any more; the cluster is unchanged.\r\n");
    CHECK_EQ_INT(shape(r, leader), 30);
    CHECK_EQ_STR(ask(r, leader, "SET a 1\r\n"), "+OK\r\n");
    /* Its id is used up: it is told so, and that a new directory helps. */
    rig_isolate(r, 3, false);
    rig_run(r, 4000);
    CHECK_CONTAINS(r->host[3].fatal, "removed");
    rig_stop(r, 3, RIG_KILL);
    rig_start(r, 3);
    CHECK_CONTAINS(ask(r, leader, "RAFT ADD n4:7000\r\n"), "an id is never used again");
    rig_stop(r, 3, RIG_WIPE);
    rig_start(r, 3);
    CHECK_EQ_STR(ask(r, leader, "RAFT ADD n4:7000\r\n"), "+OK\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

/* Its disk takes longer for each write than an election timeout: what was written meanwhile is always as much. */
TEST(a_newcomer_that_never_catches_up_is_dropped)
{
    struct rig *r = rig_grown(3, 4);
    struct rig_client c;
    struct rig_client writer;
    int leader = rig_leader(r);
    rig_connect(r, leader, &c);
    rig_connect(r, leader, &writer);
    rig_say(&c, "RAFT ADD n4:7000\r\n");
    for (int i = 0; i < 2000 && shape(r, leader) != 31; i++)
        rig_run(r, 1);
    CHECK_EQ_INT(shape(r, leader), 31);
    r->host[3].is_disk_held = true;
    uint32_t rounds = 0;
    for (int writes = 0; writes < 100 && shape(r, leader) == 31; writes++) {
        for (int i = 0; i < 60; i++) {
            rig_say(&writer, "INCR a\r\n");
            rig_run(r, 10);
        }
        rounds = r->host[leader].node->membership.newcomer[0].round;
        r->host[3].is_disk_held = false;
        rig_round(r);
        r->host[3].is_disk_held = true;
    }
    rig_collect(r);
    CHECK_EQ_UINT(rounds, 21); /* one more than may be */
    CHECK_CONTAINS(c.text, "-ERR Node n4:7000 can't keep up with what is being written; the cluster is unchanged.\r\n");
    CHECK_EQ_INT(shape(r, leader), 30);
    rig_disconnect(&writer);
    rig_disconnect(&c);
    rig_free(r);
}

/* J12: nothing but the snapshot tells a newcomer who the members are; it knows them again after a restart, when it votes. */
TEST(a_newcomer_learns_the_members_from_a_snapshot)
{
    struct rig *r = rig_grown(3, 4);
    int leader = rig_leader(r);
    char line[64];
    for (int i = 0; i < 4; i++)
        r->host[i].options.log_retention_entries = 1;
    for (int i = 0; i < 50; i++) {
        snprintf(line, sizeof line, "SET key%d %d\r\n", i, i);
        CHECK_EQ_STR(ask(r, leader, line), "+OK\r\n");
    }
    for (int i = 0; i < 3; i++)
        node_snapshot(r->host[i].node);
    rig_run(r, 1000);
    CHECK(rig_status(r, leader).raft.first_index > 40);
    CHECK_EQ_STR(ask(r, leader, "RAFT ADD n4:7000\r\n"), "+OK\r\n");
    CHECK(rig_status(r, 3).raft.first_index > 40);
    CHECK_EQ_INT(shape(r, 3), 40);
    rig_stop(r, 3, RIG_POWER_LOSS);
    rig_start(r, 3);
    REQUIRE(r->host[3].node != NULL);
    rig_run(r, 1000);
    CHECK_EQ_INT(shape(r, 3), 40);
    CHECK_EQ_STR(ask(r, 3, "GET key42\r\n"), "$2\r\n42\r\n");
    /* With two of the others gone its vote is needed and its configuration counts: two of four are no majority. */
    int gone = (leader + 1) % 3;
    rig_stop(r, gone, RIG_KILL);
    rig_stop(r, leader, RIG_KILL);
    rig_run(r, 3000);
    CHECK_EQ_INT(rig_leader(r), -1);
    rig_start(r, gone);
    CHECK_EQ_STR(ask(r, leader_of(r), "SET a 1\r\n"), "+OK\r\n");
    rig_free(r);
}

TEST(cancel_ends_what_can_be_ended)
{
    struct rig *r = rig_grown(3, 4);
    struct rig_client c;
    int leader = rig_leader(r);
    rig_connect(r, (leader + 1) % 3, &c);
    rig_say(&c, "RAFT ADD n4:7000\r\n");
    for (int i = 0; i < 2000 && shape(r, leader) != 31; i++)
        rig_run(r, 1);
    rig_isolate(r, 3, true);
    CHECK_CONTAINS(ask(r, (leader + 2) % 3, "RAFT ADD n5:7000\r\n"), "-ERR another change is under way (ADD n4:7000)");
    CHECK_EQ_STR(ask(r, (leader + 2) % 3, "RAFT CANCEL\r\n"), "+OK\r\n");
    rig_run(r, 500);
    rig_collect(r);
    CHECK_EQ_STR(c.text, "-ERR the change was cancelled; the cluster is unchanged\r\n");
    CHECK_EQ_INT(shape(r, leader), 30);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(the_same_wish_twice_gets_the_same_answer)
{
    struct rig *r = rig_grown(3, 4);
    struct rig_client a;
    struct rig_client b;
    rig_connect(r, 0, &a);
    rig_connect(r, 1, &b);
    rig_say(&a, "RAFT ADD n4:7000\r\n");
    rig_say(&b, "RAFT ADD n4:7000\r\n");
    rig_run(r, 3000);
    rig_collect(r);
    CHECK_EQ_STR(a.text, "+OK\r\n");
    CHECK_EQ_STR(b.text, "+OK\r\n");
    rig_disconnect(&a);
    rig_disconnect(&b);
    rig_free(r);
}

/* E5: the leader dies at every millisecond of a change; the asker, on another node, still gets the truth. */
TEST(the_leader_dies_at_any_moment_of_a_change)
{
    for (int at = 0; at < 120; at += 7) {
        struct rig *r = rig_grown(3, 4);
        struct rig_client c;
        int leader = rig_leader(r);
        int asker = (leader + 1) % 3;
        test_context("after %d ms", at);
        rig_connect(r, asker, &c);
        rig_say(&c, "RAFT ADD n4:7000\r\n");
        rig_run(r, at);
        rig_stop(r, leader, RIG_KILL);
        rig_run(r, 20000);
        rig_collect(r);
        if (strcmp(c.text, "+OK\r\n") == 0)
            CHECK_EQ_INT(shape(r, asker), 40);
        else
            CHECK_CONTAINS(c.text, "-UNKNOWN");
        CHECK(shape(r, asker) < 1000);
        CHECK_EQ_STR(ask(r, asker, "SET a 1\r\n"), "+OK\r\n");
        rig_disconnect(&c);
        rig_free(r);
    }
    test_context("");
}

TEST(transfer_from_any_node_and_to_nobody_in_particular)
{
    struct rig *r = rig_grown(3, 3);
    int leader = rig_leader(r);
    int next = (leader + 1) % 3;
    char line[64];
    snprintf(line, sizeof line, "RAFT TRANSFER n%d:7000\r\n", next + 1);
    CHECK_EQ_STR(ask(r, (leader + 2) % 3, line), "+OK\r\n");
    CHECK_EQ_INT(rig_leader(r), next);
    CHECK_EQ_STR(ask(r, next, line), "+OK\r\n"); /* it leads already */
    CHECK_EQ_STR(ask(r, next, "RAFT TRANSFER\r\n"), "+OK\r\n");
    rig_run(r, 100);
    CHECK(rig_leader(r) != next);
    /* To one that can't: said so, and the leader stays. */
    leader = rig_leader(r);
    int away = (leader + 1) % 3;
    rig_isolate(r, away, true);
    snprintf(line, sizeof line, "RAFT TRANSFER n%d:7000\r\n", away + 1);
    CHECK_CONTAINS(ask(r, leader, line), "did not take over");
    CHECK_EQ_INT(rig_leader(r), leader);
    rig_free(r);
}

TEST(a_new_disk_takes_its_members_place)
{
    struct rig *r = rig_grown(3, 3);
    int leader = rig_leader(r);
    int wiped = (leader + 1) % 3;
    char line[64];
    CHECK_EQ_STR(ask(r, leader, "SET a 1\r\n"), "+OK\r\n");
    rig_stop(r, wiped, RIG_WIPE);
    rig_start(r, wiped);
    rig_run(r, 4000);
    CHECK_CONTAINS(rig_status(r, wiped).trouble, "RAFT REPLACE");
    snprintf(line, sizeof line, "RAFT REPLACE n%d:7000\r\n", wiped + 1);
    CHECK_EQ_STR(ask(r, (leader + 2) % 3, line), "+OK\r\n");
    CHECK_EQ_INT(shape(r, leader), 30);
    CHECK_EQ_STR(ask(r, wiped, "GET a\r\n"), "$1\r\n1\r\n");
    CHECK_EQ_UINT(used_ids_count(node_keyspace(r->host[leader].node)), 4);
    rig_free(r);
}

TEST(a_node_with_join_adds_itself)
{
    struct rig *r = rig_grown(3, 4);
    rig_stop(r, 3, RIG_WIPE);
    set_option(&r->host[3].options.join, "n2:7000");
    rig_start(r, 3);
    struct rig_client c;
    rig_connect(r, 3, &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 1\r\n", 8000), "+OK\r\n"); /* waits until it is in */
    rig_run(r, 1000);
    CHECK_EQ_INT(shape(r, 3), 40);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(another_clusters_data_is_refused)
{
    struct rig *r = rig_grown(3, 4);
    CHECK_EQ_STR(ask(r, 3, "SET mine 1\r\n"), "+OK\r\n"); /* it forms a cluster of its own */
    CHECK_CONTAINS(ask(r, 0, "RAFT ADD n4:7000\r\n"), "-ERR Node n4:7000 holds data of another cluster");
    CHECK_EQ_STR(ask(r, 3, "GET mine\r\n"), "$1\r\n1\r\n");
    rig_free(r);
}

TEST(an_address_that_changes_is_followed)
{
    struct rig *r = rig_grown(3, 3);
    int leader = rig_leader(r);
    int moved = (leader + 1) % 3;
    rig_stop(r, moved, RIG_KILL);
    r->alias = "m9:7000";
    r->alias_slot = moved;
    set_option(&r->host[moved].options.announce, "m9:7000");
    rig_start(r, moved);
    rig_run(r, 6000);
    raft_index index;
    const struct raft_conf *conf = raft_get_conf(node_raft(r->host[leader].node), &index);
    bool is_there = false;
    for (uint32_t i = 0; i < conf->member_count; i++)
        is_there = is_there || strcmp(conf->member[i].address, "m9:7000") == 0;
    CHECK(is_there);
    CHECK_EQ_INT(shape(r, leader), 30);
    CHECK_EQ_STR(ask(r, moved, "SET a 1\r\n"), "+OK\r\n");
    rig_free(r);
}

/* J15, Z3: what a removed node says, and that it never comes back under its id. */
TEST(a_removed_node_says_so_and_stops)
{
    struct rig *r = rig_grown(3, 3);
    int leader = rig_leader(r);
    int gone = (leader + 1) % 3;
    char line[64];
    struct rig_client c;
    rig_connect(r, gone, &c);
    rig_ask(&c, "RAFT CONSISTENCY stale\r\n", 1000);
    snprintf(line, sizeof line, "RAFT REMOVE n%d:7000\r\n", gone + 1);
    CHECK_EQ_STR(ask(r, leader, line), "+OK\r\n");
    rig_run(r, 100);
    CHECK_CONTAINS(rig_ask(&c, "GET a\r\n", 500), "-CLUSTERDOWN");
    CHECK_CONTAINS(c.text, "this node was removed from the cluster");
    rig_forget(&c);
    CHECK_CONTAINS(rig_ask(&c, "SET a 1\r\n", 500), "-CLUSTERDOWN this node was removed from the cluster, the command was not executed");
    rig_disconnect(&c);
    rig_run(r, 1500);
    CHECK_CONTAINS(r->host[gone].fatal, "removed");
    rig_stop(r, gone, RIG_KILL);
    uint64_t term = rig_status(r, leader).raft.term;
    rig_start(r, gone);
    rig_run(r, 5000);
    CHECK_CONTAINS(r->host[gone].fatal, "removed");
    CHECK_EQ_UINT(rig_status(r, leader).raft.term, term);
    rig_free(r);
}

/* K1: without a leader the first answer is no, and true. */
TEST(without_a_majority_a_change_is_not_done)
{
    struct rig *r = rig_grown(3, 3);
    int leader = rig_leader(r);
    rig_stop(r, (leader + 1) % 3, RIG_KILL);
    rig_stop(r, (leader + 2) % 3, RIG_KILL);
    rig_run(r, 2000);
    CHECK_CONTAINS(ask(r, leader, "RAFT REMOVE n1:7000\r\n"), "-CLUSTERDOWN no leader is known");
    CHECK_EQ_STR(ask_text(r, leader, "add-node n9:7000\n", 6000),
                 "ERROR: Leader unavailable. Retrying...\nERROR: Leader unavailable. Try again later.\n");
    /* J17: an isolated leader can't shrink its own cluster. */
    rig_free(r);
}

TEST(plans_survive_their_encoding)
{
    struct change_plan plan;
    struct change_plan back;
    struct buf bytes = {0};
    char text[CHANGE_TEXT_BYTES];
    struct slice word[] = {SLICE_LITERAL("add"),    SLICE_LITERAL("learner"), SLICE_LITERAL("a"),  SLICE_LITERAL("REMOVE"),
                           SLICE_LITERAL("B:7001"), SLICE_LITERAL("0123456789abcdef"), SLICE_LITERAL("Demote"), SLICE_LITERAL("[::1]")};
    REQUIRE(change_plan_parse(word, 8, 6379, &plan, text));
    CHECK_EQ_INT(plan.count, 4);
    plan.step[1].member_id = 7;
    plan.step[0].new_id = 9;
    change_plan_encode(&plan, &bytes);
    struct slice whole = buf_slice(&bytes);
    struct reader in = reader_of(whole);
    REQUIRE(change_plan_decode(&in, &back) && reader_done(&in));
    CHECK(change_plan_same(&plan, &back));
    CHECK_EQ_UINT(back.step[1].member_id, 7);
    CHECK_EQ_UINT(back.step[0].new_id, 9);
    for (size_t n = 0; n < whole.n; n++) {
        in = reader_of((struct slice){whole.p, n});
        CHECK(!(change_plan_decode(&in, &back) && reader_done(&in)));
    }
    struct buf what = {0};
    change_plan_describe(&plan, &what);
    buf_append_byte(&what, 0);
    CHECK_EQ_STR((const char *)what.data + what.start, "ADD LEARNER a:6379, REMOVE b:7001, REMOVE 0123456789abcdef, DEMOTE [::1]:6379");
    buf_deinit(&what);
    buf_deinit(&bytes);
}

/* Added by a command, so started without a list: with a new disk it must not pass for a cluster of one. */
TEST(an_added_node_with_a_wiped_disk_serves_nobody)
{
    struct rig *r = rig_grown(3, 4);
    int leader = rig_leader(r);
    CHECK_EQ_STR(ask(r, leader, "RAFT ADD n4:7000\r\n"), "+OK\r\n");
    CHECK_EQ_STR(ask(r, 3, "SET a 1\r\n"), "+OK\r\n");
    rig_stop(r, 3, RIG_WIPE);
    rig_start(r, 3);
    rig_run(r, 4000); /* until the others have called */
    CHECK_CONTAINS(ask(r, 3, "SET a 2\r\n"), "looks for another node here");
    CHECK_CONTAINS(ask(r, 3, "GET a\r\n"), "RAFT REPLACE n4:7000");
    CHECK(rig_status(r, 3).is_blank);
    CHECK_EQ_STR(ask(r, leader, "RAFT REPLACE n4:7000\r\n"), "+OK\r\n");
    CHECK_EQ_STR(ask(r, 3, "GET a\r\n"), "$1\r\n1\r\n");
    rig_free(r);
}

TEST_MAIN()
