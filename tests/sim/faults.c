#include "sim.h"

#include <stdio.h>
#include <string.h>

#include "storage/snapshot_file.h"

/* Faults come at exponential distances, each as an event that schedules its end and its next occurrence. Which, and how often:
 * plan.c. */

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

void faults_pause(struct sim_host *h, uint64_t us)
{
    struct sim *s = h->sim;
    world_count("node paused");
    h->paused_until_us = s->world.now_us + us;
    world_trace(&s->world, "node %u paused", h->slot);
    world_at(&s->world, us + 1, fault_unpause, s, h->slot, h->life);
}

static void fault_pause(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    if (h->node)
        faults_pause(h, world_exponential(&s->world, 600000));
}

static void fault_partition_ends(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct sim *s = ctx;
    (void)a;
    (void)b;
    world_trace(w, "partition heals");
    net_heal(s);
}

static void cut_both(struct sim *s, uint32_t i, uint32_t j) { s->is_cut[i][j] = s->is_cut[j][i] = true; }

static void cut_sides(struct sim *s, uint32_t side, bool is_one_way)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        for (uint32_t j = 0; j < s->plan.host_count; j++) {
            bool crosses = (side >> i & 1) != (side >> j & 1);
            s->is_cut[i][j] = crosses && (!is_one_way || (side >> i & 1));
        }
    }
}

/* Two halves that see each other only through one node (openraft#2080). */
static void cut_bridge(struct sim *s)
{
    uint32_t n = s->plan.host_count;
    uint32_t middle = (uint32_t)world_below(&s->world, n);
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            bool is_first = (i + n - middle) % n <= n / 2;
            bool is_other = (j + n - middle) % n <= n / 2;
            if (i != middle && j != middle && is_first != is_other)
                cut_both(s, i, j);
        }
    }
}

/* Each node sees a majority, but no two the same one: its neighbours in a circle. */
static void cut_ring(struct sim *s)
{
    uint32_t n = s->plan.host_count;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            uint32_t distance = (j + n - i) % n;
            if (distance > n / 4 + (n == 3) && n - distance > n / 4 + (n == 3))
                cut_both(s, i, j);
        }
    }
}

/* One link goes down and up again, quickly, for a while. */
static void fault_flap(struct world *w, void *ctx, uint64_t link, uint64_t left)
{
    struct sim *s = ctx;
    uint32_t i = (uint32_t)(link >> 8);
    uint32_t j = (uint32_t)(link & 255);
    s->is_cut[i][j] = left > 0 && !s->is_calm && !s->is_cut[i][j];
    s->is_cut[j][i] = s->is_cut[i][j];
    if (left > 0 && !s->is_calm)
        world_at(w, world_between(w, 20000, 300000), fault_flap, s, link, left - 1);
}

/* Swizzle: nodes are cut off one after the other, and come back in another order (FoundationDB). */
static void fault_swizzle_step(struct world *w, void *ctx, uint64_t slot, uint64_t is_cut)
{
    struct sim *s = ctx;
    (void)w;
    if (s->is_calm)
        return;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (i != slot)
            s->is_cut[slot][i] = s->is_cut[i][slot] = is_cut != 0;
    }
}

static void fault_swizzle(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (!world_chance(&s->world, 500000))
            continue;
        uint64_t from = world_below(&s->world, 800000);
        uint64_t to = 800000 + world_below(&s->world, 800000);
        world_at(&s->world, from, fault_swizzle_step, s, i, 1);
        world_at(&s->world, to, fault_swizzle_step, s, i, 0);
    }
}

static void fault_single_link(struct sim *s, bool is_one_way)
{
    uint32_t n = s->plan.host_count;
    uint64_t from = world_below(&s->world, n);
    uint64_t to = (from + 1 + world_below(&s->world, n - 1)) % n;
    s->is_cut[from][to] = true;
    s->is_cut[to][from] = !is_one_way;
}

static void fault_cut(struct sim *s, enum cut_shape shape)
{
    uint32_t n = s->plan.host_count;
    uint32_t side = (uint32_t)world_below(&s->world, 1u << n);
    uint64_t pick = world_below(&s->world, n);
    switch (shape) {
    case CUT_ONE: cut_sides(s, 1u << pick, false); break;
    case CUT_LEADER: {
        uint32_t leader = sim_leader(s);
        cut_sides(s, 1u << (leader == UINT32_MAX ? 0 : leader), world_chance(&s->world, 300000));
        break;
    }
    case CUT_SIDES: cut_sides(s, side, false); break;
    case CUT_ONE_WAY: cut_sides(s, side, true); break;
    case CUT_LINK: fault_single_link(s, world_chance(&s->world, 500000)); break;
    case CUT_BRIDGE: cut_bridge(s); break;
    case CUT_RING: cut_ring(s); break;
    case CUT_FLAP: fault_flap(&s->world, s, pick << 8 | (pick + 1) % n, 6); break;
    case CUT_SWIZZLE: fault_swizzle(s); break;
    case CUT_SHAPES: break;
    }
    world_trace(&s->world, "partition, shape %d, side %x", (int)shape, side);
}

