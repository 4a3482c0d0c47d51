#include "sim.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The swarm: each seed switches each class of fault on or off and draws its rates. A profile then changes some of what was drawn. */

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

static void draw_faults(struct sim_plan *plan, struct prng *p)
{
    plan->drop = draw_rate(p, 100000);
    plan->duplicate = draw_rate(p, 200000);
    plan->reorder = draw_rate(p, 200000);
    plan->reset = draw_rate(p, 5000);
    plan->partition_every_us = draw_mean(p, 500000, 8000000);
    plan->crash_every_us = draw_mean(p, 500000, 8000000);
    plan->power_every_us = draw_mean(p, 500000, 8000000);
    plan->pause_every_us = draw_mean(p, 500000, 8000000);
    plan->slow_every_us = draw_mean(p, 500000, 8000000);
    plan->all_down_every_us = draw_mean(p, 4000000, 20000000);
    plan->clock_jump_every_us = draw_mean(p, 1000000, 10000000);
    plan->disk_full_every_us = draw_mean(p, 2000000, 10000000);
    plan->disk_stall_every_us = draw_mean(p, 1000000, 8000000);
    plan->sync_error_every_us = draw_mean(p, 2000000, 10000000);
    plan->rot_every_us = plan->host_count >= 3 ? draw_mean(p, 3000000, 12000000) : 0;
    plan->has_crash_in_write = prng_below(p, 2);
    plan->disk_error_every_us = draw_mean(p, 3000000, 12000000);
    plan->abort_every_us = draw_mean(p, 1000000, 8000000);
    plan->transfer_every_us = draw_mean(p, 1000000, 8000000);
    plan->cut_shapes = 1 + (uint32_t)prng_below(p, (1u << CUT_SHAPES) - 1);
}

static void draw_load(struct sim_plan *plan, struct prng *p)
{
    static const uint32_t sizes[] = {1, 2, 3, 3, 3, 3, 4, 5, 5, 7};
    memset(plan, 0, sizeof *plan);
    plan->host_count = sizes[prng_below(p, sizeof sizes / sizeof sizes[0])];
    plan->client_count = 1 + (uint32_t)prng_below(p, 8);
    plan->duration_us = 52000000; /* and eight for liveness */
    plan->key_count = 1 + (uint32_t)prng_below(p, 6);
    plan->think_us = 2000 + prng_below(p, 60000);
    plan->latency_us = 100 + prng_below(p, prng_below(p, 4) ? 2000 : 20000);
    plan->disk_us = 50 + prng_below(p, prng_below(p, 4) ? 500 : 20000);
    plan->sector_bytes = prng_below(p, 4) ? 512 : 4096;
    plan->segment_bytes = prng_below(p, 4) ? 65536 : 262144;
    plan->log_memory_bytes = prng_below(p, 2) ? 65536 : 1048576;
    plan->append_bytes = prng_below(p, 3) ? 258048 : 1 + prng_below(p, 1000);
    plan->read_level_mix = 1 + (uint32_t)prng_below(p, 7);
    plan->has_expiry = prng_below(p, 2);
    plan->has_big_values = prng_below(p, 4) == 0;
    plan->has_transactions = prng_below(p, 2);
    bool has_leases = plan->read_level_mix & 2;
    plan->clock_rate_ppm = prng_below(p, 2) ? 100 : has_leases ? 10000 : 100000; /* nobody else relies on clocks that agree */
}

/* --- profiles --- */

/* Nothing goes wrong. */
static void profile_calm(struct sim_plan *plan, struct prng *p)
{
    struct sim_plan none = {0};
    (void)p;
    /* Everything from the first rate to the last is a fault. */
    memcpy((char *)plan + offsetof(struct sim_plan, drop), (char *)&none + offsetof(struct sim_plan, drop),
           offsetof(struct sim_plan, append_bytes) - offsetof(struct sim_plan, drop));
    plan->has_crash_in_write = false;
}

/* The load of the figures: five nodes, some 150 operations a second, heartbeats as they are set. */
static void profile_bench(struct sim_plan *plan, struct prng *p)
{
    profile_calm(plan, p);
    plan->host_count = 5;
    plan->client_count = 6;
    plan->key_count = 6;
    plan->think_us = 40000;
    plan->latency_us = 500;
    plan->disk_us = 300;
    plan->sector_bytes = 512;
    plan->segment_bytes = 65536;
    plan->append_bytes = 258048;
    plan->has_big_values = false;
}

