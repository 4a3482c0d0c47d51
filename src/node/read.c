#include "node/read.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* Reads (DESIGN §3), linearizable on every node and in program order within a connection.
 *
 *   submit -> next[kind] -> round[kind] (one under way per kind) -> confirmed -> answered
 *                ^              | no answer in an election timeout,      | met a key that is due at its time
 *                '--------------' another leader                         '-> pulse -> answered once an entry reached that time
 *
 * All reads that arrive while a round is under way share the next one, those of followers with the leader's own: so the number
 * of rounds follows the round-trip time, not the load. A round is one RAFT_EVENT_READ at the leader; its answer is an index and the
 * leader's log time at that moment.
 *
 * V1  A read joins a round only before the round starts: its index is at least the commit index of its arrival (L1, L2).
 * V2  It runs when applied >= its index and no earlier request of its client is undecided: it sees all earlier writes of its
 *     connection.
 * V3  It sees no later write of its connection: when apply meets the entry (or CANCEL) of one of this node's own writes, the reads before
 *     it are answered first, from the state before that entry, at that entry's time: the commit of the later write confirms
 *     them. A CLOSE or a skipped copy confirms nothing.
 * V4  A key due at the read's time but not yet at the state's is neither there nor gone: the read waits until an entry with that
 *     time (a pulse) is applied. So a key seen expired never comes back.
 * V5  A vain write (client_vain.c) is a read until the state that it is confirmed for says otherwise; then it goes into the log, and those
 *     behind it. None stands before a write of its connection: its place in the log would be taken.
 * V6  An answer to a round that was given up is void: contexts are never used twice. */

static struct request *request_of(struct list *node)
{
    return CONTAINER_OF(node, struct request, in_node);
}

static void round_init(struct read_round *r)
{
    *r = (struct read_round){0};
    list_init(&r->requests);
}

void reads_init(struct reads *r)
{
    *r = (struct reads){0};
    for (int kind = 0; kind < READ_ROUND_KINDS; kind++) {
        round_init(&r->round[kind]);
        round_init(&r->next[kind]);
    }
    list_init(&r->confirmed);
    list_init(&r->pulse);
}

void reads_deinit(struct reads *r)
{
    for (int kind = 0; kind < READ_ROUND_KINDS; kind++) {
        mem_free(r->round[kind].remote);
        mem_free(r->next[kind].remote);
    }
}

/* Moves all of `from` to the front of `to`. */
static void list_move_to_front(struct list *from, struct list *to)
{
    if (list_empty(from))
        return;
    struct list *first = from->next;
    struct list *last = from->prev;
    last->next = to->next;
    to->next->prev = last;
    to->next = first;
    first->prev = to;
    list_init(from);
}

void reads_submit(struct node *n, struct request *r)
{
    struct reads *reads = &n->reads;
    reads->pending++;
    reads->bytes += r->size;
    if (r->level == READ_STALE || formation_is_lone(n)) {
        r->state = REQUEST_CONFIRMED;
        r->read_index = 0;
        r->read_time_ms = 0;
        list_append(&reads->confirmed, &r->in_node);
        return;
    }
    r->state = REQUEST_UNCONFIRMED;
    list_append(&reads->next[r->level == READ_LEASE].requests, &r->in_node);
}

void reads_forget(struct node *n, struct request *r)
{
    list_remove(&r->in_node);
    n->reads.pending--;
    n->reads.bytes -= r->size;
}

/* --- rounds --- */

static void round_add_remote(struct read_round *r, raft_id peer, uint64_t batch)
{
    if (r->remote_count == r->remote_capacity) {
        r->remote_capacity = r->remote_capacity ? 2 * r->remote_capacity : 8;
        r->remote = mem_realloc_array(r->remote, r->remote_capacity, sizeof r->remote[0]);
    }
    r->remote[r->remote_count++] = (struct read_remote){peer, batch};
}

/* The round's own reads go back to the front of the next one; askers ask again themselves. */
static void round_give_up(struct reads *reads, int kind)
{
    struct read_round *round = &reads->round[kind];
    list_move_to_front(&round->requests, &reads->next[kind].requests);
    round->remote_count = 0;
    round->is_under_way = false;
}

