#include "sim.h"

#include <string.h>

/* The swarm: each seed switches each class of fault on or off and draws its rates; then faults come at exponential
 * distances. */

static uint64_t draw_mean(struct prng *p, uint64_t low, uint64_t high)
{
    if (prng_below(p, 2))
        return 0;
    return low + prng_below(p, high - low);
}

static uint32_t draw_rate(struct prng *p, uint32_t high)
{
    if (prng_below(p, 2))
        return 0;
    uint32_t rate = high;
    for (uint64_t halvings = prng_below(p, 8); halvings > 0; halvings--)
        rate /= 2;
    return rate ? rate : 1;
}

void plan_draw(struct sim_plan *plan, struct prng *p, const char *profile)
{
    static const uint32_t sizes[] = {1, 2, 3, 3, 3, 3, 4, 5, 5, 7};
    memset(plan, 0, sizeof *plan);
    plan->host_count = sizes[prng_below(p, sizeof sizes / sizeof sizes[0])];
    plan->client_count = 1 + (uint32_t)prng_below(p, 8);
    plan->duration_us = 20000000;
    plan->key_count = 1 + (uint32_t)prng_below(p, 6);
    plan->think_us = 2000 + prng_below(p, 60000);
    plan->latency_us = 100 + prng_below(p, prng_below(p, 4) ? 2000 : 20000);
    plan->disk_us = 50 + prng_below(p, prng_below(p, 4) ? 500 : 20000);
    plan->sector_bytes = prng_below(p, 2) ? 512 : 4096;
    plan->segment_bytes = prng_below(p, 4) ? 65536 : 262144;
    plan->log_memory_bytes = prng_below(p, 2) ? 65536 : 1048576;
    plan->append_bytes = prng_below(p, 3) ? 258048 : 1 + prng_below(p, 1000);
    plan->read_level_mix = 1 + (uint32_t)prng_below(p, 7);
    plan->has_expiry = prng_below(p, 2);
    plan->has_big_values = prng_below(p, 4) == 0;
    plan->has_transactions = prng_below(p, 2);
    plan->clock_rate_ppm = prng_below(p, 2) ? 10000 : 100;
    if (strcmp(profile, "calm") == 0)
        return;
    plan->drop = draw_rate(p, 100000);
    plan->duplicate = draw_rate(p, 200000);
    plan->reorder = draw_rate(p, 200000);
    plan->reset = draw_rate(p, 5000);
    plan->partition_every_us = draw_mean(p, 500000, 8000000);
    plan->crash_every_us = draw_mean(p, 500000, 8000000);
    plan->power_every_us = draw_mean(p, 500000, 8000000);
    plan->pause_every_us = draw_mean(p, 500000, 8000000);
    plan->all_down_every_us = draw_mean(p, 4000000, 20000000);
    plan->clock_jump_every_us = draw_mean(p, 1000000, 10000000);
    plan->disk_full_every_us = draw_mean(p, 2000000, 10000000);
    plan->disk_stall_every_us = draw_mean(p, 1000000, 8000000);
    plan->sync_error_every_us = draw_mean(p, 2000000, 10000000);
    plan->rot_every_us = plan->host_count >= 3 ? draw_mean(p, 3000000, 12000000) : 0;
    plan->has_crash_in_write = prng_below(p, 2);
    if (strcmp(profile, "fig8") == 0) {
        /* Figure 3.7: leaders that lose their followers a moment after they were elected, one entry an append. */
        plan->host_count = prng_below(p, 2) ? 3 : 5;
        plan->append_bytes = 1;
        plan->leader_isolation_us = 1 + prng_below(p, 30000);
        plan->disk_us = 50 + prng_below(p, 3000);
        plan->partition_every_us = 0;
        plan->disk_full_every_us = plan->rot_every_us = plan->sync_error_every_us = 0;
        plan->crash_every_us = plan->power_every_us = plan->pause_every_us = 0;
    }
    if (strcmp(profile, "compact") == 0) {
        /* Snapshots all the time, and hardly anything kept behind them: who was away for a moment needs one. */
        plan->snapshot_log_bytes = (uint64_t)1 << (9 + prng_below(p, 7));
        plan->retention_entries = 1 + (uint32_t)prng_below(p, 8);
        plan->segment_bytes = (uint64_t)4096 << prng_below(p, 5);
        plan->log_memory_bytes = 65536;
        if (plan->crash_every_us == 0)
            plan->crash_every_us = 500000 + prng_below(p, 3000000);
    }
    if (strcmp(profile, "churn") == 0) {
        uint32_t founders = 1 + (uint32_t)prng_below(p, 4);
        plan->spare_count = 1 + (uint32_t)prng_below(p, SIM_HOSTS - founders);
        plan->host_count = founders + plan->spare_count;
        plan->change_every_us = 100000 + prng_below(p, 1000000);
        plan->rot_every_us = plan->all_down_every_us = 0;
        plan->duration_us = 30000000;
        plan->client_count = 1 + (uint32_t)prng_below(p, 3);
    }
    if (strcmp(profile, "storm") == 0) {
        plan->crash_every_us = 300000 + prng_below(p, 1000000);
        plan->partition_every_us = 300000 + prng_below(p, 1000000);
    }
}

