#include "aim.h"

#include "faults.h"
#include "node/node_internal.h"
#include "raft/raft_internal.h"

/* Nothing is done to a node here that chance could not do to it; only the moment is chosen, by looking at it as no fault could. What two
 * dimensions of the matrix need for long enough to meet is what the moments are: a candidate's vote is durable before its disk stalls, a
 * node that receives a snapshot loses its leader before it has it all, a configuration that nobody else has comes back with its node. */

/* What a node is in the middle of. */
struct sight {
    bool is_leader;
    bool is_campaigning; /* pre-votes and votes */
    bool is_joint;
    bool is_certain;     /* its configuration is committed, whether it knows or not */
    bool is_giving;      /* leadership, away */
    bool is_receiving;
    bool is_taking;
    bool is_tainted;
    bool is_full;
    bool is_stalled;
};

static struct sight look(const struct sim *s, const struct sim_host *h)
{
    raft_index index;
    const struct raft *r = h->node->raft;
    bool is_joint = raft_get_conf(r, &index)->is_joint;
    return (struct sight){
        .is_leader = r->role == RAFT_LEADER,
        .is_campaigning = r->role == RAFT_CANDIDATE || r->role == RAFT_PRE_CANDIDATE,
        .is_joint = is_joint,
        .is_certain = ghost_is_committed(s->ghost, h->slot, index),
        .is_giving = r->transfer_to != 0,
        .is_receiving = h->node->snapshots.receiving.id.index != 0,
        .is_taking = h->node->snapshots.taking.phase != SNAPSHOT_IDLE,
        .is_tainted = election_is_tainted(r),
        .is_full = h->node->disk.is_full,
        .is_stalled = h->disk_stalled_until_us > s->world.now_us,
    };
}

/* Chances in millionths, each time it is looked; and which of them a run has. */
enum aim { AIM_HAND_OVER = 1, AIM_DISK = 2, AIM_CUT = 4, AIM_CUT_CHANGE = 8, AIM_DAMAGED = 16, AIM_SNAPSHOT = 32, AIM_FULL = 64, AIM_ISLAND = 128 };

static struct prng *stream(struct sim *s) { return &s->faults->stream[FAULT_AIM]; }

static bool aims(struct sim *s, enum aim aim, uint32_t millionths)
{
    return (s->plan.aims & aim) != 0 && prng_chance(stream(s), millionths);
}

/* --- what is done ---------------------------------------------------------------------------------- */

static void stall_disk(struct sim *s, uint32_t slot, uint64_t us)
{
    world_count("aimed: a disk stalls");
    strike_host(s, STRIKE_DISK_STALL, slot, (int64_t)us);
}

static void fill_disk(struct sim *s, uint32_t slot, uint64_t us)
{
    world_count("aimed: a disk is full");
    strike_host(s, STRIKE_DISK_ROOM, slot, 0);
    world_at_first(&s->world, us, faults_room_later, s, slot, 0);
}

static uint64_t links_of(const struct sim *s, uint32_t slot)
{
    uint64_t links = 0;
    for (uint32_t i = 0; i < s->plan.host_count; i++)
        links |= i == slot ? 0 : strike_link(slot, i) | strike_link(i, slot);
    return links;
}

static bool is_alone(const struct sim *s, uint32_t slot)
{
    return s->faults->alone == slot && s->faults->alone_until_us > s->world.now_us;
}

static void join_alone(struct sim *s)
{
    if (!is_alone(s, s->faults->alone))
        return;
    s->faults->alone_until_us = s->world.now_us;
    strike(s, &(struct strike){.kind = STRIKE_JOIN, .links = links_of(s, s->faults->alone)});
}

/* The newest leader has thrown away what this node would need of its log. */
static bool needs_snapshot(const struct sim *s, uint32_t slot)
{
    uint32_t leader = sim_leader(s);
    const struct raft *r = s->host[slot].node ? s->host[slot].node->raft : NULL;
    return r && leader != UINT32_MAX && leader != slot && s->host[leader].node->raft->log.first_index > r->commit + 1;
}

#define LAG_US 200000
static void join_later(struct world *w, void *ctx, uint64_t slot, uint64_t lags)
{
    struct sim *s = ctx;
    if (lags > 0 && !s->is_calm && is_alone(s, (uint32_t)slot) && !needs_snapshot(s, (uint32_t)slot)) {
        s->faults->alone_until_us = w->now_us + LAG_US + 1;
        world_at_first(w, LAG_US, join_later, s, slot, lags - 1);
        return;
    }
    strike(s, &(struct strike){.kind = STRIKE_JOIN, .links = links_of(s, (uint32_t)slot)});
}

/* But for the links `spared`, for so long, and up to so many times LAG_US longer. One node at a time: the others are to get on meanwhile.
 * False: another one is. */
static bool cut_off(struct sim *s, uint32_t slot, uint64_t spared, uint64_t us, uint64_t lags)
{
    struct faults *f = s->faults;
    if (f->alone_until_us > s->world.now_us)
        return false;
    f->alone_until_us = s->world.now_us + us + 1;
    f->alone = slot;
    world_count("aimed: a node is cut off");
    strike(s, &(struct strike){.kind = STRIKE_CUT, .links = links_of(s, slot) & ~spared});
    world_at_first(&s->world, us, join_later, s, slot, lags);
    return true;
}

