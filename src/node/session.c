#include "node/session.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/sessions.h"
#include "node/node_internal.h"

/* The origin's half of the session protocol (DESIGN §2): a client's write takes effect exactly once, in its connection's
 * order, and its client is told one of three things: done, NOT done, unknown.
 *
 *   UNSENT --session_pump--> SENT --apply of its seq, or of a CANCEL of it--> answered, freed
 *     |                       |  \--CLOSE applied: not done--> UNSENT again, under the next number
 *     | deadline: NOT done    | deadline: CANCEL is proposed; one election timeout later:
 *     v                       v
 *   answered, freed        GIVEN_UP (answered UNKNOWN, no client) --decided--> freed
 *
 * A session is (member id, number). Phases: DRAWING (the number is being made durable; it is never drawn twice), OPENING (OPEN is proposed,
 * again each election timeout, until it is seen applied), OPEN, and ENDED at a clean shutdown. Numbers grow by random steps: a data
 * directory that was put back from an older copy does not know which ones its member has used since, and must not draw one of them.
 *
 * S1  No number is used in OPEN before it is durable; nothing is sent before this node applied its own OPEN.
 * S2  The window holds every seq from last + 1 to next_seq - 1 in order, whatever became of their clients: so any leader's tail
 *     lies in [last, next_seq - 1], and what follows it can be sent again.
 * S3  Nothing is sent to a leader before it told the tail for its term; then from tail + 1, in order. The leader is told the term.
 * S4  Entry bytes that were once given to Raft are never written again: sending again as a leader, or under a new seq, copies.
 * S5  A seq belongs to one command for ever: what was sent is decided only by apply (its own entry, CANCEL, CLOSE), never
 *     by a bare reply that frees the seq.
 * S6  New seqs for old commands come only after the CLOSE of their old session was applied here. */

#define SESSION_STEP (1u << 30) /* of 2^63 and more: enough for as many sessions as there can be */

void session_init(struct session *s)
{
    *s = (struct session){.phase = SESSION_NONE, .next_seq = 1};
    list_init(&s->unsent);
    list_init(&s->window);
    s->cursor = s->timeout_at = s->giveup_at = &s->window;
}

static struct request *request_of(struct list *node)
{
    return CONTAINER_OF(node, struct request, in_node);
}

void request_release(struct request *r)
{
    chunk_unref(r->chunk);
    r->chunk = NULL;
}

static void session_draw(struct node *n, uint64_t above)
{
    struct session *s = &n->session;
    s->phase = SESSION_DRAWING;
    s->number = above + 1 + prng_below(&n->prng, SESSION_STEP);
    disk_set_session_number(n, s->number);
}

void session_draw_past(struct node *n)
{
    const struct session_state *held = sessions_find(n->keyspace, n->identity.node_id);
    if (n->session.phase != SESSION_OPENING || !held || held->number < n->session.number)
        return;
    log_line(&n->env.log,
             LOG_WARNING,
             "This node has had sessions that its data directory does not know of: the directory is an older copy. Writes that it had "
             "acknowledged to a leader since then are fetched again.");
    session_draw(n, held->number);
}

void session_start(struct node *n)
{
    struct session *s = &n->session;
    if (n->is_closing || n->leave.is_removed) {
        s->phase = SESSION_NONE;
        return;
    }
    ASSERT(list_empty(&s->window));
    s->next_seq = 1;
    s->last_seq = 0;
    s->cancel_to = 0;
    s->told_term = 0;
    s->propose_retry_us = 0;
    session_draw(n, n->disk.state.session_number);
}

/* --- answering --- */

void session_refuse(struct node *n, struct request *r, const char *text)
{
    struct client *c = r->client;
    if (!c) {
        request_free(r);
        return;
    }
    struct reply reply;
    client_reply_begin(r, &reply);
    reply_error(&reply, text);
    client_reply_end(r);
    reads_unblock(n, c);
}

void session_give_up(struct node *n, struct request *r)
{
    struct client *c = r->client;
    r->state = REQUEST_GIVEN_UP;
    if (!c)
        return;
    COVER("session: a write is answered UNKNOWN");
    struct reply reply;
    client_reply_begin(r, &reply);
    if (MUT(24))
        reply_error(&reply, "CLUSTERDOWN no leader, the command was not executed");
    else
        reply_errorf(&reply, "UNKNOWN the outcome of this write is not known: %s", session_why_waiting(n));
    client_reply_detach(r);
    reads_unblock(n, c);
}

