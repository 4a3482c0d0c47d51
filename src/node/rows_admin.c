#include "node/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "node/announce.h"
#include "node/client_internal.h"
#include "node/version.h"

/* What operators of Redis send: saving, replication, shutting down. Where a replicated log makes the command pointless the answer says
 * what is true here. */

static bool argument_is(const struct command *command, size_t position, const char *word)
{
    return position < command->arg_count && slice_equal_nocase(command->arg[position], word);
}

/* --- saving: every answered write is on disk already ------------------------------------------- */

static void row_save(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_simple(reply, "OK");
}

static void row_bgsave(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_snapshot_status s;
    bool may_wait = command->arg_count == 2 && argument_is(command, 1, "schedule");

    node_get_snapshot(c->node, &s);
    if (command->arg_count > 2 || (command->arg_count == 2 && !may_wait)) {
        reply_error(reply, REPLY_SYNTAX);
    } else if (s.is_running && !may_wait) {
        reply_error(reply, "ERR Background save already in progress");
    } else {
        /* A node that is blank or loads its data has nothing that isn't on disk. */
        (void)node_snapshot(c->node);
        reply_simple(reply, s.is_running ? "Background saving scheduled" : "Background saving started");
    }
}

/* When the newest snapshot became durable. (What is answered is in the log on disk at any time.) */
static void row_lastsave(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_snapshot_status s;

    (void)command;
    node_get_snapshot(c->node, &s);
    reply_int(reply, s.saved_ms / 1000);
}

static void row_bgrewriteaof(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_snapshot_status s;

    (void)command;
    node_get_snapshot(c->node, &s);
    if (s.is_running) {
        reply_error(reply, "ERR Background append only file rewriting already in progress");
    } else {
        (void)node_snapshot(c->node);
        reply_simple(reply, "Background append only file rewriting started");
    }
}

/* --- SHUTDOWN ----------------------------------------------------------------------------------- */

struct shutdown_flags {
    bool save, nosave, now, force, abort;
};

static bool shutdown_parse(const struct command *command, struct shutdown_flags *f)
{
    for (size_t i = 1; i < command->arg_count; i++) {
        if (argument_is(command, i, "save")) {
            f->save = true;
        } else if (argument_is(command, i, "nosave")) {
            f->nosave = true;
        } else if (argument_is(command, i, "now")) {
            f->now = true;
        } else if (argument_is(command, i, "force")) {
            f->force = true;
        } else if (argument_is(command, i, "abort")) {
            f->abort = true;
        } else {
            return false;
        }
    }
    return !(f->save && f->nosave) && !(f->abort && command->arg_count > 2);
}

static void row_shutdown(struct client *c, const struct command *command, struct reply *reply)
{
    const struct node_env *env = node_environment(c->node);
    struct shutdown_flags f = {0};

    if (!shutdown_parse(command, &f)) {
        reply_error(reply, REPLY_SYNTAX);
    } else if (f.abort && env->abort_shutdown && env->abort_shutdown(env->ctx)) {
        reply_simple(reply, "OK");
    } else if (f.abort) {
        reply_error(reply, "ERR No shutdown in progress.");
    } else if (!env->shut_down) {
        reply_error(reply, "ERR Errors trying to SHUTDOWN. Check logs.");
    } else {
        /* No reply: the connection closes when the process has ended. */
        env->shut_down(env->ctx, f.now);
    }
}

/* --- replication -------------------------------------------------------------------------------- */

static bool leads(struct client *c, struct node_status *status)
{
    node_get_status(c->node, status);
    return status->is_blank || status->raft.role == RAFT_LEADER;
}

static void row_replicaof(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_status status;

    if (argument_is(command, 1, "no") && argument_is(command, 2, "one") && leads(c, &status)) {
        reply_simple(reply, "OK");
    } else {
        reply_error(reply, "ERR this node's role can't be set: the cluster elects its leader, and every node takes writes");
    }
}

static void row_no_replication(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_error(reply, "ERR Redis's replication protocol is not spoken here: nodes replicate one log among themselves");
}

/* --- FAILOVER: RAFT TRANSFER in Redis's words ---------------------------------------------------- */

