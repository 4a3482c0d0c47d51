#include "node/blocked.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/sessions.h"
#include "keyspace/waiters.h"
#include "node/node_internal.h"

/* Blocking commands (DESIGN §6, "Blocked clients").
 *
 *   BLPOP k 5 --the log--> applied: something there -> popped, answered
 *                              \--> nothing: a waiter, on every node; the origin keeps the request, REQUEST_BLOCKED
 *   waiter --an entry fills k: served--> popped; its origin answers
 *        \--an entry at or past its deadline--> answered with nothing
 *        \--UNBLOCK, proposed by its origin (client gone, CLIENT UNBLOCK)--> gone
 *        \--its session ended--> gone; a living origin sends the command again, with what is left of its time
 *
 * B1  A waiter is served by the entry that filled the key, on every node alike, in log order of the waiters: so every element goes
 *     to one of them, and whoever leads next changes nothing about it.
 * B2  Waiters of a suspended session keep their place and are passed over. SUSPEND is logged by a leader that lost sight of the member;
 *     RESUME, which serves them from what the keys then hold, is proposed by the member itself when it finds its session suspended,
 *     after those whose clients have gone meanwhile were ended (B4): the leader cannot tell it from a process that was started anew
 *     and has another session, whose clients are gone. What was popped for a client whose node died before its SUSPEND was applied
 *     is lost with it, as an element popped by LPOP is whose reply the network lost.
 * B3  An origin answers from its own apply, like any write; a request is REQUEST_BLOCKED as long as its waiter is in the state.
 * B4  A waiter of this session that has no client any more (`is_leaving`) is proposed to end until it has. */

#define UNBLOCK_SEQS_MAX 40 /* of one proposal */

static struct keyspace_view write_view(struct node *n, uint32_t db)
{
    return (struct keyspace_view){
        .keyspace = n->keyspace, .db = db, .time_ms = keyspace_time_ms(n->keyspace), .is_write = true};
}

/* The waiter leaves the state; its client's request is returned, no longer blocked, to be answered. NULL: it is no own client's. */
static struct request *blocked_take(struct node *n, struct waiter *w)
{
    struct request *r = w->origin;
    n->blocked.leaving -= w->is_leaving;
    waiters_remove(n->keyspace, w);
    if (r) {
        ASSERT(r->state == REQUEST_BLOCKED);
        r->state = REQUEST_SENT;
        r->waiter = NULL;
        n->blocked.count--;
    }
    return r;
}

