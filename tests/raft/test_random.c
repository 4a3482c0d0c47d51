/* Small clusters under random faults: loss, doubling and reordering of messages, late disks,
 * crashes, partitions, membership changes, transfers, reads and leases, skewed clocks. The ghost of
 * cluster.c watches; in the end faults stop and everything must converge. `test_random <seeds>
 * <first>` runs more. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "cluster.h"
#include "tests/test.h"

struct chaos {
    struct prng prng;
    struct cluster cluster;
    uint32_t loss, duplicate, crash, partition, change, transfer, link; /* per 1,000,000 steps */
    uint64_t context;
    uint32_t proposed;
    uint32_t reads_ready;
};

static uint64_t below(struct chaos *x, uint64_t bound)
{
    return prng_below(&x->prng, bound);
}

static uint32_t some_rate(struct chaos *x, uint32_t most)
{
    return below(x, 2) == 0 ? 0 : (uint32_t)below(x, most);
}

static void chaos_init(struct chaos *x, uint64_t seed)
{
    struct raft_options options = cluster_options();
    prng_seed(&x->prng, seed);
    options.inflight_messages = 1 + (uint32_t)below(x, 4);
    options.inflight_bytes = below(x, 2) == 0 ? 100 : 1u << 20;
    options.append_bytes = below(x, 2) == 0 ? 60 : 4096;
    options.burst_bytes = below(x, 2) == 0 ? 0 : 100;
    options.memory_bytes = below(x, 2) == 0 ? 0 : 1u << 20;
    options.uncommitted_bytes = below(x, 3) == 0 ? 400 : 1u << 20;
    options.lease_drift_ppm = 20000;
    options.lease_us = below(x, 2) == 0 ? 0 : 250000;
    uint32_t nodes = 1 + (uint32_t)below(x, 6);
    uint32_t voters = 1 + (uint32_t)below(x, nodes);
    cluster_init(&x->cluster, nodes, voters, &options, seed);
    x->cluster.has_tail_only = below(x, 2) == 0;
    x->loss = some_rate(x, 300000);
    x->duplicate = some_rate(x, 300000);
    x->crash = some_rate(x, 4000);
    x->partition = some_rate(x, 10000);
    x->change = some_rate(x, 10000);
    x->transfer = some_rate(x, 10000);
    x->link = some_rate(x, 5000);
    for (raft_id id = 1; id <= nodes; id++) {
        x->cluster.node[id].is_manual_disk = below(x, 3) != 0;
        x->cluster.node[id].rate_ppm = options.lease_us > 0 ? (int32_t)below(x, 18000) - 9000 : 0;
        if (x->cluster.node[id].raft == NULL) {
            cluster_start(&x->cluster, id);
        }
    }
}

static void chaos_partition(struct chaos *x)
{
    uint32_t n = x->cluster.node_count;
    memset(x->cluster.is_cut, 0, sizeof(x->cluster.is_cut));
    uint64_t kind = below(x, 4);
    if (kind == 0) {
        return;
    }
    for (raft_id a = 1; a <= n; a++) {
        for (raft_id b = 1; b <= n; b++) {
            x->cluster.is_cut[a][b] =
                kind == 1 ? below(x, 3) == 0 : (a + kind) % 2 != (b + kind) % 2;
        }
    }
    if (kind == 3) { /* one node alone, one way perhaps */
        memset(x->cluster.is_cut, 0, sizeof(x->cluster.is_cut));
        raft_id lonely = 1 + below(x, n);
        bool is_one_way = below(x, 2) == 0;
        for (raft_id b = 1; b <= n; b++) {
            x->cluster.is_cut[lonely][b] = true;
            x->cluster.is_cut[b][lonely] = !is_one_way;
        }
    }
}

static void chaos_network(struct chaos *x)
{
    struct cluster *c = &x->cluster;
    if (c->wire_count == 0) {
        return;
    }
    uint32_t i = below(x, 4) == 0 ? (uint32_t)below(x, c->wire_count) : 0;
    if (prng_chance(&x->prng, x->loss)) {
        cluster_drop(c, i);
        return;
    }
    if (prng_chance(&x->prng, x->duplicate)) {
        cluster_duplicate(c, i);
    }
    cluster_deliver(c, i);
}

