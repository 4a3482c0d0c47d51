#include "node/verify.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mutant.h"
#include "keyspace/keyspace_running.h"
#include "keyspace/state.h"
#include "node/node_internal.h"

/* Divergence is found, not hoped away (DESIGN §6; checklist S10).
 *
 * Nodes that applied the same entries hold the same state; if a bug, a broken machine or rotten memory makes that untrue, they say so:
 *
 *   running   each change folds into one number (keyspace/digest.c); every VERIFY_EVERY entries each member tells it to all others
 *   full      an entry VERIFY in the log: each member walks its state as of that entry, in slices, while it goes on; RAFT VERIFY asks
 *             for one, and the leader does by itself every `verify-interval` seconds
 *
 * Y1  Compared is what stands at the same index, of the same kind; what only some have is compared when it comes.
 * Y2  A node whose digest is another than the one that a majority of the voters agrees on stops, and says which index and that its
 *     data directory should be put away: it can't know which of its answers were right. A node that agrees with the majority says
 *     who doesn't.
 * Y3  Without a majority that agrees nobody stops: everybody raises an alarm (log, INFO, status).
 * Y4  A full digest is told VERIFY_AGAIN times more: a link may have been down, or lost it, and whoever asked waits for all members
 *     that can be reached. Hearing one twice changes nothing.
 * Y5  Nothing of it is state, but the running digest, which snapshots carry on. */

#ifdef CORACLE_SLOW_CHECKS
#define VERIFY_EVERY 64
#else
#define VERIFY_EVERY 4096
#endif
#define VERIFY_SLICE_US 300
#define VERIFY_STEPS 64
#define VERIFY_AGAIN 4
#define VERIFY_AGAIN_US 250000

static const char *const kind_name[] = {"running digest", "full digest"};

static struct verify_member *verify_member_of(struct node *n, raft_id id)
{
    struct verify *v = &n->verify;
    struct verify_member *vacant = NULL;
    for (uint32_t i = 0; i < LIMIT_MEMBERS + 1; i++) {
        if (v->member[i].id == id)
            return &v->member[i];
        if (!vacant && v->member[i].id == 0)
            vacant = &v->member[i];
    }
    if (vacant)
        *vacant = (struct verify_member){.id = id};
    return vacant;
}

static const struct verify_digest *verify_find(const struct node *n, raft_id id, enum verify_kind kind, raft_index index)
{
    for (uint32_t i = 0; i < LIMIT_MEMBERS + 1; i++) {
        const struct verify_member *m = &n->verify.member[i];
        for (uint32_t k = 0; m->id == id && k < VERIFY_KEPT; k++)
            if (m->kept[kind][k].index == index)
                return &m->kept[kind][k];
    }
    return NULL;
}

/* --- the verdict --- */

struct verify_count {
    uint32_t voters;
    uint32_t told;   /* voters whose digest is known */
    uint32_t most;   /* voters that agree on ... */
    uint64_t digest; /* ... this one */
};

static void verify_count(const struct node *n, enum verify_kind kind, raft_index index, struct verify_count *count)
{
    raft_index conf_index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &conf_index);
    *count = (struct verify_count){.voters = 0};
    for (uint32_t i = 0; i < conf->member_count; i++) {
        const struct verify_digest *d = verify_find(n, conf->member[i].id, kind, index);
        bool is_voter = raft_conf_is_voter(conf, conf->member[i].id);
        count->voters += is_voter;
        if (!d || !is_voter)
            continue;
        count->told++;
        uint32_t equal = 0;
        for (uint32_t k = 0; k < conf->member_count; k++) {
            const struct verify_digest *other = verify_find(n, conf->member[k].id, kind, index);
            equal += other && raft_conf_is_voter(conf, conf->member[k].id) && other->digest == d->digest;
        }
        if (equal > count->most) {
            count->most = equal;
            count->digest = d->digest;
        }
    }
}

static void verify_alarm(struct node *n, enum verify_kind kind, raft_index index)
{
    struct verify *v = &n->verify;
    if (v->has_alarm)
        return;
    COVER("verify: an alarm without a majority");
    v->has_alarm = true;
    v->alarm_index = index;
    snprintf(v->text,
             sizeof v->text,
             "the nodes hold different data since entry %llu or before (%s), and no majority agrees: compare them with RAFT VERIFY "
             "and a backup",
             (unsigned long long)index,
             kind_name[kind]);
    log_line(&n->env.log, LOG_WARNING, "ALARM: %s.", v->text);
}

