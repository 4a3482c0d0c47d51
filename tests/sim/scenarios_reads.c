#include "scenarios.h"

#include <string.h>

/* Reads beside a leader that doesn't know yet that it is none, and acknowledgements that come late or not at all. */

static raft_id id_of(struct story *t, uint32_t slot)
{
    struct node_status status;
    node_get_status(t->sim->host[slot].node, &status);
    return status.id;
}

/* When the node's Raft last had an acknowledgement of that peer; 0: it doesn't lead. */
static uint64_t last_ack_us(struct story *t, uint32_t slot, uint32_t peer)
{
    struct raft_peer_status status;
    if (!raft_get_peer(node_raft(t->sim->host[slot].node), id_of(t, peer), &status))
        return 0;
    return status.last_ack_us;
}

/* Until an acknowledgement of `peer` gets to `slot`; then nothing more of it does. */
static void take_one_ack(struct story *t, uint32_t slot, uint32_t peer)
{
    uint64_t before = last_ack_us(t, slot, peer);
    for (int i = 0; i < 20000 && !t->sim->world.failure && last_ack_us(t, slot, peer) == before; i++)
        sim_run(t->sim, 1);
    t->sim->is_cut[peer][slot] = true;
}

/* When the newest message under way on the control link from `from` to `to` arrives; 0: there is no such link. */
static uint64_t arrival_us(const struct sim *s, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < SIM_LINKS; i++) {
        const struct sim_link *l = &s->link[i];
        for (int e = 0; l->is_used && l->role == LINK_CONTROL && e < 2; e++) {
            if (l->host[e] == from && l->host[1 - e] == to && l->is_up[e])
                return l->last_delivery_us[e];
        }
    }
    return 0;
}

static void expect_new(struct story *t, struct sim_client *c, const char *what)
{
    struct slice out = manual_output(c);
    /* What was said before the read was answered +OK; an error is an answer too, an old value is none. */
    for (size_t i = 0; i + 3 <= out.n; i++) {
        if (memcmp(out.p + i, "old", 3) == 0) {
            story_fail(t, what);
            return;
        }
    }
}

/* A leader that was stopped goes on: before it hears of the leader that followed it gets acknowledgements that had been on their way to it
 * all the time, one before and one behind a read (L2). */
static void read_beside_late_acks(struct story *t, uint64_t seed)
{
    story_begin(t, seed, &calm_plan);
    struct sim *s = t->sim;
    uint32_t old = story_leader(t);
    uint32_t a = (old + 1) % 3;
    uint32_t b = (old + 2) % 3;
    story_expect(t, old, "SET x old", "+OK\r\n");
    sim_run(s, SECOND);
    s->delay_us[a][old] = 3 * SECOND;
    s->delay_us[b][old] = 3 * SECOND + 400;
    uint64_t soon = s->world.now_us + SECOND;
    for (int i = 0; i < 100000 && (arrival_us(s, a, old) < soon || arrival_us(s, b, old) < soon); i++)
        sim_run(s, 1); /* a heartbeat, and what answers it */
    uint64_t resume = arrival_us(s, a, old);
    s->host[old].paused_until_us = resume;
    raft_term term = story_status(t, old).term;
    uint32_t next = story_await_leader(t, 1u << a | 1u << b, term);
    story_expect(t, next, "SET x new", "+OK\r\n");
    sim_run(s, resume - s->world.now_us); /* the first one is in: it still seems to have a quorum */
    s->is_cut[a][old] = true;
    struct sim_client *c = manual_open(s, old);
    manual_say(c, "GET x");
    take_one_ack(t, old, b);
    sim_run(s, 2000);
    memset(s->delay_us, 0, sizeof s->delay_us);
    net_heal(s);
    sim_run(s, 8 * SECOND);
    expect_new(t, c, "a leader of the past answered a read with an old value, confirmed by acknowledgements of older rounds");
    manual_close(c);
}

