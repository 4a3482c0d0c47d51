#include <string.h>

#include "base/mem.h"
#include "faults.h"
#include "trouble.h"

/* What strikes, and when: classes of faults, each at exponential distances, each drawing from a stream of its own. So a class that is
 * switched off takes nothing from the others, and none takes from the cluster: whoever knows the strikes has the run. Which classes, and how often:
 * plan.c. Their events come before all others of an instant, in the order in which they were scheduled: as the lines of a script do. */

static uint32_t draw_host(struct sim *s, struct prng *p) { return (uint32_t)prng_below(p, s->plan.host_count); }

/* --- nodes --- */

void faults_start_later(struct world *w, void *ctx, uint64_t slot, uint64_t b)
{
    struct sim *s = ctx;
    (void)w;
    (void)b;
    if (!s->host[slot].node)
        strike_host(s, STRIKE_START, (uint32_t)slot, 0);
}

static void take_down(struct sim *s, enum strike_kind how, uint32_t slot, uint64_t down_us)
{
    if (!s->host[slot].node)
        return;
    strike_host(s, how, slot, 0);
    world_at_first(&s->world, down_us, faults_start_later, s, slot, 0);
}

static void fault_crash(struct sim *s, struct prng *p)
{
    /* Two draws in one argument list would come in the compiler's order. */
    uint32_t slot = draw_host(s, p);
    take_down(s, STRIKE_KILL, slot, draw_exponential(p, 800000));
}

static void fault_power(struct sim *s, struct prng *p)
{
    uint32_t slot = draw_host(s, p);
    if (s->plan.has_crash_in_write && prng_chance(p, 500000))
        strike_host(s, STRIKE_POWER_IN, slot, (int64_t)prng_below(p, 12)); /* faults_restart has it started again */
    else
        take_down(s, STRIKE_POWER, slot, draw_exponential(p, 800000));
}

static void fault_all_down(struct sim *s, struct prng *p)
{
    world_count("all nodes lost power");
    uint64_t down = draw_exponential(p, 1000000);
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        take_down(s, STRIKE_POWER, i, down + prng_below(p, 500000));
}

static void fault_pause(struct sim *s, struct prng *p)
{
    uint32_t slot = draw_host(s, p);
    strike_host(s, STRIKE_PAUSE, slot, (int64_t)draw_exponential(p, 600000));
}

static void slow_ends(struct world *w, void *ctx, uint64_t slot, uint64_t b)
{
    (void)w;
    (void)b;
    strike_host(ctx, STRIKE_SLOW, (uint32_t)slot, 0);
}

/* Its processor is busy with something else: each turn of the loop takes longer. */
static void fault_slow(struct sim *s, struct prng *p)
{
    uint32_t slot = draw_host(s, p);
    strike_host(s, STRIKE_SLOW, slot, (int64_t)draw_exponential(p, 10000));
    world_at_first(&s->world, draw_exponential(p, 1500000), slow_ends, s, slot, 0);
}

/* The process ends inside an iteration, as when memory runs out: what it had sent and submitted by then is out, the rest is not. */
static void fault_abort(struct sim *s, struct prng *p)
{
    uint32_t slot = draw_host(s, p);
    strike_host(s, STRIKE_END_IN, slot, (int64_t)prng_below(p, 30));
}

/* One of the next allocations of a node fails; of one that is down, when it starts. */
static void fault_memory(struct sim *s, struct prng *p)
{
    uint32_t slot = draw_host(s, p);
    strike_host(s, STRIKE_MEMORY, slot, (int64_t)prng_below(p, (uint64_t)1 << (1 + prng_below(p, 13))));
}

static void fault_clock(struct sim *s, struct prng *p)
{
    static const int64_t jumps[] = {-86400000, -3600000, -5000, -900, 900, 5000, 3600000, 86400000, 31536000000};
    uint32_t slot = draw_host(s, p);
    strike_host(s, STRIKE_CLOCK, slot, jumps[prng_below(p, sizeof jumps / sizeof jumps[0])]);
}

/* --- links --- */

static uint64_t both_ways(uint64_t i, uint64_t j) { return strike_link(i, j) | strike_link(j, i); }

static void cut(struct sim *s, uint64_t links)
{
    if (links)
        strike(s, &(struct strike){.kind = STRIKE_CUT, .links = links});
}

static void heal(struct sim *s) { strike(s, &(struct strike){.kind = STRIKE_HEAL}); }

void faults_heal_later(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    (void)w;
    (void)a;
    (void)b;
    heal(ctx);
}

