#include "sim.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/checksum.h"
#include "keyspace/keyspace_internal.h"
#include "cells.h"
#include "ghost_disk.h"
#include "ghost_sessions.h"
#include "keyspace/keyspace_running.h"
#include "node/peer_message.h"
#include "node/proposal.h"
#include "oracle.h"

/* The ghost: what a being that sees all nodes at once knows, and the invariants of the checklist (§3.4) that it checks after
 * every event. It reads nodes' states and the bytes that reach their disks; it never asks the code under test whether it is right. */

struct ghost_entry {
    raft_term term;
    uint32_t crc;
};

struct ghost_log {
    struct ghost_entry *entry; /* [i] is index i + 1 */
    uint64_t last;
    uint64_t capacity;
};

struct ghost_pair { /* log matching: what stood before this entry wherever it appeared first */
    raft_index index;
    raft_term term;
    uint32_t crc;
    raft_term previous_term;
    uint32_t previous_crc;
    uint32_t payload_size;
    uint8_t *payload;             /* of a command or a configuration: kept for the oracle; NULL else */
    bool is_conf;
    int64_t time_ms;
};

struct ghost_host {
    struct ghost_disk *disk;
    struct ghost_log log;         /* what the node's log holds, as last looked at */
    raft_term seen_term;
    raft_index seen_first;
    raft_index seen_last;
    raft_term seen_last_term;
    enum raft_role seen_role;
    raft_index seen_commit;
    raft_index seen_applied;
    raft_term vote_term;          /* survives restarts */
    raft_id vote;
    uint64_t life;
    raft_id id;                   /* of the data directory that is there; 0: none seen */
};


#define RUNNING_EVERY 4
#define DIGEST_EVERY 256
struct ghost_samples { /* pairs (index, digest), one per stretch of `every` indices; index 0: none yet */
    uint64_t every;
    uint64_t *sample;
    uint64_t capacity;
};

#define LEADERS_MAX 65536
struct ghost {
    struct sim *sim;
    struct ghost_conf *conf;
    struct ghost_host host[SIM_HOSTS];
    struct ghost_log committed;
    raft_term *commit_term;       /* per committed entry: the term in which it was first seen committed */
    uint64_t commit_term_capacity;
    struct ghost_pair *pair;      /* open hash */
    size_t pair_capacity;
    size_t pair_count;
    raft_id leader[LEADERS_MAX];  /* by term */
    uint64_t leader_changes;
    uint64_t changes_under_load;  /* with commands under way */
    struct ghost_sessions sessions;
    struct ghost_samples running;
    struct ghost_samples digest;
    struct oracle *oracle;
    uint32_t committing;          /* slot of the host whose commit is looked at */
};

struct oracle *ghost_oracle(const struct ghost *g) { return g->oracle; }

/* Of the node whose state is nearest to what the entry found: who committed it first may not have applied what was before it. One that
 * has gone further is asked, too, as long as nothing happened to the key, and to those like it, since. */
static raft_index ghost_lookup(void *ctx, struct slice key, raft_index index)
{
    const struct ghost *g = ctx;
    raft_index nearest = 0;
    raft_index found = 0;
    for (uint32_t i = 0; i < g->sim->plan.host_count; i++) {
        struct node *n = g->sim->host[i].node;
        if (!n)
            continue;
        struct keyspace_view view = {.keyspace = node_keyspace(n)};
        raft_index at = keyspace_index(view.keyspace);
        raft_index change = keyspace_last_change(&view, key);
        if (at >= index && (change & ~KEYSPACE_ABSENT) < index)
            return change;
        if (at < index && at >= nearest) {
            nearest = at;
            found = change;
        }
    }
    return found;
}

/* By the seed of the node that applied most: one with a new disk has a seed of its own until the cluster takes it in. */
static uint16_t ghost_class_of(void *ctx, struct slice key)
{
    const struct ghost *g = ctx;
    struct keyspace *newest = NULL;
    for (uint32_t i = 0; i < g->sim->plan.host_count; i++) {
        struct node *n = g->sim->host[i].node;
        if (n && (!newest || keyspace_index(node_keyspace(n)) > keyspace_index(newest)))
            newest = node_keyspace(n);
    }
    return newest ? (uint16_t)keyspace_creation_slot(siphash64_fast(keyspace_seed(newest), key.p, key.n)) : 0;
}