struct failover {
    struct slice host; /* NULL: to whoever is best */
    int64_t port;
    int64_t timeout; /* 0: not given */
    bool is_forced;
};

static bool failover_number(struct slice text, int64_t *number, struct reply *reply)
{
    if (!number_parse_i64(text, number)) {
        reply_error(reply, REPLY_NOT_INTEGER);
        return false;
    }
    return true;
}

/* As Redis reads it: each option once. */
static bool failover_parse(const struct command *command, struct failover *f, struct reply *reply)
{
    size_t count = command->arg_count;

    *f = (struct failover){.port = 0};
    for (size_t i = 1; i < count; i++) {
        if (argument_is(command, i, "timeout") && i + 1 < count && f->timeout == 0) {
            if (!failover_number(command->arg[++i], &f->timeout, reply)) {
                return false;
            }
            if (f->timeout <= 0) {
                reply_error(reply, "ERR FAILOVER timeout must be greater than 0");
                return false;
            }
        } else if (argument_is(command, i, "to") && i + 2 < count && !f->host.p) {
            if (!failover_number(command->arg[i + 2], &f->port, reply)) {
                return false;
            }
            f->host = command->arg[i + 1];
            i += 2;
        } else if (argument_is(command, i, "force") && !f->is_forced) {
            f->is_forced = true;
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

/* The address of the member that clients know as host and port, "" for any; or an error. */
static const char *failover_target(struct client *c, const struct failover *f, const char **address)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);

    *address = "";
    for (uint32_t i = 0; f->host.p && i < count; i++) {
        struct place own;
        struct place told;

        place_from_address(member[i].address, &own);
        client_find_place(c, member[i].id, &told);
        bool is_it = (slice_equal_nocase(f->host, own.host) && f->port == own.port) ||
                     (slice_equal_nocase(f->host, told.host) && f->port == told.port);
        if (is_it && !member[i].is_leader) {
            *address = member[i].address;
            return !member[i].is_voter       ? "ERR FAILOVER target is a learner: it can't lead. RAFT PROMOTE makes it a voter."
                   : !member[i].is_reachable ? "ERR FAILOVER target replica is not online."
                                             : NULL;
        }
    }
    return f->host.p ? "ERR FAILOVER target HOST and PORT is not a replica." : NULL;
}

/* Any node takes it. A hand-over is given up after an election timeout by itself: TIMEOUT is checked, no more. */
static void row_failover(struct client *c, const struct command *command, struct reply *reply)
{
    struct failover f;
    const char *address;
    const char *error = NULL;

    if (node_options(c->node)->cluster_enabled) {
        reply_error(reply, "ERR FAILOVER not allowed in cluster mode. Use CLUSTER FAILOVER command instead.");
        return;
    }
    if (command->arg_count == 2 && argument_is(command, 1, "abort")) {
        reply_error(reply, "ERR No failover in progress that could be aborted: one ends within an election timeout by itself.");
        return;
    }
    if (!failover_parse(command, &f, reply)) {
        return;
    }
    if (f.is_forced && (!f.timeout || !f.host.p)) {
        error = "ERR FAILOVER with force option requires both a timeout and target HOST and IP.";
    } else if (f.is_forced) {
        error = "ERR FAILOVER FORCE is not there: a node that lacks answered writes never leads";
    } else if ((error = failover_target(c, &f, &address)) == NULL) {
        error = client_fail_over(c, address);
    }
    if (error) {
        reply_error(reply, error);
    } else {
        reply_simple(reply, "OK");
    }
}

/* --- ROLE ---------------------------------------------------------------------------------------- */

static void role_of_leader(struct client *c, const struct node_status *status, struct reply *reply)
{
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);
    size_t others = 0;

    for (uint32_t i = 0; i < count; i++) {
        others += !member[i].is_self && member[i].is_reachable ? 1 : 0;
    }
    reply_array(reply, 3);
    reply_bulk_cstr(reply, "master");
    reply_int(reply, (int64_t)status->applied);
    reply_array(reply, others);
    for (uint32_t i = 0; i < count; i++) {
        if (!member[i].is_self && member[i].is_reachable) {
            struct place at;

            client_find_place(c, member[i].id, &at);
            reply_array(reply, 3);
            reply_bulk_cstr(reply, at.host);
            reply_bulk_int(reply, at.port);
            reply_bulk_int(reply, (int64_t)member[i].match);
        }
    }
}

