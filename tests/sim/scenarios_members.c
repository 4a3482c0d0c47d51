#include "scenarios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Stories about membership, transfers and who may lead. */

static struct sim_plan grown_plan(uint32_t founders, uint32_t spares)
{
    struct sim_plan plan = calm_plan;
    plan.host_count = founders + spares;
    plan.spare_count = spares;
    return plan;
}

/* Spares wait to be asked: no --join. */
static void story_begin_grown(struct story *t, uint64_t seed, uint32_t founders, uint32_t spares)
{
    struct sim_plan plan = grown_plan(founders, spares);
    story_begin(t, seed, &plan);
    for (uint32_t i = founders; i < founders + spares; i++) {
        struct sim_host *h = &t->sim->host[i];
        if (h->options.join[0] == 0)
            continue;
        host_stop(h, HOST_WIPE);
        h->options.join[0] = 0;
        host_start(h);
    }
}

static void story_restart_all(struct story *t)
{
    net_heal(t->sim);
    for (uint32_t i = 0; i < t->sim->plan.host_count; i++)
        if (!t->sim->host[i].node && !t->sim->world.failure)
            host_start(&t->sim->host[i]);
}

/* A change of several nodes at once, and one node dies at each moment of it. Whatever is answered is true, the joint phase ends, and
 * everybody goes on. */
static void change_with(struct story *t, uint32_t victim, uint64_t at_us)
{
    story_begin_grown(t, 300 + victim * 1000 + at_us, 3, 2);
    struct sim *s = t->sim;
    uint32_t leader = story_leader(t);
    uint32_t asker = (leader + 1) % 3;
    uint32_t leaver = (leader + 2) % 3;
    char line[900];
    sim_run(s, SECOND);
    snprintf(line, sizeof line, "RAFT ADD %s %s REMOVE %s", s->host[3].address, s->host[4].address, s->host[leaver].address);
    uint64_t asked_us = s->world.now_us;
    raft_id leaver_id = ghost_member_id(s->ghost, leaver);
    struct sim_client *c = manual_open(s, asker);
    manual_say(c, line);
    sim_run(s, at_us);
    uint32_t slot = victim == 0 ? leader : victim == 1 ? leaver : 3;
    host_stop(&s->host[slot], HOST_KILL);
    sim_run(s, 300000);
    if (!s->host[slot].node)
        host_start(&s->host[slot]);
    sim_run(s, 20 * SECOND);
    struct slice out = manual_output(c);
    bool is_ok = out.n >= 3 && memcmp(out.p, "+OK", 3) == 0;
    bool is_error = out.n >= 1 && out.p[0] == '-';
    if (!is_ok && !is_error)
        story_fail(t, "the change was not answered");
    bool is_done = ghost_was_voter(s->ghost, 3, asked_us) && ghost_was_voter(s->ghost, 4, asked_us) &&
                   ghost_was_absent(s->ghost, leaver_id, asked_us);
    if (is_ok && !is_done)
        story_fail(t, "the change was answered OK and is not done");
    if (ghost_is_joint(s->ghost))
        story_fail(t, "the joint phase does not end");
    manual_close(c);
    story_expect(t, asker, "INCR n", ":1\r\n");
}

static void scenario_change_with_deaths(struct story *t)
{
    for (uint32_t victim = 0; victim < 3; victim++) {
        for (uint64_t at = 200; at < 60000; at += at < 30000 ? 1931 : 6007) {
            if (t->sim)
                story_end(t);
            change_with(t, victim, at);
            if (t->sim->world.failure) {
                printf("  (victim %u at %llu us)\n", victim, (unsigned long long)at);
                return;
            }
        }
    }
}

/* Three voters become three others but for one, while the old majority is cut off: neither it nor anybody else may be passed over.
 * `leader_dies`: C_old,new is on the new voters alone then. */
