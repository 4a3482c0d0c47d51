#include "node/rows.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "keyspace/used_ids.h"
#include "node/client_internal.h"
#include "node/node_internal.h"
#include "resp/text.h"

/* RAFT's commands that change the cluster, RAFT LOG, and the text verbs add-node and remove-node. A change is asked for
 * (membership_ask.c), and its client waits for the answer (client_wait.c); any node takes the command. */

/* --- asking and answering ------------------------------------------------------------------------ */

/* An address as people name the node: without the port where that is Redis's and this node's. */
static void append_name(const struct client *c, const char *address, struct buf *out)
{
    static const char suffix[] = ":6379";
    size_t n = strlen(address);
    bool is_default = node_options(c->node)->port == 6379 && n > sizeof suffix - 1 &&
                      strcmp(address + n - (sizeof suffix - 1), suffix) == 0;

    buf_append(out, address, is_default ? n - (sizeof suffix - 1) : n);
}

/* "ERR Node h:6379 already exists ..." as a text session says it. */
static void reply_text_failure(struct client *c, const char *target, const char *text, struct reply *reply)
{
    const char *at = target[0] != '\0' ? strstr(text, target) : NULL;
    struct buf line = {0};

    if (!at) {
        reply_error(reply, text);
        return;
    }
    buf_append(&line, text, (size_t)(at - text));
    append_name(c, target, &line);
    buf_printf(&line, "%s", at + strlen(target));
    reply_error_slice(reply, buf_slice(&line));
    buf_deinit(&line);
}

static bool client_target(const struct client *c, const struct command *command, char target[LIMIT_ADDRESS_BYTES])
{
    return command->arg_count > 1 && address_normalise(command->arg[1], node_options(c->node)->port, target);
}

void reply_change(struct client *c, const struct command *command, struct reply *reply)
{
    const char *text = "";
    enum ask_state state = membership_answer(c->node, c->wait.change, &text);
    char target[LIMIT_ADDRESS_BYTES] = "";

    if (reply->protocol != REPLY_TEXT) {
        if (state == ASK_DONE) {
            reply_simple(reply, "OK");
        } else {
            reply_error(reply, text);
        }
    } else if (state != ASK_DONE) {
        (void)client_target(c, command, target);
        reply_text_failure(c, target, text, reply);
    } else {
        struct buf line = {0};
        bool is_add = slice_equal_nocase(command->arg[0], "add-node");

        (void)client_target(c, command, target);
        buf_printf(&line, "SUCCESS: Node ");
        append_name(c, target, &line);
        buf_printf(&line, is_add ? " added to cluster." : " removed from cluster.");
        reply_line(reply, buf_slice(&line));
        buf_deinit(&line);
    }
    membership_forget(c->node, c->wait.change);
}

static void client_ask(struct client *c, const struct change_plan *plan, const struct command *command, struct reply *reply)
{
    if (c->node->leave.is_removed) {
        reply_error(reply, "CLUSTERDOWN " LEAVE_REMOVED_TEXT);
        return;
    }
    uint64_t number = membership_ask(c->node, plan);
    if (number == 0) {
        reply_error(reply, "ERR too many membership commands wait on this node already; the cluster is unchanged");
        return;
    }
    if (reply->protocol == REPLY_TEXT && !node_has_leader(c->node)) {
        reply_line(reply, SLICE_LITERAL(TEXT_LEADER_RETRYING));
    }
    client_wait_for_change(c, number, command, reply);
}

static void row_raft_change(struct client *c, const struct command *command, struct reply *reply)
{
    struct change_plan plan;
    char text[CHANGE_TEXT_BYTES];

    if (!change_plan_parse(command->arg + 1, command->arg_count - 1, node_options(c->node)->port, &plan, text)) {
        reply_error(reply, text);
    } else {
        client_ask(c, &plan, command, reply);
    }
}

static void row_text_membership(struct client *c, const struct command *command, struct reply *reply)
{
    struct change_plan plan;
    char target[LIMIT_ADDRESS_BYTES];
    bool is_add = slice_equal_nocase(command->arg[0], "add-node");

    if (!client_target(c, command, target)) {
        struct buf line = {0};

        text_append_usage(&line, text_verb_find(command->arg[0]));
        reply->is_error = true;
        reply_line(reply, buf_slice(&line));
        buf_deinit(&line);
        return;
    }
    change_plan_one(is_add ? CHANGE_ADD : CHANGE_REMOVE, target, &plan);
    client_ask(c, &plan, command, reply);
}

