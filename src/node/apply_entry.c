#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/changes.h"
#include "keyspace/sessions.h"
#include "keyspace/used_ids.h"
#include "keyspace/waiters.h"
#include "node/node_internal.h"

/* What one committed entry does, the same on every node; and, on the node whose client sent it, the client's answer.
 *
 * A1  Nothing here reads a clock, a random number or an option: time and seed come from the entry and the cluster.
 * A2  A client's write takes effect only by SESSION_TAKES_EFFECT; every other copy is skipped and answers nobody.
 * A3  Own reads that stand before an own write are answered before it takes effect (read.c V3).
 * A4  An entry this program does not know stops the node: going on would make its state differ from the others'. */

static void apply_unknown(struct node *n, const struct raft_entry *e, const struct proposal *p)
{
    node_fatal(n,
               "Entry %llu is of a kind this program does not know (number %u, version %u): it was written by a newer "
               "version of coracle.",
               (unsigned long long)e->index,
               p->number,
               p->version);
}

struct slice *apply_args_room(struct apply *a, size_t count)
{
    if (count > a->arg_capacity) {
        a->arg_capacity = count < 16 ? 16 : count;
        a->arg = mem_realloc_array(a->arg, a->arg_capacity, sizeof a->arg[0]);
    }
    return a->arg;
}

