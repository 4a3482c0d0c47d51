#include "scenarios.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Scenarios: single stories, told step by step with every check of the ghost switched on. */

const struct sim_plan calm_plan = {
    .host_count = 3,
    .latency_us = 300,
    .disk_us = 200,
    .sector_bytes = 512,
    .segment_bytes = 65536,
    .log_memory_bytes = 65536,
    .clock_rate_ppm = 100,
};

void story_begin(struct story *t, uint64_t seed, const struct sim_plan *plan)
{
    t->sim = mem_alloc_zero(sizeof *t->sim);
    sim_build(t->sim, seed, plan, t->table, t->is_verbose);
}

void story_end(struct story *t)
{
    sim_teardown(t->sim);
    mem_free(t->sim);
    t->sim = NULL;
}

void story_fail(struct story *t, const char *what) { world_fail(&t->sim->world, "%s", what); }

/* Asks one command of a node on a fresh connection; its raw reply is in t->reply ("" after 12 s without one). */
const char *story_ask(struct story *t, uint32_t slot, const char *line)
{
    t->reply[0] = 0;
    if (!t->sim->host[slot].node)
        return t->reply;
    struct sim_client *c = manual_open(t->sim, slot);
    manual_say(c, line);
    for (int i = 0; i < 12000 && manual_output(c).n == 0 && !t->sim->world.failure; i++)
        sim_run(t->sim, 1000);
    struct slice out = manual_output(c);
    size_t n = out.n < REPLY_BYTES - 1 ? out.n : REPLY_BYTES - 1;
    if (n)
        memcpy(t->reply, out.p, n);
    t->reply[n] = 0;
    manual_close(c);
    return t->reply;
}

void story_expect(struct story *t, uint32_t slot, const char *line, const char *reply)
{
    if (t->sim->world.failure)
        return;
    if (strcmp(story_ask(t, slot, line), reply) != 0)
        world_fail(&t->sim->world, "node %u was asked %s and answered %s instead of %s", slot, line, t->reply, reply);
}

uint32_t story_leader(struct story *t)
{
    for (int i = 0; i < 10000; i++) {
        uint32_t leader = sim_leader(t->sim);
        if (leader != UINT32_MAX)
            return leader;
        sim_run(t->sim, 1000);
    }
    story_fail(t, "no leader in 10 s");
    return 0;
}

void story_cut(struct story *t, uint32_t slot)
{
    for (uint32_t i = 0; i < t->sim->plan.host_count; i++) {
        t->sim->is_cut[slot][i] = i != slot;
        t->sim->is_cut[i][slot] = i != slot;
    }
}

/* --- formation --- */

/* Every node that belongs to a cluster belongs to the same one. */
static void story_one_cluster(struct story *t)
{
    uint64_t cluster = 0;
    for (uint32_t i = 0; i < t->sim->plan.host_count; i++) {
        struct node_status status;
        if (!t->sim->host[i].node)
            continue;
        node_get_status(t->sim->host[i].node, &status);
        if (cluster && status.cluster_id && status.cluster_id != cluster)
            story_fail(t, "two clusters were formed from one list");
        if (status.cluster_id)
            cluster = status.cluster_id;
    }
}

static void formation_with(struct story *t, enum host_end how, uint32_t victim, uint64_t after_us)
{
    story_begin(t, 7 + after_us + victim, &calm_plan);
    sim_run(t->sim, after_us);
    t->sim->host[victim].fatal_expected = true;
    host_stop(&t->sim->host[victim], how);
    sim_run(t->sim, 50000);
    if (!t->sim->host[victim].node)
        host_start(&t->sim->host[victim]);
    sim_run(t->sim, 4 * SECOND);
    story_one_cluster(t);
    uint32_t asked = (victim + 1) % 3;
    story_expect(t, asked, "INCR n", ":1\r\n");
    story_expect(t, (victim + 2) % 3, "INCR n", ":2\r\n");
    if (how != HOST_WIPE)
        story_expect(t, victim, "GET n", "$1\r\n2\r\n");
    story_one_cluster(t);
}

static void scenario_formation(struct story *t, enum host_end how)
{
    /* Steps of a few hundred microseconds cover each step of formation, which takes some tens of milliseconds. */
    for (uint32_t victim = 0; victim < 3; victim++) {
        for (uint64_t at = 100; at < 60000; at += at < 8000 ? 331 : 2503) {
            formation_with(t, how, victim, at);
            if (t->sim->world.failure) {
                printf("  (node %u at %llu us)\n", victim, (unsigned long long)at);
                return;
            }
            story_end(t);
        }
    }
    story_begin(t, 1, &calm_plan);
}