/* --- RAFT LOG ------------------------------------------------------------------------------------ */

#define LOG_SHOWN 10
#define LOG_SHOWN_MOST 1000

static void append_conf(struct buf *out, const struct raft_conf *conf)
{
    buf_printf(out, conf->is_joint ? "joint configuration:" : "configuration:");
    for (uint32_t i = 0; i < conf->member_count; i++) {
        uint32_t flags = conf->member[i].flags;

        buf_printf(out, " %s", conf->member[i].address);
        if (conf->is_joint) {
            buf_printf(out, "(%s%s%s)", flags & RAFT_VOTER_OLD ? "old" : "",
                       (flags & RAFT_VOTER_OLD) && flags != RAFT_VOTER_OLD ? "," : "",
                       flags & RAFT_VOTER_NEW ? "new" : flags & RAFT_LEARNER ? "learner" : "");
        } else if (flags & RAFT_LEARNER) {
            buf_printf(out, "(learner)");
        }
    }
}

static void append_proposal(const struct client *c, struct slice payload, struct buf *out)
{
    struct proposal p;

    if (proposal_decode(payload, &p) != ERR_OK) {
        buf_printf(out, "?");
        return;
    }
    const struct command_row *row = command_table_by_number(node_commands(c->node), p.number);
    static const char *const own[] = {"time", "session open", "session close", "cancel", "suspend", "resume", "genesis", "option", "exec"};
    size_t at = p.number >= PROPOSAL_TIME ? (size_t)(p.number - PROPOSAL_TIME) : sizeof own / sizeof own[0];
    if (row) {
        buf_printf(out, "%s", row->name);
    } else if (at < sizeof own / sizeof own[0]) {
        buf_printf(out, "%s", own[at]);
    } else {
        buf_printf(out, "number %u", (unsigned)p.number);
    }
}

static void reply_entry(struct client *c, const struct raft_entry *e, struct reply *reply)
{
    struct buf text = {0};
    struct raft_conf conf;

    switch (e->type) {
    case RAFT_ENTRY_NOOP:
        buf_printf(&text, "a leader's first entry");
        break;
    case RAFT_ENTRY_CONF:
        if (raft_conf_decode(e->payload, &conf) == ERR_OK) {
            append_conf(&text, &conf);
        }
        break;
    case RAFT_ENTRY_COMMAND:
        append_proposal(c, e->payload, &text);
        break;
    }
    reply_map(reply, 5);
    reply_bulk_cstr(reply, "index");
    reply_int(reply, (int64_t)e->index);
    reply_bulk_cstr(reply, "term");
    reply_int(reply, (int64_t)e->term);
    reply_bulk_cstr(reply, "bytes");
    reply_int(reply, (int64_t)e->bytes.n);
    reply_bulk_cstr(reply, "time_ms");
    reply_int(reply, e->time_ms);
    reply_bulk_cstr(reply, "what");
    reply_bulk(reply, buf_slice(&text));
    buf_deinit(&text);
}

/* The newest entries, oldest of them first; only what is in memory. */
static void row_raft_log(struct client *c, const struct command *command, struct reply *reply)
{
    int64_t count = LOG_SHOWN;
    struct node *n = c->node;

    if (command->arg_count > 3 ||
        (command->arg_count == 3 && (!number_parse_i64(command->arg[2], &count) || count < 1 || count > LOG_SHOWN_MOST))) {
        reply_error(reply, "ERR usage: RAFT LOG [<count>], 1 to 1000 entries");
        return;
    }
    if (node_is_blank(n)) {
        reply_array(reply, 0);
        return;
    }
    raft_index last = n->driver.status.last_index;
    raft_index first = last >= (raft_index)count ? last + 1 - (raft_index)count : 1;
    first = first < n->driver.status.memory_first ? n->driver.status.memory_first : first;
    reply_array(reply, last >= first ? (size_t)(last + 1 - first) : 0);
    for (raft_index i = first; i <= last; i++) {
        struct raft_entry e;

        if (raft_get_entry(n->raft, i, &e)) {
            reply_entry(c, &e, reply);
        } else {
            reply_null(reply);
        }
    }
}

