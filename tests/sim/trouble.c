#include "trouble.h"

#include "faults.h"
#include "node/node_internal.h"
#include "raft/raft_internal.h"

/* --- the log's end is damaged, at rest ----------------------------------------------------------- */

/* Of one host of a run only (the fault atlas), the same that rots otherwise (faults.c). If it is a member, then only while the
 * configuration has three voters or more: what a single one loses is lost. What is damaged is the newest batch, so that the log is SUSPECT:
 * behind other damage a node may not vote at all, and if the next configuration needs its vote the cluster stands still.
 * It waits a while for an occasion. */
#define VOTERS_LEAST 3
#define WAIT_US 10000
#define WAITS_MOST 100

/* Acknowledgements of what was lost may be under way still, or not read by a node that is paused: the ghost remembers one damage
 * (ghost_disk_rot), so the next one waits for them. */
#define APART_US 1500000

static bool is_anyone_paused(const struct sim *s)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (s->host[i].node && !host_is_running(&s->host[i]))
            return true;
    }
    return false;
}

static bool may_damage(const struct sim *s, const struct sim_host *h)
{
    raft_index index;
    if (!h->node || h->fatal_reason || !h->node->raft || ghost_is_joint(s->ghost) || is_anyone_paused(s))
        return false;
    const struct raft_conf *conf = raft_get_conf(h->node->raft, &index);
    if (!ghost_is_member(s->ghost, h->slot))
        return !raft_conf_find(conf, h->node->identity.node_id);
    uint32_t voters = 0;
    for (uint32_t i = 0; i < conf->member_count; i++)
        voters += conf->member[i].flags == RAFT_VOTER_NEW;
    return !conf->is_joint && voters >= VOTERS_LEAST;
}

/* No leader: behind a batch that holds a term and a vote, but no entries, a node may campaign with the damage. Or its configuration is
 * not committed. */
static bool is_occasion(const struct sim *s, const struct sim_host *h)
{
    raft_index index;
    if (!may_damage(s, h))
        return false;
    (void)raft_get_conf(h->node->raft, &index);
    return h->node->raft->leader == 0 || !ghost_is_committed(s->ghost, h->slot, index);
}

static void damage_log(struct sim *s, struct prng *p, uint32_t slot)
{
    strike_host(s, STRIKE_ROT_END, slot, prng_chance(p, 500000) ? SIM_ROT_FLIP_BIT : SIM_ROT_GARBAGE);
    uint64_t down_us = prng_chance(p, 500000) ? 30000 : 800000; /* the longer, the more it lags: perhaps it needs a snapshot */
    world_at_first(&s->world, draw_exponential(p, down_us), faults_start_later, s, slot, 0);
}

static void trouble_log_damage(struct world *w, void *ctx, uint64_t waits, uint64_t b)
{
    struct sim *s = ctx;
    struct sim_host *h = &s->host[s->seed % s->plan.host_count];
    struct prng *p = &s->faults->stream[FAULT_LOG_DAMAGE];
    (void)b;
    if (s->is_calm)
        return;
    if (waits > 0 && !is_occasion(s, h)) {
        world_at_first(w, WAIT_US, trouble_log_damage, s, waits - 1, 0);
        return;
    }
    waits = prng_chance(p, 700000) ? WAITS_MOST : 0;
    world_at_first(w, APART_US + draw_exponential(p, s->plan.log_damage_every_us), trouble_log_damage, s, waits, 0);
    if (may_damage(s, h))
        damage_log(s, p, h->slot);
}

/* --- a node in the middle of something is cut off, or its disk fails ------------------------------ */

static void cut_off(struct sim *s, uint32_t slot, uint64_t us)
{
    struct strike what = {.kind = STRIKE_CUT};
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        what.links |= i == slot ? 0 : strike_link(slot, i) | strike_link(i, slot);
    world_count("aimed: a node is cut off");
    strike(s, &what);
    world_at_first(&s->world, us, faults_heal_later, s, 0, 0);
}