/* --- the faults, each an event that schedules its end and its next occurrence --- */

static struct sim_host *fault_pick(struct sim *s)
{
    return &s->host[world_below(&s->world, s->plan.host_count)];
}

static void fault_restart(struct world *w, void *ctx, uint64_t slot, uint64_t b)
{
    struct sim *s = ctx;
    (void)w;
    (void)b;
    if (!s->host[slot].node)
        host_start(&s->host[slot]);
}

static void fault_down(struct sim *s, struct sim_host *h, enum host_end how, uint64_t down_us)
{
    if (!h->node)
        return;
    host_stop(h, how);
    world_at(&s->world, down_us, fault_restart, s, h->slot, 0);
}

static void fault_crash(struct sim *s)
{
    world_count("node killed");
    /* Two draws in one argument list would come in the compiler's order. */
    struct sim_host *h = fault_pick(s);
    fault_down(s, h, HOST_KILL, world_exponential(&s->world, 800000));
}

static void fault_power(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    if (s->plan.has_crash_in_write && world_chance(&s->world, 500000)) {
        sim_disk_power_fail_after(h->disk, world_below(&s->world, 12));
        return; /* host.c takes it down when the disk is dead; the restart is scheduled by fault_watch */
    }
    world_count("node lost power");
    fault_down(s, h, HOST_POWER_LOSS, world_exponential(&s->world, 800000));
}

static void fault_all_down(struct sim *s)
{
    world_count("all nodes lost power");
    uint64_t down = world_exponential(&s->world, 1000000);
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        fault_down(s, &s->host[i], HOST_POWER_LOSS, down + world_below(&s->world, 500000));
}

static void fault_unpause(struct world *w, void *ctx, uint64_t slot, uint64_t life)
{
    struct sim *s = ctx;
    (void)w;
    if (s->host[slot].life != life || !s->host[slot].node)
        return;
    sim_clients_host_resumed(s, (uint32_t)slot);
    host_kick(&s->host[slot]);
}

static void fault_pause(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    if (!h->node)
        return;
    world_count("node paused");
    uint64_t pause = world_exponential(&s->world, 600000);
    h->paused_until_us = s->world.now_us + pause;
    world_trace(&s->world, "node %u paused", h->slot);
    world_at(&s->world, pause + 1, fault_unpause, s, h->slot, h->life);
}

static void fault_partition_ends(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct sim *s = ctx;
    (void)a;
    (void)b;
    world_trace(w, "partition heals");
    net_heal(s);
}

static void fault_partition(struct sim *s)
{
    uint32_t n = s->plan.host_count;
    if (n < 2)
        return;
    net_heal(s);
    uint32_t side = (uint32_t)world_below(&s->world, 1u << n);
    uint64_t shape = world_below(&s->world, 4);
    if (shape == 0)
        side = 1u << world_below(&s->world, n); /* isolate one */
    if (shape == 3) { /* one link, perhaps one way */
        uint64_t from = world_below(&s->world, n);
        uint64_t to = (from + 1 + world_below(&s->world, n - 1)) % n;
        s->is_cut[from][to] = true;
        world_count("single link cut one way");
    } else {
        bool is_one_way = shape == 2;
        world_count(is_one_way ? "one-way partition" : shape == 0 ? "node isolated" : "partition");
        for (uint32_t i = 0; i < n; i++) {
            for (uint32_t j = 0; j < n; j++) {
                bool crosses = (side >> i & 1) != (side >> j & 1);
                s->is_cut[i][j] = crosses && (!is_one_way || (side >> i & 1));
            }
        }
    }
    world_trace(&s->world, "partition, shape %u, side %x", (unsigned)shape, side);
    world_at(&s->world, world_exponential(&s->world, 1500000), fault_partition_ends, s, 0, 0);
}

static void fault_clock(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    static const int64_t jumps[] = {-86400000, -3600000, -5000, -900, 900, 5000, 3600000, 86400000, 31536000000};
    h->wall_offset_ms = jumps[world_below(&s->world, sizeof jumps / sizeof jumps[0])];
    world_count("wall clock jumped");
}

static void fault_disk_full_ends(struct world *w, void *ctx, uint64_t slot, uint64_t b)
{
    struct sim *s = ctx;
    (void)w;
    (void)b;
    sim_disk_set_quota(s->host[slot].disk, UINT64_MAX);
    s->host[slot].has_quota = false;
}

static void fault_disk_full(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    world_count("disk full");
    h->has_quota = true;
    sim_disk_set_quota(h->disk, sim_disk_used(h->disk) + world_below(&s->world, 20000));
    world_at(&s->world, world_exponential(&s->world, 1500000), fault_disk_full_ends, s, h->slot, 0);
}

static void fault_disk_stall(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    world_count("disk stalled");
    h->disk_stalled_until_us = s->world.now_us + world_exponential(&s->world, 700000);
}