bool aim_cut_off(struct sim *s, uint32_t slot)
{
    return cut_off(s, slot, 0, 650000 + draw_exponential(stream(s), 600000), 0);
}

/* Until the others have agreed on more than their logs keep, if they do; its disk has no room until later. */
static bool cut_off_to_lag(struct sim *s, uint32_t slot, uint64_t spared, bool is_full)
{
    if (!cut_off(s, slot, spared, 1000000 + draw_exponential(stream(s), 300000), 10))
        return false;
    if (is_full || aims(s, AIM_FULL, 400000)) /* keeps it from forgetting what it had */
        fill_disk(s, slot, 2000000 + draw_exponential(stream(s), 1000000));
    return true;
}

static void fail_disk(struct sim *s, uint32_t slot, enum strike_kind how)
{
    world_count("aimed: a disk fails");
    strike_host(s, how, slot, 0);
}

/* And then it fails. */
static void hang_disk(struct sim *s, uint32_t slot)
{
    stall_disk(s, slot, 500000 + draw_exponential(stream(s), 500000));
    fail_disk(s, slot, STRIKE_WRITE_ERROR);
}

static void spoil_disk(struct sim *s, uint32_t slot)
{
    struct prng *p = stream(s);
    switch (prng_below(p, 5)) {
    case 0: stall_disk(s, slot, 300000 + draw_exponential(p, 300000)); break;
    case 1: fill_disk(s, slot, 200000 + draw_exponential(p, 600000)); break;
    case 2: fail_disk(s, slot, STRIKE_SYNC_ERROR); break;
    case 3: fail_disk(s, slot, prng_chance(p, 500000) ? STRIKE_READ_ERROR : STRIKE_WRITE_ERROR); break;
    default: hang_disk(s, slot);
    }
}

static void tell(struct sim *s, uint32_t slot, const char *line)
{
    struct strike what = {.kind = STRIKE_TELL, .host = slot};
    snprintf(what.line, sizeof what.line, "%s", line);
    strike(s, &what);
}

static void ask_for_change(struct sim *s, uint32_t slot)
{
    struct strike what = {.kind = STRIKE_ASK};
    if (!churn_draw(s, stream(s), &what.host, what.line, sizeof what.line))
        return;
    what.host = slot;
    strike(s, &what);
}

/* --- at whom --------------------------------------------------------------------------------------- */

/* A leader on an island, with a stranger at most, leads for an election timeout still. Whatever configuration it is asked for nobody else
 * will ever have: it comes back with it when the others have agreed on other ones, and perhaps thrown their logs away. */
static void aim_island(struct sim *s, uint32_t slot)
{
    uint32_t guest = (uint32_t)prng_below(stream(s), s->plan.host_count);
    bool has_guest = guest != slot && !ghost_is_member(s->ghost, guest);
    if (!cut_off_to_lag(s, slot, has_guest ? strike_link(slot, guest) | strike_link(guest, slot) : 0, false) || !has_guest)
        return;
    struct strike what = {.kind = STRIKE_ASK, .host = slot};
    snprintf(what.line, sizeof what.line, "RAFT ADD LEARNER %s", s->host[guest].address);
    strike(s, &what);
}

/* The less there is of a moment, the likelier. */
static uint32_t hand_over_chance(const struct sight *x)
{
    bool is_final_uncommitted = !x->is_certain && !x->is_joint;
    if (is_final_uncommitted)
        return x->is_tainted ? 200000 : 50000;
    return x->is_tainted ? 30000 : 3000;
}

static void aim_at_leader(struct sim *s, uint32_t slot, const struct sight *x)
{
    bool is_changing = !x->is_certain;
    if (!x->is_giving && aims(s, AIM_HAND_OVER, hand_over_chance(x))) {
        world_count("aimed: a leader is told to hand over");
        tell(s, slot, "RAFT TRANSFER");
    }
    if (is_changing && aims(s, AIM_CUT_CHANGE, x->is_joint ? 10000 : 50000))
        cut_off_to_lag(s, slot, 0, x->is_full);
    if (!is_changing && !x->is_joint && aims(s, AIM_ISLAND, 2000))
        aim_island(s, slot);
    bool is_late = x->is_tainted && x->is_stalled; /* while its disk hangs the others agree without it */
    if (!is_changing && ((is_alone(s, slot) && aims(s, AIM_ISLAND, 30000)) || (is_late && aims(s, AIM_DAMAGED, 60000))))
        ask_for_change(s, slot);
}

/* Its damaged log is good enough to campaign with, and a moment later perhaps like any other. It may win if the leader falls now, and can't lose
 * if it is alone. */
