#include "scenarios.h"

#include <stdio.h>
#include <string.h>

/* Stories about members that need a snapshot. */

#define RATE (1u << 20)  /* of snapshots, bytes a second */
#define VALUE_BYTES 8192u
#define KEYS 128u        /* the state is as much as is sent in a second */
#define WRITES 102u      /* a second: four fifths of RATE */

struct load {
    struct sim_client *client;
    unsigned written;
    char line[VALUE_BYTES + 32];
};

static void load_run(struct story *t, struct load *l, unsigned writes)
{
    for (unsigned i = 0; i < writes; i++) {
        int head = snprintf(l->line, sizeof l->line, "SET key%u ", l->written++ % KEYS);
        memset(l->line + head, 'a' + (int)(l->written % 26), VALUE_BYTES);
        l->line[head + (int)VALUE_BYTES] = '\0';
        manual_say(l->client, l->line);
        sim_run(t->sim, SECOND / WRITES);
    }
}

static void story_restart(struct story *t, uint32_t slot, int64_t log_size)
{
    struct options *o = &t->sim->host[slot].options;
    o->snapshot_transfer_rate = RATE;
    o->snapshot_log_size = log_size;
    o->snapshot_log_ratio = 25;
    o->log_retention = RATE / 8;
    host_start(&t->sim->host[slot]);
}

/* S5: what is written is four fifths of what a snapshot's transfer gets through, and the log is compacted several times while one is sent. A member
 * that needs a snapshot gets one, and what follows it, and is level with the others while they go on writing. `latency_us`: one way. */
static void follower_converges(struct story *t, uint64_t seed, uint64_t latency_us)
{
    struct sim_plan plan = calm_plan;
    plan.latency_us = latency_us;
    story_begin(t, seed, &plan);
    struct sim *s = t->sim;
    story_leader(t);
    sim_run(s, SECOND);
    for (uint32_t i = 0; i < 3; i++) {
        host_stop(&s->host[i], HOST_KILL);
        story_restart(t, i, RATE / 4);
    }
    uint32_t leader = story_leader(t);
    uint32_t late = (leader + 1) % 3;
    story_expect(t, leader, "SET x 1", "+OK\r\n");
    struct load l = {.client = manual_open(s, leader)};
    load_run(t, &l, KEYS);
    raft_index had = story_status(t, late).last_index;
    host_stop(&s->host[late], HOST_KILL);
    load_run(t, &l, 8 * WRITES);
    if (story_status(t, leader).first_index <= had + 1)
        story_fail(t, "the log still holds what the follower lacks: no snapshot is needed");
    story_restart(t, late, RATE / 4);
    unsigned seconds = 0; /* until it was less than half a second behind, for three seconds */
    for (unsigned level = 0; level < 3 && seconds < 30 && !s->world.failure; seconds++) {
        load_run(t, &l, WRITES);
        level = story_status(t, leader).commit - story_status(t, late).commit < WRITES / 2 ? level + 1 : 0;
    }
    if (seconds == 30)
        story_fail(t, "after 30 s of writing a follower that needs a snapshot is still behind");
    if (story_status(t, leader).role != RAFT_LEADER)
        story_fail(t, "the leader changed");
    sim_run(s, 2 * SECOND);
    if (manual_output(l.client).n != 5 * (size_t)l.written)
        story_fail(t, "writes were not done");
    world_trace(&s->world, "level after %u s", seconds);
    manual_close(l.client);
}

static void scenario_follower_converges(struct story *t)
{
    static const uint64_t latency_us[] = {200, 5000, 20000};
    for (uint64_t i = 0; i < 3 && !(t->sim && t->sim->world.failure); i++) {
        if (t->sim)
            story_end(t);
        follower_converges(t, 361 + i, latency_us[i]);
    }
}

static uint64_t story_snapshots(struct story *t, uint32_t slot)
{
    struct node_snapshot_status status;
    node_get_snapshot(t->sim->host[slot].node, &status);
    return status.taken;
}

/* Half of what makes a snapshot due under load is enough for nodes at rest, once. */
static void scenario_rest(struct story *t)
{
    story_begin(t, 371, &calm_plan);
    story_leader(t);
    sim_run(t->sim, SECOND);
    for (uint32_t i = 0; i < 3; i++) {
        host_stop(&t->sim->host[i], HOST_KILL);
        story_restart(t, i, 4 * RATE);
    }
    uint32_t leader = story_leader(t);
    story_expect(t, leader, "SET x 1", "+OK\r\n");
    struct load l = {.client = manual_open(t->sim, leader)};
    load_run(t, &l, 2 * KEYS);
    for (uint32_t i = 0; i < 3; i++)
        if (story_snapshots(t, i) != 0)
            story_fail(t, "a snapshot was made before the log was long enough for one under load");
    for (unsigned rest = 0; rest < 2; rest++) {
        sim_run(t->sim, 4 * SECOND);
        for (uint32_t i = 0; i < 3; i++)
            if (story_snapshots(t, i) != 1)
                story_fail(t, "a node at rest makes one snapshot, and not a second one of the same state");
    }
    manual_close(l.client);
}

const struct scenario scenarios_snapshots[] = {
    {"a snapshot at four fifths of its rate", scenario_follower_converges, false},
    {"nodes at rest make a snapshot earlier", scenario_rest, false},
};
const size_t scenarios_snapshots_count = sizeof scenarios_snapshots / sizeof scenarios_snapshots[0];