static void scenario_formation_kill(struct story *t) { scenario_formation(t, HOST_KILL); }
static void scenario_formation_power_loss(struct story *t) { scenario_formation(t, HOST_POWER_LOSS); }
static void scenario_formation_wipe(struct story *t) { scenario_formation(t, HOST_WIPE); }

/* --- time --- */

static void scenario_two_hours_down(struct story *t)
{
    story_begin(t, 11, &calm_plan);
    struct sim *s = t->sim;
    story_expect(t, 0, "SET hour 1 EX 3600", "+OK\r\n");
    story_expect(t, 1, "SET day 1 EX 86400", "+OK\r\n");
    char line[128];
    long long start_s = (long long)(s->host[0].env.wall_ms(&s->host[0]) / 1000);
    snprintf(line, sizeof line, "SET three 1 EXAT %lld", start_s + 3 * 3600);
    story_expect(t, 2, line, "+OK\r\n");
    snprintf(line, sizeof line, "SET half 1 EXAT %lld", start_s + 1800);
    story_expect(t, 2, line, "+OK\r\n");
    for (uint32_t i = 0; i < 3; i++)
        host_stop(&s->host[i], HOST_POWER_LOSS);
    sim_run(s, 7200ull * SECOND);
    s->host[1].wall_offset_ms = 365ll * 86400 * 1000; /* one clock is a year ahead */
    for (uint32_t i = 0; i < 3; i++)
        host_start(&s->host[i]);
    story_leader(t);
    for (uint32_t i = 0; i < 3; i++) {
        story_expect(t, i, "GET hour", "$-1\r\n");
        story_expect(t, i, "GET half", "$-1\r\n");
        story_expect(t, i, "GET three", "$1\r\n1\r\n");
        story_expect(t, i, "GET day", "$1\r\n1\r\n");
    }
    snprintf(line, sizeof line, ":%lld\r\n", start_s + 3 * 3600);
    story_ask(t, 0, "TTL three");
    long ttl = strtol(t->reply + 1, NULL, 10);
    if (t->reply[0] != ':' || ttl < 3590 || ttl > 3600)
        story_fail(t, "EXAT is not right after two hours down");
}

/* --- sessions --- */

/* How many of n pipelined INCRs were answered with a number, and with UNKNOWN. */
static void count_replies(struct slice out, size_t *done, size_t *unknown)
{
    *done = *unknown = 0;
    for (size_t i = 0; i + 1 < out.n; i++) {
        if (i == 0 || out.p[i - 1] == '\n') {
            *done += out.p[i] == ':';
            *unknown += out.p[i] == '-' && out.p[i + 1] == 'U';
        }
    }
}

static void story_check_count(struct story *t, const char *key, size_t done, size_t unknown)
{
    char line[64];
    snprintf(line, sizeof line, "GET %s", key);
    story_ask(t, story_leader(t), line);
    const char *digits = strchr(t->reply, '\n');
    size_t value = digits ? strtoul(digits + 1, NULL, 10) : 0;
    if (value < done || value > done + unknown)
        world_fail(&t->sim->world, "%zu increments were done, %zu unknown, and the counter is %zu", done, unknown, value);
}

static void say_increments(struct sim_client *c, const char *key, int count)
{
    char text[64];
    snprintf(text, sizeof text, "INCR %s", key);
    for (int i = 0; i < count; i++)
        manual_say(c, text);
}

/* An origin cut off for longer than its session lives, with writes under way, and back. */
static void scenario_origin_past_close(struct story *t)
{
    for (uint64_t wait = 0; wait < 3000 && !(t->sim && t->sim->world.failure); wait += 250) {
        if (t->sim)
            story_end(t);
        story_begin(t, 21 + wait, &calm_plan);
        uint32_t leader = story_leader(t);
        uint32_t origin = (leader + 1) % 3;
        story_expect(t, origin, "SET n 0", "+OK\r\n");
        struct sim_client *c = manual_open(t->sim, origin);
        say_increments(c, "n", 20);
        sim_run(t->sim, wait);
        story_cut(t, origin);
        for (int i = 0; i < 40; i++) { /* log time goes on */
            story_ask(t, leader, "INCR other");
            sim_run(t->sim, SECOND / 2);
        }
        net_heal(t->sim);
        sim_run(t->sim, 3 * SECOND);
        say_increments(c, "n", 5);
        sim_run(t->sim, 8 * SECOND);
        size_t done, unknown;
        count_replies(manual_output(c), &done, &unknown);
        manual_close(c);
        if (done < 5)
            story_fail(t, "the origin could not write again after its session was closed");
        story_check_count(t, "n", done, unknown);
    }
}