static void scenario_late_acks(struct story *t)
{
    for (uint64_t seed = 301; seed < 309 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        read_beside_late_acks(t, seed);
    }
}

/* Leadership goes to another node, and the old leader hears nothing of it: its lease must have ended before it gave the word (L6). */
static void lease_over_transfer(struct story *t, uint64_t seed)
{
    story_begin(t, seed, &calm_plan);
    struct sim *s = t->sim;
    uint32_t old = story_leader(t);
    uint32_t next = (old + 1) % 3;
    char line[64];
    story_expect(t, old, "SET x old", "+OK\r\n");
    sim_run(s, 3 * SECOND);
    struct sim_client *c = manual_open(s, old);
    manual_say(c, "RAFT CONSISTENCY lease");
    struct sim_client *admin = manual_open(s, old);
    snprintf(line, sizeof line, "RAFT TRANSFER %s", s->host[next].address);
    raft_term term = story_status(t, old).term;
    manual_say(admin, line);
    for (int i = 0; i < 200000 && story_status(t, next).term == term; i++)
        sim_run(s, 10);
    s->is_cut[next][old] = s->is_cut[3 - old - next][old] = true;
    for (int i = 0; i < 20000 && (story_status(t, next).role != RAFT_LEADER || story_status(t, next).commit < story_status(t, next).term_start); i++)
        sim_run(s, 10);
    struct sim_client *writer = manual_open(s, next);
    manual_say(writer, "SET x new");
    for (int i = 0; i < 100000 && manual_output(writer).n == 0; i++)
        sim_run(s, 10);
    manual_say(c, "GET x");
    sim_run(s, 2 * SECOND);
    net_heal(s);
    sim_run(s, 6 * SECOND);
    if (manual_output(writer).n < 5 || memcmp(manual_output(writer).p, "+OK\r\n", 5) != 0)
        story_fail(t, "the new leader did not write");
    expect_new(t, c, "the old leader answered by a lease that it should have given up for the transfer");
    manual_close(writer);
    manual_close(admin);
    manual_close(c);
}

static void scenario_lease_over_transfer(struct story *t)
{
    for (uint64_t seed = 321; seed < 329 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        lease_over_transfer(t, seed);
    }
}

/* A follower got a whole window of entries, and not one of its acknowledgements got back: the leader must ask again (R5), or it never sends
 * that follower anything any more. */
static void scenario_lost_window(struct story *t)
{
    story_begin(t, 341, &calm_plan);
    struct sim *s = t->sim;
    for (uint32_t i = 0; i < 3; i++) {
        host_stop(&s->host[i], HOST_KILL);
        s->host[i].options.peer_inflight_messages = 4;
        s->host[i].options.peer_append_bytes = 1;
        host_start(&s->host[i]);
    }
    uint32_t leader = story_leader(t);
    uint32_t deaf = (leader + 1) % 3;
    story_expect(t, leader, "SET n 0", "+OK\r\n");
    sim_run(s, SECOND);
    s->is_cut[deaf][leader] = true;
    struct sim_client *c = manual_open(s, leader);
    for (int i = 0; i < 40; i++) {
        manual_say(c, "INCR n");
        sim_run(s, 2000);
    }
    s->is_cut[deaf][leader] = false;
    manual_close(c);
    sim_run(s, SECOND);
    host_stop(&s->host[3 - leader - deaf], HOST_KILL);
    sim_run(s, SECOND);
    story_expect(t, leader, "INCR n", ":41\r\n");
    story_expect(t, deaf, "GET n", "$2\r\n41\r\n");
}

const struct scenario scenarios_reads[] = {
    {"acknowledgements of older rounds behind a read", scenario_late_acks, false},
    {"a lease over a transfer", scenario_lease_over_transfer, false},
    {"a window without an acknowledgement", scenario_lost_window, false},
};
const size_t scenarios_reads_count = sizeof scenarios_reads / sizeof scenarios_reads[0];