/* One kind of fault alone. */
static void profile_single(struct sim_plan *plan, struct prng *p)
{
    struct sim_plan drawn = *plan;
    profile_calm(plan, p);
    plan->cut_shapes = (1u << CUT_SHAPES) - 1;
    switch (prng_below(p, 15)) {
    case 0: plan->drop = 20000 + (uint32_t)prng_below(p, 100000); break;
    case 1: plan->duplicate = 200000; break;
    case 2: plan->reorder = 200000; break;
    case 3: plan->reset = 5000; break;
    case 4: plan->partition_every_us = 1000000; break;
    case 5: plan->crash_every_us = 1000000; break;
    case 6: plan->power_every_us = 1000000; break;
    case 7: plan->pause_every_us = 800000; break;
    case 8: plan->all_down_every_us = 4000000; break;
    case 9: plan->clock_jump_every_us = 1000000; break;
    case 10: plan->disk_full_every_us = 2000000; break;
    case 11: plan->disk_stall_every_us = 1000000; break;
    case 12: plan->sync_error_every_us = 2000000; break;
    case 13: plan->slow_every_us = 800000; break;
    default: plan->abort_every_us = 800000; break;
    }
    plan->has_crash_in_write = drawn.has_crash_in_write;
}

static void profile_storm(struct sim_plan *plan, struct prng *p)
{
    plan->crash_every_us = 300000 + prng_below(p, 1000000);
    plan->partition_every_us = 300000 + prng_below(p, 1000000);
}

/* Figure 3.7: leaders that lose their followers a moment after they were elected, one entry an append. */
static void profile_fig8(struct sim_plan *plan, struct prng *p)
{
    plan->host_count = prng_below(p, 2) ? 3 : 5;
    plan->append_bytes = 1;
    plan->leader_isolation_us = 1 + prng_below(p, 30000);
    plan->disk_us = 50 + prng_below(p, 3000);
    plan->partition_every_us = plan->transfer_every_us = plan->abort_every_us = plan->disk_error_every_us = 0;
    plan->disk_full_every_us = plan->rot_every_us = plan->sync_error_every_us = 0;
    plan->crash_every_us = plan->power_every_us = plan->pause_every_us = 0;
}

/* The leader alone on its island again and again, asked meanwhile. */
static void profile_island(struct sim_plan *plan, struct prng *p)
{
    plan->host_count = prng_below(p, 2) ? 3 : 5;
    plan->partition_every_us = 1200000 + prng_below(p, 2000000);
    plan->cut_shapes = 1u << CUT_LEADER;
    plan->transfer_every_us = 2000000;
}

static void profile_shape(struct sim_plan *plan, struct prng *p, uint32_t shapes)
{
    if (plan->host_count < 3)
        plan->host_count = 3 + 2 * (uint32_t)prng_below(p, 2);
    plan->partition_every_us = 800000 + prng_below(p, 1500000);
    plan->cut_shapes = shapes;
}

static void profile_bridge(struct sim_plan *plan, struct prng *p)
{
    profile_shape(plan, p, 1u << CUT_BRIDGE | 1u << CUT_RING | 1u << CUT_LINK);
    plan->host_count = 5;
}

static void profile_swizzle(struct sim_plan *plan, struct prng *p) { profile_shape(plan, p, 1u << CUT_SWIZZLE | 1u << CUT_FLAP); }

/* Kills of everything, one after the other and all at once, with leadership handed on in between. */
static void profile_mystery(struct sim_plan *plan, struct prng *p)
{
    plan->host_count = 3 + 2 * (uint32_t)prng_below(p, 2);
    plan->all_down_every_us = 2000000 + prng_below(p, 2000000);
    plan->crash_every_us = 500000 + prng_below(p, 1000000);
    plan->transfer_every_us = 1000000;
}

static void profile_power(struct sim_plan *plan, struct prng *p)
{
    plan->all_down_every_us = 1000000 + prng_below(p, 2000000);
    plan->power_every_us = 500000 + prng_below(p, 1000000);
    plan->has_crash_in_write = true;
}

/* Every membership command there is (churn.c), with nodes to spare. */
static void profile_churn(struct sim_plan *plan, struct prng *p)
{
    uint32_t founders = 1 + (uint32_t)prng_below(p, 4);
    plan->spare_count = 1 + (uint32_t)prng_below(p, SIM_HOSTS - founders);
    plan->host_count = founders + plan->spare_count;
    plan->change_every_us = 100000 + prng_below(p, 1000000);
    plan->rot_every_us = plan->all_down_every_us = plan->transfer_every_us = 0;
    plan->disk_error_every_us = plan->abort_every_us = 0;
    plan->cut_shapes = 1u << CUT_ONE | 1u << CUT_SIDES | 1u << CUT_ONE_WAY | 1u << CUT_LINK;
    plan->client_count = 1 + (uint32_t)prng_below(p, 3);
}