static void round_begin(struct node *n, int kind)
{
    struct reads *reads = &n->reads;
    struct read_round *round = &reads->round[kind];
    struct read_round *next = &reads->next[kind];
    ASSERT(!round->is_under_way && list_empty(&round->requests) && round->remote_count == 0);
    list_move_to_front(&next->requests, &round->requests);
    struct read_round spare = *round;
    round->remote = next->remote;
    round->remote_count = next->remote_count;
    round->remote_capacity = next->remote_capacity;
    next->remote = spare.remote;
    next->remote_count = 0;
    next->remote_capacity = spare.remote_capacity;
    round->is_under_way = true;
    round->started_us = n->now_us;
    round->context = ++reads->last_context;
}

static void round_start(struct node *n, int kind)
{
    struct reads *reads = &n->reads;
    struct read_round *next = &reads->next[kind];
    if (reads->round[kind].is_under_way || (list_empty(&next->requests) && next->remote_count == 0))
        return;
    if (node_is_leader(n)) {
        round_begin(n, kind);
        struct raft_event event = {.type = RAFT_EVENT_READ};
        event.u.read.context = reads->round[kind].context;
        event.u.read.level = kind == 1 ? RAFT_READ_LEASE : RAFT_READ_QUORUM;
        if (driver_step(n, &event) != ERR_OK)
            round_give_up(reads, kind);
        return;
    }
    next->remote_count = 0;
    struct peer *leader = peers_leader(n);
    if (list_empty(&next->requests) || !leader || !peer_is_up(leader, PEER_CONTROL))
        return;
    round_begin(n, kind);
    struct buf *head = peers_begin(n);
    write_u64(head, reads->round[kind].context);
    write_u8(head, (uint8_t)kind);
    peers_send(n, leader, PEER_CONTROL, PEER_READ_REQUEST);
}

void reads_pump(struct node *n)
{
    if (node_is_blank(n))
        return;
    for (int kind = 0; kind < READ_ROUND_KINDS; kind++)
        round_start(n, kind);
}

static void round_confirm(struct node *n, int kind, raft_index index, int64_t time_ms)
{
    struct reads *reads = &n->reads;
    struct read_round *round = &reads->round[kind];
    while (!list_empty(&round->requests)) {
        struct request *r = request_of(round->requests.next);
        list_remove(&r->in_node);
        r->state = REQUEST_CONFIRMED;
        r->batch = round->context;
        r->read_index = index;
        r->read_time_ms = time_ms;
        list_append(&reads->confirmed, &r->in_node);
    }
    round->is_under_way = false;
}

static int round_find(struct reads *reads, uint64_t context)
{
    for (int kind = 0; kind < READ_ROUND_KINDS; kind++)
        if (reads->round[kind].is_under_way && reads->round[kind].context == context)
            return kind;
    return -1;
}

static void reads_answer_remote(struct node *n, const struct read_remote *remote, bool is_ready, raft_index index, int64_t time_ms)
{
    struct peer *p = peers_find(n, remote->peer);
    if (!p)
        return;
    struct buf *head = peers_begin(n);
    write_u64(head, remote->batch);
    write_u8(head, is_ready);
    write_u64(head, index);
    write_u64(head, (uint64_t)time_ms);
    peers_send(n, p, PEER_CONTROL, PEER_READ_INDEX);
    if (is_ready && index > p->nudge_index)
        p->nudge_index = index;
}

void reads_on_result(struct node *n, const struct raft_read *result)
{
    struct reads *reads = &n->reads;
    int kind = round_find(reads, result->context);
    if (kind < 0) /* V6 */
        return;
    struct read_round *round = &reads->round[kind];
    bool is_ready = result->status == RAFT_READ_READY && n->log_time.is_known;
    int64_t time_ms = is_ready ? log_time_now(n) : 0;
    for (uint32_t i = 0; i < round->remote_count; i++)
        reads_answer_remote(n, &round->remote[i], is_ready, result->index, time_ms);
    round->remote_count = 0;
    if (is_ready)
        round_confirm(n, kind, result->index, time_ms);
    else
        round_give_up(reads, kind);
}