static void old_majority_cut_off(struct story *t, uint64_t seed, bool leader_dies)
{
    story_begin_grown(t, seed, 3, 2);
    struct sim *s = t->sim;
    uint32_t a = story_leader(t);
    uint32_t b = (a + 1) % 3;
    uint32_t c = (a + 2) % 3;
    char line[900];
    char group[6] = "22222";
    sim_run(s, SECOND);
    snprintf(line, sizeof line, "RAFT ADD LEARNER %s %s", s->host[3].address, s->host[4].address);
    story_expect(t, a, line, "+OK\r\n");
    sim_run(s, SECOND);
    snprintf(line, sizeof line, "RAFT PROMOTE %s %s REMOVE %s %s", s->host[3].address, s->host[4].address, s->host[b].address,
             s->host[c].address);
    struct sim_client *asker = manual_open(s, a);
    raft_term term = story_status(t, a).term;
    raft_index last = story_status(t, a).last_index;
    group[b] = group[c] = '1';
    story_groups(t, group);
    manual_say(asker, line);
    for (int i = 0; i < 20000 && (story_status(t, 3).durable_index <= last || story_status(t, 4).durable_index <= last) && !s->world.failure; i++)
        sim_run(s, 10);
    manual_close(asker);
    if (leader_dies)
        host_stop(&s->host[a], HOST_KILL);
    /* The old majority elects and writes. */
    uint32_t leader = story_await_leader(t, 1u << b | 1u << c, term);
    story_expect(t, leader, "SET side old", "+OK\r\n");
    sim_run(s, 4 * SECOND);
    story_restart_all(t);
    sim_run(s, 8 * SECOND);
    story_expect(t, story_leader(t), "GET side", "$3\r\nold\r\n");
    story_expect(t, story_leader(t), "SET after 1", "+OK\r\n");
    if (ghost_is_joint(s->ghost))
        story_fail(t, "the joint phase does not end");
}

static void scenario_old_majority_cut_off(struct story *t)
{
    for (uint64_t seed = 401; seed < 413 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        old_majority_cut_off(t, seed, seed % 2 == 0);
    }
}

/* The new majority dies in the joint phase: the leader takes it back by itself (J14). */
static void scenario_new_majority_dies(struct story *t)
{
    for (uint64_t seed = 421; seed < 427 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        story_begin_grown(t, seed, 3, 3);
        struct sim *s = t->sim;
        uint32_t a = story_leader(t);
        char line[900];
        sim_run(s, SECOND);
        snprintf(line, sizeof line, "RAFT ADD LEARNER %s %s %s", s->host[3].address, s->host[4].address, s->host[5].address);
        story_expect(t, a, line, "+OK\r\n");
        sim_run(s, SECOND);
        snprintf(line, sizeof line, "RAFT PROMOTE %s %s %s REMOVE %s %s", s->host[3].address, s->host[4].address, s->host[5].address,
                 s->host[(a + 1) % 3].address, s->host[(a + 2) % 3].address);
        for (uint32_t i = 3; i < 6; i++)
            story_cut(t, i);
        story_ask(t, a, line);
        if (strncmp(t->reply, "-ERR the change was cancelled", 29) != 0)
            story_fail(t, "a change whose new majority is dead was not cancelled");
        story_expect(t, a, "SET a 1", "+OK\r\n");
        story_restart_all(t);
        sim_run(s, 6 * SECOND);
        if (ghost_is_joint(s->ghost))
            story_fail(t, "the joint phase does not end");
    }
}

/* A leader that changes the configuration on its own side of a partition is rolled back (J1). */
static void scenario_change_rolled_back(struct story *t)
{
    for (uint64_t seed = 441; seed < 449 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        story_begin_grown(t, seed, 3, 1);
        struct sim *s = t->sim;
        uint32_t a = story_leader(t);
        char line[900];
        sim_run(s, SECOND);
        story_expect(t, a, "SET a 1", "+OK\r\n");
        raft_term term = story_status(t, a).term;
        story_cut(t, a);
        snprintf(line, sizeof line, "RAFT DEMOTE %s", s->host[(a + 1) % 3].address);
        struct sim_client *c = manual_open(s, a);
        manual_say(c, line);
        sim_run(s, SECOND / 5);
        uint32_t leader = story_await_leader(t, 7 & ~(1u << a), term);
        story_expect(t, leader, "SET a 2", "+OK\r\n");
        net_heal(s);
        sim_run(s, 3 * SECOND);
        manual_close(c);
        story_expect(t, a, "GET a", "$1\r\n2\r\n");
        snprintf(line, sizeof line, "RAFT DEMOTE %s", s->host[(leader + 1) % 3].address);
        story_expect(t, leader, line, "+OK\r\n");
    }
}