/* An fsync fails and its pages are marked clean: the node must stop. What it had written is gone if power fails later. */
static void fault_sync_error(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    world_count("fsync failed");
    h->fatal_expected = true;
    sim_disk_fail_next_sync(h->disk);
}

/* Bit rot at rest, found at the next start. Only ever on one node of a run, so that a majority keeps clean copies (the fault atlas); and
 * only damage that can be told from a sector never written. */
static void fault_rot(struct sim *s)
{
    struct sim_host *h = &s->host[s->seed % s->plan.host_count];
    if (!h->node)
        return;
    host_stop(h, HOST_KILL);
    if (sim_disk_corrupt_any(h->disk, world_chance(&s->world, 500000) ? SIM_ROT_FLIP_BIT : SIM_ROT_GARBAGE))
        world_count("bit rot");
    world_at(&s->world, world_exponential(&s->world, 500000), fault_restart, s, h->slot, 0);
}

/* A new leader is cut off or killed a moment after its election; who was cut off before comes back. */
static void fault_leader_falls(struct world *w, void *ctx, uint64_t slot, uint64_t life)
{
    struct sim *s = ctx;
    struct sim_host *h = &s->host[slot];
    (void)w;
    if (s->is_calm || h->life != life || !h->node)
        return;
    net_heal(s);
    if (world_chance(&s->world, 400000)) {
        world_count("new leader killed");
        fault_down(s, h, HOST_KILL, 200000 + world_exponential(&s->world, 600000));
        return;
    }
    world_count("new leader isolated");
    bool keeps_one = world_chance(&s->world, 500000);
    uint64_t friend = (slot + 1 + world_below(&s->world, s->plan.host_count - 1)) % s->plan.host_count;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (i != slot && !(keeps_one && i == friend))
            s->is_cut[slot][i] = s->is_cut[i][slot] = true;
    }
}

void faults_new_leader(struct sim *s, uint32_t slot)
{
    if (s->plan.leader_isolation_us && !s->is_calm)
        world_at(&s->world, world_exponential(&s->world, s->plan.leader_isolation_us), fault_leader_falls, s, slot,
                 s->host[slot].life);
}

/* Nodes that went down by themselves (power failed inside a disk call, or an allowed fatal) come back. */
static void fault_watch(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct sim *s = ctx;
    (void)a;
    (void)b;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (!s->host[i].node)
            world_at(w, world_exponential(w, 500000), fault_restart, s, i, 0);
    }
    if (!s->is_calm)
        world_at(w, 1000000, fault_watch, s, 0, 0);
}

typedef void fault_fn(struct sim *s);
struct fault {
    fault_fn *fn;
    size_t mean_offset;
};
static const struct fault faults[] = {
    {fault_partition, offsetof(struct sim_plan, partition_every_us)},
    {fault_crash, offsetof(struct sim_plan, crash_every_us)},
    {fault_power, offsetof(struct sim_plan, power_every_us)},
    {fault_pause, offsetof(struct sim_plan, pause_every_us)},
    {fault_all_down, offsetof(struct sim_plan, all_down_every_us)},
    {fault_clock, offsetof(struct sim_plan, clock_jump_every_us)},
    {fault_disk_full, offsetof(struct sim_plan, disk_full_every_us)},
    {fault_disk_stall, offsetof(struct sim_plan, disk_stall_every_us)},
    {fault_sync_error, offsetof(struct sim_plan, sync_error_every_us)},
    {fault_rot, offsetof(struct sim_plan, rot_every_us)},
    {churn_strike, offsetof(struct sim_plan, change_every_us)},
};
#define FAULT_COUNT (sizeof faults / sizeof faults[0])

static uint64_t fault_mean(const struct sim *s, size_t i)
{
    uint64_t mean;
    memcpy(&mean, (const char *)&s->plan + faults[i].mean_offset, sizeof mean);
    return mean;
}

static void fault_strike(struct world *w, void *ctx, uint64_t i, uint64_t b)
{
    struct sim *s = ctx;
    (void)b;
    if (s->is_calm)
        return;
    faults[i].fn(s);
    world_at(w, world_exponential(w, fault_mean(s, i)), fault_strike, s, i, 0);
}

void faults_start(struct sim *s)
{
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (fault_mean(s, i))
            world_at(&s->world, 500000 + world_exponential(&s->world, fault_mean(s, i)), fault_strike, s, i, 0);
    }
    world_at(&s->world, 1000000, fault_watch, s, 0, 0);
}

void faults_stop(struct sim *s)
{
    s->is_calm = true;
    net_heal(s);
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        struct sim_host *h = &s->host[i];
        sim_disk_set_quota(h->disk, UINT64_MAX);
        h->has_quota = false;
        sim_disk_power_fail_after(h->disk, UINT64_MAX);
        h->disk_stalled_until_us = 0;
        sim_disk_fail_sync(h->disk, UINT64_MAX);
        if (!h->node)
            host_start(h);
    }
}