void reads_receive_request(struct node *n, struct peer *peer, struct slice body)
{
    struct reader r = reader_of(body);
    uint64_t batch = read_u64(&r);
    uint8_t kind = read_u8(&r);
    if (!reader_done(&r) || kind >= READ_ROUND_KINDS)
        return;
    struct read_remote remote = {peer->id, batch};
    if (!node_is_leader(n))
        reads_answer_remote(n, &remote, false, 0, 0);
    else
        round_add_remote(&n->reads.next[kind], peer->id, batch);
}

void reads_receive_index(struct node *n, struct peer *peer, struct slice body)
{
    (void)peer;
    struct reader r = reader_of(body);
    uint64_t batch = read_u64(&r);
    bool is_ready = read_u8(&r) != 0;
    raft_index index = read_u64(&r);
    int64_t time_ms = (int64_t)read_u64(&r);
    int kind = round_find(&n->reads, batch);
    if (!reader_done(&r) || kind < 0)
        return;
    if (is_ready)
        round_confirm(n, kind, index, time_ms);
    else
        COVER("read: refused, asked again later"); /* By reads_tick: at once would be a storm. */
}

void reads_retry(struct node *n)
{
    for (int kind = 0; kind < READ_ROUND_KINDS; kind++)
        if (n->reads.round[kind].is_under_way) {
            COVER("read: asked again");
            round_give_up(&n->reads, kind);
        }
}

/* --- answering --- */

static void read_run(struct node *n, struct request *r, struct command_run *run, struct reply *reply)
{
    run->index = n->apply.applied;
    run->seed = prng_next(&n->prng);
    if (r->run_fn)
        r->run_fn(r, run, reply);
    else
        r->row->run(run, &r->command, reply);
}

/* Answers the read at log time `time_ms`. False: it met a due key and must wait for a pulse (V4). */
static bool read_answer(struct node *n, struct request *r, int64_t time_ms, bool may_wait)
{
    struct command_run run = {.view = {.keyspace = n->keyspace, .db = r->db, .time_ms = time_ms}};
    struct reply reply;
    client_reply_begin(r, &reply);
    read_run(n, r, &run, &reply);
    if (run.view.met_due && may_wait) {
        client_reply_abort(r);
        return false;
    }
    n->reads.pending--;
    n->reads.bytes -= r->size;
    n->reads.served++;
    client_reply_end(r);
    return true;
}

static void read_refuse(struct node *n, struct request *r)
{
    struct client *c = r->client;
    char text[400];
    snprintf(text,
             sizeof text,
             "%s%s: %s",
             n->leave.is_removed  ? "CLUSTERDOWN not answered"
             : node_has_leader(n) ? "TRYAGAIN the read was not confirmed in time"
                                  : "CLUSTERDOWN no leader",
             r->is_vain ? ", the command was not executed" : "",
             session_why_waiting(n));
    COVER("read: refused at its deadline");
    reads_forget(n, r);
    struct reply reply;
    client_reply_begin(r, &reply);
    reply_error(&reply, text);
    client_reply_end(r);
    reads_unblock(n, c);
}

/* What the state at log time `time_ms` says of a vain write (V5). */
enum vain_verdict { VAIN_STILL, VAIN_NO_MORE, VAIN_MET_DUE };

static enum vain_verdict read_judge_vain(struct node *n, const struct request *r, int64_t time_ms)
{
    struct command_run run = {.view = {.keyspace = n->keyspace, .db = r->db, .time_ms = time_ms}};
    bool is_vain = r->row->is_vain(r->row, &run, &r->command);
    return run.view.met_due ? VAIN_MET_DUE : is_vain ? VAIN_STILL : VAIN_NO_MORE;
}