/* T1: a transfer among healthy nodes takes a few round trips, not an election timeout. */
static void scenario_transfer(struct story *t)
{
    story_begin(t, 461, &calm_plan);
    sim_run(t->sim, SECOND);
    for (int i = 0; i < 12 && !t->sim->world.failure; i++) {
        uint32_t leader = story_leader(t);
        uint32_t next = (leader + 1 + (uint32_t)i % 2) % 3;
        char line[64];
        snprintf(line, sizeof line, "RAFT TRANSFER %s", t->sim->host[next].address);
        uint64_t begin_us = t->sim->world.now_us;
        story_expect(t, (leader + 2) % 3, line, "+OK\r\n");
        if (t->sim->world.now_us - begin_us > 280000)
            story_fail(t, "a transfer took as long as an election");
        if (story_leader(t) != next)
            story_fail(t, "another node leads than the one that was named");
        char count[16];
        snprintf(count, sizeof count, ":%d\r\n", i + 1);
        story_expect(t, leader, "INCR n", count);
    }
}

/* E12: a leader that hears nobody must not keep others from electing one, though they hear it. */
static void scenario_deaf_leader(struct story *t)
{
    for (uint64_t seed = 481; seed < 485 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        struct sim_plan plan = calm_plan;
        plan.host_count = seed % 2 ? 3 : 5;
        story_begin(t, seed, &plan);
        uint32_t leader = story_leader(t);
        sim_run(t->sim, SECOND);
        for (uint32_t i = 0; i < plan.host_count; i++)
            t->sim->is_cut[i][leader] = i != leader;
        sim_run(t->sim, 3 * SECOND);
        story_expect(t, (leader + 1) % plan.host_count, "SET a 1", "+OK\r\n");
    }
}

/* E10: the longer log is in the older term, the newer term has the shorter log, and the two need each other. */
static void scenario_cohorts(struct story *t)
{
    for (uint64_t seed = 501; seed < 507 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        story_begin(t, seed, &calm_plan);
        struct sim *s = t->sim;
        uint32_t a = story_leader(t);
        sim_run(s, SECOND);
        raft_term term = story_status(t, a).term;
        char group[4] = "222";
        group[a] = '1';
        story_groups(t, group);
        struct sim_client *c = manual_open(s, a);
        for (int i = 0; i < 5; i++)
            manual_say(c, "INCR n");
        uint32_t b = story_await_leader(t, 7 & ~(1u << a), term);
        host_stop(&s->host[b], HOST_KILL);
        sim_run(s, SECOND);
        manual_close(c);
        net_heal(s);
        sim_run(s, 4 * SECOND);
        story_expect(t, 3 - a - b, "SET a 1", "+OK\r\n");
    }
}

/* E16: promoted without knowing it, and needed for the next election. */
static void scenario_promoted_unaware(struct story *t)
{
    for (uint64_t seed = 521; seed < 527 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        story_begin_grown(t, seed, 2, 1);
        struct sim *s = t->sim;
        uint32_t a = story_leader(t);
        uint32_t b = 1 - a;
        char line[900];
        sim_run(s, SECOND);
        snprintf(line, sizeof line, "RAFT ADD LEARNER %s", s->host[2].address);
        story_expect(t, a, line, "+OK\r\n");
        sim_run(s, SECOND);
        story_cut(t, 2);
        snprintf(line, sizeof line, "RAFT PROMOTE %s", s->host[2].address);
        story_expect(t, a, line, "+OK\r\n");
        sim_run(s, SECOND / 10);
        host_stop(&s->host[a], HOST_KILL);
        sim_run(s, SECOND / 10);
        net_heal(s);
        sim_run(s, 4 * SECOND);
        story_expect(t, b, "SET a 1", "+OK\r\n");
    }
}