const char *session_why_waiting(struct node *n)
{
    if (node_is_blank(n)) {
        const char *trouble = join_is_wanted(&n->join) ? join_trouble(n) : formation_trouble(n);
        return trouble ? trouble : "the cluster is being formed";
    }
    if (n->leave.is_removed)
        return LEAVE_REMOVED_TEXT;
    if (n->is_closing)
        return "the node is shutting down";
    if (!node_has_leader(n))
        return "no leader is known, a majority of the nodes may be down";
    if (n->session.phase != SESSION_OPEN)
        return "the node's session is not open yet";
    return "the leader did not finish it in time";
}

/* --- the window --- */

static void session_push(struct session *s, struct request *r)
{
    /* The caller sends it now, so the cursor stays at the end. */
    list_append(&s->window, &r->in_node);
    if (s->timeout_at == &s->window)
        s->timeout_at = &r->in_node;
    if (s->giveup_at == &s->window)
        s->giveup_at = &r->in_node;
    s->window_bytes += r->size;
    s->window_count++;
}

struct request *session_first(struct node *n, uint64_t seq)
{
    struct session *s = &n->session;
    ASSERT(!list_empty(&s->window)); /* S2 */
    struct request *r = request_of(s->window.next);
    ASSERT(r->seq == seq);
    return r;
}

void session_decided(struct node *n, struct request *r)
{
    struct session *s = &n->session;
    ASSERT(s->window.next == &r->in_node);
    ASSERT(r->seq == s->last_seq + 1); /* S2 */
    s->last_seq = r->seq;
    s->progress_us = n->now_us;
    if (s->cursor == &r->in_node)
        s->cursor = r->in_node.next;
    if (s->timeout_at == &r->in_node)
        s->timeout_at = r->in_node.next;
    if (s->giveup_at == &r->in_node)
        s->giveup_at = r->in_node.next;
    s->window_bytes -= r->size;
    s->window_count--;
    list_remove(&r->in_node);
    request_release(r);
}

void session_forget_unsent(struct node *n, struct request *r)
{
    n->session.unsent_bytes -= r->size;
    list_remove(&r->in_node);
    request_release(r);
}

/* S4: fresh bytes of the same command. */
static void request_copy(struct node *n, struct request *r)
{
    struct chunk *chunk;
    size_t offset;
    uint8_t *at = batch_reserve(&n->batch, r->size, &chunk, &offset);
    memcpy(at, r->chunk->data + r->offset, r->size);
    chunk_unref(r->chunk);
    r->chunk = chunk;
    r->offset = offset;
}

/* --- sending --- */

bool session_propose(struct node *n, const struct proposal *head, const struct slice *arg, size_t arg_count)
{
    size_t size = proposal_size(arg, arg_count);
    struct buf *payload = peers_begin(n);
    proposal_encode(buf_reserve(payload, size), head, arg, arg_count);
    buf_commit(payload, size);
    if (node_is_leader(n)) {
        /* A copy: the composing buffer is needed again for telling the tail. */
        uint8_t text[512];
        ASSERT(size <= sizeof text);
        struct slice whole = buf_slice(payload);
        memcpy(text, whole.p + whole.n - size, size);
        forward_propose(n, n->identity.node_id, (struct slice){text, size});
        return true;
    }
    struct peer *leader = peers_leader(n);
    return leader && peers_send(n, leader, PEER_CONTROL, PEER_PROPOSE);
}

static bool session_may_send(struct node *n)
{
    struct session *s = &n->session;
    return s->phase == SESSION_OPEN && s->told_term != 0 && s->told_term == n->driver.status.term &&
           s->told_session == s->number && node_has_leader(n);
}

static struct request *session_take_unsent(struct node *n)
{
    struct session *s = &n->session;
    struct request *r = request_of(s->unsent.next);
    list_remove(&r->in_node);
    s->unsent_bytes -= r->size;
    r->seq = s->next_seq++;
    r->state = REQUEST_SENT;
    proposal_set_session(
        r->chunk->data + r->offset + ENTRY_HEADER_BYTES, n->identity.node_id, s->number, r->seq);
    if (list_empty(&s->window))
        s->progress_us = n->now_us;
    session_push(s, r);
    return r;
}

static void session_pump_own(struct node *n)
{
    struct session *s = &n->session;
    while (s->cursor != &s->window) {
        struct request *r = request_of(s->cursor);
        COVER("session: a leader sends its own window again");
        request_copy(n, r);
        batch_add(&n->batch, r->chunk, r->offset, r->size);
        forward_take_own(n, s->number, r->seq);
        s->cursor = s->cursor->next;
    }
    while (!list_empty(&s->unsent)) {
        struct request *r = session_take_unsent(n);
        batch_add(&n->batch, r->chunk, r->offset, r->size);
        forward_take_own(n, s->number, r->seq);
    }
}