static void spoil_disk(struct sim *s, struct prng *p, uint32_t slot)
{
    switch (prng_below(p, 3)) {
    case 0:
        world_count("aimed: a disk stalls");
        strike_host(s, STRIKE_DISK_STALL, slot, 300000 + (int64_t)draw_exponential(p, 300000));
        break;
    case 1:
        world_count("aimed: a disk is full");
        strike_host(s, STRIKE_DISK_ROOM, slot, 0);
        world_at_first(&s->world, 200000 + draw_exponential(p, 600000), faults_room_later, s, slot, 0);
        break;
    default:
        world_count("aimed: an fsync fails");
        strike_host(s, STRIKE_SYNC_ERROR, slot, 0);
    }
}

static void tell_to_hand_over(struct sim *s, uint32_t slot)
{
    world_count("aimed: a leader is told to hand over");
    strike(s, &(struct strike){.kind = STRIKE_TELL, .host = slot, .line = "RAFT TRANSFER"});
}

/* Chances in millionths, each time it is looked; and which of them a run has. */
enum aim { AIM_HAND_OVER = 1, AIM_DISK = 2, AIM_CUT = 4, AIM_CUT_FINAL = 8, AIM_DAMAGED = 16 };

static bool aims(struct sim *s, enum aim aim, uint32_t millionths)
{
    return (s->plan.aims & aim) != 0 && prng_chance(&s->faults->stream[FAULT_AIM], millionths);
}

static void aim_at(struct sim *s, struct sim_host *h)
{
    raft_index index;
    struct prng *p = &s->faults->stream[FAULT_AIM];
    const struct raft *r = h->node->raft;
    bool is_joint = raft_get_conf(r, &index)->is_joint;
    bool is_certain = ghost_is_committed(s->ghost, h->slot, index);
    bool is_leader = r->role == RAFT_LEADER;
    bool is_changing = is_leader && !is_certain;
    bool is_damaged = is_leader && election_is_tainted(r);
    bool is_receiving = h->node->snapshots.receiving.id.index != 0;
    /* Its log is as good as the others' already; while its disk stalls it is a leader like any other, and can't know that. */
    if (is_damaged && h->disk_stalled_until_us <= s->world.now_us && aims(s, AIM_DAMAGED, 900000))
        strike_host(s, STRIKE_DISK_STALL, h->slot, 200000 + (int64_t)draw_exponential(p, 700000));
    if (is_leader && aims(s, AIM_HAND_OVER, is_damaged ? 100000 : is_changing ? 20000 : 3000))
        tell_to_hand_over(s, h->slot);
    if ((is_receiving || r->transfer_to != 0) && aims(s, AIM_DISK, is_certain ? 50000 : 300000))
        spoil_disk(s, p, h->slot);
    if ((is_receiving || is_changing) && aims(s, AIM_CUT, is_receiving && !is_certain ? 200000 : 15000))
        cut_off(s, h->slot, 300000 + draw_exponential(p, 700000));
    /* The others agree on another one, and on more: what it comes back with is void, and perhaps gone from their logs. */
    if (is_changing && !is_joint && aims(s, AIM_CUT_FINAL, 100000))
        cut_off(s, h->slot, 1000000 + draw_exponential(p, 1000000));
}

static void trouble_aim(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct sim *s = ctx;
    (void)a;
    (void)b;
    if (s->is_calm)
        return;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        struct sim_host *h = &s->host[i];
        if (host_is_running(h) && h->node->raft && !h->fatal_reason)
            aim_at(s, h);
    }
    world_at_first(w, s->plan.aim_every_us, trouble_aim, s, 0, 0);
}

/* What struck before may be noticed later, when nobody starts nodes again any more (faults.c). */
static void trouble_watch(struct world *w, void *ctx, uint64_t a, uint64_t b)
{
    struct sim *s = ctx;
    (void)a;
    (void)b;
    for (uint32_t i = 0; s->is_calm && i < s->plan.host_count; i++) {
        if (!s->host[i].node)
            strike_host(s, STRIKE_START, i, 0);
    }
    world_at_first(w, 500000, trouble_watch, s, 0, 0);
}

void trouble_start(struct sim *s)
{
    if (s->plan.log_damage_every_us)
        world_at_first(&s->world, draw_exponential(&s->faults->stream[FAULT_LOG_DAMAGE], s->plan.log_damage_every_us), trouble_log_damage, s, 0, 0);
    if (s->plan.aim_every_us) {
        world_at_first(&s->world, s->plan.aim_every_us, trouble_aim, s, 0, 0);
        trouble_watch(&s->world, s, 0, 0);
    }
}
