#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* Messages to and from the other members: composed in one buffer, entries sent from where they live. */

struct buf *peers_begin(struct node *n)
{
    struct peers *ps = &n->peers;
    buf_clear(&ps->head, 65536);
    buf_reserve(&ps->head, PEER_ENVELOPE_BYTES);
    buf_commit(&ps->head, PEER_ENVELOPE_BYTES);
    ps->part_count = 1; /* part[0]: the head, filled by peers_send */
    return &ps->head;
}

void peers_add_part(struct node *n, struct slice part)
{
    struct peers *ps = &n->peers;
    if (ps->part_count > 1) {
        struct slice *last = &ps->part[ps->part_count - 1];
        if (last->p + last->n == part.p) { /* Entries lie side by side in their chunk. */
            last->n += part.n;
            return;
        }
    }
    if (ps->part_count >= ps->part_capacity) {
        ps->part_capacity = ps->part_capacity ? 2 * ps->part_capacity : 16;
        ps->part = mem_realloc_array(ps->part, ps->part_capacity, sizeof ps->part[0]);
    }
    ps->part[ps->part_count++] = part;
}

bool peers_send(struct node *n, struct peer *p, int which, enum peer_kind kind)
{
    struct peers *ps = &n->peers;
    if (!peer_is_up(p, which))
        return false;
    if (n->is_cut && kind != PEER_CUT)
        return true; /* As if the network had lost it. */
    if (ps->part_capacity == 0) {
        ps->part_capacity = 16;
        ps->part = mem_realloc_array(ps->part, ps->part_capacity, sizeof ps->part[0]);
    }
    ps->part[0] = buf_slice(&ps->head);
    size_t size = 0;
    for (size_t i = 0; i < ps->part_count; i++)
        size += ps->part[i].n;
    if (which == PEER_BULK)
        p->bulk_sent += size;
    struct peer_envelope envelope = {
        .kind = kind,
        .refuses = forward_refusal_flags(n),
        .log_time_ms = node_is_leader(n) && n->log_time.is_known ? log_time_now(n) : log_time_continued(n),
        .wall_ms = n->env.wall_ms(n->env.ctx),
        .bulk_sent = p->bulk_sent,
        .bulk_received = p->bulk_received + p->bulk_pending,
        .applied = n->apply.applied,
        .bulk_number = p->bulk_number,
        .bulk_number_heard = p->bulk_theirs,
    };
    peer_envelope_encode(&envelope, ps->head.data + ps->head.start);
    n->env.send(n->env.ctx, p->link[which].id, ps->part, ps->part_count);
    return true;
}

void peers_send_raft(struct node *n, const struct raft_message *message)
{
    struct peer *p = peers_find(n, message->to);
    int which = raft_message_is_bulk(message->type) ? PEER_BULK : PEER_CONTROL;
    if (!p || !peer_is_up(p, which))
        return;
    struct buf *head = peers_begin(n);
    raft_message_encode_head(message, head);
    if (message->type == RAFT_APPEND)
        for (uint32_t i = 0; i < message->u.append.entry_count; i++)
            peers_add_part(n, message->u.append.entry[i].bytes);
    if (message->type == RAFT_SNAPSHOT && message->u.snapshot.data.n > 0)
        peers_add_part(n, message->u.snapshot.data);
    peers_send(n, p, which, PEER_RAFT);
}

/* --- receiving --- */

static enum err receive_raft(struct node *n, struct peer *p, int which, struct slice body)
{
    struct peers *ps = &n->peers;
    if (node_is_blank(n))
        return ERR_OK; /* It will ask again when we are adopted. */
    size_t fits = body.n / ENTRY_HEADER_BYTES + 1;
    uint32_t most = which != PEER_BULK ? 0 : fits < RAFT_APPEND_ENTRIES ? (uint32_t)fits : RAFT_APPEND_ENTRIES;
    if (most > ps->entry_capacity) {
        ps->entry = mem_realloc_array(ps->entry, most, sizeof ps->entry[0]);
        ps->entry_capacity = most;
    }
    struct raft_message message;
    enum err e = raft_message_decode(body, &message, ps->entry, ps->entry_capacity);
    if (e != ERR_OK)
        return e;
    if (raft_message_is_bulk(message.type) != (which == PEER_BULK))
        return ERR_INVALID;
    message.from = p->id;
    message.to = n->identity.node_id;
    if (message.type == RAFT_HEARTBEAT)
        pace_heartbeat(&n->pace, p->id, n->now_us);
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE, .u.message = &message};
    return driver_step(n, &event);
}

