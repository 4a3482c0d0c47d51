/* Snapshots of whole nodes: taking, compaction, starting from one, bringing a member up to date with one. */
#include <stdio.h>
#include <string.h>

#include "keyspace/keyspace.h"
#include "rig.h"
#include "storage/snapshot_file.h"
#include "tests/test.h"

static const char three[] = "n1:7000,n2:7000,n3:7000";

static uint64_t digest_of(struct rig *r, int slot)
{
    return keyspace_digest(node_keyspace(r->host[slot].node));
}

static bool has_loaded(struct rig *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->host[i].node && rig_snapshot(r, i).is_loading)
            return false;
    return true;
}

TEST(a_lone_node_starts_from_its_snapshot)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    rig_client_write_keys(&c, 0, 50);
    CHECK_EQ_STR(rig_ask(&c, "PEXPIREAT key7 99999999999999\r\n", 1000), ":1\r\n");
    CHECK_EQ_STR(rig_ask(&c, "RAFT SNAPSHOT\r\n", 1000), "+OK\r\n");
    REQUIRE(rig_until(r, rig_has_snapshots, 5000));
    CHECK_EQ_STR(rig_ask(&c, "RAFT SNAPSHOT\r\n", 1000), "+OK\r\n"); /* nothing new: true at once */
    rig_run(r, 50);
    CHECK_EQ_UINT(rig_snapshot(r, 0).taken, 1);
    rig_client_write_keys(&c, 50, 60);
    uint64_t digest = digest_of(r, 0);
    raft_index index = rig_snapshot(r, 0).index;
    CHECK(rig_status(r, 0).raft.first_index == index + 1);
    rig_disconnect(&c);
    for (int how = 0; how < 2; how++) {
        rig_stop(r, 0, how ? RIG_POWER_LOSS : RIG_KILL);
        rig_start(r, 0);
        REQUIRE(r->host[0].node != NULL);
        REQUIRE(rig_until(r, has_loaded, 3000));
        rig_connect(r, 0, &c);
        CHECK_EQ_STR(rig_ask(&c, "GET key55\r\n", 3000), "$7\r\nvalue55\r\n");
        CHECK_EQ_STR(rig_ask(&c, "GET key3\r\n", 3000), "$6\r\nvalue3\r\n");
        CHECK_EQ_STR(rig_ask(&c, "PEXPIRETIME key7\r\n", 3000), ":99999999999999\r\n");
        CHECK_EQ_UINT(rig_snapshot(r, 0).index, index);
        rig_disconnect(&c);
    }
    CHECK(digest_of(r, 0) != digest); /* sessions were opened since */
    rig_free(r);
}

/* While the file is read, data commands are told so; the node is up. */
TEST(data_commands_are_answered_loading)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    rig_client_write_keys(&c, 0, 20);
    rig_ask(&c, "RAFT SNAPSHOT\r\n", 1000);
    REQUIRE(rig_until(r, rig_has_snapshots, 5000));
    rig_disconnect(&c);
    rig_stop(r, 0, RIG_KILL);
    r->host[0].is_disk_held = true;
    rig_start(r, 0);
    REQUIRE(r->host[0].node != NULL);
    rig_connect(r, 0, &c);
    const char *answer = rig_ask(&c, "GET key3\r\n", 300);
    CHECK(strncmp(answer, "-LOADING ", 9) == 0);
    answer = rig_ask(&c, "SET key3 1\r\n", 300);
    CHECK(strncmp(answer, "-LOADING ", 9) == 0);
    CHECK_EQ_STR(rig_ask(&c, "PING\r\n", 300), "+PONG\r\n");
    CHECK(strstr(rig_ask(&c, "INFO persistence\r\n", 300), "loading:1\r\n") != NULL);
    r->host[0].is_disk_held = false;
    rig_run(r, 1000);
    CHECK_EQ_STR(rig_ask(&c, "GET key3\r\n", 3000), "$6\r\nvalue3\r\n");
    rig_disconnect(&c);
    rig_free(r);
}