/* As clients are told: the leader only from its first commit on. */
static void row_role(struct client *c, const struct command *command, struct reply *reply)
{
    struct node_status status;
    struct node_leader leader;
    struct place at = {0};

    (void)command;
    if (c->info.is_sentinel) {
        reply_array(reply, 2);
        reply_bulk_cstr(reply, "sentinel");
        reply_array(reply, 1);
        reply_bulk_cstr(reply, node_options(c->node)->sentinel_master_name);
        return;
    }
    node_get_status(c->node, &status);
    node_find_leader(c->node, &leader);
    if (leader.is_self && leader.is_alive) {
        role_of_leader(c, &status, reply);
        return;
    }
    if (leader.id != 0 && !leader.is_self) {
        client_find_place(c, leader.id, &at);
    }
    reply_array(reply, 5);
    reply_bulk_cstr(reply, "slave");
    reply_bulk_cstr(reply, at.host);
    reply_int(reply, at.port);
    reply_bulk_cstr(reply, leader.is_alive ? "connected" : "connect");
    reply_int(reply, (int64_t)status.applied);
}

/* --- what is not here --------------------------------------------------------------------------- */

static void row_module_list(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_array(reply, 0);
}

static void row_no_modules(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    (void)command;
    reply_error(reply, "ERR modules can't be loaded here");
}

