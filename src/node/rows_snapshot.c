#include "node/client_internal.h"
#include "node/rows.h"

/* RAFT SNAPSHOT: one of this node, now. BGSAVE is the same in Redis's words (rows_admin.c). */

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

static const struct command_row snapshot_row[] = {
    {.name = "raft|snapshot", .kind = COMMAND_NODE, .arity = 2, .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT,
     .run_local = row_raft_snapshot, .group = "server", .acl_categories = "@admin @slow @dangerous",
     .summary = "Begin a snapshot of this node's data; the log before it is dropped then", .since = "7.0.0",
     .complexity = "O(1), the work is done in the background", .arguments = ""},
};
const struct command_family rows_snapshot = {snapshot_row, sizeof snapshot_row / sizeof snapshot_row[0]};