struct ghost *ghost_new(struct sim *s)
{
    struct ghost *g = mem_alloc_zero(sizeof *g);
    g->sim = s;
    g->conf = ghost_conf_new(s);
    g->pair_capacity = 4096;
    g->pair = mem_alloc_zero(g->pair_capacity * sizeof *g->pair);
    g->running.every = RUNNING_EVERY;
    g->digest.every = DIGEST_EVERY;
    g->oracle = oracle_new(&s->world, s->table);
    oracle_set_lookup(g->oracle, ghost_lookup, ghost_class_of, g);
    for (size_t i = 0; i < SIM_HOSTS; i++)
        g->host[i].disk = ghost_disk_new();
    return g;
}

static void ghost_free_payloads(struct ghost *g)
{
    for (size_t i = 0; i < g->pair_capacity; i++)
        mem_free(g->pair[i].payload);
}

void ghost_free(struct ghost *g)
{
    for (size_t i = 0; i < SIM_HOSTS; i++) {
        mem_free(g->host[i].log.entry);
        ghost_disk_free(g->host[i].disk);
    }
    ghost_conf_free(g->conf);
    mem_free(g->committed.entry);
    mem_free(g->commit_term);
    ghost_free_payloads(g);
    mem_free(g->pair);
    oracle_free(g->oracle);
    mem_free(g->running.sample);
    mem_free(g->digest.sample);
    mem_free(g);
}

uint64_t ghost_leader_changes(const struct ghost *g) { return g->leader_changes; }
uint64_t ghost_changes_under_load(const struct ghost *g) { return g->changes_under_load; }

static void ghost_log_set(struct ghost_log *log, raft_index index, struct ghost_entry entry)
{
    if (index > log->capacity) {
        log->capacity = log->capacity * 2 > index ? log->capacity * 2 : index + 256;
        log->entry = mem_realloc_array(log->entry, log->capacity, sizeof *log->entry);
    }
    log->entry[index - 1] = entry;
    if (log->last < index)
        log->last = index;
}

/* --- I3, log matching --- */

static struct ghost_pair *ghost_pair_slot(struct ghost *g, raft_index index, raft_term term)
{
    size_t i = (size_t)((index * 0x9e3779b97f4a7c15u) ^ (term * 0xc2b2ae3d27d4eb4fu)) & (g->pair_capacity - 1);
    while (g->pair[i].index && (g->pair[i].index != index || g->pair[i].term != term))
        i = (i + 1) & (g->pair_capacity - 1);
    return &g->pair[i];
}

static void ghost_pair_grow(struct ghost *g)
{
    struct ghost_pair *old = g->pair;
    size_t count = g->pair_capacity;
    g->pair_capacity *= 2;
    g->pair = mem_alloc_zero(g->pair_capacity * sizeof *g->pair);
    for (size_t i = 0; i < count; i++) {
        if (old[i].index)
            *ghost_pair_slot(g, old[i].index, old[i].term) = old[i];
    }
    mem_free(old);
}

static void ghost_keep_payload(struct ghost_pair *p, const struct raft_entry *e)
{
    p->time_ms = e->time_ms;
    if (e->type == RAFT_ENTRY_NOOP || e->payload.n == 0)
        return;
    p->is_conf = e->type == RAFT_ENTRY_CONF;
    p->payload_size = (uint32_t)e->payload.n;
    p->payload = mem_alloc(e->payload.n);
    memcpy(p->payload, e->payload.p, e->payload.n);
}