/* One frame from the cursor on, then of what was never sent; entries are sent from where they were encoded. False: nothing left. */
static bool session_send_frame(struct node *n, struct peer *leader)
{
    struct session *s = &n->session;
    if (s->cursor == &s->window && list_empty(&s->unsent))
        return false;
    struct buf *head = peers_begin(n);
    write_u64(head, n->driver.status.term);
    write_u64(head, s->number);
    size_t count_at = buf_size(head);
    write_u32(head, 0);
    uint32_t count = 0;
    size_t bytes = 0;
    while (bytes < LIMIT_FRAME_BYTES && (s->cursor != &s->window || !list_empty(&s->unsent))) {
        struct request *r;
        if (s->cursor != &s->window) {
            COVER("session: the window is forwarded again");
            r = request_of(s->cursor);
            s->cursor = s->cursor->next;
        } else {
            r = session_take_unsent(n);
        }
        peers_add_part(n, (struct slice){r->chunk->data + r->offset, r->size});
        bytes += r->size;
        count++;
    }
    put_u32(head->data + head->start + count_at, count);
    return peers_send(n, leader, PEER_BULK, PEER_FORWARD);
}

void session_pump(struct node *n)
{
    if (!session_may_send(n))
        return;
    if (node_is_leader(n)) {
        session_pump_own(n);
        return;
    }
    struct peer *leader = peers_leader(n);
    if (!leader || !peer_is_up(leader, PEER_BULK))
        return;
    while (session_send_frame(n, leader)) {
    }
}

void session_told(struct node *n, raft_term term, uint64_t session, uint64_t tail)
{
    struct session *s = &n->session;
    if (session != s->number || s->phase == SESSION_NONE || term < s->told_term)
        return;
    if (tail >= s->next_seq) {
        log_line(&n->env.log, LOG_WARNING, "The leader claims a write this node never sent; ignored.");
        return;
    }
    s->told_term = term;
    s->told_session = session;
    s->progress_us = n->now_us;
    struct list *at = s->window.next;
    while (at != &s->window && request_of(at)->seq <= tail)
        at = at->next;
    s->cursor = at;
}

/* --- from apply --- */

void session_on_opened(struct node *n, uint64_t number)
{
    struct session *s = &n->session;
    if (s->phase != SESSION_OPENING || number != s->number)
        return;
    s->phase = SESSION_OPEN;
    log_line(&n->env.log, LOG_VERBOSE, "Session %llu of this node is open.", (unsigned long long)number);
}

/* Everything sent goes back in front of what was never sent, in order. */
static void session_take_back(struct node *n)
{
    struct session *s = &n->session;
    while (!list_empty(&s->window)) {
        struct request *r = request_of(s->window.prev);
        list_remove(&r->in_node);
        if (!r->client) {
            request_release(r);
            request_free(r);
            continue;
        }
        ASSERT(r->state == REQUEST_SENT);
        request_copy(n, r);
        r->state = REQUEST_UNSENT;
        r->seq = 0;
        s->unsent_bytes += r->size;
        list_prepend(&s->unsent, &r->in_node);
    }
    s->window_bytes = 0;
    s->window_count = 0;
    s->cursor = s->timeout_at = s->giveup_at = &s->window;
}

void session_on_closed(struct node *n, uint64_t number, uint64_t last)
{
    struct session *s = &n->session;
    if (number != s->number || (s->phase != SESSION_OPEN && s->phase != SESSION_ENDED && s->phase != SESSION_OPENING))
        return;
    /* What was done was answered when it was applied: everything left is definitely not done. */
    ASSERT(list_empty(&s->window) || request_of(s->window.next)->seq > last);
    COVER("session: closed under a living origin");
    session_take_back(n);
    if (s->phase == SESSION_ENDED) {
        s->phase = SESSION_NONE;
        return;
    }
    log_line(&n->env.log, LOG_NOTICE, "Session %llu of this node was closed; opening the next.", (unsigned long long)number);
    session_start(n);
}

void session_on_role_change(struct node *n)
{
    struct session *s = &n->session;
    s->propose_retry_us = 0;
    s->progress_us = n->now_us;
    if (MUT(35) && s->phase == SESSION_OPEN && !list_empty(&s->window)) {
        session_take_back(n);
        session_start(n);
    }
}