static void receive_tail(struct node *n, struct peer *p, struct slice body)
{
    struct reader r = reader_of(body);
    raft_term term = read_u64(&r);
    uint64_t session = read_u64(&r);
    uint64_t tail = read_u64(&r);
    (void)p;
    if (reader_done(&r))
        session_told(n, term, session, tail);
}

static void receive_pulse(struct node *n, struct slice body)
{
    struct reader r = reader_of(body);
    int64_t time_ms = (int64_t)read_u64(&r);
    /* Never wait for a time that this leader has not reached: it would pulse until then. */
    if (!reader_done(&r) || !node_is_leader(n) || !n->log_time.is_known)
        return;
    int64_t now_ms = log_time_now(n);
    log_time_want(n, time_ms < now_ms ? time_ms : now_ms);
}

static void receive_adopted(struct node *n, struct peer *p, struct slice body)
{
    struct reader r = reader_of(body);
    if (read_u64(&r) != n->identity.cluster_id || !reader_done(&r) || !p->is_blank)
        return;
    log_line(&n->env.log, LOG_NOTICE, "%s belongs to the cluster now.", p->address);
    p->is_blank = false;
    p->link[PEER_BULK].retry_us = n->now_us;
}

static enum err dispatch(struct node *n, struct peer *p, int which, enum peer_kind kind, struct slice body)
{
    switch (kind) {
    case PEER_RAFT:
        return receive_raft(n, p, which, body);
    case PEER_FORWARD:
        forward_receive(n, p, body);
        break;
    case PEER_TAIL:
        receive_tail(n, p, body);
        break;
    case PEER_TAIL_REQUEST:
        forward_tell(n, p->id);
        break;
    case PEER_PROPOSE:
        forward_propose(n, p->id, body);
        break;
    case PEER_READ_REQUEST:
        reads_receive_request(n, p, body);
        break;
    case PEER_READ_INDEX:
        reads_receive_index(n, p, body);
        break;
    case PEER_PULSE:
        receive_pulse(n, body);
        break;
    case PEER_ADOPT:
        formation_receive_adopt(n, p, body);
        break;
    case PEER_ADOPTED:
        receive_adopted(n, p, body);
        break;
    case PEER_STATUS:
        peers_receive_status(n, body);
        break;
    case PEER_CUT:
        cut_receive(n, body);
        break;
    case PEER_DIGEST:
        verify_receive(n, p, body);
        break;
    case PEER_CHANGE:
        if (!node_is_blank(n))
            membership_receive(n, p, body);
        break;
    case PEER_CHANGED:
        membership_receive_answer(n, p, body);
        break;
    case PEER_TAKE_IN:
        join_receive_take_in(n, p, body);
        break;
    case PEER_JOIN:
    case PEER_JOIN_ANSWER:
        break; /* On probe links only. */
    case PEER_PUBLISH:
        publish_receive(n, p, body);
        break;
    case PEER_PUBLISHED:
        publish_receive_counts(n, p, body);
        break;
    case PEER_ANNOUNCE:
        discovery_receive(n, p, body);
        break;
    }
    return ERR_OK;
}

/* What it received and sent on the present bulk link; counts of another link say nothing. */
static void receive_counts(struct node *n, struct peer *p, int which, const struct peer_envelope *e)
{
    if (which == PEER_BULK)
        p->bulk_theirs = e->bulk_number;
    if (e->bulk_number_heard == p->bulk_number && e->bulk_received > p->acked) {
        /* The first bytes through a new link, or through one that starved: Raft counts the peer again. */
        bool is_relief = p->is_starved || p->acked == 0;
        p->progress_us = n->now_us;
        p->acked = e->bulk_received;
        if (is_relief && !node_is_blank(n)) {
            /* Raft takes "up, not starved" for relief only after "starved" on the same link; else for a new link. */
            peers_report_bulk(n, p, true);
            peers_report_bulk(n, p, false);
        }
    }
    /* Nothing heard on the link yet: then a number not seen on an older one is the present one's. */
    bool is_present = p->bulk_theirs != 0 ? e->bulk_number == p->bulk_theirs : e->bulk_number > p->last_theirs;
    if (is_present && e->bulk_sent > p->offered)
        p->offered = e->bulk_sent;
    p->last = *e;
}