static void aim_to_campaign(struct sim *s, uint32_t slot, const struct sight *x)
{
    uint32_t leader = sim_leader(s);
    bool is_rare = x->is_receiving || x->is_taking || x->is_joint || !x->is_certain;
    bool is_own = is_rare && prng_chance(stream(s), 500000);
    if ((!is_own && leader == UINT32_MAX) || is_alone(s, is_own ? slot : leader))
        return;
    join_alone(s); /* whoever it is has to wait */
    aim_cut_off(s, is_own ? slot : leader);
    if (is_own && x->is_taking)
        stall_disk(s, slot, 600000 + draw_exponential(stream(s), 500000));
}

/* Its log's end is damaged, and hasn't caught up. */
static void aim_at_damaged(struct sim *s, const struct sim_host *h, const struct sight *x)
{
    const struct raft *r = h->node->raft;
    struct prng *p = stream(s);
    /* Who is elected has caught up as soon as its first entry is durable and committed: its disk must stall before, but behind its vote. */
    bool has_voted = r->role == RAFT_CANDIDATE && raft_hard_state_after(r) == 0;
    if (!x->is_stalled && (has_voted || x->is_leader) && aims(s, AIM_DAMAGED, 900000))
        stall_disk(s, h->slot, 400000 + draw_exponential(p, 700000));
    if (x->is_leader && x->is_stalled)
        join_alone(s); /* the others must be a majority: they agree on what its own disk does not hold */
    if (r->role == RAFT_FOLLOWER && election_may_campaign(r) && aims(s, AIM_DAMAGED, 300000))
        aim_to_campaign(s, h->slot, x);
}

/* The one whose log is damaged might be elected in its place. */
static void aim_at_rival(struct sim *s, uint32_t slot)
{
    const struct sim_host *damaged = &s->host[s->seed % s->plan.host_count];
    const struct raft *r = host_is_running(damaged) ? damaged->node->raft : NULL;
    bool is_in_time = r && election_is_tainted(r) && r->role != RAFT_LEADER && election_may_campaign(r) && !is_alone(s, damaged->slot);
    if (!is_in_time || is_alone(s, slot) || !aims(s, AIM_DAMAGED, 20000))
        return;
    join_alone(s);
    aim_cut_off(s, slot);
}

static void aim_at_disk(struct sim *s, uint32_t slot, const struct sight *x)
{
    struct prng *p = stream(s);
    bool is_settled = x->is_certain && !x->is_joint;
    bool is_rare = x->is_receiving || x->is_giving || (x->is_taking && (x->is_campaigning || !is_settled));
    bool is_sound = !x->is_stalled && !x->is_full && !x->is_tainted;
    if (is_rare && is_sound && aims(s, AIM_DISK, x->is_campaigning ? 10000 : is_settled ? 30000 : 60000))
        spoil_disk(s, slot);
    /* Without room a snapshot is given up at the next call, and with a disk that does not answer it is not. */
    if (x->is_full && (x->is_receiving || x->is_taking) && !x->is_stalled && aims(s, AIM_FULL, 300000)) {
        stall_disk(s, slot, 500000 + draw_exponential(p, 500000));
        if (prng_chance(p, 700000))
            aim_cut_off(s, slot);
    }
}

static void aim_at_links(struct sim *s, uint32_t slot, const struct sight *x)
{
    bool is_settled = x->is_certain && !x->is_joint;
    if (x->is_receiving && aims(s, AIM_CUT, is_settled ? 15000 : 150000) && aim_cut_off(s, slot) && aims(s, AIM_DISK, 400000))
        hang_disk(s, slot);
    if (!x->is_receiving && !x->is_leader && !is_settled && aims(s, AIM_CUT_CHANGE, x->is_full ? 150000 : 10000))
        cut_off_to_lag(s, slot, 0, x->is_full);
}

/* An administrator wants a snapshot just now. */
static void aim_snapshot(struct sim *s, uint32_t slot, const struct sight *x)
{
    bool is_rare = x->is_giving || x->is_campaigning || (x->is_leader && (!x->is_certain || x->is_tainted));
    uint32_t chance = x->is_leader && (x->is_tainted || x->is_giving) ? 100000 : 5000;
    if (x->is_taking || x->is_receiving || !is_rare || !aims(s, AIM_SNAPSHOT, chance))
        return;
    world_count("aimed: a node is told to take a snapshot");
    if (!x->is_stalled && prng_chance(stream(s), 200000))
        stall_disk(s, slot, 100000 + draw_exponential(stream(s), 300000));
    tell(s, slot, "RAFT SNAPSHOT");
}

static void aim_at(struct sim *s, struct sim_host *h)
{
    struct sight x = look(s, h);
    if (x.is_tainted)
        aim_at_damaged(s, h, &x);
    else if (x.is_campaigning)
        aim_at_rival(s, h->slot);
    if (x.is_leader)
        aim_at_leader(s, h->slot, &x);
    aim_at_disk(s, h->slot, &x);
    aim_at_links(s, h->slot, &x);
    aim_snapshot(s, h->slot, &x);
}

static void aim_look(struct world *w, void *ctx, uint64_t a, uint64_t b)
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
    world_at_first(w, s->plan.aim_every_us, aim_look, s, 0, 0);
}

void aim_start(struct sim *s) { world_at_first(&s->world, s->plan.aim_every_us, aim_look, s, 0, 0); }