static void row_module_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {"MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
                                       "LIST", "    Return a list of loaded modules: always empty here.",
                                       "HELP", "    Prints this help.", NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

/* --- COMMAND GETKEYSANDFLAGS -------------------------------------------------------------------- */

static bool has_word(const struct command *command, const char *word)
{
    for (size_t i = 3; i < command->arg_count; i++) {
        if (argument_is(command, i, word)) {
            return true;
        }
    }
    return false;
}

/* The flags of key number `position`: one list for all, or one a key specification, separated by ';'. */
static void reply_key_flags(const struct command_row *row, const struct command *command, size_t position, struct reply *reply)
{
    const char *at = row->key_flags ? row->key_flags : "RO";
    char word[32];
    size_t words = 1;

    if (strcmp(row->name, "set") == 0) {
        at = has_word(command, "get") ? "RW access update" : "OW update";
    }
    if (row->key_word && position >= (size_t)row->keys.last) {
        /* The spec of that word: "OW update|..." */
        at = row->key_word_flags ? row->key_word_flags : strrchr(row->key_unknown, '\n') + 1;
        position = 0;
    }
    for (const char *next = strchr(at, ';'); position > 0 && next; position--, next = strchr(at, ';')) {
        at = next + 1;
    }
    size_t n = strcspn(at, ";|");
    for (size_t i = 0; i < n; i++) {
        words += at[i] == ' ' ? 1 : 0;
    }
    reply_set(reply, words);
    for (size_t i = 0; i < words; i++) {
        size_t size = strcspn(at, " ;|");

        (void)snprintf(word, sizeof word, "%.*s", (int)size, at);
        reply_simple(reply, word);
        at += size + 1;
    }
}

static void row_command_getkeysandflags(struct client *c, const struct command *command, struct reply *reply)
{
    struct command inner = {command->arg + 2, command->arg_count - 2};
    bool is_subcommand_unknown = false;
    const struct command_row *row = command_table_find(node_commands(c->node), &inner, &is_subcommand_unknown);

    if (!row || (row->flags & COMMAND_TEXT_ONLY)) {
        reply_error(reply, "ERR Invalid command specified");
        return;
    }
    if (row->keys.first <= 0 && row->key_number == 0) {
        reply_error(reply, "ERR The command has no key arguments");
        return;
    }
    if (!command_arity_ok(row, inner.arg_count)) {
        reply_error(reply, "ERR Invalid number of arguments specified for command");
        return;
    }
    size_t count = command_key_count(row, &inner);
    if (count == 0) {
        reply_error(reply, "ERR Invalid arguments specified for command");
        return;
    }
    reply_array(reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_array(reply, 2);
        reply_bulk(reply, inner.arg[command_key_position(row, &inner, i)]);
        reply_key_flags(row, &inner, i, reply);
    }
}

/* --- LOLWUT ------------------------------------------------------------------------------------- */

static void row_lolwut(struct client *c, const struct command *command, struct reply *reply)
{
    static const char text[] = "\n"
                               "            |\\\n"
                               "            | \\\n"
                               "            |  \\\n"
                               "       _____|___\\____\n"
                               "      (______________)\n"
                               "  ~ ~~ \\____________/ ~~ ~ ~~~\n"
                               "    ~~~  ~  ~~~  ~~   ~~\n\n"
                               "A coracle: small, round, and hard to sink. Redis ver. " REDIS_VERSION "\n";

    (void)c;
    (void)command;
    reply_verbatim(reply, "txt", slice_from_cstr(text));
}

/* --- the table ---------------------------------------------------------------------------------- */

static const struct command_row admin_row[] = {
    {.name = "bgrewriteaof", .kind = COMMAND_NODE, .arity = 1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT, .run_local = row_bgrewriteaof, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Asynchronously rewrite the append-only file",
     .since = "1.0.0", .complexity = "O(1)", .arguments = ""},
    {.name = "bgsave", .kind = COMMAND_NODE, .arity = -1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT, .run_local = row_bgsave, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Asynchronously save the dataset to disk",
     .since = "1.0.0", .complexity = "O(1)", .arguments = "[SCHEDULE]",
     .history = "3.2.2 Added the `SCHEDULE` option."},
    {.name = "command|getkeysandflags", .kind = COMMAND_CONNECTION, .arity = -4,
     .flags = COMMAND_LOADING | COMMAND_STALE, .run_local = row_command_getkeysandflags, .group = "server",
     .acl_categories = "@slow @connection", .summary = "Extract keys and access flags given a full Redis command",
     .since = "7.0.0", .complexity = "O(N) where N is the number of arguments to the command",
     .arguments = "command [arg [arg ...]]"},
    {.name = "failover", .kind = COMMAND_NODE, .arity = -1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_STALE, .run_local = row_failover, .group = "server",
     .acl_categories = "@admin @slow @dangerous",
     .summary = "Start a coordinated failover between this server and one of its replicas.",
     .since = "6.2.0", .complexity = "O(1)", .arguments = "[TO host port [FORCE]] [ABORT] [TIMEOUT milliseconds]"},
    {.name = "lastsave", .kind = COMMAND_NODE, .arity = 1,
     .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST, .run_local = row_lastsave, .group = "server",
     .acl_categories = "@admin @fast @dangerous", .summary = "Get the UNIX time stamp of the last successful save to disk",
     .since = "1.0.0", .complexity = "O(1)", .arguments = "",
     .tips = "nondeterministic_output"},
    {.name = "lolwut", .kind = COMMAND_CONNECTION, .arity = -1,
     .flags = COMMAND_READONLY | COMMAND_FAST, .run_local = row_lolwut, .group = "server",
     .acl_categories = "@read @fast", .summary = "Display some computer art and the Redis version",
     .since = "5.0.0", .complexity = "", .arguments = "[VERSION version]"},
    {.name = "module", .kind = COMMAND_CONTAINER, .arity = -2,
     .flags = 0, .run_local = NULL, .group = "server",
     .acl_categories = "@slow", .summary = "A container for module commands",
     .since = "4.0.0", .complexity = "Depends on subcommand.", .arguments = "subcommand"},
    {.name = "module|help", .kind = COMMAND_NODE, .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE, .run_local = row_module_help, .group = "server",
     .acl_categories = "@slow", .summary = "Show helpful text about the different subcommands",
     .since = "5.0.0", .complexity = "O(1)", .arguments = ""},
    {.name = "module|list", .kind = COMMAND_NODE, .arity = 2,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT, .run_local = row_module_list, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "List all modules loaded by the server",
     .since = "4.0.0", .complexity = "O(N) where N is the number of loaded modules.", .arguments = "",
     .tips = "nondeterministic_output_order"},
    {.name = "module|load", .kind = COMMAND_NODE, .arity = -3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT, .run_local = row_no_modules, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Load a module",
     .since = "4.0.0", .complexity = "O(1)", .arguments = "path [arg [arg ...]]"},
    {.name = "module|loadex", .kind = COMMAND_NODE, .arity = -3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT, .run_local = row_no_modules, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Load a module with extended parameters",
     .since = "7.0.0", .complexity = "O(1)",
     .arguments = "path [CONFIG name value [CONFIG name value ...]] [ARGS arg [ARGS arg ...]]"},
    {.name = "module|unload", .kind = COMMAND_NODE, .arity = 3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT, .run_local = row_no_modules, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Unload a module",
     .since = "4.0.0", .complexity = "O(1)", .arguments = "name"},
    {.name = "psync", .kind = COMMAND_NODE, .arity = -3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_MULTI, .run_local = row_no_replication, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Internal command used for replication",
     .since = "2.8.0", .complexity = "", .arguments = "replicationid offset"},
    {.name = "replconf", .kind = COMMAND_NODE, .arity = -1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_ALLOW_BUSY,
     .run_local = row_no_replication, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "An internal command for configuring the replication stream",
     .since = "3.0.0", .complexity = "O(1)", .arguments = ""},
    {.name = "replicaof", .kind = COMMAND_NODE, .arity = 3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_STALE, .run_local = row_replicaof, .group = "server",
     .acl_categories = "@admin @slow @dangerous",
     .summary = "Make the server a replica of another instance, or promote it as master.",
     .since = "5.0.0", .complexity = "O(1)", .arguments = "host port | NO ONE"},
    {.name = "role", .kind = COMMAND_NODE, .arity = 1,
     .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST, .run_local = row_role, .group = "server",
     .acl_categories = "@admin @fast @dangerous", .summary = "Return the role of the instance in the context of replication",
     .since = "2.8.12", .complexity = "O(1)", .arguments = ""},
    {.name = "save", .kind = COMMAND_NODE, .arity = 1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_MULTI, .run_local = row_save, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Synchronously save the dataset to disk",
     .since = "1.0.0", .complexity = "O(N) where N is the total number of keys in all databases", .arguments = ""},
    {.name = "shutdown", .kind = COMMAND_NODE, .arity = -1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE | COMMAND_NO_MULTI | COMMAND_ALLOW_BUSY,
     .run_local = row_shutdown, .group = "server",
     .acl_categories = "@admin @slow @dangerous",
     .summary = "Synchronously save the dataset to disk and then shut down the server",
     .since = "1.0.0",
     .complexity = "O(N) when saving, where N is the total number of keys in all databases when saving data, "
      "otherwise O(1)", .arguments = "[NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
     .history = "7.0.0 Added the `NOW`, `FORCE` and `ABORT` modifiers."},
    {.name = "slaveof", .kind = COMMAND_NODE, .arity = 3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_STALE, .run_local = row_replicaof, .group = "server",
     .acl_categories = "@admin @slow @dangerous",
     .summary = "Make the server a replica of another instance, or promote it as master.",
     .since = "1.0.0", .complexity = "O(1)", .arguments = "host port | NO ONE"},
    {.name = "sync", .kind = COMMAND_NODE, .arity = 1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_NO_MULTI, .run_local = row_no_replication, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Internal command used for replication",
     .since = "1.0.0", .complexity = "", .arguments = ""},
    {.name = "wait", .kind = COMMAND_NODE, .arity = 3,
     .flags = COMMAND_NOSCRIPT, .run_local = row_wait, .group = "generic",
     .acl_categories = "@slow @connection",
     .summary = "Wait for the synchronous replication of all the write commands sent in the context of the current connection",
     .since = "3.0.0", .complexity = "O(1)", .arguments = "numreplicas timeout",
     .tips = "request_policy:all_shards response_policy:agg_min"},
    {.name = "waitaof", .kind = COMMAND_NODE, .arity = 4,
     .flags = COMMAND_NOSCRIPT, .run_local = row_waitaof, .group = "generic", .acl_categories = "@slow @connection",
     .summary = "Wait until this connection's writes are on disk here and on other nodes", .since = "7.2.0",
     .complexity = "O(1)", .arguments = "numlocal numreplicas timeout",
     .tips = "request_policy:all_shards response_policy:agg_min"},
};
const struct command_family rows_admin = {admin_row, sizeof admin_row / sizeof admin_row[0]};
