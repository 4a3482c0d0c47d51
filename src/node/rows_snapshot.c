#include <stdio.h>

#include "node/client_internal.h"
#include "node/rows.h"

/* RAFT SNAPSHOT: one of this node, now (BGSAVE is the same in Redis's words: rows_admin.c). RAFT VERIFY: do all nodes hold the same?
 * RAFT BACKUP: a copy elsewhere. */

static void row_raft_snapshot(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_snapshot_status s;

    (void)command;
    node_get_snapshot(c->node, &s);
    if (s.is_running) {
        reply_error(reply, "ERR a snapshot is being made already");
    } else if (node_snapshot(c->node)) {
        reply_simple(reply, "OK");
    } else {
        reply_error(reply, "ERR there is nothing to make a snapshot of: the node belongs to no cluster yet, or is loading its data");
    }
}

bool verify_is_over(struct client *c)
{
    struct node_verify_member member[LIMIT_MEMBERS];
    raft_index index;
    uint32_t count = node_get_verify(c->node, c->wait.change, member, LIMIT_MEMBERS, &index);

    for (uint32_t i = 0; i < count; i++) {
        if (!member[i].has_answered && member[i].is_reachable) {
            return false;
        }
    }
    return index != 0;
}

static void reply_word(struct reply *reply, const char *word)
{
    reply_bulk(reply, slice_from_cstr(word));
}

void reply_verify(struct client *c, struct reply *reply)
{
    struct node_verify_member member[LIMIT_MEMBERS];
    raft_index index;
    uint32_t count = node_get_verify(c->node, c->wait.change, member, LIMIT_MEMBERS, &index);
    bool is_complete = true;
    bool is_equal = true;

    if (index == 0) {
        reply_error(reply, "TRYAGAIN no digest was made: no leader took the request, or this node is too far behind");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        is_complete = is_complete && member[i].has_answered;
        is_equal = is_equal && (member[i].is_equal || !member[i].has_answered);
    }
    reply_map(reply, 3);
    reply_word(reply, "index");
    reply_int(reply, (int64_t)index);
    reply_word(reply, "verdict");
    reply_word(reply, !is_equal ? "different" : is_complete ? "equal" : "incomplete");
    reply_word(reply, "members");
    reply_array(reply, count);
    for (uint32_t i = 0; i < count; i++) {
        char text[32] = "";

        if (member[i].has_answered) {
            snprintf(text, sizeof text, "%016llx", (unsigned long long)member[i].digest);
        }
        reply_map(reply, 3);
        reply_word(reply, "address");
        reply_word(reply, member[i].address);
        reply_word(reply, "digest");
        reply_word(reply, text);
        reply_word(reply, "state");
        reply_word(reply, !member[i].has_answered ? "no answer" : member[i].is_equal ? "equal" : "different");
    }
}

static void row_raft_verify(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_status status;

    node_get_status(c->node, &status);
    if (c->is_in_exec) {
        reply_error(reply, "ERR RAFT VERIFY waits for the other nodes: not in a transaction");
    } else if (!node_verify(c->node)) {
        reply_error(reply, "CLUSTERDOWN no leader is known to ask for digests");
    } else {
        client_wait_for_verify(c, status.applied, command, reply);
    }
}

void reply_backup(struct client *c, struct reply *reply)
{
    const char *error;
    raft_index index;
    uint64_t bytes;

    (void)node_backup_ended(c->node, c->wait.change, &error, &index, &bytes);
    if (error) {
        reply_error(reply, error);
    } else {
        reply_map(reply, 2);
        reply_word(reply, "index");
        reply_int(reply, (int64_t)index);
        reply_word(reply, "bytes");
        reply_int(reply, (int64_t)bytes);
    }
}

static void row_raft_backup(struct client *c, const struct command *command, struct reply *reply)
{
    const char *error = NULL;
    uint64_t number = 0;

    if (c->is_in_exec) {
        reply_error(reply, "ERR RAFT BACKUP takes time: not in a transaction");
        return;
    }
    number = node_backup(c->node, command->arg[2], &error);
    if (number == 0) {
        reply_error(reply, error);
    } else {
        client_wait_for_backup(c, number, command, reply);
    }
}

static const struct command_row snapshot_row[] = {
    {.name = "raft|backup", .kind = COMMAND_NODE, .arity = 3, .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT,
     .run_local = row_raft_backup, .group = "server", .acl_categories = "@admin @slow @dangerous",
     .summary = "Write this node's data to a new file, while it goes on, and read it back", .since = "7.0.0",
     .complexity = "O(N) where N is the number of keys, in the background", .arguments = "file"},
    {.name = "raft|snapshot", .kind = COMMAND_NODE, .arity = 2, .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT,
     .run_local = row_raft_snapshot, .group = "server", .acl_categories = "@admin @slow @dangerous",
     .summary = "Begin a snapshot of this node's data; the log before it is dropped then", .since = "7.0.0",
     .complexity = "O(1), the work is done in the background", .arguments = ""},
    {.name = "raft|verify", .kind = COMMAND_NODE, .arity = 2, .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT,
     .run_local = row_raft_verify, .group = "server", .acl_categories = "@admin @slow @dangerous",
     .summary = "Have all nodes compare their data as of one entry; a node that differs from the majority stops", .since = "7.0.0",
     .complexity = "O(N) where N is the number of keys, in the background", .arguments = ""},
};
const struct command_family rows_snapshot = {snapshot_row, sizeof snapshot_row / sizeof snapshot_row[0]};