/* Two leader changes while one origin's window is full. */
static void scenario_two_leader_changes(struct story *t)
{
    for (uint64_t round = 0; round < 6 && !(t->sim && t->sim->world.failure); round++) {
        if (t->sim)
            story_end(t);
        struct sim_plan plan = calm_plan;
        plan.host_count = 5;
        plan.disk_us = 20000;
        story_begin(t, 31 + round, &plan);
        uint32_t first = story_leader(t);
        uint32_t origin = (first + 1) % 5;
        story_expect(t, origin, "SET n 0", "+OK\r\n");
        struct sim_client *c = manual_open(t->sim, origin);
        say_increments(c, "n", 100);
        sim_run(t->sim, 1000 + 4000 * round);
        host_stop(&t->sim->host[first], HOST_KILL);
        sim_run(t->sim, 400000);
        uint32_t second = story_leader(t);
        say_increments(c, "n", 100);
        sim_run(t->sim, 1000 + 3000 * round);
        if (second != origin)
            host_stop(&t->sim->host[second], HOST_KILL);
        sim_run(t->sim, 12 * SECOND);
        size_t done, unknown;
        count_replies(manual_output(c), &done, &unknown);
        manual_close(c);
        if (done + unknown < 100)
            story_fail(t, "most increments were not answered through two leader changes");
        story_check_count(t, "n", done, unknown);
    }
}

/* Forward frames lost and doubled: every increment once. */
static void scenario_lost_forwards(struct story *t)
{
    struct sim_plan plan = calm_plan;
    plan.drop = 100000;
    plan.duplicate = 200000;
    plan.reorder = 100000;
    story_begin(t, 41, &plan);
    uint32_t origin = (story_leader(t) + 1) % 3;
    size_t all_done = 0;
    size_t all_unknown = 0;
    for (int i = 0; i < 10; i++) {
        struct sim_client *c = manual_open(t->sim, origin);
        say_increments(c, "n", 50);
        sim_run(t->sim, 8 * SECOND);
        size_t done, unknown;
        count_replies(manual_output(c), &done, &unknown);
        all_done += done;
        all_unknown += unknown;
        manual_close(c);
    }
    t->sim->is_calm = true;
    sim_run(t->sim, 5 * SECOND);
    if (all_done < 400)
        story_fail(t, "fewer than 400 of 500 increments got through");
    story_check_count(t, "n", all_done, all_unknown);
}

/* Every message twice, many copies much later: an OPEN that is seen again must not begin the session anew. */
static void scenario_late_copies(struct story *t)
{
    struct sim_plan plan = calm_plan;
    plan.duplicate = 1000000;
    story_begin(t, 51, &plan);
    size_t total = 0;
    for (int round = 0; round < 5 && !t->sim->world.failure; round++) {
        uint32_t origin = (story_leader(t) + 1) % 3;
        host_stop(&t->sim->host[origin], HOST_KILL);
        sim_run(t->sim, 100000);
        host_start(&t->sim->host[origin]);
        for (int i = 0; i < 40 && !t->sim->world.failure; i++) {
            char reply[32];
            snprintf(reply, sizeof reply, ":%zu\r\n", ++total);
            story_expect(t, origin, "INCR n", reply);
            sim_run(t->sim, 10000);
        }
    }
}

/* A node stopped for so long that its session was closed, and asked at the very moment it goes on: its read must see what was
 * written meanwhile, though it meets the CLOSE with a write of the same client under way. */
