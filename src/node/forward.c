#include "node/forward.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mutant.h"
#include "keyspace/sessions.h"
#include "keyspace/waiters.h"
#include "node/node_internal.h"

/* The leader's half of the session protocol (DESIGN §2).
 *
 * F1  For every session the leader knows its tail: the highest seq in its own log, counted from the state (`last`) through
 *     the entries not applied yet, by the same rules as apply, and then kept through its own appends. A CANCEL counts for
 *     what it names. A CLOSE ends the session: nothing of it is appended after.
 * F2  A seq is appended only if it is tail + 1. Lower: in the log already. Higher: something before it was lost; the origin is told
 *     the tail and sends from there again. So apply never meets a gap or a second copy of one term's making.
 * F3  A frame names the term it is meant for; frames for another term are dropped: their origin gets this term's tail.
 * F4  A seq that arrived is never just dropped when the leader can't take it: CANCEL with the error goes in its place. */

#define CLOSE_AFTER_US 10000000
#define CLOSE_CHECK_US 1000000

static struct tail *tail_find(struct forward *f, raft_id member)
{
    for (uint32_t i = 0; i < f->tail_count; i++)
        if (f->tail[i].member == member)
            return &f->tail[i];
    return NULL;
}

static struct tail *tail_make(struct node *n, raft_id member)
{
    struct forward *f = &n->forward;
    struct tail *t = tail_find(f, member);
    if (t)
        return t;
    if (f->tail_count == TAIL_MAX)
        return NULL;
    t = &f->tail[f->tail_count++];
    *t = (struct tail){.member = member, .heard_us = n->now_us};
    return t;
}

static uint64_t arg_u64(struct slice arg)
{
    return arg.n == 8 ? get_u64(arg.p) : 0;
}

/* F1: what an entry in the leader's log does to the tails. True when it opened a session anew. */
static bool tail_count_entry(struct node *n, const struct proposal *p)
{
    struct forward *f = &n->forward;
    if (p->member == 0 || p->number == PROPOSAL_WATCH || p->number == PROPOSAL_UNBLOCK)
        return false;
    struct tail *t = p->number == PROPOSAL_OPEN ? tail_make(n, p->member) : tail_find(f, p->member);
    if (!t)
        return false;
    if (p->number == PROPOSAL_OPEN) {
        if (p->session <= t->session)
            return false;
        t->session = p->session;
        t->is_open = true;
        t->is_suspended = false;
        t->seq = 0;
        return true;
    }
    if (p->session != t->session || !t->is_open)
        return false;
    if (p->number == PROPOSAL_SUSPEND || p->number == PROPOSAL_RESUME) {
        t->is_suspended = p->number == PROPOSAL_SUSPEND;
    } else if (p->number == PROPOSAL_CLOSE) {
        t->is_open = false;
    } else if (p->number == PROPOSAL_CANCEL) {
        struct slice arg[3];
        if (p->arg_count == 3 && proposal_args(p, arg) == ERR_OK && arg_u64(arg[0]) <= t->seq + 1 &&
            arg_u64(arg[1]) > t->seq)
            t->seq = arg_u64(arg[1]);
    } else if (p->seq != 0 && p->seq == t->seq + 1) {
        t->seq = p->seq;
    }
    return false;
}

/* F1 for configurations: sessions of members that it leaves out end there. */
static void tails_keep(struct forward *f, const struct raft_conf *conf)
{
    for (uint32_t i = 0; i < f->tail_count;) {
        if (raft_conf_find(conf, f->tail[i].member))
            i++;
        else
            f->tail[i] = f->tail[--f->tail_count];
    }
}

void forward_forget(struct node *n)
{
    raft_index index;
    if (!n->forward.is_ready)
        return;
    tails_keep(&n->forward, raft_get_conf(n->raft, &index));
    if (!tail_find(&n->forward, n->identity.node_id))
        n->session.told_term = 0; /* A leader that leaves sends itself nothing more. */
}

/* False when some entry above `applied` is not in memory: this node is still reading its log back after a restart. Until
 * apply has come to what is in memory this leader appends nothing for any session. */
