#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* The core's side of request.h: what client.c calls. Nothing here decides a request before it returns. */

void node_submit_write(struct node *n, struct request *r, const struct command *command)
{
    const struct slice *arg = command->arg + 1;
    size_t arg_count = command->arg_count - 1;
    size_t payload_size = proposal_size(arg, arg_count);
    ASSERT(r->kind == REQUEST_WRITE);
    formation_want(n);
    r->state = REQUEST_UNSENT;
    r->seq = 0;
    r->size = ENTRY_HEADER_BYTES + payload_size;
    uint8_t *at = batch_reserve(&n->batch, r->size, &r->chunk, &r->offset);
    entry_begin(at, RAFT_ENTRY_COMMAND, 0, payload_size);
    struct proposal head = {.number = r->row->number, .version = r->row->version, .db = (uint8_t)r->db};
    proposal_encode(at + ENTRY_HEADER_BYTES, &head, arg, arg_count);
    if (node_is_leader(n) && n->stages.sample == SAMPLE_NONE)
        stages_submitted(&n->stages, n->env.now_us(n->env.ctx));
    list_append(&n->session.unsent, &r->in_node);
    n->session.unsent_bytes += r->size;
    n->wake_us = n->now_us; /* Clients go on between two iterations, too, when their output drains. */
}

void node_submit_read(struct node *n, struct request *r)
{
    ASSERT(r->kind == REQUEST_READ);
    reads_submit(n, r);
    n->wake_us = n->now_us;
}

bool node_is_vain(struct node *n, const struct command_row *row, uint32_t db, const struct command *command)
{
    if (n->raft == NULL || node_is_blank(n) || formation_is_lone(n) || n->is_closing || n->leave.is_removed)
        return false;
    struct command_run run = {.view = {.keyspace = n->keyspace, .db = db, .time_ms = keyspace_time_ms(n->keyspace)}};
    return row->is_vain(row, &run, command);
}

void node_submit_after_all(struct node *n, struct request *r)
{
    ASSERT(r->kind == REQUEST_READ && r->is_vain);
    struct command command = r->command;
    reads_forget(n, r);
    r->is_vain = false;
    r->kind = REQUEST_WRITE;
    node_submit_write(n, r, &command);
}

/* The local state may answer at this instant, and at what log time. */
static bool read_now_time(struct node *n, enum read_level level, int64_t *time_ms)
{
    *time_ms = keyspace_time_ms(n->keyspace);
    if (n->leave.is_removed)
        return false; /* J15 */
    if (level == READ_STALE || formation_is_lone(n))
        return true;
    if (n->raft == NULL)
        return false;
    if (level == READ_QUORUM)
        return MUT(16) ? true : false;
    node_enter(n); /* After the request was read (L5). */
    if (!node_is_leader(n) || n->apply.applied < n->driver.commit || !n->log_time.is_known ||
        !raft_lease_holds(n->raft, n->now_us))
        return false;
    int64_t now_ms = log_time_now(n);
    if (now_ms > *time_ms)
        *time_ms = now_ms;
    return true;
}

bool node_try_read_now(struct node *n, enum read_level level, uint32_t db, struct command_run *run)
{
    int64_t time_ms;
    if (!read_now_time(n, level, &time_ms))
        return false;
    *run = (struct command_run){
        .view = {.keyspace = n->keyspace, .db = db, .time_ms = time_ms},
        .index = n->apply.applied,
        .seed = prng_next(&n->prng),
    };
    n->reads.served++;
    return true;
}

bool node_abandon(struct node *n, struct request *r)
{
    if (r->kind == REQUEST_READ) {
        reads_forget(n, r);
        return true;
    }
    if (r->state == REQUEST_UNSENT) {
        session_forget_unsent(n, r);
        return true;
    }
    if (r->state == REQUEST_BLOCKED) {
        blocked_abandon(n, r);
        return true;
    }
    r->client = NULL;
    return false;
}

struct clients *node_clients(struct node *n)
{
    return n->clients;
}

bool node_window_is_full(const struct node *n)
{
    size_t under_way = n->session.window_bytes + n->session.unsent_bytes + n->reads.bytes;
    return under_way >= (size_t)n->options->forward_window_bytes;
}

bool node_has_leader(const struct node *n)
{
    /* A lone BLANK node serves as it is, and a cluster of one elects itself as fast as its disk can write. */
    if (formation_is_lone(n) || (n->raft != NULL && n->peers.count == 0 && !node_lacks_configuration(n)))
        return true;
    return n->raft != NULL && n->driver.status.leader != 0 && !n->leave.is_removed;
}

/* The snapshot, then the log behind it. */
const char *node_read_refusal(struct node *n)
{
    const char *loading = snapshot_loading_text(n);
    if (loading || n->raft == NULL || !apply_is_replaying(n))
        return loading;
    snprintf(n->reason, sizeof n->reason, "LOADING the node is replaying its log: %u %%", apply_replayed_percent(n));
    return n->reason;
}

const char *node_write_refusal(struct node *n, const struct command_row *row)
{
    if (n->raft == NULL)
        return NULL;
    if (n->leave.is_removed)
        return "CLUSTERDOWN " LEAVE_REMOVED_TEXT ", the command was not executed";
    const char *loading = node_read_refusal(n);
    if (loading)
        return loading;
    if (n->is_closing)
        return "CLUSTERDOWN the node is shutting down, the command was not executed";
    if (node_is_leader(n))
        return forward_refusal(n, row->flags);
    const struct peer *leader = peers_leader(n);
    if (!leader)
        return NULL;
    if (leader->last.refuses & PEER_REFUSES_DISK)
        return "MISCONF disk full: the leader has no room for new writes, the command was not executed";
    if ((leader->last.refuses & PEER_REFUSES_MEMORY) && (row->flags & COMMAND_DENYOOM))
        return "OOM command not allowed when used memory > 'maxmemory'.";
    return NULL;
}

struct options *node_options_edit(struct node *n)
{
    return n->options;
}

bool node_publish(struct node *n, enum pubsub_kind kind, struct slice channel, struct slice message, struct publish_hole *hole)
{
    return publish_add(n, kind, channel, message, hole);
}

const struct keyspace *node_settings(struct node *n)
{
    return node_is_blank(n) ? NULL : n->keyspace;
}