/* Snapshots all the time, and hardly anything kept behind them: who was away for a moment needs one. */
static void profile_compact(struct sim_plan *plan, struct prng *p)
{
    plan->snapshot_log_bytes = (uint64_t)1 << (prng_below(p, 4) ? 11 + prng_below(p, 6) : 9 + prng_below(p, 2));
    plan->think_us += 15000; /* each snapshot is written whole: what is measured here is their number, not the data */
    plan->retention_entries = 1 + (uint32_t)prng_below(p, 8);
    plan->segment_bytes = (uint64_t)4096 << prng_below(p, 5);
    plan->log_memory_bytes = 65536;
    plan->received_rot_every_us = prng_below(p, 2) ? 50000 + prng_below(p, 500000) : 0;
    plan->rot_every_us = 0; /* a node whose snapshot is damaged stops for good: an operator's work, not simulated yet */
    if (plan->crash_every_us == 0)
        plan->crash_every_us = 500000 + prng_below(p, 3000000);
}

/* Everything at once that is a dimension of the matrix (cells.c): members come and go while they take and send snapshots, leadership
 * is given away, and disks fail. */
static void profile_cells(struct sim_plan *plan, struct prng *p)
{
    profile_churn(plan, p);
    profile_compact(plan, p);
    plan->spare_count = 2 + (uint32_t)prng_below(p, 2);
    plan->host_count = plan->spare_count + 3 + (uint32_t)prng_below(p, 2);
    /* Big states take several chunks. They are taken more seldom: of what takes longer than until the next one, several at once receive none. */
    plan->has_big_values = prng_below(p, 3) == 0;
    plan->snapshot_log_bytes = (uint64_t)1 << (plan->has_big_values ? 15 + prng_below(p, 2) : 9 + prng_below(p, 5));
    plan->change_every_us = 30000 + prng_below(p, 200000);
    plan->disk_full_every_us = 300000 + prng_below(p, 3000000);
    plan->disk_stall_every_us = 200000 + prng_below(p, 3000000);
    plan->sync_error_every_us = 200000 + prng_below(p, 3000000);
    plan->log_damage_every_us = prng_below(p, 3) == 0 ? 0 : 50000 + prng_below(p, 500000); /* while there is damage there are no changes (churn.c) */
    plan->aim_every_us = 1000 + prng_below(p, 6000);
    plan->aims = (uint32_t)(prng_below(p, 256) | prng_below(p, 256)); /* most of them, seldom all */
    plan->leader_isolation_us = prng_below(p, 3) ? 0 : 100000 + prng_below(p, 2000000);
    plan->latency_us = 500 + prng_below(p, 20000);
    plan->disk_us = 50 + prng_below(p, 20000);
    plan->think_us += 100000;
    plan->client_count = 10; /* a few wait at nodes that are cut off, or were taken in and forgotten; the others make the logs grow */
}

/* One node's disk rots, at every chance (the fault atlas: never another's); where there are snapshots it is the log's files that do. */
static void profile_corruption(struct sim_plan *plan, struct prng *p)
{
    if (prng_below(p, 3) == 0)
        profile_compact(plan, p);
    plan->host_count = 3 + 2 * (uint32_t)prng_below(p, 2);
    plan->rot_every_us = 700000 + prng_below(p, 1500000);
    plan->disk_full_every_us = 0;
}

/* Clients that wait for what others push. */
static void profile_blocking(struct sim_plan *plan, struct prng *p)
{
    plan->has_blocking = true;
    plan->client_count = 3 + (uint32_t)prng_below(p, 6);
    if (prng_below(p, 3) == 0)
        profile_compact(plan, p);
}

/* Clients that are told things: messages, and changes; with snapshots in a third of them. */
static void profile_observers(struct sim_plan *plan, struct prng *p)
{
    plan->has_observers = true;
    plan->has_transactions = true;
    if (prng_below(p, 3) == 0)
        profile_compact(plan, p);
    plan->duplicate = plan->reorder = 0; /* a link is TCP: only Raft's messages are made to bear copies */
}

/* Memory runs out, at any allocation (H4). */
static void profile_memory(struct sim_plan *plan, struct prng *p)
{
    plan->memory_out_every_us = 100000 + prng_below(p, 1500000);
    if (prng_below(p, 3) == 0)
        profile_compact(plan, p);
}

/* Connections as streams of bytes, under whatever faults there are. */
static void profile_stream(struct sim_plan *plan, struct prng *p)
{
    if (prng_below(p, 4) == 0)
        profile_churn(plan, p);
    else if (prng_below(p, 3) == 0)
        profile_compact(plan, p);
    plan->stream_window = (uint64_t)1 << (9 + prng_below(p, 10));
    plan->duplicate = plan->reorder = 0; /* TCP sees to that */
}