static bool tails_count(struct node *n)
{
    struct forward *f = &n->forward;
    f->tail_count = 0;
    for (size_t i = 0; i < sessions_count(n->keyspace); i++) {
        const struct session_state *s = sessions_at(n->keyspace, i);
        struct tail *t = tail_make(n, s->member);
        if (!t)
            break;
        t->session = s->number;
        t->is_open = s->is_open;
        t->is_suspended = s->is_suspended;
        t->seq = s->last;
    }
    for (raft_index i = n->apply.applied + 1; i <= n->driver.status.last_index; i++) {
        struct raft_entry e;
        struct proposal p;
        if (!raft_get_entry(n->raft, i, &e))
            return false;
        struct raft_conf conf;
        if (e.type == RAFT_ENTRY_COMMAND && proposal_decode(e.payload, &p) == ERR_OK)
            tail_count_entry(n, &p);
        else if (e.type == RAFT_ENTRY_CONF && raft_conf_decode(e.payload, &conf) == ERR_OK)
            tails_keep(f, &conf);
    }
    return true;
}

void forward_lead(struct node *n)
{
    n->forward = (struct forward){.is_leading = true, .lead_since_us = n->now_us};
    forward_catch_up(n);
}

void forward_catch_up(struct node *n)
{
    struct forward *f = &n->forward;
    if (!f->is_leading || f->is_ready)
        return;
    if (n->apply.applied + 1 < n->driver.status.memory_first)
        return;
    f->is_ready = tails_count(n);
    if (!f->is_ready)
        return;
    n->session.propose_retry_us = 0; /* Its OPEN was not taken before. */
    for (uint32_t i = 0; i < f->tail_count; i++)
        forward_tell(n, f->tail[i].member);
}

void forward_stop(struct node *n)
{
    n->forward.is_leading = false;
    n->forward.is_ready = false;
    n->forward.tail_count = 0;
}

void forward_tell(struct node *n, raft_id member)
{
    const struct tail *t = tail_find(&n->forward, member);
    if (!n->forward.is_ready || !t || !t->is_open)
        return;
    if (member == n->identity.node_id) {
        session_told(n, n->driver.status.term, t->session, t->seq);
        return;
    }
    struct peer *peer = peers_find(n, member);
    if (!peer)
        return;
    struct buf *head = peers_begin(n);
    write_u64(head, n->driver.status.term);
    write_u64(head, t->session);
    write_u64(head, t->seq);
    peers_send(n, peer, PEER_BULK, PEER_TAIL);
}

uint8_t forward_refusal_flags(struct node *n)
{
    uint8_t flags = 0;
    if (n->options->maxmemory > 0 && keyspace_memory(n->keyspace) > (uint64_t)n->options->maxmemory)
        flags |= PEER_REFUSES_MEMORY;
    if (n->disk.is_full)
        flags |= PEER_REFUSES_DISK;
    return flags;
}

const char *forward_refusal(struct node *n, uint32_t row_flags)
{
    uint8_t flags = forward_refusal_flags(n);
    if (flags & PEER_REFUSES_DISK)
        return "MISCONF disk full: the leader has no room for new writes, the command was not executed";
    if ((flags & PEER_REFUSES_MEMORY) && (row_flags & COMMAND_DENYOOM))
        return "OOM command not allowed when used memory > 'maxmemory'.";
    return NULL;
}

/* F4. */
static void forward_cancel(struct node *n, const struct proposal *p, const char *text)
{
    uint8_t seq[8];
    put_u64(seq, p->seq);
    struct slice arg[3] = {{seq, 8}, {seq, 8}, slice_from_cstr(text)};
    struct proposal cancel = {
        .number = PROPOSAL_CANCEL, .version = 1, .member = p->member, .session = p->session};
    struct slice payload = batch_add_proposal(&n->batch, &cancel, arg, 3);
    struct proposal appended;
    if (proposal_decode(payload, &appended) == ERR_OK)
        tail_count_entry(n, &appended);
}