static void verify_judge(struct node *n, enum verify_kind kind, raft_index index)
{
    struct verify_count count;
    const struct verify_digest *own = verify_find(n, n->identity.node_id, kind, index);
    verify_count(n, kind, index, &count);
    if (!own || count.told == 0)
        return;
    if (count.most > count.voters / 2) {
        if (own->digest != count.digest) {
            COVER("verify: this node differs from the majority");
            node_fatal(n,
                       "This node's data differ from those of the majority at entry %llu (%s %016llx, theirs %016llx): its answers "
                       "can't be trusted. Put its data directory away and let it join anew.",
                       (unsigned long long)index,
                       kind_name[kind],
                       (unsigned long long)own->digest,
                       (unsigned long long)count.digest);
        }
        return;
    }
    if (count.told == count.voters || count.told - count.most > count.voters / 2)
        verify_alarm(n, kind, index);
}

static void verify_note(struct node *n, raft_id id, enum verify_kind kind, raft_index index, uint64_t digest)
{
    struct verify_member *m = verify_member_of(n, id);
    const struct verify_digest *known = verify_find(n, id, kind, index);
    if (!m || (known && known->digest == digest))
        return;
    m->kept[kind][m->count[kind]++ % VERIFY_KEPT] = (struct verify_digest){index, digest};
    const struct verify_digest *own = verify_find(n, n->identity.node_id, kind, index);
    if (!own)
        return;
    n->verify.compared += id != n->identity.node_id;
    if (id != n->identity.node_id && own->digest != digest)
        log_line(&n->env.log,
                 LOG_WARNING,
                 "%s holds other data than this node at entry %llu (%s).",
                 node_member_name(n, id),
                 (unsigned long long)index,
                 kind_name[kind]);
    verify_judge(n, kind, index);
}

/* --- telling and hearing --- */

static void verify_send(struct node *n, enum verify_kind kind, raft_index index, uint64_t digest)
{
    for (uint32_t i = 0; i < n->peers.count; i++) {
        struct peer *p = &n->peers.peer[i];
        if (!p->is_member || !peer_is_up(p, PEER_CONTROL))
            continue;
        struct buf *head = peers_begin(n);
        write_u8(head, (uint8_t)kind);
        write_u64(head, index);
        write_u64(head, digest);
        peers_send(n, p, PEER_CONTROL, PEER_DIGEST);
    }
}

static void verify_tell(struct node *n, enum verify_kind kind, raft_index index, uint64_t digest)
{
    verify_send(n, kind, index, digest);
    verify_note(n, n->identity.node_id, kind, index, digest);
}

/* Y4 */
static uint64_t verify_tell_again(struct node *n)
{
    struct verify *v = &n->verify;
    if (v->again_count == 0 || !v->has_full)
        return NODE_NEVER;
    if (n->now_us >= v->again_us) {
        v->again_count--;
        v->again_us = n->now_us + VERIFY_AGAIN_US;
        verify_send(n, VERIFY_FULL, v->full_index, v->full_digest);
    }
    return v->again_us;
}

void verify_receive(struct node *n, struct peer *p, struct slice body)
{
    struct reader r = reader_of(body);
    uint8_t kind = read_u8(&r);
    raft_index index = read_u64(&r);
    uint64_t digest = read_u64(&r);
    if (!reader_done(&r) || kind >= VERIFY_KINDS || index == 0 || !n->raft || !p->is_member)
        return;
    verify_note(n, p->id, (enum verify_kind)kind, index, digest);
}

void verify_applied(struct node *n, raft_index index)
{
    if (index % VERIFY_EVERY == 0)
        verify_tell(n, VERIFY_RUNNING, index, keyspace_running_digest(n->keyspace));
}

/* --- full digests --- */

void verify_stop(struct node *n)
{
    state_walk_free(n->verify.walk);
    n->verify.walk = NULL;
}

void verify_deinit(struct node *n)
{
    verify_stop(n);
}

