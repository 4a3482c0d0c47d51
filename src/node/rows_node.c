#include "node/rows.h"

#include <stdio.h>
#include <string.h>

#include "node/client_internal.h"
#include "node/info.h"
#include "resp/text.h"

/* INFO, RAFT STATUS and MEMBERS, the text verb status. */

static void row_info(struct client *c, const struct command *command, struct reply *reply)
{
    struct buf text = {0};

    if (c->info.is_sentinel) {
        sentinel_info(c, reply);
        return;
    }
    info_append(c->node, command->arg + 1, command->arg_count - 1, &text);
    reply_verbatim(reply, "txt", buf_slice(&text));
    buf_deinit(&text);
}

static const char *role_name(const struct node_status *status)
{
    static const char *const name[] = {"follower", "pre-candidate", "candidate", "leader"};

    return status->is_blank ? "blank" : name[status->raft.role];
}

/* --- RAFT ------------------------------------------------------------------------------------- */

static void pair_int(struct reply *reply, const char *name, uint64_t value)
{
    reply_bulk_cstr(reply, name);
    reply_int(reply, (int64_t)value);
}

static void pair_text(struct reply *reply, const char *name, const char *value)
{
    reply_bulk_cstr(reply, name);
    reply_bulk_cstr(reply, value);
}

static void pair_id(struct reply *reply, const char *name, uint64_t id)
{
    char text[17];

    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)id);
    pair_text(reply, name, text);
}

static void row_raft_status(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_status s;

    (void)command;
    node_get_status(c->node, &s);
    reply_map(reply, 24);
    pair_text(reply, "role", role_name(&s));
    pair_int(reply, "term", s.raft.term);
    pair_id(reply, "id", s.id);
    pair_text(reply, "address", s.own_address);
    pair_id(reply, "leader_id", s.raft.leader);
    pair_text(reply, "leader_address", s.leader_address);
    pair_id(reply, "cluster_id", s.cluster_id);
    pair_int(reply, "first_index", s.raft.first_index);
    pair_int(reply, "last_index", s.raft.last_index);
    pair_int(reply, "durable_index", s.raft.durable_index);
    pair_int(reply, "commit_index", s.raft.commit);
    pair_int(reply, "applied_index", s.applied);
    pair_int(reply, "session", s.session_number);
    pair_text(reply, "session_state", s.session_is_open ? "open" : "closed");
    pair_int(reply, "writes_pending", s.forwards_pending);
    pair_int(reply, "reads_pending", s.reads_pending);
    pair_int(reply, "elections", s.elections);
    pair_int(reply, "log_time_ms", (uint64_t)s.log_time_ms);
    pair_int(reply, "log_file_bytes", s.log_file_bytes);
    pair_int(reply, "log_record_bytes", s.log_record_bytes);
    pair_text(reply, "disk", s.is_disk_full ? "full" : "ok");
    pair_text(reply, "trouble", s.trouble ? s.trouble : "");
    pair_text(reply, "change", s.change);
    pair_int(reply, "used_ids", s.used_ids);
}

static const char *member_role(const struct node_member *m)
{
    return m->is_learner ? "learner" : m->is_leader ? "leader" : "follower";
}

static void row_raft_members(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);

    (void)command;
    reply_array(reply, count);
    for (uint32_t i = 0; i < count; i++) {
        reply_map(reply, 7);
        pair_id(reply, "id", member[i].id);
        pair_text(reply, "address", member[i].address);
        pair_text(reply, "role", member_role(&member[i]));
        pair_text(reply, "self", member[i].is_self ? "yes" : "no");
        pair_text(reply, "reachable", member[i].is_reachable ? "yes" : "no");
        pair_text(reply, "in_sync", member[i].is_in_sync ? "yes" : "no");
        pair_int(reply, "match_index", member[i].match);
    }
}

/* --- the text verbs ----------------------------------------------------------------------------- */