static void row_raft_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "RAFT <subcommand> [<arg> ...]. Subcommands are:",
        "ADD [LEARNER] <address> ... [REMOVE|PROMOTE|DEMOTE <address> ...]",
        "    Take blank nodes into the cluster; answered when they hold the data and vote. Learners get",
        "    everything and never vote. Several changes in one command are made at once.",
        "CANCEL", "    End the membership change that is under way, as long as that is possible.",
        "CONSISTENCY [quorum|lease|stale|default]", "    Show or set how this connection's reads are confirmed.",
        "DEMOTE <address> ...", "    Make voters learners.",
        "LOG [<count>]", "    Show the newest entries of this node's log.",
        "MEMBERS", "    Return the members of the cluster as this node sees them.",
        "PROMOTE <address> ...", "    Make learners voters, when they have caught up.",
        "REMOVE <address> ...", "    Remove members. An address or the 16 digits of a member's id.",
        "REPLACE <address> [<new address>]", "    Give a blank node the place of a member, at the same address or another.",
        "STATUS", "    Return this node's role, term and positions in the log.",
        "TRANSFER [<address>]", "    Let another voter lead.",
        "HELP", "    Prints this help.", NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

#define CHANGE_FLAGS (COMMAND_LOADING | COMMAND_STALE | COMMAND_ADMIN | COMMAND_NO_MULTI)
#define RAFT_ROW(row_name, row_kind, row_arity, row_flags, fn, row_group, categories, text, cost, syntax)                                   \
    {                                                                                                                                      \
        .name = row_name, .kind = row_kind, .arity = row_arity, .flags = row_flags, .run_local = fn, .group = row_group,                   \
        .acl_categories = categories, .summary = text, .since = "7.0.0", .complexity = cost, .arguments = syntax                           \
    }
#define CHANGE_ROW(row_name, row_arity, text, syntax)                                                                                      \
    RAFT_ROW(row_name, COMMAND_NODE, row_arity, CHANGE_FLAGS, row_raft_change, "server", "@admin @slow @dangerous", text, "O(1)", syntax)

static const struct command_row raft_row[] = {
    CHANGE_ROW("raft|add", -3, "Take nodes into the cluster", "[LEARNER] address [address ...]"),
    CHANGE_ROW("raft|cancel", 2, "End the membership change that is under way", ""),
    CHANGE_ROW("raft|demote", -3, "Make voters learners", "address [address ...]"),
    RAFT_ROW("raft|help", COMMAND_CONNECTION, 2, COMMAND_LOADING | COMMAND_STALE, row_raft_help, "server", "@slow",
             "Show helpful text about the different subcommands", "O(1)", ""),
    RAFT_ROW("raft|log", COMMAND_NODE, -2, COMMAND_LOADING | COMMAND_STALE | COMMAND_ADMIN, row_raft_log, "server", "@admin @slow @dangerous",
             "Show the newest entries of this node's log", "O(N) where N is the number of entries", "[count]"),
    CHANGE_ROW("raft|promote", -3, "Make learners voters", "address [address ...]"),
    CHANGE_ROW("raft|remove", -3, "Remove members from the cluster", "address [address ...]"),
    CHANGE_ROW("raft|replace", -3, "Give a blank node the place of a member", "address [new-address]"),
    CHANGE_ROW("raft|transfer", -2, "Let another voter lead", "[address]"),
    RAFT_ROW("text.add-node", COMMAND_NODE, 2, CHANGE_FLAGS | COMMAND_TEXT_ONLY, row_text_membership, "text", "@admin @slow",
             "Add a node to the cluster", "O(1)", "host[:port]"),
    RAFT_ROW("text.remove-node", COMMAND_NODE, 2, CHANGE_FLAGS | COMMAND_TEXT_ONLY, row_text_membership, "text", "@admin @slow",
             "Remove a node from the cluster", "O(1)", "host[:port]"),
};
const struct command_family rows_raft = {raft_row, sizeof raft_row / sizeof raft_row[0]};