static uint64_t links_between(const struct sim *s, uint32_t side, bool is_one_way)
{
    uint64_t links = 0;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        for (uint32_t j = 0; j < s->plan.host_count; j++) {
            bool crosses = (side >> i & 1) != (side >> j & 1);
            links |= crosses && (!is_one_way || (side >> i & 1)) ? strike_link(i, j) : 0;
        }
    }
    return links;
}

/* Two halves that see each other only through one node (openraft#2080). */
static uint64_t links_of_bridge(const struct sim *s, uint32_t middle)
{
    uint32_t n = s->plan.host_count;
    uint64_t links = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            bool is_first = (i + n - middle) % n <= n / 2;
            bool is_other = (j + n - middle) % n <= n / 2;
            links |= i != middle && j != middle && is_first != is_other ? both_ways(i, j) : 0;
        }
    }
    return links;
}

/* Each node sees a majority, but no two the same one: its neighbours in a circle. */
static uint64_t links_of_ring(const struct sim *s)
{
    uint32_t n = s->plan.host_count;
    uint64_t links = 0;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < n; j++) {
            uint32_t distance = (j + n - i) % n;
            bool is_near = distance <= n / 4 + (n == 3) || n - distance <= n / 4 + (n == 3);
            links |= is_near ? 0 : both_ways(i, j);
        }
    }
    return links;
}

static uint64_t links_of_one(const struct sim *s, struct prng *p, bool is_one_way)
{
    uint32_t n = s->plan.host_count;
    uint64_t from = prng_below(p, n);
    uint64_t to = (from + 1 + prng_below(p, n - 1)) % n;
    return is_one_way ? strike_link(from, to) : both_ways(from, to);
}

/* One link goes down and up again, quickly, for a while. */
static void flap(struct world *w, void *ctx, uint64_t links, uint64_t left)
{
    struct sim *s = ctx;
    struct prng *p = &s->faults->stream[FAULT_PARTITION];
    if (s->is_calm)
        return;
    strike(s, &(struct strike){.kind = left % 2 ? STRIKE_JOIN : STRIKE_CUT, .links = links});
    if (left > 1)
        world_at_first(w, 20000 + prng_below(p, 280001), flap, s, links, left - 1);
}

/* Swizzle: nodes are cut off one after the other, and come back in another order (FoundationDB). */
static void swizzle_step(struct world *w, void *ctx, uint64_t slot, uint64_t kind)
{
    struct sim *s = ctx;
    (void)w;
    if (!s->is_calm)
        strike(s, &(struct strike){.kind = (enum strike_kind)kind, .links = links_between(s, 1u << slot, false)});
}

static void swizzle(struct sim *s, struct prng *p)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (!prng_chance(p, 500000))
            continue;
        uint64_t from = prng_below(p, 800000);
        uint64_t to = 800000 + prng_below(p, 800000);
        world_at_first(&s->world, from, swizzle_step, s, i, STRIKE_CUT);
        world_at_first(&s->world, to, swizzle_step, s, i, STRIKE_JOIN);
    }
}

static void fault_cut(struct sim *s, struct prng *p, enum cut_shape shape)
{
    uint32_t n = s->plan.host_count;
    uint32_t side = (uint32_t)prng_below(p, 1u << n);
    uint32_t pick = (uint32_t)prng_below(p, n);
    switch (shape) {
    case CUT_ONE: cut(s, links_between(s, 1u << pick, false)); break;
    case CUT_LEADER: {
        uint32_t leader = sim_leader(s);
        cut(s, links_between(s, 1u << (leader == UINT32_MAX ? 0 : leader), prng_chance(p, 300000)));
        break;
    }
    case CUT_SIDES: cut(s, links_between(s, side, false)); break;
    case CUT_ONE_WAY: cut(s, links_between(s, side, true)); break;
    case CUT_LINK: cut(s, links_of_one(s, p, prng_chance(p, 500000))); break;
    case CUT_BRIDGE: cut(s, links_of_bridge(s, pick)); break;
    case CUT_RING: cut(s, links_of_ring(s)); break;
    case CUT_FLAP: flap(&s->world, s, both_ways(pick, (pick + 1) % n), 6); break;
    case CUT_SWIZZLE: swizzle(s, p); break;
    case CUT_SHAPES: break;
    }
}