void verify_begin(struct node *n, raft_index index)
{
    struct verify *v = &n->verify;
    verify_stop(n); /* An older one that isn't done: everybody goes on with this one. */
    v->walk = state_walk_new(n->keyspace, STATE_DIGEST);
    ASSERT(state_walk_index(v->walk) == index);
    v->full_index = index;
    v->has_full = false;
    v->begun_us = n->now_us;
    v->slice_us = 0;
    v->due_us = 0;
}

void verify_pump(struct node *n)
{
    struct verify *v = &n->verify;
    if (!v->walk || n->now_us < v->slice_us)
        return;
    uint64_t begun_us = n->env.now_us(n->env.ctx);
    uint64_t now_us = begun_us;
    bool has_more = true;
    for (int i = 0; has_more && i < VERIFY_STEPS && now_us - begun_us < VERIFY_SLICE_US; i++) {
        has_more = state_walk_step(v->walk);
        now_us = n->env.now_us(n->env.ctx);
    }
    v->slice_us = now_us + 3 * (now_us - begun_us);
    n->pace.digest_us += now_us - begun_us;
    if (has_more)
        return;
    uint64_t digest = state_walk_digest(v->walk);
    verify_stop(n);
    v->has_full = true;
    v->done_us = n->now_us;
    v->full_digest = digest;
    v->again_count = VERIFY_AGAIN;
    v->again_us = n->now_us + VERIFY_AGAIN_US;
    COVER("verify: a full digest");
    verify_tell(n, VERIFY_FULL, v->full_index, digest);
}

bool verify_propose(struct node *n)
{
    struct proposal p = {.number = PROPOSAL_VERIFY, .version = 1, .member = n->identity.node_id};
    return session_propose(n, &p, NULL, 0);
}

/* The leader asks for one now and then, if anything happened since the last. */
static uint64_t verify_by_itself(struct node *n)
{
    struct verify *v = &n->verify;
    uint64_t interval_us = (uint64_t)n->options->verify_interval * 1000000;
    if (interval_us == 0 || !node_is_leader(n) || !n->raft || n->peers.count == 0) {
        v->due_us = 0;
        return NODE_NEVER;
    }
    if (v->due_us == 0)
        v->due_us = n->now_us + interval_us;
    if (n->now_us >= v->due_us) {
        v->due_us = n->now_us + interval_us;
        if (n->apply.applied > v->full_index)
            verify_propose(n);
    }
    return v->due_us;
}

uint64_t verify_tick(struct node *n)
{
    struct verify *v = &n->verify;
    uint64_t next = earlier_us(verify_by_itself(n), verify_tell_again(n));
    if (v->walk)
        next = earlier_us(next, v->slice_us > n->now_us ? v->slice_us : n->now_us);
    return next;
}

/* --- RAFT VERIFY --- */

bool node_verify(struct node *n)
{
    return n->raft && !snapshot_loading_text(n) && verify_propose(n);
}

const char *node_verify_alarm(const struct node *n)
{
    return n->verify.has_alarm ? n->verify.text : NULL;
}

/* Followers hear the leader; of each other they know what he tells. */
static bool verify_is_reachable(struct node *n, raft_id id)
{
    const struct peer *p = peers_find(n, id);
    return id == n->identity.node_id || (p && (peers_is_heard(n, p) || (!node_is_leader(n) && p->is_reachable)));
}

uint32_t node_get_verify(struct node *n, raft_index after, struct node_verify_member *member, uint32_t capacity, raft_index *index)
{
    struct verify *v = &n->verify;
    raft_index conf_index;
    uint32_t count = 0;
    *index = v->has_full && v->full_index > after ? v->full_index : 0;
    if (!n->raft || *index == 0)
        return 0;
    const struct raft_conf *conf = raft_get_conf(n->raft, &conf_index);
    const struct verify_digest *own = verify_find(n, n->identity.node_id, VERIFY_FULL, *index);
    for (uint32_t i = 0; i < conf->member_count && count < capacity; i++) {
        const struct verify_digest *d = verify_find(n, conf->member[i].id, VERIFY_FULL, *index);
        member[count++] = (struct node_verify_member){
            .id = conf->member[i].id,
            .address = conf->member[i].address,
            .has_answered = d != NULL,
            .is_reachable = verify_is_reachable(n, conf->member[i].id),
            .digest = d ? d->digest : 0,
            .is_equal = d && own && d->digest == own->digest,
        };
    }
    return count;
}
