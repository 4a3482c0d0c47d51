/* Snapshots on their way to members: several at once, full disks, another leader, a process that ended in between. */
#include <stdio.h>
#include <string.h>

#include "node/node_internal.h"
#include "rig.h"
#include "storage/snapshot_file.h"
#include "tests/test.h"

/* Three chunks of LIMIT_FRAME_BYTES. */
static void write_big(struct rig *r, int slot)
{
    struct rig_client c;
    char text[9000];
    rig_connect(r, slot, &c);
    for (int i = 0; i < 80; i++) {
        (void)snprintf(text, sizeof text, "SET big%d %08000d\r\n", i, i);
        CHECK_EQ_STR(rig_ask(&c, text, 5000), "+OK\r\n");
    }
    rig_disconnect(&c);
}

static bool is_nobody_taking(struct rig *r)
{
    for (int i = 0; i < r->count; i++)
        if (r->host[i].node && rig_snapshot(r, i).is_running)
            return false;
    return true;
}

static raft_index take_snapshot(struct rig *r, int slot)
{
    node_snapshot(r->host[slot].node);
    rig_run(r, 5);
    CHECK(rig_until(r, is_nobody_taking, 5000));
    return rig_snapshot(r, slot).index;
}

static int lagging;
static bool is_receiving(struct rig *r)
{
    return r->host[lagging].node->snapshots.receiving.offset > 0;
}

static void kill_node(struct rig *r, int slot)
{
    rig_stop(r, slot, RIG_KILL);
}

/* Nodes that keep hardly any log behind a snapshot. */
static struct rig *cluster_of(int count)
{
    struct rig *r = rig_new(count, count == 5 ? "n1:7000,n2:7000,n3:7000,n4:7000,n5:7000" : "n1:7000,n2:7000,n3:7000");
    for (int i = 0; i < count; i++) {
        r->host[i].options.log_retention_entries = 1;
        rig_start(r, i);
    }
    REQUIRE(rig_until(r, rig_has_leader, 10000));
    rig_write_keys(r, rig_leader(r), 0, 10);
    return r;
}

/* Of three, one (`lagging`) that is down needs the leader's snapshot. */
static struct rig *cluster_with_a_laggard(int *leader)
{
    struct rig *r = cluster_of(3);
    *leader = rig_leader(r);
    lagging = (*leader + 1) % 3;
    kill_node(r, lagging);
    write_big(r, *leader);
    take_snapshot(r, *leader);
    return r;
}

/* A second one needs a snapshot, when there is a newer one than what the first receives: it gets the first one's, and neither makes the
 * other begin anew. */
TEST(two_members_that_lag_get_the_same_file)
{
    struct rig *r = cluster_of(5);
    int leader = rig_leader(r);
    lagging = (leader + 1) % 5;
    int second = (leader + 2) % 5;
    kill_node(r, lagging);
    kill_node(r, second);
    write_big(r, leader);
    raft_index first = take_snapshot(r, leader);
    r->host[leader].options.snapshot_transfer_rate = 200000; /* a chunk takes more than a second */
    rig_start(r, lagging);
    REQUIRE(rig_until(r, is_receiving, 10000));
    rig_write_keys(r, leader, 10, 20);
    raft_index newer = take_snapshot(r, leader);
    CHECK(newer > first);
    rig_start(r, second);
    REQUIRE(rig_until(r, rig_is_equal, 30000));
    CHECK_EQ_UINT(rig_snapshot(r, lagging).index, first);
    CHECK_EQ_UINT(rig_snapshot(r, second).index, first);
    rig_free(r);
}

#ifndef CORACLE_HOSTILE /* the state is hundreds of chunks there */
/* Chunks on their way to a node. */
static int chunks_to(const struct rig *r, int slot)
{
    int count = 0;
    for (int i = 0; i < RIG_LINKS; i++) {
        const struct rig_link *l = &r->link[i];
        for (int end = 0; end < 2; end++) {
            for (const struct rig_message *m = l->is_used && l->is_up && l->host[end] == slot ? l->first[end] : NULL; m; m = m->next)
                count += m->n > 100000;
        }
    }
    return count;
}

/* A link takes longer than an election timeout for a chunk: Raft asks for it again and again, and it is sent once. */
TEST(a_chunk_that_takes_long_is_not_sent_again)
{
    int leader;
    struct rig *r = cluster_with_a_laggard(&leader);
    rig_start(r, lagging);
    for (int round = 0; round < 100000 && chunks_to(r, lagging) == 0; round++) {
        if (!rig_round(r))
            r->now_us += 1000;
    }
    r->host[lagging].is_paused = true;
    rig_run(r, 5000);
    CHECK_EQ_INT(chunks_to(r, lagging), 1);
    r->host[lagging].is_paused = false;
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    CHECK(rig_snapshot(r, lagging).index > 0);
    rig_free(r);
}

/* The chunk on its way to a node arrives little by little, within a second; false: there is none. */
static bool bring_slowly(struct rig *r, int slot)
{
    for (int i = 0; i < RIG_LINKS; i++) {
        struct rig_link *l = &r->link[i];
        for (int end = 0; end < 2; end++) {
            if (!l->is_used || !l->is_up || l->host[end] != slot || !l->first[end] || l->first[end]->n <= 100000)
                continue;
            struct rig_message *m = l->first[end];
            CHECK(m->next == NULL);
            l->first[end] = NULL;
            l->last[end] = &l->first[end];
            for (size_t ms = 0; ms < 1000; ms += 50) {
                rig_run(r, 50);
                node_link_progress(r->host[slot].node, l->id[end], ms * 100 + 1);
            }
            CHECK(l->is_up && l->first[end] == NULL);
            l->first[end] = m;
            l->last[end] = &m->next;
            rig_run(r, 1);
            return true;
        }
    }
    return false;
}