/* One forwarded entry, already checked to be whole. False: F2's gap. */
static bool forward_take(struct node *n, struct tail *t, struct slice entry)
{
    struct proposal p;
    struct slice payload = slice_skip(entry, ENTRY_HEADER_BYTES);
    if (proposal_decode(payload, &p) != ERR_OK || p.member != t->member || p.session != t->session)
        return true;
    if (p.seq <= t->seq) {
        COVER("forward: a seq that is in the log already");
        return true;
    }
    if (p.seq != t->seq + 1 && !MUT(36)) /* The mutant takes this look away, too: apply's is the one that must hold. */
        return false;
    const char *refusal = forward_check(n, &p);
    if (refusal) {
        COVER("forward: CANCEL in place of a command");
        forward_cancel(n, &p, refusal);
        ASSERT(t->seq == p.seq);
        return true;
    }
    struct chunk *chunk;
    size_t offset;
    uint8_t *at = batch_reserve(&n->batch, entry.n, &chunk, &offset);
    memcpy(at, entry.p, entry.n);
    batch_add(&n->batch, chunk, offset, entry.n);
    chunk_unref(chunk);
    t->seq = p.seq;
    return true;
}

/* The next entry of a frame, whole and with a sane size. */
static bool forward_next(struct slice *rest, struct slice *entry)
{
    if (rest->n < ENTRY_HEADER_BYTES + PROPOSAL_HEADER_BYTES)
        return false;
    size_t size = get_u32(rest->p);
    if (size < ENTRY_HEADER_BYTES + PROPOSAL_HEADER_BYTES || size > rest->n || size > LIMIT_ENTRY_BYTES)
        return false;
    *entry = (struct slice){rest->p, size};
    *rest = slice_skip(*rest, size);
    return true;
}

void forward_receive(struct node *n, struct peer *peer, struct slice body)
{
    struct reader r = reader_of(body);
    raft_term term = read_u64(&r);
    uint64_t session = read_u64(&r);
    uint32_t count = read_u32(&r);
    if (r.failed || !node_is_leader(n) || !n->forward.is_ready || term != n->driver.status.term) { /* F3 */
        COVER("forward: a frame for another term");
        return;
    }
    struct tail *t = tail_find(&n->forward, peer->id);
    if (!t || !t->is_open || t->session != session) {
        COVER("forward: a frame of a session that is not open");
        return;
    }
    struct slice rest = {r.p, r.n};
    for (uint32_t i = 0; i < count; i++) {
        struct slice entry;
        if (!forward_next(&rest, &entry)) {
            log_line(&n->env.log, LOG_WARNING, "%s forwarded a damaged frame.", node_member_name(n, peer->id));
            break;
        }
        if (!forward_take(n, t, entry)) {
            COVER("forward: a gap");
            if (n->now_us - t->told_us >= (uint64_t)n->options->heartbeat * 1000) {
                t->told_us = n->now_us;
                forward_tell(n, peer->id);
            }
            break;
        }
    }
    peer->has_forwards_in_batch = true;
    stages_submitted(&n->stages, n->now_us);
}