static void ghost_check_pair(struct ghost *g, uint32_t slot, raft_index index, const struct ghost_log *log, const struct raft_entry *entry)
{
    struct ghost_entry e = log->entry[index - 1];
    struct ghost_entry before = index > 1 ? log->entry[index - 2] : (struct ghost_entry){0, 0};
    struct ghost_pair *p = ghost_pair_slot(g, index, e.term);
    if (!p->index) {
        *p = (struct ghost_pair){.index = index, .term = e.term, .crc = e.crc, .previous_term = before.term, .previous_crc = before.crc};
        if (entry)
            ghost_keep_payload(p, entry);
        if (++g->pair_count * 2 > g->pair_capacity)
            ghost_pair_grow(g);
    } else if (p->crc != e.crc || p->previous_term != before.term || p->previous_crc != before.crc) {
        world_fail(&g->sim->world, "I3 log matching: node %u holds another entry %llu of term %llu, or another before it", slot,
                   (unsigned long long)index, (unsigned long long)e.term);
    }
}

/* What a snapshot stands for is what was committed. */
static void ghost_read_snapshot(struct ghost *g, uint32_t slot, const struct raft_status *status)
{
    struct ghost_host *h = &g->host[slot];
    for (raft_index i = h->seen_first > 0 ? h->seen_first : 1; i < status->first_index && i <= g->committed.last; i++) {
        struct ghost_entry e = g->committed.entry[i - 1];
        bool is_known = i <= h->log.last && h->log.entry[i - 1].term == e.term && h->log.entry[i - 1].crc == e.crc;
        if (is_known)
            continue;
        ghost_log_set(&h->log, i, e);
        ghost_conf_skipped(g->conf, slot, i, e.crc);
    }
    h->seen_first = status->first_index;
}

/* A node that was killed before it had written what it took in has, after its start, what it had before: also where its memory doesn't
 * reach. There the term says which entry it is (I3: all that were ever seen are known by index and term). */
static void ghost_read_below_memory(struct ghost *g, uint32_t slot, const struct raft *r, raft_index from, raft_index first)
{
    struct ghost_log *log = &g->host[slot].log;
    const raft_index known = log->last; /* what stands behind it is left over from before */
    for (raft_index i = from; i >= first && i > 0; i--) {
        const struct ghost_pair *p = ghost_pair_slot(g, i, raft_get_term(r, i));
        bool is_known = i <= known && log->entry[i - 1].term == p->term && log->entry[i - 1].crc == p->crc;
        if (is_known || !p->index)
            return;
        ghost_log_set(log, i, (struct ghost_entry){p->term, p->crc});
    }
}

/* Brings the ghost's copy of a node's log up to date; walks back only as far as something differs. */
static void ghost_read_log(struct ghost *g, uint32_t slot, const struct raft *r, const struct raft_status *status)
{
    struct ghost_host *h = &g->host[slot];
    if (status->first_index > h->seen_first)
        ghost_read_snapshot(g, slot, status);
    if (status->last_index == h->seen_last && status->last_term == h->seen_last_term)
        return;
    raft_index from = status->last_index;
    struct raft_entry e;
    while (from > 0 && raft_get_entry(r, from, &e)) {
        uint32_t crc = get_u32(e.bytes.p + 4);
        if (from <= h->log.last && h->log.entry[from - 1].term == e.term && h->log.entry[from - 1].crc == crc)
            break;
        from--;
    }
    if (from > 0 && !raft_get_entry(r, from, &e))
        ghost_read_below_memory(g, slot, r, from, status->first_index);
    bool is_leader_still = h->seen_role == RAFT_LEADER && status->role == RAFT_LEADER && h->seen_term == status->term;
    if (is_leader_still && from < h->seen_last)
        world_fail(&g->sim->world, "I2 leader append-only: node %u changed its log from %llu on", slot,
                   (unsigned long long)from + 1);
    for (raft_index i = from + 1; i <= status->last_index; i++) {
        if (!raft_get_entry(r, i, &e))
            continue;
        ghost_log_set(&h->log, i, (struct ghost_entry){e.term, get_u32(e.bytes.p + 4)});
        ghost_conf_saw(g->conf, slot, &e);
    }
    h->log.last = status->last_index;
    for (raft_index i = from + 1; i <= status->last_index; i++)
        /* What stood before the first one isn't here any more; it is known where it is committed (ghost_read_snapshot). */
        if (i > status->first_index || i - 1 <= g->committed.last)
            ghost_check_pair(g, slot, i, &h->log, raft_get_entry(r, i, &e) ? &e : NULL);
    h->seen_last = status->last_index;
    h->seen_last_term = status->last_term;
}