static void chaos_change(struct chaos *x, raft_id id)
{
    struct raft_conf to;
    uint32_t all = (2u << x->cluster.node_count) - 2u;
    uint32_t voters = (uint32_t)below(x, 256) & all;
    uint32_t learners = (uint32_t)below(x, 256) & all & ~voters;
    struct raft_event event = {.type = RAFT_EVENT_CHANGE};
    cluster_conf(&to, voters, learners);
    event.u.change_to = &to;
    enum err e = cluster_step(&x->cluster, id, &event);
    CHECK(e == ERR_OK || e == ERR_BUSY || e == ERR_NOT_LEADER || e == ERR_INVALID);
}

static void chaos_client(struct chaos *x, raft_id id)
{
    struct cluster *c = &x->cluster;
    char text[3][16];
    const char *payload[3];
    uint32_t count = 1 + (uint32_t)below(x, 3);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof(text[i]), "v%u", x->proposed + i);
        payload[i] = text[i];
    }
    if (cluster_propose(c, id, payload, count) == ERR_OK) {
        x->proposed += count;
    }
    enum err e =
        cluster_read(c, id, ++x->context, below(x, 2) == 0 ? RAFT_READ_LEASE : RAFT_READ_QUORUM);
    CHECK(e == ERR_OK || e == ERR_NOT_LEADER);
    if (raft_lease_holds(c->node[id].raft, cluster_clock(c, &c->node[id]))) {
        if (cluster_status(c, id).commit < c->ghost.committed_count) {
            cluster_fail(c, "node %d believes in a lease, but others have committed more", (int)id);
        }
    }
}

static void chaos_admin(struct chaos *x, raft_id id)
{
    struct cluster *c = &x->cluster;
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER};
    if (prng_chance(&x->prng, x->change)) {
        chaos_change(x, id);
    }
    if (prng_chance(&x->prng, x->transfer)) {
        event.u.transfer_to = below(x, c->node_count + 1);
        enum err e = cluster_step(c, id, &event);
        CHECK(e == ERR_OK || e == ERR_BUSY || e == ERR_NOT_LEADER || e == ERR_INVALID);
    }
    if (prng_chance(&x->prng, x->transfer / 4)) {
        event.type = RAFT_EVENT_STEP_DOWN;
        enum err e = cluster_step(c, id, &event);
        CHECK(e == ERR_OK || e == ERR_NOT_LEADER);
    }
    if (prng_chance(&x->prng, x->link)) {
        event.type = RAFT_EVENT_PEER_LINK;
        event.u.peer_link.peer = 1 + below(x, c->node_count);
        event.u.peer_link.is_up = below(x, 2) == 0;
        event.u.peer_link.is_starved = below(x, 3) == 0;
        enum err e = cluster_step(c, id, &event);
        CHECK(e == ERR_OK);
    }
    if (prng_chance(&x->prng, x->link)) {
        event.type = RAFT_EVENT_PEER_ROOM;
        event.u.peer_room.peer = 1 + below(x, c->node_count);
        event.u.peer_room.has_room = below(x, 2) == 0;
        enum err e = cluster_step(c, id, &event);
        CHECK(e == ERR_OK);
    }
    if (prng_chance(&x->prng, 10000)) {
        event.type = RAFT_EVENT_NUDGE;
        event.u.nudge_peer = 1 + below(x, c->node_count);
        enum err e = cluster_step(c, id, &event);
        CHECK(e == ERR_OK);
    }
}

static void chaos_step(struct chaos *x)
{
    struct cluster *c = &x->cluster;
    raft_id id = 1 + below(x, c->node_count);
    struct cluster_node *n = &c->node[id];
    if (n->raft == NULL) {
        if (below(x, 200) == 0) {
            cluster_start(c, id);
        }
        return;
    }
    switch (below(x, 8)) {
    case 0:
        cluster_advance(c, below(x, 4) == 0 ? below(x, 30000) : below(x, 2000));
        break;
    case 1:
        cluster_persist(c, id, 1 + (uint32_t)below(x, 2));
        break;
    case 2:
        if (below(x, 4) == 0) {
            chaos_client(x, id);
        }
        break;
    case 3:
        chaos_admin(x, id);
        if (prng_chance(&x->prng, x->partition)) {
            chaos_partition(x);
        }
        break;
    default:
        chaos_network(x);
        break;
    }
    if (prng_chance(&x->prng, x->crash) && n->raft != NULL) {
        cluster_crash(c, id, (uint32_t)below(x, n->write_count + 1));
    }
}