/* Deterministic: the same on every node for the same entry. */
static uint64_t apply_seed(const struct node *n, raft_index index)
{
    uint64_t z = n->identity.hash_seed[0] ^ (index * 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Runs a data command; its reply goes to `reply`. True: there is none yet, it waits (blocked.c). */
static bool apply_command(struct node *n, const struct raft_entry *e, const struct proposal *p, struct reply *reply, struct request *request)
{
    struct command_wait wait = {.is_wanted = false};
    struct command_run run = {
        .view = {.keyspace = n->keyspace, .db = p->db, .time_ms = keyspace_time_ms(n->keyspace), .is_write = true},
        .index = e->index,
        .seed = apply_seed(n, e->index),
    };
    if (MUT(23))
        run.view.time_ms = n->env.wall_ms(n->env.ctx);
    if (p->number == PROPOSAL_EXEC) {
        apply_exec(n, &run, p, request, reply);
        return false;
    }
    run.wait = &wait;
    const struct command_row *row = command_table_by_number(n->table, p->number);
    struct slice *arg = apply_args_room(&n->apply, (size_t)p->arg_count + 1);
    if (!row || row->version != p->version || !row->run || !command_arity_ok(row, (size_t)p->arg_count + 1) ||
        p->db >= LIMIT_DATABASES || proposal_args(p, arg + 1) != ERR_OK) {
        apply_unknown(n, e, p);
        return false;
    }
    arg[0] = slice_from_cstr(row->name);
    struct command command = {arg, (size_t)p->arg_count + 1};
    row->run(&run, &command, reply);
    if (wait.is_wanted)
        blocked_register(n, e, p, &wait, &command, request && request->client ? request : NULL);
    return wait.is_wanted;
}

/* A1, A2: the write takes effect; `request` is the one it came from, NULL on other nodes. */
static void apply_write(struct node *n, const struct raft_entry *e, const struct proposal *p, struct request *request)
{
    struct reply reply = {.protocol = REPLY_DISCARD};
    if (!request || !request->client) {
        apply_command(n, e, p, &reply, NULL);
        if (request) {
            session_decided(n, request);
            request_free(request);
        }
        return;
    }
    struct client *c = request->client;
    reads_serve_before(n, request); /* A3 */
    session_decided(n, request);
    client_reply_begin(request, &reply);
    n->changes.origin = c;
    bool waits = apply_command(n, e, p, &reply, request);
    n->changes.origin = NULL;
    if (waits)
        client_reply_abort(request);
    else
        client_reply_end(request);
    n->apply.applied = e->index;
    reads_unblock(n, c);
}

static bool is_own_session(const struct node *n, const struct proposal *p)
{
    return p->member == n->identity.node_id && p->session == n->session.number &&
           (n->session.phase == SESSION_OPEN || n->session.phase == SESSION_ENDED);
}

static void apply_session_entry(struct node *n, const struct raft_entry *e, const struct proposal *p)
{
    switch (sessions_take(n->keyspace, p->member, p->session, p->seq)) {
    case SESSION_TAKES_EFFECT:
        apply_write(n, e, p, is_own_session(n, p) ? session_first(n, p->seq) : NULL);
        break;
    case SESSION_DONE_BEFORE:
        COVER("apply: a copy of what was done is skipped");
        break;
    case SESSION_GAP:
        COVER("apply: a gap is skipped");
        break;
    case SESSION_NOT_OPEN:
        COVER("apply: an entry of a closed session is skipped");
        break;
    }
}

static void apply_open(struct node *n, const struct proposal *p)
{
    if (!sessions_open(n->keyspace, p->member, p->session))
        return;
    blocked_session_ended(n, p->member);
    if (p->member == n->identity.node_id)
        session_on_opened(n, p->session);
}

/* M40: reads that stand before a write of this client are answered as if CLOSE were that write. */
static void apply_close_as_write(struct node *n, const struct proposal *p)
{
    if (!MUT(40) || !is_own_session(n, p))
        return;
    for (struct list *at = n->session.window.next; at != &n->session.window; at = at->next) {
        struct request *r = CONTAINER_OF(at, struct request, in_node);
        struct request *first = r->client ? client_first_request(r->client) : NULL;
        if (first && first->kind == REQUEST_READ)
            reads_serve_before(n, r);
    }
}

static void apply_close(struct node *n, const struct proposal *p)
{
    apply_close_as_write(n, p);
    if (!sessions_close(n->keyspace, p->member, p->session))
        return;
    if (p->member == n->identity.node_id)
        session_on_closed(n, p->session, sessions_find(n->keyspace, p->member)->last);
    blocked_session_ended(n, p->member);
}

/* One own command whose CANCEL took effect. */
static void apply_cancel_own(struct node *n, uint64_t seq, struct slice text)
{
    struct request *r = session_first(n, seq);
    struct client *c = r->client;
    if (!c) {
        session_decided(n, r);
        request_free(r);
        return;
    }
    reads_serve_before(n, r);
    session_decided(n, r);
    struct reply reply;
    client_reply_begin(r, &reply);
    reply_error_slice(&reply, text);
    client_reply_end(r);
    reads_unblock(n, c);
}

static void apply_cancel(struct node *n, const struct raft_entry *e, const struct proposal *p)
{
    struct slice arg[3];
    if (p->arg_count != 3 || proposal_args(p, arg) != ERR_OK || arg[0].n != 8 || arg[1].n != 8) {
        apply_unknown(n, e, p);
        return;
    }
    uint64_t to = get_u64(arg[1].p);
    uint64_t first = sessions_cancel(n->keyspace, p->member, p->session, get_u64(arg[0].p), to);
    if (first == 0 || !is_own_session(n, p))
        return;
    COVER("apply: own commands are cancelled");
    for (uint64_t seq = first; seq <= to; seq++)
        apply_cancel_own(n, seq, arg[2]);
}

static void apply_suspend(struct node *n, const struct proposal *p)
{
    sessions_set_suspended(n->keyspace, p->member, p->session, p->number == PROPOSAL_SUSPEND);
    if (p->number == PROPOSAL_RESUME)
        waiters_note_session(n->keyspace, p->member, p->session);
}

static void apply_unblock(struct node *n, const struct raft_entry *e, const struct proposal *p)
{
    struct slice seqs;
    if (p->arg_count != 1 || proposal_args(p, &seqs) != ERR_OK || seqs.n % 8 != 0) {
        apply_unknown(n, e, p);
        return;
    }
    blocked_unblock(n, p, seqs);
}

static void apply_genesis(struct node *n, const struct raft_entry *e, const struct proposal *p)
{
    uint64_t seed[2];
    if (!genesis_read(p, seed, n->keyspace)) {
        apply_unknown(n, e, p);
        return;
    }
    /* The keyspace got the seed with the identity; the entry must say the same. */
    if (seed[0] != n->identity.hash_seed[0] || seed[1] != n->identity.hash_seed[1])
        node_fatal(n, "Entry %llu names another hash seed than this data directory.", (unsigned long long)e->index);
}

static void apply_proposal(struct node *n, const struct raft_entry *e)
{
    struct proposal p;
    if (proposal_decode(e->payload, &p) != ERR_OK) {
        node_fatal(n, "Entry %llu can't be read.", (unsigned long long)e->index);
        return;
    }
    if (p.seq != 0) {
        apply_session_entry(n, e, &p);
        return;
    }
    if (p.version != 1 && p.number != PROPOSAL_GENESIS) {
        apply_unknown(n, e, &p);
        return;
    }
    switch (p.number) {
    case PROPOSAL_TIME:
        break;
    case PROPOSAL_OPEN:
        apply_open(n, &p);
        break;
    case PROPOSAL_CLOSE:
        apply_close(n, &p);
        break;
    case PROPOSAL_CANCEL:
        apply_cancel(n, e, &p);
        break;
    case PROPOSAL_SUSPEND:
    case PROPOSAL_RESUME:
        apply_suspend(n, &p);
        break;
    case PROPOSAL_UNBLOCK:
        apply_unblock(n, e, &p);
        break;
    case PROPOSAL_GENESIS:
        apply_genesis(n, e, &p);
        break;
    case PROPOSAL_WATCH:
        changes_touch(n->keyspace);
        break;
    case PROPOSAL_VERIFY:
        verify_begin(n, e->index);
        break;
    default: /* Not an enumeration: any u16 may stand in a log. */
        apply_unknown(n, e, &p);
        break;
    }
}

/* Sessions of members that are gone end with their membership; ids are never used again. */
static void apply_conf(struct node *n, const struct raft_entry *e)
{
    struct raft_conf conf;
    if (raft_conf_decode(e->payload, &conf) != ERR_OK) {
        node_fatal(n, "The configuration in entry %llu can't be read.", (unsigned long long)e->index);
        return;
    }
    n->snapshots.conf = conf;
    n->snapshots.conf_index = e->index;
    for (uint32_t i = 0; i < conf.member_count; i++)
        used_ids_add(n->keyspace, conf.member[i].id);
    for (size_t i = sessions_count(n->keyspace); i > 0; i--) {
        raft_id member = sessions_at(n->keyspace, i - 1)->member;
        if (raft_conf_find(&conf, member))
            continue;
        struct session_state gone = *sessions_at(n->keyspace, i - 1);
        sessions_remove(n->keyspace, member);
        if (member == n->identity.node_id)
            session_on_closed(n, gone.number, gone.last);
        blocked_session_ended(n, member);
    }
}

void apply_entry(struct node *n, const struct raft_entry *e)
{
    keyspace_begin_entry(n->keyspace, e->index, e->time_ms);
    log_time_seen(n, e->time_ms);
    blocked_expire(n);
    switch (e->type) {
    case RAFT_ENTRY_NOOP:
        break;
    case RAFT_ENTRY_CONF:
        apply_conf(n, e);
        break;
    case RAFT_ENTRY_COMMAND:
        apply_proposal(n, e);
        break;
    }
    blocked_serve(n, e);
    n->apply.applied = e->index;
    verify_applied(n, e->index);
}