/* --- I1, I4, I7 --- */

static void ghost_check_leader(struct ghost *g, uint32_t slot, const struct raft_status *status)
{
    struct ghost_host *h = &g->host[slot];
    if (status->role != RAFT_LEADER || (h->seen_role == RAFT_LEADER && h->seen_term == status->term))
        return;
    g->leader_changes++;
    if (g->leader_changes > 1 && !sim_clients_are_idle(g->sim))
        g->changes_under_load++;
    raft_id *leader = &g->leader[status->term % LEADERS_MAX];
    if (*leader && *leader != status->id)
        world_fail(&g->sim->world, "I1 election safety: two leaders in term %llu", (unsigned long long)status->term);
    *leader = status->id;
    world_trace(&g->sim->world, "node %u leads term %llu", slot, (unsigned long long)status->term);
    faults_new_leader(g->sim, slot);
    for (raft_index i = g->committed.last; i > 0; i--) {
        if (g->commit_term[i - 1] >= status->term)
            continue;
        bool has_it = i <= h->log.last && h->log.entry[i - 1].term == g->committed.entry[i - 1].term &&
                      h->log.entry[i - 1].crc == g->committed.entry[i - 1].crc;
        if (!has_it)
            world_fail(&g->sim->world, "I4 leader completeness: node %u leads term %llu without committed entry %llu", slot,
                       (unsigned long long)status->term, (unsigned long long)i);
        break; /* log matching covers what is before */
    }
}

static void ghost_check_vote(struct ghost *g, uint32_t slot, const struct raft_status *status)
{
    struct ghost_host *h = &g->host[slot];
    struct raft_hard_state hard = ghost_disk_hard_state(h->disk);
    if (hard.term < h->vote_term)
        world_fail(&g->sim->world, "I7 node %u: its durable term went back to %llu", slot, (unsigned long long)hard.term);
    if (hard.term == h->vote_term && h->vote && hard.vote != h->vote)
        world_fail(&g->sim->world, "I7 node %u voted twice in term %llu", slot, (unsigned long long)hard.term);
    h->vote_term = hard.term;
    h->vote = hard.vote;
    if (status->term < h->seen_term && h->life == g->sim->host[slot].life)
        world_fail(&g->sim->world, "I7 node %u went back to term %llu", slot, (unsigned long long)status->term);
}

/* What a message promises must be on the sender's disk already: a vote, or entries (P1, P3). */
void ghost_check_message(struct ghost *g, uint32_t from, uint32_t to, struct slice bytes)
{
    struct ghost_host *h = &g->host[from];
    struct raft_message m;
    struct raft_status status;
    const struct raft *r = g->sim->host[to].node ? node_raft(g->sim->host[to].node) : NULL;
    if (bytes.n <= PEER_ENVELOPE_BYTES || bytes.p[0] != PEER_RAFT ||
        raft_message_decode(slice_skip(bytes, PEER_ENVELOPE_BYTES), &m, NULL, 0) != ERR_OK)
        return;
    if (m.type == RAFT_VOTE_REPLY && m.u.vote_reply.is_granted && r) {
        struct raft_hard_state hard = ghost_disk_hard_state(h->disk);
        raft_get_status(r, &status);
        if (hard.term == m.term && hard.vote != status.id)
            world_fail(&g->sim->world, "I7 node %u grants a vote in term %llu that its disk doesn't hold", from,
                       (unsigned long long)m.term);
        if (hard.term < m.term)
            world_fail(&g->sim->world, "I7 node %u grants a vote in term %llu, its disk is in term %llu", from,
                       (unsigned long long)m.term, (unsigned long long)hard.term);
    }
    raft_index match = m.type == RAFT_APPEND_ACK && m.u.append_ack.is_success ? m.u.append_ack.match : 0;
    if (match > 0 && match <= h->log.last) {
        struct ghost_entry e = h->log.entry[match - 1];
        if (!ghost_disk_holds(h->disk, match, e.term, e.crc))
            world_fail(&g->sim->world, "I6 node %u acknowledges entry %llu, which its disk doesn't hold", from,
                       (unsigned long long)match);
    }
}