void peers_receive(struct node *n, struct peer *p, int which, struct slice message)
{
    struct peer_envelope envelope;
    struct slice body;
    enum err e = peer_envelope_decode(message, &envelope, &body);
    if (n->is_cut && e == ERR_OK && envelope.kind != PEER_CUT)
        return;
    if (which == PEER_BULK) {
        p->bulk_received += message.n;
        p->bulk_pending = 0;
        p->in_progress_us = n->now_us;
    }
    raft_id id = p->id;
    if (e == ERR_OK) {
        p->heard_us = n->now_us;
        receive_counts(n, p, which, &envelope);
        e = dispatch(n, p, which, envelope.kind, body);
    }
    p = peers_find(n, id); /* A step may have changed the configuration, and with it the table. */
    if (!p)
        return;
    if (e != ERR_OK) {
        log_line(&n->env.log, LOG_WARNING, "%s sent a message that makes no sense (%s).", p->address, err_text(e));
        peers_hang_up(n, p, which, "a message made no sense");
        return;
    }
    /* Not from bulk: its messages may have queued behind data. */
    if (which == PEER_CONTROL && !node_is_blank(n) && id == n->driver.status.leader)
        log_time_heard(n, envelope.log_time_ms);
}

/* --- what a leader tells without being asked --- */

void peers_nudge(struct node *n)
{
    if (!node_is_leader(n))
        return;
    for (uint32_t i = 0; i < n->peers.count; i++) {
        struct peer *p = &n->peers.peer[i];
        if (p->nudge_index <= p->nudged_commit || n->driver.commit <= p->nudged_commit)
            continue;
        p->nudged_commit = n->driver.commit;
        struct raft_event event = {.type = RAFT_EVENT_NUDGE, .u.nudge_peer = p->id};
        if (driver_step(n, &event) != ERR_OK)
            return;
    }
}

#define STATUS_EVERY_US 500000
#define IN_SYNC_LAG 1000
enum { STATUS_IN_SYNC = 1, STATUS_REACHABLE = 2 };

bool peers_is_heard(const struct node *n, const struct peer *p)
{
    return p->heard_us != 0 && peer_is_up(p, PEER_CONTROL) &&
           n->now_us - p->heard_us <= 2 * node_election_timeout_us(n);
}

void peers_spread_status(struct node *n)
{
    struct peers *ps = &n->peers;
    if (!node_is_leader(n) || n->now_us - ps->status_us < STATUS_EVERY_US)
        return;
    ps->status_us = n->now_us;
    raft_index last = n->driver.status.last_index;
    ps->self_is_in_sync = true;
    for (uint32_t i = 0; i < ps->count; i++) {
        struct peer *p = &ps->peer[i];
        struct raft_peer_status status;
        p->is_reachable = peers_is_heard(n, p);
        if (!raft_get_peer(n->raft, p->id, &status))
            continue;
        p->match = status.match;
        p->is_in_sync = status.match + IN_SYNC_LAG >= last;
    }
    for (uint32_t i = 0; i < ps->count; i++) {
        struct buf *head = peers_begin(n);
        write_u32(head, ps->count + 1);
        write_u64(head, n->identity.node_id);
        write_u64(head, last);
        write_u8(head, STATUS_IN_SYNC | STATUS_REACHABLE);
        for (uint32_t j = 0; j < ps->count; j++) {
            write_u64(head, ps->peer[j].id);
            write_u64(head, ps->peer[j].match);
            write_u8(head,
                     (uint8_t)((ps->peer[j].is_in_sync ? STATUS_IN_SYNC : 0) |
                               (ps->peer[j].is_reachable ? STATUS_REACHABLE : 0)));
        }
        peers_send(n, &ps->peer[i], PEER_CONTROL, PEER_STATUS);
    }
}

void peers_receive_status(struct node *n, struct slice body)
{
    struct reader r = reader_of(body);
    uint32_t count = read_u32(&r);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        raft_id id = read_u64(&r);
        raft_index match = read_u64(&r);
        uint8_t flags = read_u8(&r);
        struct peer *p = peers_find(n, id);
        if (r.failed)
            return;
        if (p) {
            p->match = match;
            p->is_in_sync = (flags & STATUS_IN_SYNC) != 0;
            p->is_reachable = (flags & STATUS_REACHABLE) != 0;
        } else if (id == n->identity.node_id) {
            n->peers.self_is_in_sync = (flags & STATUS_IN_SYNC) != 0;
        }
    }
}