#ifdef CORACLE_SLOW_CHECKS /* otherwise only 100,000 entries are a long log (apply.c) */
/* So they are while a long log is replayed: no read shows an old state. */
TEST(data_commands_are_answered_loading_while_the_log_is_replayed)
{
    struct rig *r = rig_new(3, three);
    struct rig_client c;
    static char many[12000];
    size_t size = 0;
    for (int i = 0; i < 3; i++)
        rig_start(r, i);
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    int slot = (rig_leader(r) + 1) % 3;
    rig_connect(r, rig_leader(r), &c);
    for (int i = 0; i < 1000; i++)
        size += (size_t)snprintf(many + size, sizeof many - size, "INCR n\r\n");
    rig_say(&c, many);
    for (int ms = 0; ms < 5000 && !strstr(c.text, ":1000\r\n"); ms++) {
        rig_run(r, 1);
        rig_collect(r);
    }
    rig_disconnect(&c);
    rig_run(r, 500);
    rig_stop(r, slot, RIG_KILL);
    r->host[slot].options.log_memory = 4096;
    r->host[slot].is_disk_held = true; /* what it is to apply can't be read */
    rig_start(r, slot);
    rig_run(r, 1500);
    rig_connect(r, slot, &c);
    CHECK_EQ_STR(rig_ask(&c, "GET n\r\n", 300), "-LOADING the node is replaying its log: 0 %\r\n");
    CHECK_EQ_STR(rig_ask(&c, "INCR n\r\n", 300), "-LOADING the node is replaying its log: 0 %\r\n");
    CHECK_EQ_STR(rig_ask(&c, "RAFT CONSISTENCY stale\r\n", 300), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&c, "GET n\r\n", 300), "-LOADING the node is replaying its log: 0 %\r\n");
    CHECK(strstr(rig_ask(&c, "INFO persistence\r\n", 300), "loading:1\r\n") != NULL);
    r->host[slot].is_disk_held = false;
    rig_run(r, 1000);
    CHECK_EQ_STR(rig_ask(&c, "GET n\r\n", 300), "$4\r\n1000\r\n");
    CHECK(strstr(rig_ask(&c, "INFO persistence\r\n", 300), "loading:0\r\n") != NULL);
    rig_disconnect(&c);
    rig_free(r);
}
#endif

static void stop_follower(struct rig *r, int *slot)
{
    *slot = (rig_leader(r) + 1) % 3;
    rig_stop(r, *slot, RIG_KILL);
}

static int others_of(int slot)
{
    return (slot + 1) % 3;
}