static void fault_partition(struct sim *s, struct prng *p)
{
    static const char *const name[] = {"cut: one node", "cut: the leader", "cut: two sides", "cut: two sides, one way", "cut: a single link",
                                       "cut: bridge", "cut: majorities in a ring", "cut: a link flaps", "cut: swizzle"};
    if (s->plan.host_count < 2 || !s->plan.cut_shapes)
        return;
    uint64_t shape;
    do
        shape = prng_below(p, CUT_SHAPES);
    while (!(s->plan.cut_shapes >> shape & 1));
    heal(s);
    world_count(name[shape]);
    fault_cut(s, p, (enum cut_shape)shape);
    world_at_first(&s->world, 100000 + draw_exponential(p, 1500000), faults_heal_later, s, 0, 0);
}

/* --- disks --- */

void faults_room_later(struct world *w, void *ctx, uint64_t slot, uint64_t b)
{
    (void)w;
    (void)b;
    strike_host(ctx, STRIKE_DISK_ROOM, (uint32_t)slot, -1);
}

static void fault_disk_full(struct sim *s, struct prng *p)
{
    uint32_t slot = draw_host(s, p);
    strike_host(s, STRIKE_DISK_ROOM, slot, (int64_t)prng_below(p, 20000));
    world_at_first(&s->world, draw_exponential(p, 1500000), faults_room_later, s, slot, 0);
}

static void fault_disk_stall(struct sim *s, struct prng *p)
{
    uint32_t slot = draw_host(s, p);
    strike_host(s, STRIKE_DISK_STALL, slot, (int64_t)draw_exponential(p, 700000));
}

static void fault_sync_error(struct sim *s, struct prng *p) { strike_host(s, STRIKE_SYNC_ERROR, draw_host(s, p), 0); }

static void fault_disk_error(struct sim *s, struct prng *p)
{
    uint32_t slot = draw_host(s, p);
    strike_host(s, prng_chance(p, 600000) ? STRIKE_WRITE_ERROR : STRIKE_READ_ERROR, slot, 0);
}

/* Only ever on one node of a run, so that a majority keeps clean copies (the fault atlas). */
static void fault_rot(struct sim *s, struct prng *p)
{
    static const enum sim_rot kind[] = {SIM_ROT_FLIP_BIT, SIM_ROT_GARBAGE, SIM_ROT_MISPLACED};
    uint32_t slot = (uint32_t)(s->seed % s->plan.host_count);
    if (!s->host[slot].node)
        return;
    if (prng_chance(p, 500000)) /* then what it sent before is under way still, on connections that nobody ends */
        strike_host(s, STRIKE_POWER, slot, 0);
    strike_host(s, STRIKE_ROT, slot, kind[prng_below(p, 3)]);
    world_at_first(&s->world, draw_exponential(p, 500000), faults_start_later, s, slot, 0);
}

/* A bit of what was stored so far of a snapshot that is being received: it must not be taken, and the next attempt is. */
static void fault_received_rot(struct sim *s, struct prng *p)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        struct node_snapshot_status status;
        if (!s->host[i].node)
            continue;
        node_get_snapshot(s->host[i].node, &status);
        if (status.is_receiving && status.receiving_done > 0 && status.receiving_done < status.receiving_bytes)
            strike_host(s, STRIKE_ROT_RECEIVED, i, (int64_t)prng_below(p, status.receiving_done));
    }
}

/* --- commands of administrators --- */

static void fault_transfer(struct sim *s, struct prng *p)
{
    struct strike what = {.kind = STRIKE_TELL, .host = draw_host(s, p), .line = "RAFT TRANSFER"};
    if (prng_chance(p, 500000))
        snprintf(what.line, sizeof what.line, "RAFT TRANSFER %s", s->host[draw_host(s, p)].address);
    world_count("told to transfer leadership");
    strike(s, &what);
}

static void fault_change(struct sim *s, struct prng *p)
{
    struct strike what = {.kind = STRIKE_ASK};
    if (churn_draw(s, p, &what.host, what.line, sizeof what.line))
        strike(s, &what);
}

/* --- when they come --- */

/* A new leader is cut off or killed a moment after its election; who was cut off before comes back. */
static void fault_leader_falls(struct world *w, void *ctx, uint64_t slot, uint64_t life)
{
    struct sim *s = ctx;
    struct prng *p = &s->faults->stream[FAULT_LEADER_FALLS];
    (void)w;
    if (s->is_calm || s->host[slot].life != life || !s->host[slot].node)
        return;
    heal(s);
    if (prng_chance(p, 400000)) {
        world_count("new leader killed");
        take_down(s, STRIKE_KILL, (uint32_t)slot, 200000 + draw_exponential(p, 600000));
        return;
    }
    world_count("new leader isolated");
    bool keeps_one = prng_chance(p, 500000);
    uint64_t friend = (slot + 1 + prng_below(p, s->plan.host_count - 1)) % s->plan.host_count;
    cut(s, links_between(s, 1u << slot, false) & ~(keeps_one ? both_ways(slot, friend) : 0));
}