/* --- I5, I6 --- */

/* A quorum of each voter set of `conf` has that entry on disk. */
static bool ghost_is_justified(const struct ghost *g, const struct raft_conf *conf, raft_index index, struct ghost_entry e)
{
    uint32_t voters[2] = {0, 0};
    uint32_t holders[2] = {0, 0};
    for (uint32_t i = 0; i < conf->member_count; i++) {
        bool holds = false;
        for (uint32_t slot = 0; slot < g->sim->plan.host_count; slot++) {
            if (g->host[slot].id == conf->member[i].id)
                holds = ghost_disk_holds(g->host[slot].disk, index, e.term, e.crc);
        }
        for (int set = 0; set < 2; set++) {
            if (conf->member[i].flags & (set ? RAFT_VOTER_NEW : RAFT_VOTER_OLD)) {
                voters[set]++;
                holders[set] += holds;
            }
        }
    }
    return (voters[0] == 0 || holders[0] > voters[0] / 2) && holders[1] > voters[1] / 2;
}

/* Each entry once, when it is first committed anywhere. */
static void ghost_replay(struct ghost *g, raft_index index, raft_term term)
{
    const struct ghost_pair *pair = ghost_pair_slot(g, index, term);
    struct slice payload = {pair->payload, pair->payload_size};
    struct proposal p;
    if (pair->is_conf)
        ghost_sessions_end(&g->sessions, payload);
    bool is_command = pair->payload && !pair->is_conf && proposal_decode(payload, &p) == ERR_OK;
    bool takes_effect = is_command && ghost_sessions_take(&g->sessions, &g->sim->world, &p, index);
    oracle_entry(g->oracle, index, pair->time_ms, takes_effect ? &p : NULL);
}

static void ghost_commit(struct ghost *g, uint32_t slot, raft_index index, const struct raft_status *status,
                         const struct raft_conf *conf, raft_index conf_index)
{
    struct ghost_host *h = &g->host[slot];
    struct world *w = &g->sim->world;
    struct ghost_entry e = h->log.entry[index - 1];
    if (index <= g->committed.last) {
        if (g->committed.entry[index - 1].term != e.term || g->committed.entry[index - 1].crc != e.crc)
            world_fail(w, "I5 state machine safety: node %u commits another entry %llu", slot, (unsigned long long)index);
        return;
    }
    ghost_log_set(&g->committed, index, e);
    ghost_replay(g, index, e.term);
    if (index > g->commit_term_capacity) {
        g->commit_term_capacity = g->commit_term_capacity * 2 + 1024;
        g->commit_term = mem_realloc_array(g->commit_term, g->commit_term_capacity, sizeof *g->commit_term);
    }
    g->commit_term[index - 1] = status->term;
    ghost_conf_committed(g->conf, index, e.crc);
    if (index == status->commit && conf_index <= index && !ghost_is_justified(g, conf, index, e))
        world_fail(w, "I6 node %u commits entry %llu, which no quorum has on disk", slot, (unsigned long long)index);
}

static void ghost_check_commit(struct ghost *g, uint32_t slot, const struct raft *r, const struct raft_status *status)
{
    struct ghost_host *h = &g->host[slot];
    struct world *w = &g->sim->world;
    if (status->commit < h->seen_commit)
        world_fail(w, "I6 node %u: commit went back to %llu", slot, (unsigned long long)status->commit);
    if (status->commit > status->last_index || status->applied > status->commit)
        world_fail(w, "I9 node %u: applied %llu, commit %llu, last %llu", slot, (unsigned long long)status->applied,
                   (unsigned long long)status->commit, (unsigned long long)status->last_index);
    raft_index conf_index;
    const struct raft_conf *conf = raft_get_conf(r, &conf_index);
    g->committing = slot;
    for (raft_index i = h->seen_commit + 1; i <= status->commit && i <= h->log.last; i++)
        ghost_commit(g, slot, i, status, conf, conf_index);
    h->seen_commit = status->commit;
}

