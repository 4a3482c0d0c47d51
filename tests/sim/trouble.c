#include "trouble.h"

#include "aim.h"
#include "faults.h"
#include "node/node_internal.h"
#include "raft/raft_internal.h"

/* --- the log's end is damaged, at rest ----------------------------------------------------------- */

/* Of one host of a run only (the fault atlas), the same that rots otherwise (faults.c). If it is a member, then only while the
 * configuration (a joint one: each half of it) has three voters or more: what a single one loses is lost. What is damaged is the newest batch, so that the log is SUSPECT:
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
    if (!h->node || h->fatal_reason || !h->node->raft || is_anyone_paused(s))
        return false;
    const struct raft_conf *conf = raft_get_conf(h->node->raft, &index);
    if (!ghost_is_member(s->ghost, h->slot))
        return !raft_conf_find(conf, h->node->identity.node_id);
    uint32_t old_voters = 0;
    uint32_t new_voters = 0;
    for (uint32_t i = 0; i < conf->member_count; i++) {
        old_voters += (conf->member[i].flags & RAFT_VOTER_OLD) != 0;
        new_voters += (conf->member[i].flags & RAFT_VOTER_NEW) != 0;
    }
    return new_voters >= VOTERS_LEAST && (!conf->is_joint || old_voters >= VOTERS_LEAST);
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
    bool has_leader = s->host[slot].node->raft->leader != 0;
    strike_host(s, STRIKE_ROT_END, slot, prng_chance(p, 500000) ? SIM_ROT_FLIP_BIT : SIM_ROT_GARBAGE);
    /* The longer, the more it lags: perhaps it needs a snapshot. Without a leader it may be in time to be elected. */
    uint64_t down_us = prng_chance(p, has_leader ? 500000 : 800000) ? 30000 : 800000;
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
        aim_start(s);
        trouble_watch(&s->world, s, 0, 0);
    }
}