static struct rig *cluster_with_snapshots(int *lagging, bool keeps_entries)
{
    struct rig *r = rig_new(3, three);
    struct rig_client c;
    for (int i = 0; i < 3; i++) {
        r->host[i].options.log_retention_entries = keeps_entries ? 1000 : 1;
        r->host[i].options.snapshot_slice = 0;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    rig_connect(r, rig_leader(r), &c);
    rig_client_write_keys(&c, 0, 10);
    rig_disconnect(&c);
    stop_follower(r, lagging);
    rig_run(r, 1000);
    REQUIRE(rig_leader(r) >= 0);
    rig_connect(r, rig_leader(r), &c);
    rig_client_write_keys(&c, 10, 60);
    rig_run(r, 700);
    for (int i = 0; i < 3; i++)
        if (r->host[i].node)
            node_snapshot(r->host[i].node);
    REQUIRE(rig_until(r, rig_has_snapshots, 5000));
    rig_client_write_keys(&c, 60, 70);
    rig_disconnect(&c);
    return r;
}

TEST(a_member_that_lags_gets_the_snapshot)
{
    int lagging;
    struct rig *r = cluster_with_snapshots(&lagging, false);
    int leader = rig_leader(r);
    raft_index first = rig_status(r, leader).raft.first_index;
    CHECK(first > 50);
    CHECK_EQ_UINT(first, rig_snapshot(r, leader).index); /* one entry is kept */
    rig_start(r, lagging);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    CHECK(rig_status(r, lagging).raft.first_index > 50);
    CHECK(rig_snapshot(r, lagging).index > 0 && rig_snapshot(r, lagging).taken == 0);
    struct rig_client c;
    rig_connect(r, lagging, &c);
    CHECK_EQ_STR(rig_ask(&c, "GET key42\r\n", 5000), "$7\r\nvalue42\r\n");
    rig_client_write_keys(&c, 70, 75); /* its own session lives */
    rig_disconnect(&c);
    /* It starts from what it received. */
    rig_stop(r, lagging, RIG_POWER_LOSS);
    rig_start(r, lagging);
    REQUIRE(r->host[lagging].node != NULL);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    rig_free(r);
}

TEST(a_member_that_lags_within_the_retention_gets_entries)
{
    int lagging;
    struct rig *r = cluster_with_snapshots(&lagging, true);
    rig_start(r, lagging);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    CHECK_EQ_UINT(rig_snapshot(r, lagging).index, 0);
    rig_free(r);
}

/* A node is cut off, the others go on without it and forget the log: the snapshot that brings it up to date replaces what its clients
 * read. WATCH sees what changed and what didn't, caches are told to forget all. */
TEST(clients_of_a_node_that_got_a_snapshot_are_told)
{
    struct rig *r = rig_new(3, three);
    struct rig_client cached;
    struct rig_client changed;
    struct rig_client same;
    struct rig_client c;
    for (int i = 0; i < 3; i++) {
        r->host[i].options.log_retention_entries = 1;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    int slot = (rig_leader(r) + 1) % 3;
    rig_connect(r, slot, &cached);
    rig_connect(r, slot, &changed);
    rig_connect(r, slot, &same);
    CHECK_EQ_STR(rig_ask(&same, "MSET a 1 b 1\r\n", 5000), "+OK\r\n");
    CHECK(strstr(rig_ask(&cached, "HELLO 3\r\n", 1000), "proto") != NULL);
    CHECK_EQ_STR(rig_ask(&cached, "CLIENT TRACKING ON\r\n", 1000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&cached, "RAFT CONSISTENCY stale\r\n", 1000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&changed, "WATCH a\r\n", 1000), "+OK\r\n");
    CHECK_EQ_STR(rig_ask(&same, "WATCH b\r\n", 1000), "+OK\r\n");
    rig_isolate(r, slot, true);
    rig_run(r, 1500);
    rig_connect(r, rig_leader(r), &c);
    CHECK_EQ_STR(rig_ask(&c, "SET a 2\r\n", 5000), "+OK\r\n");
    rig_client_write_keys(&c, 0, 50);
    for (int i = 0; i < 3; i++)
        if (i != slot)
            node_snapshot(r->host[i].node);
    rig_run(r, 2000);
    /* When the leader was lost it was told to forget, too; this read is of later. */
    rig_collect(r);
    rig_forget(&cached);
    CHECK_EQ_STR(rig_ask(&cached, "GET a\r\n", 1000), "$1\r\n1\r\n");
    rig_forget(&cached);
    rig_isolate(r, slot, false);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    CHECK(rig_snapshot(r, slot).index > 0 && rig_snapshot(r, slot).taken == 0);
    rig_collect(r);
    CHECK_EQ_STR(cached.text, ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    rig_ask(&changed, "MULTI\r\n", 1000);
    rig_ask(&changed, "SET a 3\r\n", 1000);
    CHECK_EQ_STR(rig_ask(&changed, "EXEC\r\n", 5000), "*-1\r\n");
    rig_ask(&same, "MULTI\r\n", 1000);
    rig_ask(&same, "INCR b\r\n", 1000);
    CHECK_EQ_STR(rig_ask(&same, "EXEC\r\n", 5000), "*1\r\n:2\r\n");
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    CHECK(strstr(rig_ask(&c, "RAFT VERIFY\r\n", 5000), "verdict\r\n$5\r\nequal\r\n") != NULL);
    rig_disconnect(&cached);
    rig_disconnect(&changed);
    rig_disconnect(&same);
    rig_disconnect(&c);
    rig_free(r);
}

/* The receiver's power fails inside the n-th call that changes its disk, for every n of the installation: old state or new one, and
 * in the end all are equal. */
TEST(power_failures_at_every_call_of_an_installation)
{
    bool survived = false;
    int runs = 0;
    for (uint64_t call = 0; !survived; call++) {
        int lagging;
        struct rig *r = cluster_with_snapshots(&lagging, false);
        test_context("call %d", (int)call);
        rig_start(r, lagging);
        sim_disk_power_fail_after(r->host[lagging].disk, call);
        for (int ms = 0; ms < 20000 && !sim_disk_is_dead(r->host[lagging].disk) && !(ms > 500 && rig_is_equal(r)); ms += 10)
            rig_run(r, 10);
        survived = !sim_disk_is_dead(r->host[lagging].disk);
        sim_disk_power_fail_after(r->host[lagging].disk, UINT64_MAX);
        rig_stop(r, lagging, RIG_POWER_LOSS);
        sim_disk_revive(r->host[lagging].disk);
        r->host[lagging].fatal[0] = '\0';
        rig_start(r, lagging);
        REQUIRE(r->host[lagging].node != NULL);
        REQUIRE(rig_until(r, rig_is_equal, 20000));
        rig_free(r);
        runs++;
    }
    CHECK(runs > 8);
    test_context("%s", "");
}

/* The same for a node that makes one of its own. */
TEST(power_failures_at_every_call_of_making_one)
{
    bool survived = false;
    int runs = 0;
    for (uint64_t call = 0; !survived; call++) {
        struct rig *r = rig_new(1, "");
        struct rig_client c;
        test_context("call %d", (int)call);
        r->host[0].options.log_segment_size = 4096;
        rig_start(r, 0);
        rig_connect(r, 0, &c);
        for (int round = 0; round < 2; round++) {
            rig_client_write_keys(&c, 50 * round, 50 * round + 50);
            node_snapshot(r->host[0].node);
            if (round == 0)
                REQUIRE(rig_until(r, rig_has_snapshots, 5000));
        }
        sim_disk_power_fail_after(r->host[0].disk, call);
        rig_run(r, 300);
        survived = !sim_disk_is_dead(r->host[0].disk);
        rig_disconnect(&c);
        sim_disk_power_fail_after(r->host[0].disk, UINT64_MAX);
        rig_stop(r, 0, RIG_POWER_LOSS);
        sim_disk_revive(r->host[0].disk);
        r->host[0].fatal[0] = '\0';
        rig_start(r, 0);
        REQUIRE(r->host[0].node != NULL);
        REQUIRE(rig_until(r, has_loaded, 3000));
        rig_connect(r, 0, &c);
        for (int i = 0; i < 100; i += 9) {
            char text[64];
            char want[64];
            snprintf(text, sizeof text, "GET key%d\r\n", i);
            snprintf(want, sizeof want, "$%d\r\nvalue%d\r\n", i < 10 ? 6 : 7, i);
            CHECK_EQ_STR(rig_ask(&c, text, 5000), want);
        }
        rig_disconnect(&c);
        rig_free(r);
        runs++;
    }
    CHECK(runs > 5);
    test_context("%s", "");
}

/* The disk's reserve is the log's: a snapshot that would need it is put off, the node goes on, and it is made when there is room. */
TEST(a_full_disk_puts_a_snapshot_off)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    char text[9000];
    const uint64_t reserve = 65536;
    r->host[0].options.disk_reserve = (int64_t)reserve;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    for (int i = 0; i < 80; i++) {
        snprintf(text, sizeof text, "SET big%d %08000d\r\n", i, i);
        CHECK_EQ_STR(rig_ask(&c, text, 5000), "+OK\r\n");
    }
    struct sim_disk *d = r->host[0].disk;
    uint64_t quota = sim_disk_used(d) + reserve + 300000;
    sim_disk_set_quota(d, quota);
    CHECK_EQ_STR(rig_ask(&c, "RAFT SNAPSHOT\r\n", 1000), "+OK\r\n");
    rig_run(r, 300);
    struct node_snapshot_status s = rig_snapshot(r, 0);
    CHECK(s.last_failed && s.index == 0 && s.taken == 0);
    CHECK(sim_disk_used(d) + reserve <= quota);
    rig_client_write_keys(&c, 0, 5);
    CHECK_EQ_STR(r->host[0].fatal, "");
    rig_run(r, 6000);
    CHECK_EQ_UINT(rig_snapshot(r, 0).taken, 0);
    sim_disk_set_quota(d, UINT64_MAX);
    REQUIRE(rig_until(r, rig_has_snapshots, 10000));
    CHECK(!rig_snapshot(r, 0).last_failed);
    rig_disconnect(&c);
    rig_free(r);
}

TEST(a_member_without_room_for_a_snapshot_stays_behind_until_there_is)
{
    int lagging;
    struct rig *r = cluster_with_snapshots(&lagging, false);
    struct sim_disk *d = r->host[lagging].disk;
    rig_start(r, lagging);
    r->host[lagging].options.disk_reserve = 65536;
    sim_disk_set_quota(d, sim_disk_used(d) + 65536 + 2000);
    rig_run(r, 3000);
    CHECK_EQ_STR(r->host[lagging].fatal, "");
    CHECK(rig_status(r, lagging).applied < rig_status(r, rig_leader(r)).applied);
    CHECK_EQ_UINT(rig_snapshot(r, lagging).index, 0);
    sim_disk_set_quota(d, UINT64_MAX);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    CHECK(rig_snapshot(r, lagging).index > 0);
    rig_free(r);
}

/* A received file that can't be loaded leaves the old state, is not acknowledged, and is asked for again. */
static int spoiled;
static bool spoil_chunks(struct rig *r, int from, int to, enum link_role role, struct slice message)
{
    (void)r;
    (void)from;
    (void)to;
    if (role != LINK_BULK || message.n < 400 || spoiled >= 1)
        return true;
    for (size_t i = 0; i + 8 < message.n; i++) {
        if (memcmp(message.p + i, "value4", 6) == 0) {
            ((uint8_t *)(uintptr_t)message.p)[i] ^= 1;
            spoiled++;
            break;
        }
    }
    return true;
}

TEST(a_snapshot_that_cannot_be_loaded_changes_nothing)
{
    int lagging;
    struct rig *r = cluster_with_snapshots(&lagging, false);
    spoiled = 0;
    r->filter = spoil_chunks;
    rig_start(r, lagging);
    raft_index applied = rig_status(r, lagging).applied;
    for (int ms = 0; ms < 5000 && spoiled == 0; ms++)
        rig_run(r, 1);
    REQUIRE(spoiled == 1);
    rig_run(r, 20);
    CHECK(rig_status(r, lagging).applied == applied || rig_status(r, lagging).applied < 20);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    rig_free(r);
}

TEST(a_damaged_snapshot_stops_the_start)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    rig_client_write_keys(&c, 0, 50);
    rig_ask(&c, "RAFT SNAPSHOT\r\n", 1000);
    REQUIRE(rig_until(r, rig_has_snapshots, 5000));
    uint64_t size = rig_snapshot(r, 0).bytes;
    rig_disconnect(&c);
    rig_stop(r, 0, RIG_KILL);
    REQUIRE(sim_disk_corrupt(r->host[0].disk, SNAPSHOT_NAME, size / 2, 1, SIM_ROT_FLIP_BIT));
    rig_start(r, 0);
    REQUIRE(r->host[0].node != NULL); /* it begins to load, */
    rig_run(r, 100);
    CHECK(strstr(r->host[0].fatal, "can't be loaded") != NULL); /* and stops in words */
    rig_free(r);
}

static void remove_log(void *ctx, const char *name)
{
    char *first = ctx;
    if (strncmp(name, "wal-", 4) == 0 && (first[0] == '\0' || strcmp(name, first) < 0))
        snprintf(first, 64, "%s", name);
}

TEST(a_missing_snapshot_or_a_gap_stops_the_start)
{
    struct rig *r = rig_new(1, "");
    struct rig_client c;
    r->host[0].options.log_segment_size = 4096;
    rig_start(r, 0);
    rig_connect(r, 0, &c);
    rig_client_write_keys(&c, 0, 80);
    rig_ask(&c, "RAFT SNAPSHOT\r\n", 1000);
    REQUIRE(rig_until(r, rig_has_snapshots, 5000));
    rig_client_write_keys(&c, 80, 200);
    rig_disconnect(&c);
    rig_stop(r, 0, RIG_KILL);
    struct vfs *vfs = sim_disk_vfs(r->host[0].disk);
    struct sim_disk *copy = sim_disk_copy(r->host[0].disk, 1);
    (void)copy;
    REQUIRE(vfs->call->remove(vfs, SNAPSHOT_NAME) == ERR_OK);
    rig_start(r, 0);
    CHECK(r->host[0].node == NULL);
    sim_disk_free(copy);
    char first[64] = "";
    sim_disk_each(r->host[0].disk, remove_log, first);
    CHECK(first[0] != '\0');
    rig_free(r);
}

static bool nobody(struct rig *r)
{
    (void)r;
    return false;
}

TEST(a_new_leader_goes_on_with_a_snapshot_of_its_own)
{
    int lagging;
    struct rig *r = cluster_with_snapshots(&lagging, false);
    rig_start(r, lagging);
    rig_until(r, nobody, 8); /* something of it is on its way */
    int leader = rig_leader(r);
    rig_stop(r, leader, RIG_KILL);
    rig_run(r, 3000);
    rig_start(r, leader);
    REQUIRE(rig_until(r, rig_has_leader, 20000));
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    (void)others_of;
    rig_free(r);
}

TEST_MAIN()