/* An address as people name the node: the port only where it differs from this node's. */
static void append_node(struct client *c, const char *address, struct buf *out)
{
    char suffix[16];
    size_t n = strlen(address);

    (void)snprintf(suffix, sizeof suffix, ":%lld", (long long)node_options(c->node)->port);
    size_t suffix_size = strlen(suffix);
    bool is_default = n > suffix_size && strcmp(address + n - suffix_size, suffix) == 0;
    bool has_default_port = node_options(c->node)->port == 6379;
    buf_append(out, address, is_default && has_default_port ? n - suffix_size : n);
}

static void append_leader(struct client *c, const struct node_member *member, uint32_t count, struct buf *out)
{
    buf_printf(out, "Cluster Status:\nLeader: ");
    for (uint32_t i = 0; i < count; i++) {
        if (member[i].is_leader) {
            append_node(c, member[i].address, out);
            return;
        }
    }
    buf_printf(out, "none");
}

static void append_active(struct client *c, const struct node_member *member, uint32_t count, struct buf *out)
{
    const char *separator = "";

    buf_printf(out, "\nActive Nodes: [");
    for (uint32_t i = 0; i < count; i++) {
        if (member[i].is_reachable) {
            buf_printf(out, "%s", separator);
            append_node(c, member[i].address, out);
            separator = ", ";
        }
    }
    buf_printf(out, "]\n");
}

static void row_text_status(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);
    struct node_status status;
    struct buf text = {0};
    bool all_in_sync = true;
    bool has_leader = false;

    (void)command;
    node_get_status(c->node, &status);
    append_leader(c, member, count, &text);
    append_active(c, member, count, &text);
    for (uint32_t i = 0; i < count; i++) {
        has_leader |= member[i].is_leader;
        if (!member[i].is_reachable || !member[i].is_in_sync) {
            buf_printf(&text, "%sWARNING: Node ", all_in_sync ? "" : "\n");
            append_node(c, member[i].address, &text);
            buf_printf(&text, " out of sync.");
            all_in_sync = false;
        }
    }
    if (!has_leader && !status.is_blank) {
        buf_printf(&text, "%sWARNING: No quorum.", all_in_sync ? "" : "\n");
    } else if (status.is_blank && status.trouble) {
        buf_printf(&text, "WARNING: %s", status.trouble);
    } else if (all_in_sync) {
        buf_printf(&text, "Sync Status: All nodes in sync.");
    }
    reply_line(reply, buf_slice(&text));
    buf_deinit(&text);
}

#define NODE_FLAGS (COMMAND_LOADING | COMMAND_STALE)
#define NODE_ROW(row_name, row_kind, row_arity, row_flags, fn, row_group, categories, text, version, cost, syntax)      \
    {                                                                                                                   \
        .name = row_name, .kind = row_kind, .arity = row_arity, .flags = row_flags, .run_local = fn,                    \
        .group = row_group, .acl_categories = categories, .summary = text, .since = version, .complexity = cost,        \
        .arguments = syntax                                                                                             \
    }

static const struct command_row node_row[] = {
    NODE_ROW("info", COMMAND_NODE, -1, NODE_FLAGS, row_info, "server", "@slow @dangerous",
             "Get information and statistics about the server", "1.0.0", "O(1)", "[section [section ...]]"),
    NODE_ROW("raft", COMMAND_CONTAINER, -2, 0, NULL, "server", "@slow", "A container for commands about the cluster", "7.0.0",
             "Depends on subcommand.", "subcommand"),
    NODE_ROW("raft|members", COMMAND_NODE, 2, NODE_FLAGS, row_raft_members, "server", "@slow",
             "The members of the cluster as this node sees them", "7.0.0", "O(N) where N is the number of members", ""),
    NODE_ROW("raft|status", COMMAND_NODE, 2, NODE_FLAGS, row_raft_status, "server", "@slow",
             "This node's role, term and positions in the log", "7.0.0", "O(1)", ""),
    NODE_ROW("text.status", COMMAND_NODE, 1, NODE_FLAGS | COMMAND_TEXT_ONLY, row_text_status, "text", "@slow",
             "Show leader, nodes and sync status", "7.0.0", "O(1)", ""),
};
const struct command_family rows_node = {node_row, sizeof node_row / sizeof node_row[0]};