static bool chaos_converged(struct cluster *c)
{
    raft_id leader = cluster_leader(c);
    raft_index index;
    if (leader == 0) {
        return false;
    }
    const struct raft_conf *conf = raft_get_conf(c->node[leader].raft, &index);
    struct raft_status l = cluster_status(c, leader);
    if (conf->is_joint || l.commit != l.last_index || !raft_conf_is_voter(conf, leader)) {
        return false;
    }
    for (uint32_t i = 0; i < conf->member_count; i++) {
        struct raft_status s = cluster_status(c, conf->member[i].id);
        if (s.commit != l.commit || s.last_index != l.last_index || s.term != l.term) {
            return false;
        }
    }
    return true;
}

static void chaos_heal(struct chaos *x)
{
    struct cluster *c = &x->cluster;
    memset(c->is_cut, 0, sizeof(c->is_cut));
    for (raft_id id = 1; id <= c->node_count; id++) {
        if (c->node[id].raft == NULL) {
            cluster_start(c, id);
        }
        for (raft_id peer = 1; peer <= c->node_count; peer++) {
            struct raft_event event = {.type = RAFT_EVENT_PEER_LINK};
            event.u.peer_link.peer = peer;
            event.u.peer_link.is_up = true;
            enum err e = cluster_step(c, id, &event);
            CHECK(e == ERR_OK);
            event = (struct raft_event){.type = RAFT_EVENT_PEER_ROOM};
            event.u.peer_room.peer = peer;
            event.u.peer_room.has_room = true;
            e = cluster_step(c, id, &event);
            CHECK(e == ERR_OK);
        }
    }
    for (uint32_t tries = 0; tries < 20 && c->failure[0] == 0 && !chaos_converged(c); tries++) {
        cluster_run(c, 600000, true);
    }
    if (!chaos_converged(c)) {
        cluster_fail(c, "no convergence after healing");
        return;
    }
    /* And it works. */
    raft_id leader = cluster_leader(c);
    raft_index before = cluster_status(c, leader).commit;
    const char *payload[] = {"last"};
    if (cluster_propose(c, leader, payload, 1) != ERR_OK) {
        cluster_run(c, 600000, true); /* a transfer was under way */
        leader = cluster_leader(c);
        CHECK_EQ_INT(cluster_propose(c, leader, payload, 1), ERR_OK);
    }
    CHECK_EQ_INT(cluster_read(c, leader, ++x->context, RAFT_READ_QUORUM), ERR_OK);
    cluster_run(c, 100000, true);
    CHECK(cluster_status(c, leader).commit > before);
    CHECK(c->result_count > 0 && c->result[c->result_count - 1].is_ready);
}

static bool chaos_run(uint64_t seed, uint32_t steps)
{
    struct chaos *x = mem_alloc_zero(sizeof(*x));
    bool is_verbose = getenv("TRACE") != NULL;
    chaos_init(x, seed);
    for (uint32_t i = 0; i < steps && x->cluster.failure[0] == 0; i++) {
        chaos_step(x);
    }
    if (x->cluster.failure[0] == 0) {
        chaos_heal(x);
    }
    bool is_good = x->cluster.failure[0] == 0;
    test_context("seed %llu: %s", (unsigned long long)seed, x->cluster.failure);
    CHECK(is_good);
    if (is_verbose) {
        printf("%.*s", (int)buf_size(&x->cluster.trace), (const char *)x->cluster.trace.data);
        for (raft_id id = 1; id <= x->cluster.node_count; id++) {
            struct raft_status s = cluster_status(&x->cluster, id);
            printf("%d role %d term %d last %d durable %d commit %d leader %d\n", (int)id,
                   (int)s.role, (int)s.term, (int)s.last_index, (int)s.durable_index, (int)s.commit,
                   (int)s.leader);
        }
    }
    cluster_deinit(&x->cluster);
    mem_free(x);
    return is_good;
}

TEST(random_faults_break_nothing)
{
#ifdef CORACLE_MUTANTS
    const char *mutant = getenv("MUTANT");
    mutant_active = mutant != NULL ? atoi(mutant) : 0;
#endif
    const char *seeds = getenv("RAFT_SEEDS");
    const char *first = getenv("RAFT_FIRST");
    uint64_t begin = first != NULL ? strtoull(first, NULL, 0) : 1;
    uint64_t count = seeds != NULL ? strtoull(seeds, NULL, 0) : 60;
    for (uint64_t seed = begin; seed < begin + count; seed++) {
        if (!chaos_run(seed, 20000)) {
            break;
        }
    }
}

TEST_MAIN()