static void scenario_read_across_close(struct story *t)
{
    for (uint64_t seed = 61; seed < 69 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        story_begin(t, seed, &calm_plan);
        uint32_t leader = story_leader(t);
        uint32_t origin = (leader + 1) % 3;
        story_expect(t, origin, "SET x old", "+OK\r\n");
        struct sim_client *c = manual_open(t->sim, origin);
        struct sim_host *h = &t->sim->host[origin];
        uint64_t resume = t->sim->world.now_us + 16 * SECOND;
        h->paused_until_us = resume;
        for (int i = 0; i < 26; i++) {
            story_ask(t, leader, "INCR other");
            sim_run(t->sim, SECOND / 2);
        }
        story_expect(t, leader, "SET x new", "+OK\r\n");
        sim_run(t->sim, resume - t->sim->world.now_us);
        manual_say(c, "GET x");
        manual_say(c, "SET y 1");
        sim_run(t->sim, 8 * SECOND);
        struct slice out = manual_output(c);
        if (out.n < 9 || memcmp(out.p, "$3\r\nnew\r\n", 9) != 0)
            world_fail(&t->sim->world, "a read after a long stop answered %.*s", (int)out.n, (const char *)out.p);
        manual_close(c);
    }
}

/* Two addresses of the list lead to the same node: no cluster is formed, and that node says why. */
static void scenario_one_node_two_addresses(struct story *t)
{
    struct sim_plan plan = calm_plan;
    story_begin(t, 71, &plan);
    host_stop(&t->sim->host[2], HOST_KILL);
    t->sim->alias[2] = 1; /* 127.0.0.1:7003 is 127.0.0.1:7002 under another name */
    t->sim->has_alias[2] = true;
    t->sim->is_cut[1][1] = true; /* it cannot find that out itself: whoever forms the cluster must */
    t->sim->host[0].fatal_expected = t->sim->host[1].fatal_expected = true;
    sim_run(t->sim, 3 * SECOND);
    for (uint32_t i = 0; i < 2; i++) {
        struct node_status status;
        if (!t->sim->host[i].node)
            continue;
        node_get_status(t->sim->host[i].node, &status);
        if (!status.is_blank)
            story_fail(t, "a cluster was formed that counts one node twice");
    }
}

/* --- memory --- */

/* Every INCR is answered once, or its outcome is unknown, and the counter lies in between; whichever node's k-th allocation from now on fails. */
static void memory_with(struct story *t, uint32_t victim, uint64_t k)
{
    story_begin(t, 200 + k, &calm_plan);
    uint32_t leader = story_leader(t);
    uint32_t slot = (leader + victim) % 3;
    story_expect(t, leader, "SET n 0", "+OK\r\n");
    t->sim->host[slot].allocations_left = k;
    uint32_t origin = (slot + 1) % 3;
    struct sim_client *c = manual_open(t->sim, origin);
    say_increments(c, "n", 20);
    sim_run(t->sim, SECOND);
    if (!t->sim->host[slot].node) {
        t->sim->host[slot].allocations_left = k / 2; /* and again while it starts */
        host_start(&t->sim->host[slot]);
        sim_run(t->sim, 200000);
    }
    t->sim->host[slot].allocations_left = 0;
    if (!t->sim->host[slot].node)
        host_start(&t->sim->host[slot]);
    sim_run(t->sim, 4 * SECOND);
    size_t done, unknown;
    count_replies(manual_output(c), &done, &unknown);
    manual_close(c);
    if (done + unknown != 20)
        world_fail(&t->sim->world, "memory ran out at allocation %llu of node %u: %zu increments done, %zu unknown, of 20", (unsigned long long)k, slot, done,
                   unknown);
    story_check_count(t, "n", done, unknown);
}

static void scenario_memory_runs_out(struct story *t)
{
    for (uint32_t victim = 0; victim < 2; victim++) {
        for (uint64_t k = 1; k < 1500; k += k < 60 ? 1 : k / 10) {
            memory_with(t, victim, k);
            if (t->sim->world.failure)
                return;
            story_end(t);
        }
    }
    story_begin(t, 1, &calm_plan);
}

/* --- Figure 3.7 --- */

struct raft_status story_status(struct story *t, uint32_t slot)
{
    struct raft_status status = {0};
    const struct raft *r = t->sim->host[slot].node ? node_raft(t->sim->host[slot].node) : NULL;
    if (r)
        raft_get_status(r, &status);
    return status;
}

/* Nodes of the same group (a digit per node) talk, others do not. */
void story_groups(struct story *t, const char *group)
{
    for (uint32_t i = 0; i < t->sim->plan.host_count; i++) {
        for (uint32_t j = 0; j < t->sim->plan.host_count; j++)
            t->sim->is_cut[i][j] = group[i] != group[j];
    }
}