static void blocked_answer_nothing(struct node *n, struct waiter *w)
{
    struct request *r = blocked_take(n, w);
    if (!r)
        return;
    struct client *c = r->client;
    struct reply reply;
    client_reply_begin(r, &reply);
    if (r->is_unblock_error)
        reply_error(&reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
    else
        reply_null_array(&reply);
    client_reply_end(r);
    reads_unblock(n, c);
}

void blocked_expire(struct node *n)
{
    struct waiter *w;
    while ((w = waiters_first_due(n->keyspace)) != NULL && w->deadline_ms <= keyspace_time_ms(n->keyspace)) {
        COVER("blocked: a waiter's time is over");
        blocked_answer_nothing(n, w);
    }
}

void blocked_register(struct node *n,
                      const struct raft_entry *e,
                      const struct proposal *p,
                      const struct command_wait *wait,
                      const struct command *command,
                      struct request *request)
{
    struct waiter like = {
        .order = e->index,
        .member = p->member,
        .session = p->session,
        .seq = p->seq,
        .db = p->db,
        .number = p->number,
        .version = p->version,
        .type = wait->type,
        .deadline_ms = wait->deadline_ms,
        .arg_count = (uint32_t)command->arg_count,
        .first_key = wait->first_key,
        .key_count = wait->key_count,
    };
    struct waiter *w = waiters_add(n->keyspace, &like, command->arg);
    bool is_own = p->member == n->identity.node_id && p->session == n->session.number;
    if (request) {
        COVER("blocked: a client waits");
        w->origin = request;
        request->waiter = w;
        request->state = REQUEST_BLOCKED;
        n->blocked.count++;
        client_on_blocked(request->client);
    } else if (is_own) { /* B4: its client went away meanwhile */
        w->is_leaving = true;
        n->blocked.leaving++;
        n->wake_us = n->now_us;
    }
}

/* --- serving --- */

/* The command with this key alone: keys that it was given before it have nothing, or a wrong type that now doesn't matter. */
static struct command waiter_command(const struct waiter *w, const struct command_row *row, struct slice key, struct slice *arg)
{
    size_t count = 0;
    for (uint32_t i = 0; i < w->first_key; i++)
        arg[count++] = w->arg[i];
    arg[0] = slice_from_cstr(row->name);
    if (row->key_number > 0)
        arg[row->key_number] = SLICE_LITERAL("1");
    arg[count++] = key;
    for (uint32_t i = w->first_key + w->key_count; i < w->arg_count; i++)
        arg[count++] = w->arg[i];
    return (struct command){arg, count};
}

static void blocked_serve_one(struct node *n, const struct raft_entry *e, struct waiter *w, struct slice key)
{
    const struct command_row *row = command_table_by_number(n->table, w->number);
    ASSERT(row && row->version == w->version);
    struct command_run run = {.view = write_view(n, w->db), .index = e->index};
    struct slice *arg = mem_alloc_array((size_t)w->arg_count + 1, sizeof *arg);
    struct command command = waiter_command(w, row, key, arg);
    /* The waiter's bytes are needed to the end of the command: it is only marked as gone from its queues by leaving the state. */
    struct request *r = w->origin;
    struct client *c = r ? r->client : NULL;
    struct reply reply = {.protocol = REPLY_DISCARD};
    COVER("blocked: a waiter is served");
    if (r) {
        r->state = REQUEST_SENT;
        client_reply_begin(r, &reply);
        n->changes.origin = c;
    }
    row->run(&run, &command, &reply);
    if (r) {
        n->changes.origin = NULL;
        r->state = REQUEST_BLOCKED;
    }
    (void)blocked_take(n, w);
    if (r) {
        client_reply_end(r);
        reads_unblock(n, c);
    }
    mem_free(arg);
}

/* Everybody whom the key's value can serve. */
static void blocked_serve_key(struct node *n, const struct raft_entry *e, uint32_t db, struct slice key)
{
    for (;;) {
        struct keyspace_view view = write_view(n, db);
        const struct value *value = keyspace_get(&view, key);
        struct waiter *w = value ? waiters_first_for(n->keyspace, db, key, value_get_type(value)) : NULL;
        if (!w)
            return;
        blocked_serve_one(n, e, w, key);
    }
}

void blocked_serve(struct node *n, const struct raft_entry *e)
{
    uint32_t db;
    struct slice key;
    while (waiters_take_ready(n->keyspace, &db, &key)) {
        /* The queue, and the key's bytes in it, may go with its last waiter. */
        char few[64];
        uint8_t *copy = key.n <= sizeof few ? (uint8_t *)few : mem_alloc(key.n);
        for (size_t i = 0; i < key.n; i++)
            copy[i] = key.p[i];
        blocked_serve_key(n, e, db, (struct slice){copy, key.n});
        if (copy != (uint8_t *)few)
            mem_free(copy);
    }
}

/* --- ending --- */

void blocked_unblock(struct node *n, const struct proposal *p, struct slice seqs)
{
    for (; seqs.n >= 8; seqs = slice_skip(seqs, 8)) {
        struct waiter *w = waiters_find(n->keyspace, p->member, p->session, get_u64(seqs.p));
        if (w)
            blocked_answer_nothing(n, w);
    }
}

/* The seconds that are left, as the command's timeout argument; at least a millisecond, so that it can't become "for ever". */
static struct slice time_left(const struct node *n, const struct waiter *w, char text[32])
{
    if (w->deadline_ms == WAITER_NO_DEADLINE)
        return SLICE_LITERAL("0");
    int64_t left_ms = w->deadline_ms - keyspace_time_ms(n->keyspace);
    left_ms = left_ms > 0 ? left_ms : 1;
    int size = snprintf(text, 32, "%lld.%03d", (long long)(left_ms / 1000), (int)(left_ms % 1000));
    return (struct slice){(const uint8_t *)text, (size_t)size};
}

/* S6: the command again, under the session that comes next. */
static void blocked_send_again(struct node *n, struct waiter *w)
{
    char text[32];
    struct request *r = w->origin;
    struct slice *arg = mem_alloc_array(w->arg_count, sizeof *arg);
    for (uint32_t i = 0; i < w->arg_count; i++)
        arg[i] = w->arg[i];
    /* Numbered keys come behind the timeout, others before it: BLMPOP timeout numkeys key ..., BLPOP key ... timeout. */
    size_t timeout_at = r->row->key_number > 0 ? 1 : w->arg_count - 1;
    arg[timeout_at] = time_left(n, w, text);
    COVER("blocked: a waiter goes on under another session");
    r->deadline_us = n->now_us + (uint64_t)n->options->request_timeout * 1000;
    node_submit_write(n, r, &(struct command){arg, w->arg_count});
    mem_free(arg);
}

void blocked_session_ended(struct node *n, raft_id member)
{
    for (struct waiter *w = waiters_next(n->keyspace, NULL); w;) {
        struct waiter *next = waiters_next(n->keyspace, w);
        if (w->member == member) {
            struct request *r = w->origin;
            if (r && n->session.phase == SESSION_NONE) {
                (void)blocked_take(n, w);
                session_refuse(n, r, "CLUSTERDOWN this node's session has ended, the command was not executed");
            } else {
                if (r)
                    blocked_send_again(n, w);
                if (r)
                    r->state = REQUEST_BLOCKED;
                r = blocked_take(n, w);
                if (r)
                    r->state = REQUEST_UNSENT;
            }
        }
        w = next;
    }
}

void blocked_hold(struct node *n)
{
    list_init(&n->blocked.held);
    for (struct waiter *w = waiters_next(n->keyspace, NULL); w; w = waiters_next(n->keyspace, w)) {
        struct request *r = w->origin;
        if (!r)
            continue;
        w->origin = NULL;
        r->waiter = NULL;
        r->state = REQUEST_SENT;
        list_append(&n->blocked.held, &r->in_node);
    }
    n->blocked.count = 0;
}

void blocked_settle(struct node *n)
{
    struct list *held = &n->blocked.held;
    while (!list_empty(held)) {
        struct request *r = CONTAINER_OF(held->next, struct request, in_node);
        list_remove(&r->in_node);
        struct waiter *w = waiters_find(n->keyspace, n->identity.node_id, n->session.number, r->seq);
        if (w) {
            COVER("blocked: a client waits on behind a snapshot");
            w->origin = r;
            r->waiter = w;
            r->state = REQUEST_BLOCKED;
            n->blocked.count++;
        } else {
            session_refuse(n, r, "UNKNOWN the outcome of this command is not known: this node was brought up to date by a snapshot");
        }
    }
    n->blocked.leaving = 0;
    for (struct waiter *w = waiters_next(n->keyspace, NULL); w; w = waiters_next(n->keyspace, w)) {
        w->is_leaving = !w->origin && w->member == n->identity.node_id && w->session == n->session.number; /* B4 */
        n->blocked.leaving += w->is_leaving;
    }
}

/* --- the origin's side --- */

static void blocked_leave(struct node *n, struct waiter *w)
{
    if (!w->is_leaving) {
        w->is_leaving = true;
        n->blocked.leaving++;
    }
}

void blocked_abandon(struct node *n, struct request *r)
{
    struct waiter *w = r->waiter;
    w->origin = NULL;
    r->waiter = NULL;
    r->state = REQUEST_SENT;
    n->blocked.count--;
    blocked_leave(n, w);
}

void node_unblock(struct node *n, struct request *r, bool is_error)
{
    ASSERT(r->state == REQUEST_BLOCKED);
    r->is_unblock_error = is_error;
    blocked_leave(n, r->waiter);
}

size_t node_blocked_count(const struct node *n)
{
    return n->blocked.count;
}

static void blocked_propose(struct node *n, const uint8_t *seqs, size_t count)
{
    struct slice arg = {seqs, 8 * count};
    struct proposal head = {
        .number = PROPOSAL_UNBLOCK, .version = 1, .member = n->identity.node_id, .session = n->session.number};
    session_propose(n, &head, &arg, 1);
}

/* B2. Returns when to look again. */
static uint64_t blocked_resume(struct node *n)
{
    const struct session_state *s = n->session.phase == SESSION_OPEN ? sessions_find(n->keyspace, n->identity.node_id) : NULL;
    /* Who has gone meanwhile is taken out first: RESUME would pop for it. */
    if (!s || !s->is_suspended || s->number != n->session.number || n->blocked.leaving > 0)
        return NODE_NEVER;
    if (n->now_us >= n->blocked.resume_us && node_has_leader(n)) {
        COVER("blocked: a session is resumed");
        struct proposal head = {
            .number = PROPOSAL_RESUME, .version = 1, .member = n->identity.node_id, .session = n->session.number};
        session_propose(n, &head, NULL, 0);
        n->blocked.resume_us = n->now_us + node_election_timeout_us(n);
    }
    return n->blocked.resume_us > n->now_us ? n->blocked.resume_us : n->now_us + node_election_timeout_us(n);
}

static uint64_t blocked_end_leaving(struct node *n)
{
    if (n->blocked.leaving == 0)
        return NODE_NEVER;
    if (n->session.phase != SESSION_OPEN || !node_has_leader(n))
        return n->now_us + node_election_timeout_us(n);
    uint8_t seqs[8 * UNBLOCK_SEQS_MAX];
    size_t count = 0;
    for (struct waiter *w = waiters_next(n->keyspace, NULL); w; w = waiters_next(n->keyspace, w)) {
        if (!w->is_leaving || (w->proposed_us != 0 && n->now_us - w->proposed_us < node_election_timeout_us(n)))
            continue;
        w->proposed_us = n->now_us;
        put_u64(seqs + 8 * count++, w->seq);
        if (count == UNBLOCK_SEQS_MAX) {
            blocked_propose(n, seqs, count);
            count = 0;
        }
    }
    if (count > 0)
        blocked_propose(n, seqs, count);
    return n->now_us + node_election_timeout_us(n);
}

uint64_t blocked_tick(struct node *n)
{
    uint64_t resume = blocked_resume(n);
    uint64_t leave = blocked_end_leaving(n);
    return resume < leave ? resume : leave;
}