void faults_new_leader(struct sim *s, uint32_t slot)
{
    if (s->faults && s->plan.leader_isolation_us && !s->is_calm)
        world_at_first(&s->world, draw_exponential(&s->faults->stream[FAULT_LEADER_FALLS], s->plan.leader_isolation_us), fault_leader_falls, s, slot,
                       s->host[slot].life);
}

/* Nodes that went down by themselves (power failed inside a disk call, or an allowed fatal) come back. */
static void faults_restart(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct sim *s = ctx;
    (void)a;
    (void)b;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (!s->host[i].node)
            world_at_first(w, draw_exponential(&s->faults->stream[FAULT_RESTART], 500000), faults_start_later, s, i, 0);
    }
    if (!s->is_calm)
        world_at_first(w, 1000000, faults_restart, s, 0, 0);
}

static const struct {
    void (*fn)(struct sim *s, struct prng *p);
    size_t mean_offset;
} faults[FAULT_PERIODIC] = {
    [FAULT_PARTITION] = {fault_partition, offsetof(struct sim_plan, partition_every_us)},
    [FAULT_CRASH] = {fault_crash, offsetof(struct sim_plan, crash_every_us)},
    [FAULT_POWER] = {fault_power, offsetof(struct sim_plan, power_every_us)},
    [FAULT_PAUSE] = {fault_pause, offsetof(struct sim_plan, pause_every_us)},
    [FAULT_SLOW] = {fault_slow, offsetof(struct sim_plan, slow_every_us)},
    [FAULT_ALL_DOWN] = {fault_all_down, offsetof(struct sim_plan, all_down_every_us)},
    [FAULT_CLOCK] = {fault_clock, offsetof(struct sim_plan, clock_jump_every_us)},
    [FAULT_DISK_FULL] = {fault_disk_full, offsetof(struct sim_plan, disk_full_every_us)},
    [FAULT_DISK_STALL] = {fault_disk_stall, offsetof(struct sim_plan, disk_stall_every_us)},
    [FAULT_SYNC_ERROR] = {fault_sync_error, offsetof(struct sim_plan, sync_error_every_us)},
    [FAULT_ROT] = {fault_rot, offsetof(struct sim_plan, rot_every_us)},
    [FAULT_RECEIVED_ROT] = {fault_received_rot, offsetof(struct sim_plan, received_rot_every_us)},
    [FAULT_DISK_ERROR] = {fault_disk_error, offsetof(struct sim_plan, disk_error_every_us)},
    [FAULT_ABORT] = {fault_abort, offsetof(struct sim_plan, abort_every_us)},
    [FAULT_TRANSFER] = {fault_transfer, offsetof(struct sim_plan, transfer_every_us)},
    [FAULT_MEMORY] = {fault_memory, offsetof(struct sim_plan, memory_out_every_us)},
    [FAULT_CHANGE] = {fault_change, offsetof(struct sim_plan, change_every_us)},
};

static uint64_t fault_mean(const struct sim *s, size_t i)
{
    uint64_t mean;
    memcpy(&mean, (const char *)&s->plan + faults[i].mean_offset, sizeof mean);
    return mean;
}

static void fault_comes(struct world *w, void *ctx, uint64_t i, uint64_t b)
{
    struct sim *s = ctx;
    struct prng *p = &s->faults->stream[i];
    (void)b;
    if (s->is_calm)
        return;
    faults[i].fn(s, p);
    world_at_first(w, draw_exponential(p, fault_mean(s, i)), fault_comes, s, i, 0);
}

void faults_start(struct sim *s)
{
    s->faults = mem_alloc_zero(sizeof *s->faults);
    for (size_t i = 0; i < FAULT_CLASSES; i++)
        prng_seed(&s->faults->stream[i], s->seed ^ (0x6661756c74 + ((uint64_t)i << 40)));
    for (size_t i = 0; i < FAULT_PERIODIC; i++) {
        if (fault_mean(s, i))
            world_at_first(&s->world, 500000 + draw_exponential(&s->faults->stream[i], fault_mean(s, i)), fault_comes, s, i, 0);
    }
    world_at_first(&s->world, 1000000, faults_restart, s, 0, 0);
    trouble_start(s);
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
        h->slow_us = 0;
        if (!h->node)
            host_start(h);
    }
}

void faults_free(struct sim *s)
{
    mem_free(s->faults);
    s->faults = NULL;
}