/* Runs until one of the nodes in `slots` (a bit each) leads a term above `above`; looks so often that nothing it sent has arrived yet. */
uint32_t story_await_leader(struct story *t, uint32_t slots, raft_term above)
{
    for (int i = 0; i < 500000 && !t->sim->world.failure; i++) {
        for (uint32_t slot = 0; slot < t->sim->plan.host_count; slot++) {
            struct raft_status status = story_status(t, slot);
            if ((slots >> slot & 1) && status.role == RAFT_LEADER && status.term > above)
                return slot;
        }
        sim_run(t->sim, 10);
    }
    story_fail(t, "no leader in 5 s");
    return 0;
}

/* An entry of an old term that reached a majority is not committed by counting: a node with a newer entry in its place may still
 * be elected (dissertation, Figure 3.7). Slow disks keep the second leader's own entry from being durable with the old one. */
static void figure_3_7(struct story *t, uint64_t seed)
{
    struct sim_plan plan = calm_plan;
    plan.host_count = 5;
    plan.append_bytes = 1;
    plan.disk_us = 20000;
    story_begin(t, seed, &plan);
    uint32_t first = story_leader(t);
    uint32_t second = (first + 1) % 5;
    sim_run(t->sim, SECOND);
    char group[6] = "22222";
    group[first] = group[second] = '1';
    raft_index old = story_status(t, first).last_index + 1;
    story_groups(t, group);
    struct sim_client *c = manual_open(t->sim, first);
    manual_say(c, "SET a 1");
    for (int i = 0; i < 300 && story_status(t, second).durable_index < old; i++)
        sim_run(t->sim, 1000);
    raft_term term = story_status(t, first).term;
    uint32_t both = 1u << first | 1u << second;
    uint32_t third = story_await_leader(t, 31 & ~both, term);
    memcpy(group, "11111", 5);
    group[third] = '3'; /* what it appended stays its own */
    story_groups(t, group);
    uint32_t leader = story_await_leader(t, both, story_status(t, third).term);
    for (int i = 0; i < 100000 && story_status(t, leader).commit < old && !t->sim->world.failure; i++)
        sim_run(t->sim, 10);
    if (story_status(t, leader).commit < old)
        story_fail(t, "the second leader commits nothing");
    manual_close(c);
    memcpy(group, "33333", 5);
    group[first] = group[second] = '1';
    for (uint32_t slot = 0; slot < 5; slot++) {
        if (group[slot] == '3' && slot != third)
            host_stop(&t->sim->host[slot], HOST_POWER_LOSS);
    }
    story_groups(t, group);
    for (uint32_t slot = 0; slot < 5; slot++) {
        if (!t->sim->host[slot].node)
            host_start(&t->sim->host[slot]);
    }
    sim_run(t->sim, 3 * SECOND);
    net_heal(t->sim);
    sim_run(t->sim, 2 * SECOND);
    story_expect(t, third, "SET b 1", "+OK\r\n");
}

static void scenario_figure_3_7(struct story *t)
{
    for (uint64_t seed = 81; seed < 93 && !(t->sim && t->sim->world.failure); seed++) {
        if (t->sim)
            story_end(t);
        figure_3_7(t, seed);
    }
}

/* A longer log of an older term must not win against a shorter one of a newer term (§3.6.1). */
static void scenario_longer_old_log(struct story *t)
{
    story_begin(t, 101, &calm_plan);
    uint32_t old = story_leader(t);
    sim_run(t->sim, SECOND);
    char group[4] = "222";
    group[old] = '1';
    story_groups(t, group);
    struct sim_client *c = manual_open(t->sim, old);
    for (int i = 0; i < 40; i++) {
        manual_say(c, "INCR n");
        sim_run(t->sim, 2000);
    }
    uint32_t newer = story_await_leader(t, 7 & ~(1u << old), story_status(t, old).term);
    story_expect(t, newer, "SET a 1", "+OK\r\n");
    manual_close(c);
    memcpy(group, "111", 3);
    group[newer] = '2';
    story_groups(t, group);
    sim_run(t->sim, 3 * SECOND);
    uint32_t rest = 3 - old - newer;
    story_expect(t, rest, "GET a", "$1\r\n1\r\n");
    net_heal(t->sim);
    sim_run(t->sim, 2 * SECOND);
    story_expect(t, old, "GET a", "$1\r\n1\r\n");
}

/* --- snapshots --- */

static uint64_t failed_writes(struct sim_disk *d)
{
    struct sim_disk_counts counts;
    sim_disk_get_counts(d, &counts);
    return counts.failed_writes;
}

