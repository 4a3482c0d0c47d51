#include "trouble.h"

#include "aim.h"
#include "faults.h"
#include "node/node_internal.h"
#include "raft/raft_internal.h"

/* --- the log's end is damaged, at rest ----------------------------------------------------------- */

/* Of one host of a run only (the fault atlas), the same that rots otherwise (faults.c). If it is a member, then only while all configurations
 * that may come into force have three voters or more: what a single one loses is lost, and behind some damage a node may not vote at all,
 * so that a configuration that needs its vote stands still. It waits a while for an occasion. */
#define VOTERS_LEAST 3
#define WAIT_US 2000
#define WAITS_MOST 1000

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

static uint32_t voters_of(const struct raft_conf *conf, uint32_t flag)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->member_count; i++)
        count += (conf->member[i].flags & flag) != 0;
    return count;
}

bool trouble_has_voters(const struct sim *s, uint32_t least)
{
    bool is_formed = false;
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        const struct raft *r = s->host[i].node ? s->host[i].node->raft : NULL;
        raft_index index;
        is_formed = is_formed || ghost_is_member(s->ghost, i);
        if (!r && ghost_is_member(s->ghost, i))
            return false; /* Who knows what its log holds. */
        const struct raft_conf *conf = r ? raft_get_conf(r, &index) : NULL;
        if (conf && conf->member_count > 0 &&
            (voters_of(conf, RAFT_VOTER_NEW) < least || (conf->is_joint && voters_of(conf, RAFT_VOTER_OLD) < least)))
            return false;
    }
    return is_formed;
}

static bool may_damage(const struct sim *s, const struct sim_host *h)
{
    raft_index index;
    if (!h->node || h->fatal_reason || !h->node->raft || is_anyone_paused(s))
        return false;
    if (!ghost_is_member(s->ghost, h->slot) && !raft_conf_find(raft_get_conf(h->node->raft, &index), h->node->identity.node_id))
        return true;
    return trouble_has_voters(s, VOTERS_LEAST);
}

/* ONCE_VOTED: what is lost is a vote, and no entries: a node may campaign with that damage. ONCE_CHANGING: its configuration is joint, or not
 * committed. */
enum occasion { AT_ONCE, ONCE_VOTED, ONCE_CHANGING, OCCASIONS };

static bool has_voted(const struct raft *r) { return r->leader == 0 && r->role != RAFT_LEADER && r->vote != 0 && raft_hard_state_after(r) == 0; }

static bool is_occasion(const struct sim *s, const struct sim_host *h, enum occasion which)
{
    raft_index index;
    if (!may_damage(s, h))
        return false;
    bool is_joint = raft_get_conf(h->node->raft, &index)->is_joint;
    bool is_changing = is_joint || !ghost_is_committed(s->ghost, h->slot, index);
    return which == AT_ONCE || (which == ONCE_VOTED ? has_voted(h->node->raft) : is_changing);
}

/* Who was voted for won't lead either, so that all begin again with the same logs. */
static void cut_off_candidate(struct sim *s, raft_id id)
{
    for (uint32_t i = 0; i < s->plan.host_count; i++) {
        if (s->host[i].node && s->host[i].node->raft && s->host[i].node->raft->options.id == id)
            aim_cut_off(s, i);
    }
}

static void damage_log(struct sim *s, struct prng *p, uint32_t slot)
{
    const struct raft *r = s->host[slot].node->raft;
    bool is_vote_lost = has_voted(r);
    raft_id candidate = r->role == RAFT_FOLLOWER ? r->vote : 0;
    strike_host(s, STRIKE_ROT_END, slot, prng_chance(p, 500000) ? SIM_ROT_FLIP_BIT : SIM_ROT_GARBAGE);
    if (is_vote_lost && candidate != 0)
        cut_off_candidate(s, candidate);
    /* The longer, the more it lags: perhaps it needs a snapshot. Without a leader it may be in time to be elected. */
    uint64_t down_us = prng_chance(p, is_vote_lost ? 800000 : 500000) ? 30000 : 800000;
    world_at_first(&s->world, draw_exponential(p, down_us), faults_start_later, s, slot, 0);
}

static void trouble_log_damage(struct world *w, void *ctx, uint64_t waits, uint64_t which)
{
    struct sim *s = ctx;
    struct sim_host *h = &s->host[s->seed % s->plan.host_count];
    struct prng *p = &s->faults->stream[FAULT_LOG_DAMAGE];
    if (s->is_calm)
        return;
    if (waits > 0 && !is_occasion(s, h, (enum occasion)which)) {
        world_at_first(w, WAIT_US, trouble_log_damage, s, waits - 1, which);
        return;
    }
    uint64_t after_us = APART_US + draw_exponential(p, s->plan.log_damage_every_us);
    world_at_first(w, after_us, trouble_log_damage, s, WAITS_MOST, prng_below(p, OCCASIONS));
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
        world_at_first(&s->world, draw_exponential(&s->faults->stream[FAULT_LOG_DAMAGE], s->plan.log_damage_every_us), trouble_log_damage, s, 0, AT_ONCE);
    if (s->plan.aim_every_us) {
        aim_start(s);
        trouble_watch(&s->world, s, 0, 0);
    }
}