/* J6: a second wish while the first is under way. */
static void scenario_two_changes(struct story *t)
{
    story_begin_grown(t, 541, 3, 2);
    struct sim *s = t->sim;
    uint32_t a = story_leader(t);
    char line[900];
    sim_run(s, SECOND);
    snprintf(line, sizeof line, "RAFT ADD LEARNER %s %s", s->host[3].address, s->host[4].address);
    story_expect(t, a, line, "+OK\r\n");
    for (int i = 0; i < 10 && !s->world.failure; i++) {
        struct sim_client *one = manual_open(s, a);
        struct sim_client *two = manual_open(s, a);
        snprintf(line, sizeof line, "RAFT %s %s", i % 2 ? "DEMOTE" : "PROMOTE", s->host[3].address);
        manual_say(one, line);
        sim_run(s, 300 * (uint64_t)(i + 1));
        snprintf(line, sizeof line, "RAFT %s %s", i % 2 ? "DEMOTE" : "PROMOTE", s->host[4].address);
        manual_say(two, line);
        sim_run(s, SECOND);
        if (manual_output(one).n == 0 || manual_output(two).n == 0)
            story_fail(t, "a change was not answered");
        manual_close(one);
        manual_close(two);
        story_ask(t, a, line);
        char count[16];
        snprintf(count, sizeof count, ":%d\r\n", i + 1);
        story_expect(t, a, "INCR n", count);
    }
}

/* --- topologies ---------------------------------------------------------------------------------- */

#define FIVE 5

/* Bit 5 * from + to: messages get there. */
static bool has_path(uint32_t graph, uint32_t from, uint32_t to) { return graph >> (FIVE * from + to) & 1; }

/* Three that all hear each other, as a set; 0: there are none. */
static uint32_t full_majority(uint32_t graph)
{
    for (uint32_t a = 0; a < FIVE; a++)
        for (uint32_t b = a + 1; b < FIVE; b++)
            for (uint32_t c = b + 1; c < FIVE; c++)
                if (has_path(graph, a, b) && has_path(graph, b, a) && has_path(graph, a, c) && has_path(graph, c, a) && has_path(graph, b, c) &&
                    has_path(graph, c, b))
                    return 1u << a | 1u << b | 1u << c;
    return 0;
}

static uint32_t permuted(uint32_t graph, const uint32_t *to)
{
    uint32_t out = 0;
    for (uint32_t i = 0; i < FIVE; i++)
        for (uint32_t j = 0; j < FIVE; j++)
            if (has_path(graph, i, j))
                out |= 1u << (FIVE * to[i] + to[j]);
    return out;
}

/* The least of all graphs that differ by the nodes' names only. */
static bool is_canonical(uint32_t graph)
{
    uint32_t p[FIVE];
    for (uint32_t n = 0; n < 3125; n++) {
        uint32_t seen = 0;
        uint32_t rest = n;
        for (uint32_t i = 0; i < FIVE; i++, rest /= FIVE) {
            p[i] = rest % FIVE;
            seen |= 1u << p[i];
        }
        if (seen == 31 && permuted(graph, p) < graph)
            return false;
    }
    return true;
}

/* From 20 bits without the diagonal. */
static uint32_t spread(uint32_t bits)
{
    uint32_t graph = 0;
    for (uint32_t i = 0, k = 0; i < FIVE; i++)
        for (uint32_t j = 0; j < FIVE; j++)
            if (i != j && (bits >> k++ & 1))
                graph |= 1u << (FIVE * i + j);
    return graph;
}

#define PROGRESS_US (20u * 300000u) /* 10 T, T from 300 to 600 ms */

static uint32_t majority_leader(struct story *t, uint32_t set)
{
    for (uint32_t i = 0; i < FIVE; i++)
        if ((set >> i & 1) && story_status(t, i).role == RAFT_LEADER)
            return i;
    return FIVE;
}