static void profile_swarm(struct sim_plan *plan, struct prng *p)
{
    (void)plan;
    (void)p;
}

static const struct {
    const char *name;
    void (*change)(struct sim_plan *plan, struct prng *p);
} profiles[] = {
    {"swarm", profile_swarm},   {"calm", profile_calm},       {"bench", profile_bench},           {"single-fault", profile_single},
    {"storm", profile_storm},   {"fig8", profile_fig8},       {"island", profile_island},         {"bridge", profile_bridge},
    {"swizzle", profile_swizzle}, {"mystery", profile_mystery}, {"power-loss-all", profile_power}, {"corruption", profile_corruption},
    {"churn", profile_churn},   {"compact", profile_compact},   {"stream", profile_stream},
    {"cells", profile_cells},
    {"memory", profile_memory}, {"blocking", profile_blocking},   {"observers", profile_observers},
};

static bool plan_draw(struct sim_plan *plan, struct prng *p, const char *profile)
{
    memset(plan, 0, sizeof *plan);
    draw_load(plan, p);
    draw_faults(plan, p);
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++) {
        if (strcmp(profile, profiles[i].name) == 0) {
            profiles[i].change(plan, p);
            plan->window_bytes = prng_below(p, 4) || strcmp(profile, "bench") == 0 ? 0 : (uint64_t)200 << prng_below(p, 8);
            return true;
        }
    }
    return false;
}

bool plan_of_seed(struct sim_plan *plan, uint64_t seed, const char *profile)
{
    struct prng p;
    prng_seed(&p, seed ^ 0x706c616e);
    return plan_draw(plan, &p, profile);
}

void plan_print_profiles(FILE *out)
{
    for (size_t i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
        fprintf(out, "%s%s", i ? "|" : "", profiles[i].name);
}

/* --- fields by name, for the minimizer --- */

#define FIELD(name) {#name, offsetof(struct sim_plan, name), sizeof((struct sim_plan *)0)->name}
static const struct {
    const char *name;
    size_t offset;
    size_t size;
} fields[] = {
    FIELD(host_count), FIELD(client_count), FIELD(duration_us), FIELD(key_count), FIELD(think_us), FIELD(latency_us), FIELD(drop),
    FIELD(duplicate), FIELD(reorder), FIELD(reset), FIELD(partition_every_us), FIELD(crash_every_us), FIELD(power_every_us),
    FIELD(pause_every_us), FIELD(slow_every_us), FIELD(all_down_every_us), FIELD(clock_jump_every_us), FIELD(disk_full_every_us), FIELD(disk_stall_every_us),
    FIELD(sync_error_every_us), FIELD(rot_every_us), FIELD(received_rot_every_us), FIELD(log_damage_every_us), FIELD(aim_every_us), FIELD(aims), FIELD(disk_error_every_us), FIELD(abort_every_us), FIELD(transfer_every_us), FIELD(memory_out_every_us),
    FIELD(change_every_us), FIELD(spare_count), FIELD(snapshot_log_bytes), FIELD(retention_entries), FIELD(leader_isolation_us), FIELD(append_bytes), FIELD(sector_bytes), FIELD(segment_bytes), FIELD(log_memory_bytes), FIELD(cut_shapes), FIELD(clock_rate_ppm), FIELD(disk_us),
    FIELD(stream_window), FIELD(window_bytes), FIELD(read_level_mix), FIELD(has_expiry), FIELD(has_big_values), FIELD(has_transactions), FIELD(has_blocking), FIELD(has_observers), FIELD(has_crash_in_write),
};
#undef FIELD

bool plan_set(struct sim_plan *plan, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    for (size_t i = 0; equals && i < sizeof fields / sizeof fields[0]; i++) {
        if (strlen(fields[i].name) != (size_t)(equals - assignment) || strncmp(fields[i].name, assignment, (size_t)(equals - assignment)) != 0)
            continue;
        uint64_t wide = strtoull(equals + 1, NULL, 0);
        uint32_t narrow = (uint32_t)wide;
        bool flag = wide != 0;
        memcpy((char *)plan + fields[i].offset, fields[i].size == 8 ? (void *)&wide : fields[i].size == 4 ? (void *)&narrow : (void *)&flag,
               fields[i].size);
        return true;
    }
    return false;
}

void plan_print(const struct sim_plan *plan, FILE *out)
{
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint64_t wide = 0;
        memcpy(&wide, (const char *)plan + fields[i].offset, fields[i].size); /* little-endian or zero */
        if (fields[i].size == 4) {
            uint32_t narrow;
            memcpy(&narrow, (const char *)plan + fields[i].offset, sizeof narrow);
            wide = narrow;
        }
        fprintf(out, "%s=%llu\n", fields[i].name, (unsigned long long)wide);
    }
}