/* Both digests of a node's data, at samples: one per stretch of indices, the first index at which any node was seen in it. The running
 * one (a chain of all changes) costs nothing and is looked at often; the full one reads everything. */
static bool ghost_sample(struct ghost_samples *all, raft_index index, uint64_t **sample)
{
    if (index / all->every >= all->capacity) {
        uint64_t capacity = index / all->every * 2 + 64;
        all->sample = mem_realloc_array(all->sample, 2 * capacity, sizeof *all->sample);
        memset(all->sample + 2 * all->capacity, 0, 2 * (capacity - all->capacity) * sizeof *all->sample);
        all->capacity = capacity;
    }
    *sample = &all->sample[index / all->every * 2];
    return !(*sample)[0] || (*sample)[0] == index;
}

static void ghost_compare(struct ghost *g, uint32_t slot, raft_index index, uint64_t *sample, uint64_t digest)
{
    if (!sample[0]) {
        sample[0] = index;
        sample[1] = digest;
    } else if (sample[1] != digest) {
        world_fail(&g->sim->world, "I5 node %u holds other data at index %llu", slot, (unsigned long long)index);
    }
}

static void ghost_check_digest(struct ghost *g, uint32_t slot)
{
    struct ghost_host *h = &g->host[slot];
    const struct keyspace *k = node_keyspace(g->sim->host[slot].node);
    raft_index applied = keyspace_index(k);
    uint64_t *sample;
    if (applied == h->seen_applied)
        return;
    h->seen_applied = applied;
    if (ghost_sample(&g->running, applied, &sample))
        ghost_compare(g, slot, applied, sample, keyspace_running_digest(k));
    if (ghost_sample(&g->digest, applied, &sample))
        ghost_compare(g, slot, applied, sample, keyspace_digest(k));
}

struct vfs *ghost_watch_disk(struct ghost *g, uint32_t slot, struct vfs *inner)
{
    return ghost_disk_watch(g->host[slot].disk, inner);
}

/* The only member of a cluster lost its disk: that cluster never was. */
static void ghost_forget(struct ghost *g)
{
    ghost_free_payloads(g);
    memset(g->pair, 0, g->pair_capacity * sizeof *g->pair);
    oracle_forget(g->oracle);
    g->pair_count = 0;
    g->running.capacity = g->digest.capacity = 0;
    g->committed.last = 0;
    g->sessions.count = 0;
    memset(g->leader, 0, sizeof g->leader);
    ghost_conf_forget(g->conf);
}

void ghost_host_stopped(struct ghost *g, uint32_t slot, bool lost_power, bool lost_disk)
{
    bool is_last_member = lost_disk && (!g->sim->churn || ghost_is_member(g, slot));
    for (uint32_t i = 0; i < g->sim->plan.host_count; i++) {
        struct node_status status;
        if (i == slot || !g->sim->host[i].node)
            continue;
        node_get_status(g->sim->host[i].node, &status);
        is_last_member = is_last_member && status.is_blank;
    }
    if (is_last_member)
        ghost_forget(g);
    if (lost_disk) {
        ghost_disk_wipe(g->host[slot].disk);
        g->host[slot].log.last = 0;
        g->host[slot].vote_term = 0;
        g->host[slot].vote = 0;
        g->host[slot].id = 0;
        ghost_conf_wiped(g->conf, slot);
    }
    if (lost_power)
        ghost_disk_power_loss(g->host[slot].disk);
}

void ghost_host_started(struct ghost *g, uint32_t slot)
{
    g->sim->touched |= 1u << slot;
    struct ghost_host *h = &g->host[slot];
    h->life = g->sim->host[slot].life;
    h->seen_commit = 0;
    h->seen_applied = 0;
    h->seen_role = RAFT_FOLLOWER;
    h->seen_term = 0;
    h->seen_first = 0;
    h->seen_last = 0;
    h->seen_last_term = 0;
}

void ghost_host_rots(struct ghost *g, uint32_t slot) { ghost_disk_rot(g->host[slot].disk); }