static void fault_partition(struct sim *s)
{
    static const char *const name[] = {"cut: one node", "cut: the leader", "cut: two sides", "cut: two sides, one way", "cut: a single link",
                                       "cut: bridge", "cut: majorities in a ring", "cut: a link flaps", "cut: swizzle"};
    if (s->plan.host_count < 2 || !s->plan.cut_shapes)
        return;
    uint64_t shape;
    do
        shape = world_below(&s->world, CUT_SHAPES);
    while (!(s->plan.cut_shapes >> shape & 1));
    net_heal(s);
    world_count(name[shape]);
    fault_cut(s, (enum cut_shape)shape);
    world_at(&s->world, 100000 + world_exponential(&s->world, 1500000), fault_partition_ends, s, 0, 0);
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
    static const enum sim_rot kind[] = {SIM_ROT_FLIP_BIT, SIM_ROT_GARBAGE, SIM_ROT_MISPLACED};
    static const char *const name[] = {"rot: a bit flipped", "rot: garbage", "rot: a sector written over another"};
    uint64_t which = world_below(&s->world, 3);
    ghost_host_rots(s->ghost, h->slot);
    if (sim_disk_corrupt_any(h->disk, kind[which]))
        world_count(name[which]);
    world_at(&s->world, world_exponential(&s->world, 500000), fault_restart, s, h->slot, 0);
}

/* A bit of what was stored so far of a snapshot that is being received: it must not be taken, and the next attempt is. */
static void fault_received_rot(struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        struct node_snapshot_status status;
        if (!s->host[i].node)
            continue;
        node_get_snapshot(s->host[i].node, &status);
        if (!status.is_receiving || status.receiving_done == 0 || status.receiving_done >= status.receiving_bytes)
            continue;
        uint64_t at = world_below(&s->world, status.receiving_done);
        if (sim_disk_corrupt(s->host[i].disk, SNAPSHOT_RECEIVED_NAME, at, 1, SIM_ROT_FLIP_BIT))
            world_count("rot: of a snapshot being received");
    }
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

/* The disk refuses: a write that takes a part and then fails, a read. The node must stop. */
static void fault_disk_error(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    bool is_write = world_chance(&s->world, 600000);
    world_count(is_write ? "write failed (EIO, a part written)" : "read failed (EIO)");
    h->fatal_expected = true;
    if (is_write)
        sim_disk_fail_write(h->disk, 0, ERR_IO);
    else
        sim_disk_fail_read(h->disk);
}

/* The process ends inside an iteration, as when memory runs out: what it had sent and submitted by then is out, the rest is not. */
static void fault_abort(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    if (h->node)
        h->calls_left = 1 + world_below(&s->world, 30);
}

/* One of the next allocations of a node fails; of one that is down, when it starts. */
static void fault_memory(struct sim *s)
{
    struct sim_host *h = fault_pick(s);
    h->allocations_left = 1 + world_below(&s->world, (uint64_t)1 << world_between(&s->world, 1, 13));
}

/* An administrator says something to a node, and doesn't wait long. */
static void fault_admin_leaves(struct world *w, void *ctx, uint64_t i, uint64_t life)
{
    struct sim *s = ctx;
    (void)w;
    if (s->admin[i] && s->admin_life[i] == life) {
        manual_close(s->admin[i]);
        s->admin[i] = NULL;
    }
}

static void fault_admin_say(struct sim *s, struct sim_host *h, const char *line)
{
    uint64_t i = 0;
    while (i < SIM_ADMINS && s->admin[i])
        i++;
    if (i == SIM_ADMINS || !host_is_running(h) || h->fatal_reason)
        return;
    s->admin[i] = manual_open(s, h->slot);
    s->admin_life[i]++;
    manual_say(s->admin[i], line);
    world_trace(&s->world, "node %u is told: %s", h->slot, line);
    world_at(&s->world, 3000000, fault_admin_leaves, s, i, s->admin_life[i]);
}

static void fault_transfer(struct sim *s)
{
    char line[64] = "RAFT TRANSFER";
    struct sim_host *h = fault_pick(s);
    if (world_chance(&s->world, 500000))
        snprintf(line, sizeof line, "RAFT TRANSFER %s", fault_pick(s)->address);
    world_count("told to transfer leadership");
    fault_admin_say(s, h, line);
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
    {fault_received_rot, offsetof(struct sim_plan, received_rot_every_us)},
    {fault_disk_error, offsetof(struct sim_plan, disk_error_every_us)},
    {fault_abort, offsetof(struct sim_plan, abort_every_us)},
    {fault_transfer, offsetof(struct sim_plan, transfer_every_us)},
    {fault_memory, offsetof(struct sim_plan, memory_out_every_us)},
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
        sim_disk_fail_write(h->disk, UINT64_MAX, ERR_OK);
        sim_disk_heal_reads(h->disk);
        h->calls_left = 0;
        h->allocations_left = 0;
        if (!h->node)
            host_start(h);
    }
}
