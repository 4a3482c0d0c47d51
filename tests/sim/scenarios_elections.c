#include "scenarios.h"
#include "strike.h"

/* How many elections there are, and how long they take (checklist E4, E6). */

#define TIMEOUT_US 300000u /* T, the default of election-timeout */

/* --- a cluster whose nodes all start at once --- */

/* From the moment that power is back until somebody leads. */
static uint64_t cold_start_us(struct story *t)
{
    struct sim *s = t->sim;
    raft_term before = story_status(t, story_leader(t)).term;
    sim_run(s, world_below(&s->world, SECOND));
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        host_stop(&s->host[i], HOST_POWER_LOSS);
    sim_run(s, SECOND);
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        host_start(&s->host[i]);
    uint64_t begin_us = s->world.now_us;
    while (!s->world.failure && s->world.now_us - begin_us < 100 * TIMEOUT_US) {
        uint32_t leader = sim_leader(s);
        if (leader != UINT32_MAX && story_status(t, leader).term > before)
            break;
        sim_run(s, 1000);
    }
    return s->world.now_us - begin_us;
}

/* At most one start in a thousand takes longer than ten election timeouts, with five nodes and with seven. */
static void cold_starts(struct story *t, uint32_t starts)
{
    for (uint32_t hosts = 5; hosts <= 7; hosts += 2) {
        struct sim_plan plan = calm_plan;
        uint32_t late = 0;
        uint64_t worst_us = 0;
        plan.host_count = hosts;
        if (t->sim)
            story_end(t);
        story_begin(t, 900 + hosts, &plan);
        for (uint32_t i = 0; i < starts && !t->sim->world.failure; i++) {
            uint64_t us = cold_start_us(t);
            worst_us = us > worst_us ? us : worst_us;
            late += us > 10 * TIMEOUT_US;
        }
        printf("  (%u nodes started together %u times: the slowest had a leader after %llu ms; %u took longer than ten timeouts)\n", hosts,
               starts, (unsigned long long)(worst_us / 1000), late);
        if (late > starts / 1000)
            story_fail(t, "nodes that start together take too long to elect a leader");
        if (t->sim->world.failure)
            return;
    }
}

static void scenario_cold_starts(struct story *t) { cold_starts(t, 100); }
static void scenario_thousand_cold_starts(struct story *t) { cold_starts(t, 1000); }

/* --- pauses and clocks --- */

static raft_term newest_term(struct story *t)
{
    raft_term newest = 0;
    for (uint32_t i = 0; i < t->sim->plan.host_count; i++) {
        raft_term term = story_status(t, i).term;
        newest = term > newest ? term : newest;
    }
    return newest;
}

static void story_elections(struct story *t, raft_term before, raft_term most, const char *what)
{
    raft_term held = newest_term(t) - before;
    if (held > most)
        world_fail(&t->sim->world, "%s: %llu elections, %llu expected at most", what, (unsigned long long)held, (unsigned long long)most);
}

/* Stopped for so long; its process goes on where it was, with all that came in meanwhile still to be read. */
static void pause_once(struct story *t, uint32_t slot, uint64_t us)
{
    strike_host(t->sim, STRIKE_PAUSE, slot, (int64_t)us);
    sim_run(t->sim, us + 3 * SECOND);
}

/* A follower that was stopped finds heartbeats waiting: it reads them before it looks at its timers, and asks for no votes. A leader that
 * was stopped is replaced once, and follows when it is back. */
static void scenario_pauses(struct story *t)
{
    for (uint64_t seed = 911; seed < 931; seed++) {
        if (t->sim)
            story_end(t);
        story_begin(t, seed, &calm_plan);
        uint32_t leader = story_leader(t);
        sim_run(t->sim, SECOND);
        raft_term term = newest_term(t);
        pause_once(t, (leader + 1) % 3, 5 * SECOND);
        story_elections(t, term, 0, "a follower was stopped for five seconds");
        pause_once(t, leader, 5 * SECOND);
        story_elections(t, term, 1, "the leader was stopped for five seconds");
        story_expect(t, leader, "INCR n", ":1\r\n");
        if (t->sim->world.failure)
            return;
    }
}

/* Nobody's wall clock has to do with who leads. */
static void scenario_wall_clocks(struct story *t)
{
    static const int64_t hour_ms = 3600000;
    story_begin(t, 941, &calm_plan);
    story_leader(t);
    sim_run(t->sim, SECOND);
    raft_term term = newest_term(t);
    for (uint32_t slot = 0; slot < 3; slot++) {
        for (int64_t by = -hour_ms; by <= hour_ms; by += 2 * hour_ms) {
            t->sim->host[slot].wall_offset_ms = by;
            sim_run(t->sim, 2 * SECOND);
            const char *reply = story_ask(t, slot, "INCR n");
            if (reply[0] != ':')
                world_fail(&t->sim->world, "node %u answers %s", slot, reply);
        }
    }
    story_elections(t, term, 0, "wall clocks jumped by an hour");
}

const struct scenario scenarios_elections[] = {
    {"five and seven nodes start at once", scenario_cold_starts, false},
    {"a thousand cold starts", scenario_thousand_cold_starts, true},
    {"nodes stopped for five seconds", scenario_pauses, false},
    {"wall clocks an hour off", scenario_wall_clocks, false},
};
const size_t scenarios_elections_count = sizeof scenarios_elections / sizeof scenarios_elections[0];