/* Some member of a fully connected majority has a write acknowledged in time. */
static void topology_try(struct story *t, uint32_t graph, uint64_t *worst_us)
{
    struct sim *s = t->sim;
    uint32_t set = full_majority(graph);
    uint64_t begin_us = s->world.now_us;
    struct sim_client *c[FIVE] = {0};
    for (uint32_t i = 0; i < FIVE; i++)
        for (uint32_t j = 0; j < FIVE; j++)
            s->is_cut[i][j] = i != j && !has_path(graph, i, j);
    sim_run(s, SECOND);
    bool is_done = false;
    for (uint32_t i = 0; i < FIVE; i++) {
        if (set >> i & 1) {
            c[i] = manual_open(s, i);
            manual_say(c[i], "INCR n");
        }
    }
    while (!is_done && s->world.now_us - begin_us < PROGRESS_US && !s->world.failure) {
        sim_run(s, 5000);
        for (uint32_t i = 0; i < FIVE; i++)
            is_done = is_done || (c[i] && manual_output(c[i]).n > 0 && manual_output(c[i]).p[0] == ':');
    }
    for (uint32_t i = 0; i < FIVE; i++)
        if (c[i])
            manual_close(c[i]);
    uint64_t for_us = s->world.now_us - begin_us;
    *worst_us = for_us > *worst_us ? for_us : *worst_us;
    if (!is_done)
        world_fail(&s->world, "topology %07x: nodes %x hear each other and write nothing in %u ms (leader among them: %u)", graph, set,
                   PROGRESS_US / 1000, majority_leader(t, set));
    net_heal(s);
    sim_run(s, SECOND);
}

/* `every`: of the graphs that differ in more than names, one in so many. */
static void topologies(struct story *t, uint32_t every)
{
    struct sim_plan plan = calm_plan;
    plan.host_count = FIVE;
    uint32_t met = 0;
    uint32_t tried = 0;
    uint64_t worst_us = 0;
    story_begin(t, 561, &plan);
    story_leader(t);
    for (uint32_t bits = 0; bits < 1u << 20 && !t->sim->world.failure; bits++) {
        uint32_t graph = spread(bits);
        if (!full_majority(graph) || !is_canonical(graph) || met++ % every != 0)
            continue;
        /* Who leads, and so which part he has in it, differs from one to the next: names are dealt anew. */
        uint32_t deal[FIVE] = {0, 1, 2, 3, 4};
        for (uint32_t i = FIVE - 1; i > 0; i--) {
            uint32_t k = (uint32_t)world_below(&t->sim->world, i + 1);
            uint32_t keep = deal[i];
            deal[i] = deal[k];
            deal[k] = keep;
        }
        topology_try(t, permuted(graph, deal), &worst_us);
        tried++;
    }
    printf("  (%u topologies of five nodes with a fully connected majority; the slowest wrote after %llu ms, the cut included)\n", tried,
           (unsigned long long)(worst_us / 1000));
}

static void scenario_topologies(struct story *t) { topologies(t, 60); }
static void scenario_every_topology(struct story *t) { topologies(t, 1); }

const struct scenario scenarios_members[] = {
    {"a change, a node killed at each step", scenario_change_with_deaths, false},
    {"the old majority is cut off during a change", scenario_old_majority_cut_off, false},
    {"the new majority dies during a change", scenario_new_majority_dies, false},
    {"a configuration is rolled back", scenario_change_rolled_back, false},
    {"two changes at once", scenario_two_changes, false},
    {"leadership is handed round", scenario_transfer, false},
    {"a leader that hears nobody", scenario_deaf_leader, false},
    {"two cohorts that need each other", scenario_cohorts, false},
    {"promoted without knowing it", scenario_promoted_unaware, false},
    {"some five-node topologies", scenario_topologies, false},
    {"every five-node topology", scenario_every_topology, true},
};
const size_t scenarios_members_count = sizeof scenarios_members / sizeof scenarios_members[0];