static uint32_t ghost_crc(void *ctx, raft_index i)
{
    const struct ghost_log *log = ctx;
    return i > 0 && i <= log->last ? log->entry[i - 1].crc : 0;
}

void ghost_check_host(struct ghost *g, uint32_t slot)
{
    struct sim_host *host = &g->sim->host[slot];
    if (!host->node || host->fatal_reason)
        return;
    const struct raft *r = node_raft(host->node);
    if (!r)
        return;
    struct raft_status status;
    raft_get_status(r, &status);
    g->host[slot].id = status.id;
    ghost_read_log(g, slot, r, &status);
    ghost_conf_check(g->conf, slot, r, status.last_index, ghost_crc, &g->host[slot].log);
    ghost_check_vote(g, slot, &status);
    raft_index early = ghost_disk_early_snapshot(g->host[slot].disk);
    if (early != 0)
        world_fail(&g->sim->world, "I6 node %u has a snapshot of entry %llu, its log is not durable that far", slot,
                   (unsigned long long)early);
    ghost_check_leader(g, slot, &status);
    ghost_check_commit(g, slot, r, &status);
    ghost_check_windows(g->sim, slot, &status);
    struct ghost_host *h = &g->host[slot];
    h->seen_term = status.term;
    h->seen_role = status.role;
    ghost_check_digest(g, slot);
    cells_look(g->sim, slot);
}

void ghost_check(struct ghost *g)
{
    for (uint32_t i = 0; i < g->sim->plan.host_count; i++) {
        if (g->sim->touched >> i & 1)
            ghost_check_host(g, i);
    }
    g->sim->touched = 0;
}

void ghost_finish(struct ghost *g)
{
    struct world *w = &g->sim->world;
    oracle_finish(g->oracle);
    uint64_t digest = 0;
    raft_index applied = 0;
    for (uint32_t i = 0; i < g->sim->plan.host_count; i++) {
        struct node *n = g->sim->host[i].node;
        if (!n || (g->sim->churn && !ghost_is_member(g, i)))
            continue;
        struct node_status status;
        node_get_status(n, &status);
        uint64_t own = keyspace_digest(node_keyspace(n));
        if (applied == 0) {
            applied = status.applied;
            digest = own;
        } else if (status.applied != applied || own != digest) {
            world_fail(w, "L4 at the end node %u is at %llu with digest %llx, node 0 at %llu with %llx", i,
                       (unsigned long long)status.applied, (unsigned long long)own, (unsigned long long)applied,
                       (unsigned long long)digest);
        }
    }
}

/* --- membership, as committed --- */

bool ghost_is_committed(const struct ghost *g, uint32_t slot, raft_index index)
{
    raft_term term = raft_get_term(node_raft(g->sim->host[slot].node), index);
    return index <= g->committed.last && (index == 0 || term == 0 || term == g->committed.entry[index - 1].term);
}

raft_id ghost_member_id(const struct ghost *g, uint32_t slot)
{
    const struct raft_conf *conf = ghost_conf_now(g->conf);
    return conf && g->host[slot].id && raft_conf_find(conf, g->host[slot].id) ? g->host[slot].id : 0;
}

bool ghost_is_member(const struct ghost *g, uint32_t slot) { return ghost_member_id(g, slot) != 0; }

bool ghost_is_joint(const struct ghost *g)
{
    const struct raft_conf *conf = ghost_conf_now(g->conf);
    return conf && conf->is_joint;
}

bool ghost_was_voter(const struct ghost *g, uint32_t slot, uint64_t since_us)
{
    return ghost_conf_voter_until(g->conf, slot) >= since_us;
}

bool ghost_was_absent(const struct ghost *g, raft_id id, uint64_t since_us)
{
    return id == 0 || ghost_conf_absent_until(g->conf, id) >= since_us;
}

bool ghost_has_left(const struct ghost *g, uint32_t slot)
{
    raft_id id = g->host[slot].id;
    return id != 0 && ghost_conf_now(g->conf) && ghost_conf_left(g->conf, id);
}