void forward_propose(struct node *n, raft_id from, struct slice payload)
{
    struct proposal p;
    if (!node_is_leader(n) || !n->forward.is_ready || proposal_decode(payload, &p) != ERR_OK || p.seq != 0 || p.member != from)
        return;
    if (p.number != PROPOSAL_OPEN && p.number != PROPOSAL_CLOSE && p.number != PROPOSAL_CANCEL && p.number != PROPOSAL_WATCH &&
        p.number != PROPOSAL_VERIFY && p.number != PROPOSAL_UNBLOCK && p.number != PROPOSAL_RESUME)
        return;
    raft_index conf_index;
    if (!raft_conf_find(raft_get_conf(n->raft, &conf_index), from)) {
        COVER("forward: a stranger's proposal is ignored");
        return;
    }
    const struct tail *t = tail_find(&n->forward, from);
    /* In the log already (proposals are repeated until they are seen applied), or without effect. */
    bool is_moot = p.number == PROPOSAL_VERIFY ? false : p.number == PROPOSAL_OPEN ? t && p.session <= t->session : !t || p.session != t->session || !t->is_open;
    is_moot = is_moot || (p.number == PROPOSAL_RESUME && !t->is_suspended);
    if (is_moot && !(MUT(33) || MUT(34))) /* These two take the second look away, too: apply's is the one that must hold. */
        return;
    struct chunk *chunk;
    size_t offset;
    size_t size = ENTRY_HEADER_BYTES + payload.n;
    uint8_t *at = batch_reserve(&n->batch, size, &chunk, &offset);
    entry_begin(at, RAFT_ENTRY_COMMAND, 0, payload.n);
    memcpy(at + ENTRY_HEADER_BYTES, payload.p, payload.n);
    batch_add(&n->batch, chunk, offset, size);
    chunk_unref(chunk);
    struct peer *peer = peers_find(n, from);
    if (peer)
        peer->has_forwards_in_batch = true;
    bool is_new_session = tail_count_entry(n, &p);
    /* A CANCEL counts for seqs this node has not sent to itself yet: go on behind them. Another origin's frames are dropped. */
    bool skips_own = p.number == PROPOSAL_CANCEL && from == n->identity.node_id;
    if (is_new_session || skips_own)
        forward_tell(n, from);
}

void forward_take_own(struct node *n, uint64_t session, uint64_t seq)
{
    struct tail *t = tail_find(&n->forward, n->identity.node_id);
    ASSERT(t != NULL && t->is_open && t->session == session);
    ASSERT(t->seq + 1 == seq); /* F2, for the leader's own clients too. */
    t->seq = seq;
}

/* A session whose member was not heard for ten seconds of this leader's time holds up nothing but memory; but its waiters and
 * forwards must come to an end. */
static bool forward_sees(const struct node *n, const struct tail *t, const struct peer *peer)
{
    uint64_t timeout_us = node_election_timeout_us(n);
    if (t->member == n->identity.node_id || n->now_us - n->forward.lead_since_us < timeout_us)
        return true; /* A new leader gives everybody the time to be heard. */
    return peer && peer_is_up(peer, PEER_CONTROL) && n->now_us - peer->heard_us < timeout_us;
}

/* B2 (blocked.c): members whose clients wait and that are not seen. They say themselves when they are back. */
static void forward_suspend(struct node *n)
{
    struct forward *f = &n->forward;
    for (uint32_t i = 0; i < f->tail_count; i++) {
        struct tail *t = &f->tail[i];
        if (!t->is_open || t->is_suspended || forward_sees(n, t, peers_find(n, t->member)) ||
            !waiters_has_session(n->keyspace, t->member, t->session))
            continue;
        COVER("forward: a session is suspended");
        struct proposal head = {.number = PROPOSAL_SUSPEND, .version = 1, .member = t->member, .session = t->session};
        batch_add_proposal(&n->batch, &head, NULL, 0);
        t->is_suspended = true;
    }
}

uint64_t forward_tick(struct node *n)
{
    struct forward *f = &n->forward;
    if (!f->is_ready)
        return NODE_NEVER;
    forward_suspend(n);
    if (n->now_us < f->close_check_us)
        return f->close_check_us;
    f->close_check_us = n->now_us + CLOSE_CHECK_US;
    for (uint32_t i = 0; i < f->tail_count; i++) {
        struct tail *t = &f->tail[i];
        const struct peer *peer = peers_find(n, t->member);
        if (t->member == n->identity.node_id || !t->is_open)
            continue;
        if (peer && peer->heard_us > t->heard_us)
            t->heard_us = peer->heard_us;
        if (n->now_us - t->heard_us < CLOSE_AFTER_US || n->now_us - f->lead_since_us < CLOSE_AFTER_US)
            continue;
        COVER("forward: a silent member's session is closed");
        log_line(&n->env.log, LOG_NOTICE, "%s was silent for ten seconds: its session is closed.",
                 node_member_name(n, t->member));
        struct proposal close = {
            .number = PROPOSAL_CLOSE, .version = 1, .member = t->member, .session = t->session};
        batch_add_proposal(&n->batch, &close, NULL, 0);
        t->is_open = false;
    }
    return f->close_check_us;
}