/* A link takes long for a chunk, though less than the rate lets pass until the next one: its answer comes when Raft has asked for the same
 * chunk again, and that request would wait for the rate. The answer counts, or that chunk would be sent for ever. */
TEST(a_chunk_takes_long_at_a_low_rate)
{
    int leader;
    struct rig *r = cluster_with_a_laggard(&leader);
    int sent = 0;
    r->host[leader].options.snapshot_transfer_rate = 200000; /* a chunk takes more than a second */
    rig_start(r, lagging);
    for (int ms = 0; ms < 10000 && sent < 10 && rig_snapshot(r, lagging).index == 0; ms++) {
        for (int round = 0; round < 1000 && chunks_to(r, lagging) == 0 && rig_round(r); round++) {
        }
        sent += bring_slowly(r, lagging);
        r->now_us += 1000;
    }
    CHECK_EQ_INT(sent, 3);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    CHECK(rig_snapshot(r, lagging).index > 0);
    rig_free(r);
}

/* There is no room; while the file is removed, the leader sends its beginning once more. What comes then is not kept: with a chunk that waits
 * no other would ever be taken. */
TEST(a_chunk_that_comes_while_the_rest_is_dropped)
{
    int leader;
    struct rig *r = cluster_with_a_laggard(&leader);
    struct rig_host *h = &r->host[lagging];
    rig_start(r, lagging);
    sim_disk_set_quota(h->disk, sim_disk_used(h->disk) + 65536);
    const struct snapshot_receiving *receiving = &h->node->snapshots.receiving;
    for (int round = 0; round < 100000 && !receiving->job.job.is_submitted; round++) {
        if (!rig_round(r))
            r->now_us += 1000;
    }
    REQUIRE(receiving->job.job.is_submitted && receiving->accepted == 0); /* it could not be written, and is to be removed */
    h->is_disk_held = true;
    for (int ms = 0; ms < 10000 && buf_size(&receiving->waiting) == 0; ms++)
        rig_run(r, 1);
    CHECK(buf_size(&receiving->waiting) > 0);
    sim_disk_set_quota(h->disk, UINT64_MAX);
    h->is_disk_held = false;
    REQUIRE(rig_until(r, rig_is_equal, 30000));
    CHECK(rig_snapshot(r, lagging).index > 0);
    CHECK_EQ_STR(h->fatal, "");
    rig_free(r);
}
#endif

/* The leader ends that sent it, and the next one has all of the log: that is faster than the rest of the snapshot, which nobody sends. What was
 * received is let go, and the node takes snapshots of its own again. */
TEST(the_rest_of_a_snapshot_that_the_log_overtook_is_let_go)
{
    int leader;
    struct rig *r = cluster_with_a_laggard(&leader);
    int next = (leader + 2) % 3;
    r->host[leader].options.snapshot_transfer_rate = 200000;
    rig_start(r, lagging);
    REQUIRE(rig_until(r, is_receiving, 10000));
    kill_node(r, leader);
    REQUIRE(rig_until(r, rig_has_leader, 20000));
    CHECK_EQ_INT(rig_leader(r), next);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    CHECK_EQ_UINT(rig_snapshot(r, lagging).index, 0);
    CHECK(take_snapshot(r, lagging) > 0);
    CHECK_EQ_UINT(rig_snapshot(r, lagging).taken, 1);
    rig_free(r);
}

/* A received snapshot has its name, and the process ended before the term that it was received in was durable (on a full disk that may take a
 * while): the log begins anew behind it, in its term. */
TEST(a_snapshot_of_a_later_term_than_the_log)
{
    struct rig *r = cluster_of(3);
    lagging = (rig_leader(r) + 1) % 3;
    kill_node(r, lagging);
    raft_term before = rig_status(r, rig_leader(r)).raft.term;
    int old = rig_leader(r);
    kill_node(r, old);
    rig_start(r, old);
    REQUIRE(rig_until(r, rig_has_leader, 20000));
    int leader = rig_leader(r);
    rig_write_keys(r, leader, 10, 60);
    raft_term term = rig_status(r, leader).raft.term;
    CHECK(term > before);
    raft_index index = take_snapshot(r, leader);
    sim_disk_put_file(r->host[lagging].disk, SNAPSHOT_NAME, sim_disk_file(r->host[leader].disk, SNAPSHOT_NAME));
    rig_start(r, lagging);
    REQUIRE(r->host[lagging].node != NULL);
    CHECK(rig_status(r, lagging).raft.term >= term);
    CHECK_EQ_UINT(rig_snapshot(r, lagging).index, index);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    /* And again: that term is durable. */
    rig_stop(r, lagging, RIG_POWER_LOSS);
    rig_start(r, lagging);
    REQUIRE(r->host[lagging].node != NULL);
    CHECK(rig_status(r, lagging).raft.term >= term);
    REQUIRE(rig_until(r, rig_is_equal, 20000));
    rig_free(r);
}

TEST_MAIN()