static raft_index applied_by(struct sim_host *h)
{
    struct node_status status;
    node_get_status(h->node, &status);
    return status.applied;
}

/* Entries are applied when a majority has them; a snapshot of them waits for the node's own log. Its disk is full for the log twice: at
 * once, and when it is tried again; the next try is a tenth of a second later, and there is room for a snapshot meanwhile. */
static void scenario_snapshot_waits_for_the_log(struct story *t)
{
    story_begin(t, 111, &calm_plan);
    uint32_t leader = story_leader(t);
    uint32_t slot = (leader + 1) % 3;
    struct sim_host *h = &t->sim->host[slot];
    story_expect(t, leader, "SET a 1", "+OK\r\n");
    sim_run(t->sim, SECOND);
    raft_index before = story_status(t, slot).durable_index;
    uint64_t failed = failed_writes(h->disk);
    struct sim_client *c = manual_open(t->sim, leader);
    sim_disk_fail_write(h->disk, 0, ERR_FULL);
    manual_say(c, "SET a 2");
    bool is_armed_again = false;
    for (int i = 0; i < 5000 && failed_writes(h->disk) < failed + 2; i++) {
        sim_run(t->sim, 20);
        if (!is_armed_again && failed_writes(h->disk) == failed + 1) {
            sim_disk_fail_write(h->disk, 0, ERR_FULL);
            is_armed_again = true;
        }
    }
    for (int i = 0; i < 80 && applied_by(h) == before; i++)
        sim_run(t->sim, 1000);
    if (story_status(t, slot).durable_index != before || applied_by(h) == before)
        story_fail(t, "the node did not apply what its own disk lacks");
    struct node_snapshot_status s;
    if (!t->sim->world.failure) {
        node_snapshot(h->node);
        sim_run(t->sim, 15000);
        node_get_snapshot(h->node, &s);
        if (!s.is_running && s.index == 0)
            story_fail(t, "no snapshot was begun");
        sim_run(t->sim, SECOND);
        node_get_snapshot(h->node, &s);
        if (s.index <= before)
            story_fail(t, "the snapshot was not finished when the log was durable");
    }
    manual_close(c);
}

/* --- all of them --- */

static const struct scenario scenarios[] = {
    {"formation, a node killed at each step", scenario_formation_kill, false},
    {"formation, power lost at each step", scenario_formation_power_loss, false},
    {"formation, a disk wiped at each step", scenario_formation_wipe, false},
    {"all nodes down for two hours", scenario_two_hours_down, false},
    {"an origin cut off past its CLOSE, and back", scenario_origin_past_close, false},
    {"two leader changes inside one forward window", scenario_two_leader_changes, false},
    {"forward frames lost and doubled", scenario_lost_forwards, false},
    {"every message twice, many much later", scenario_late_copies, false},
    {"a read and a write across the CLOSE of their session", scenario_read_across_close, false},
    {"Figure 3.7, an old entry on a majority", scenario_figure_3_7, false},
    {"a longer log of an older term", scenario_longer_old_log, false},
    {"memory runs out at each allocation", scenario_memory_runs_out, false},
    {"a snapshot waits for the log", scenario_snapshot_waits_for_the_log, false},
    {"one node under two addresses of the list", scenario_one_node_two_addresses, false},
};

static bool scenario_run(const struct scenario *c, const struct command_table *table, bool is_verbose)
{
    struct story t = {.table = table, .is_verbose = is_verbose};
    c->run(&t);
    bool is_ok = !t.sim->world.failure;
    printf("%s scenario: %s%s%s\n", is_ok ? "ok" : "FAIL", c->name, is_ok ? "" : ": ", is_ok ? "" : t.sim->world.failure);
    fflush(stdout);
    story_end(&t);
    return is_ok;
}

int scenarios_run(const char *pattern, const struct command_table *table, bool is_verbose)
{
    const struct scenario *all[] = {scenarios, scenarios_elections, scenarios_members, scenarios_reads, scenarios_snapshots};
    const size_t count[] = {sizeof scenarios / sizeof scenarios[0], scenarios_elections_count, scenarios_members_count, scenarios_reads_count,
                            scenarios_snapshots_count};
    int failed = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        for (const struct scenario *c = all[i]; c < all[i] + count[i]; c++) {
            if (strstr(c->name, pattern) && (!c->is_long || strcmp(c->name, pattern) == 0))
                failed += !scenario_run(c, table, is_verbose);
        }
    }
    return failed;
}
