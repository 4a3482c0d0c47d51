#include <stdio.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* What time does to a session: refusing what was never sent, CANCEL and UNKNOWN for what was, and repeating what must be in
 * the log until it is seen applied. The essay is in session.c. */

static struct request *request_of(struct list *node)
{
    return CONTAINER_OF(node, struct request, in_node);
}

static void session_expire_unsent(struct node *n)
{
    struct session *s = &n->session;
    while (!list_empty(&s->unsent)) {
        struct request *r = request_of(s->unsent.next);
        bool is_over = n->is_closing && (s->phase == SESSION_ENDED || s->phase == SESSION_NONE);
        if (r->deadline_us > n->now_us && !is_over && !n->leave.is_removed)
            return;
        COVER("session: an unsent write is refused");
        session_forget_unsent(n, r);
        char text[400];
        snprintf(text,
                 sizeof text,
                 "%s%s, the command was not executed",
                 n->leave.is_removed ? "CLUSTERDOWN "
                 : node_has_leader(n) ? "TRYAGAIN not sent in time: "
                                      : "CLUSTERDOWN no leader: ",
                 session_why_waiting(n));
        session_refuse(n, r, text);
    }
}

void session_abandon(struct node *n)
{
    struct session *s = &n->session;
    while (s->giveup_at != &s->window) {
        struct request *r = request_of(s->giveup_at);
        s->giveup_at = s->giveup_at->next;
        session_give_up(n, r);
    }
    s->timeout_at = &s->window;
}

/* M37: a sent command is answered and its seq given to the next one. */
static bool session_reuse_last_seq(struct node *n, struct request *r)
{
    struct session *s = &n->session;
    if (!MUT(37) || r->in_node.next != &s->window || !r->client)
        return false;
    if (s->cursor == &r->in_node)
        s->cursor = &s->window;
    s->timeout_at = &s->window;
    if (s->giveup_at == &r->in_node)
        s->giveup_at = &s->window;
    list_remove(&r->in_node);
    s->window_bytes -= r->size;
    s->window_count--;
    s->next_seq = r->seq;
    request_release(r);
    session_refuse(n, r, "TRYAGAIN the command was not executed");
    return true;
}

static void session_expire_window(struct node *n)
{
    struct session *s = &n->session;
    while (s->timeout_at != &s->window) {
        struct request *r = request_of(s->timeout_at);
        if (r->deadline_us > n->now_us)
            break;
        if (session_reuse_last_seq(n, r))
            break;
        s->cancel_to = r->seq;
        s->timeout_at = s->timeout_at->next;
        s->propose_retry_us = 0;
    }
    while (s->giveup_at != &s->window) {
        struct request *r = request_of(s->giveup_at);
        if (r->seq > s->cancel_to)
            break;
        /* One more election timeout for the CANCEL, if there is anybody to decide it. */
        if (node_has_leader(n) && r->deadline_us + node_election_timeout_us(n) > n->now_us)
            break;
        s->giveup_at = s->giveup_at->next;
        session_give_up(n, r);
    }
}

static void session_propose_cancel(struct node *n)
{
    struct session *s = &n->session;
    uint8_t from[8];
    uint8_t to[8];
    put_u64(from, s->last_seq + 1);
    put_u64(to, s->cancel_to);
    struct slice arg[3] = {
        {from, 8}, {to, 8}, SLICE_LITERAL("TRYAGAIN cancelled at its request-timeout, the command was not executed")};
    struct proposal cancel = {
        .number = PROPOSAL_CANCEL, .version = 1, .member = n->identity.node_id, .session = s->number};
    COVER("session: CANCEL is proposed");
    session_propose(n, &cancel, arg, 3);
}

/* What must be proposed again and again until it is seen applied. False: nothing. */
static bool session_propose_due(struct node *n)
{
    struct session *s = &n->session;
    struct proposal head = {.version = 1, .member = n->identity.node_id, .session = s->number};
    switch (s->phase) {
    case SESSION_NONE:
    case SESSION_DRAWING:
        return false;
    case SESSION_OPENING:
        ASSERT(n->disk.durable_session >= s->number); /* S1 */
        head.number = PROPOSAL_OPEN;
        session_propose(n, &head, NULL, 0);
        return true;
    case SESSION_ENDED:
        if (list_empty(&s->window)) {
            head.number = PROPOSAL_CLOSE;
            session_propose(n, &head, NULL, 0);
            return true;
        }
        break;
    case SESSION_OPEN:
        break;
    }
    if (s->cancel_to <= s->last_seq)
        return false;
    session_propose_cancel(n);
    return true;
}

/* Frames, or the tail itself, may have been lost: ask. */
static void session_ask_tail(struct node *n)
{
    struct session *s = &n->session;
    bool is_waiting = !list_empty(&s->window) || !list_empty(&s->unsent);
    if (s->phase != SESSION_OPEN || !is_waiting || node_is_leader(n))
        return;
    if (n->now_us - s->progress_us < node_election_timeout_us(n))
        return;
    struct peer *leader = peers_leader(n);
    s->progress_us = n->now_us;
    if (!leader)
        return;
    COVER("session: the tail is asked for");
    write_u64(peers_begin(n), s->number);
    peers_send(n, leader, PEER_BULK, PEER_TAIL_REQUEST);
}

uint64_t session_tick(struct node *n)
{
    struct session *s = &n->session;
    uint64_t next = NODE_NEVER;
    if (s->phase == SESSION_DRAWING && n->disk.durable_session >= s->number) {
        s->phase = SESSION_OPENING; /* S1 */
        s->propose_retry_us = 0;
    }
    session_draw_past(n);
    session_expire_unsent(n);
    session_expire_window(n);
    if (node_has_leader(n) && n->now_us >= s->propose_retry_us) {
        if (session_propose_due(n))
            s->propose_retry_us = n->now_us + node_election_timeout_us(n);
    }
    session_ask_tail(n);
    if (!list_empty(&s->unsent))
        next = earlier_us(next, request_of(s->unsent.next)->deadline_us);
    if (s->timeout_at != &s->window)
        next = earlier_us(next, request_of(s->timeout_at)->deadline_us);
    if (s->giveup_at != &s->window && request_of(s->giveup_at)->seq <= s->cancel_to)
        next = earlier_us(next, request_of(s->giveup_at)->deadline_us + node_election_timeout_us(n));
    if (s->propose_retry_us > n->now_us)
        next = earlier_us(next, s->propose_retry_us);
    if (s->phase == SESSION_OPEN && !node_is_leader(n) && (s->window_count > 0 || !list_empty(&s->unsent)))
        next = earlier_us(next, s->progress_us + node_election_timeout_us(n));
    return next;
}

bool session_end(struct node *n)
{
    struct session *s = &n->session;
    if (s->phase == SESSION_OPEN) {
        s->phase = SESSION_ENDED;
        s->propose_retry_us = 0;
    }
    return s->phase != SESSION_ENDED;
}