void reads_unblock(struct node *n, struct client *c)
{
    for (;;) {
        struct request *r = client_first_request(c);
        if (!r || r->kind != REQUEST_READ || r->state != REQUEST_CONFIRMED || r->read_index > n->apply.applied)
            return;
        int64_t state_ms = keyspace_time_ms(n->keyspace);
        int64_t time_ms = r->read_time_ms > state_ms ? r->read_time_ms : state_ms;
        enum vain_verdict verdict = r->is_vain ? read_judge_vain(n, r, time_ms) : VAIN_STILL;
        if (verdict == VAIN_NO_MORE) {
            COVER("read: a vain write is in vain no more");
            client_submit_after_all(c);
            return;
        }
        list_remove(&r->in_node);
        if (verdict == VAIN_MET_DUE || !read_answer(n, r, time_ms, r->level != READ_STALE)) {
            COVER("read: waits for a pulse");
            list_append(&n->reads.pulse, &r->in_node);
            log_time_want(n, time_ms);
            return;
        }
    }
}

/* A read that waits for a pulse is the first of its client; answering it may put a later one into the list. */
static void reads_serve_pulse(struct node *n)
{
    struct list waiting;
    list_init(&waiting);
    list_move_to_front(&n->reads.pulse, &waiting);
    int64_t state_ms = keyspace_time_ms(n->keyspace);
    while (!list_empty(&waiting)) {
        struct request *r = request_of(waiting.next);
        list_remove(&r->in_node);
        if (r->read_time_ms > state_ms)
            list_append(&n->reads.pulse, &r->in_node);
        else
            reads_unblock(n, r->client);
    }
}

void reads_serve(struct node *n)
{
    struct reads *reads = &n->reads;
    reads_serve_pulse(n);
    while (!list_empty(&reads->confirmed)) {
        struct request *r = request_of(reads->confirmed.next);
        if (r->read_index > n->apply.applied)
            return;
        /* V2: behind an earlier request it stays without a list until that one is decided (reads_unblock). */
        list_remove(&r->in_node);
        if (client_first_request(r->client) == r)
            reads_unblock(n, r->client);
    }
}

void reads_serve_before(struct node *n, struct request *write)
{
    if (!write->client)
        return;
    for (;;) {
        struct request *r = client_first_request(write->client);
        ASSERT(r != NULL);
        if (r == write)
            return;
        ASSERT(r->kind == REQUEST_READ && !r->is_vain); /* Earlier writes have lower seqs: decided before. V5 */
        COVER("read: answered before its connection's later write");
        list_remove(&r->in_node);
        bool is_answered = read_answer(n, r, keyspace_time_ms(n->keyspace), false);
        ASSERT(is_answered);
    }
}

void reads_refuse_before(struct node *n, struct request *write, const char *text)
{
    for (;;) {
        struct request *r = client_first_request(write->client);
        ASSERT(r != NULL);
        if (r == write)
            return;
        ASSERT(r->kind == REQUEST_READ);
        reads_forget(n, r);
        struct reply reply;
        client_reply_begin(r, &reply);
        reply_error(&reply, text);
        client_reply_end(r);
    }
}

/* --- time --- */

static uint64_t reads_expire(struct node *n, struct list *list)
{
    while (!list_empty(list)) {
        struct request *r = request_of(list->next);
        if (r->deadline_us > n->now_us && !n->leave.is_removed)
            return r->deadline_us;
        read_refuse(n, r);
    }
    return NODE_NEVER;
}

uint64_t reads_tick(struct node *n)
{
    struct reads *reads = &n->reads;
    uint64_t next = NODE_NEVER;
    for (int kind = 0; kind < READ_ROUND_KINDS; kind++) {
        struct read_round *round = &reads->round[kind];
        next = earlier_us(next, reads_expire(n, &reads->next[kind].requests));
        next = earlier_us(next, reads_expire(n, &round->requests));
        if (!round->is_under_way)
            continue;
        /* The question or its answer may be lost. */
        uint64_t retry_us = round->started_us + node_election_timeout_us(n);
        if (n->now_us >= retry_us)
            round_give_up(reads, kind);
        else
            next = earlier_us(next, retry_us);
    }
    next = earlier_us(next, reads_expire(n, &reads->confirmed));
    return earlier_us(next, reads_expire(n, &reads->pulse));
}
