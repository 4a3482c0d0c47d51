#include "node/rows.h"

#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/number.h"
#include "node/client_internal.h"
#include "node/proposal.h"
#include "node/exec_payload.h"
#include "node/version.h"
#include "resp/text.h"

/* Rows that change or describe the client's own connection. */

static bool argument_is(const struct command *command, size_t position, const char *word)
{
    return position < command->arg_count && slice_equal_nocase(command->arg[position], word);
}

static void row_ping(struct client *c, const struct command *command, struct reply *reply)
{
    if (command->arg_count > 2) {
        reply_error(reply, "ERR wrong number of arguments for 'ping' command");
    } else if (c->protocol == REPLY_RESP2 && client_is_subscriber(c)) {
        reply_array(reply, 2);
        reply_bulk_cstr(reply, "pong");
        reply_bulk(reply, command->arg_count == 2 ? command->arg[1] : (struct slice){0});
    } else if (command->arg_count == 2) {
        reply_bulk(reply, command->arg[1]);
    } else {
        reply_simple(reply, "PONG");
    }
}

static void row_echo(struct client *c, const struct command *command, struct reply *reply)
{
    (void)c;
    reply_bulk(reply, command->arg[1]);
}

/* This node's wall clock; log time is in RAFT STATUS. */
static void row_time(struct client *c, const struct command *command, struct reply *reply)
{
    const struct node_env *env = node_environment(c->node);
    int64_t wall_ms = env->wall_ms ? env->wall_ms(env->ctx) : 0;

    (void)command;
    reply_array(reply, 2);
    reply_bulk_int(reply, wall_ms / 1000);
    reply_bulk_int(reply, wall_ms % 1000 * 1000 + (int64_t)(env->now_us(env->ctx) % 1000));
}

static void row_quit(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_simple(reply, "OK");
    c->is_closing = true;
}

static void row_reset(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    client_reset(c);
    reply->protocol = c->protocol;
    reply_simple(reply, "RESET");
}

static void row_select(struct client *c, const struct command *command, struct reply *reply)
{
    int64_t db = 0;

    if (!number_parse_i64(command->arg[1], &db)) {
        reply_error(reply, REPLY_NOT_INTEGER);
    } else if (db < INT32_MIN || db > INT32_MAX) {
        reply_error(reply, "ERR value is out of range, value must between -2147483648 and 2147483647");
    } else if (db < 0 || db >= node_options(c->node)->databases || db >= LIMIT_DATABASES) {
        reply_error(reply, "ERR DB index is out of range");
    } else if (db != 0 && node_options(c->node)->cluster_enabled) {
        reply_error(reply, "ERR SELECT is not allowed in cluster mode");
    } else {
        c->db = (uint32_t)db;
        reply_simple(reply, "OK");
    }
}

/* --- passwords -------------------------------------------------------------------------------- */

/* Compares digests, so that neither content nor length of the password shows in the time taken. */
static bool password_is_right(const struct client *c, struct slice given)
{
    struct slice wanted = slice_from_cstr(node_options(c->node)->requirepass);
    uint8_t a[32];
    uint8_t b[32];

    sha256(given.p, given.n, a);
    sha256(wanted.p, wanted.n, b);
    return bytes_equal_constant_time(a, b, sizeof a);
}

/* The only user there is: "default". Without a password it takes any. */
static bool client_authenticate(struct client *c, struct slice user, struct slice password)
{
    bool is_right = slice_equal(user, SLICE_LITERAL("default")) &&
                    (!client_needs_password(c) || password_is_right(c, password));

    if (is_right) {
        client_set_authenticated(c, true);
    }
    return is_right;
}

#define WRONGPASS "WRONGPASS invalid username-password pair or user is disabled."

static void row_auth(struct client *c, const struct command *command, struct reply *reply)
{
    bool has_user = command->arg_count == 3;

    if (command->arg_count > 3) {
        reply_error(reply, REPLY_SYNTAX);
        return;
    }
    if (!has_user && !client_needs_password(c)) {
        reply_error(reply, "ERR AUTH <password> called without any password configured for the default user. Are you sure "
                           "your configuration is correct?");
        return;
    }
    struct slice user = has_user ? command->arg[1] : SLICE_LITERAL("default");
    if (client_authenticate(c, user, command->arg[has_user ? 2 : 1])) {
        reply_simple(reply, "OK");
    } else {
        reply_error(reply, WRONGPASS);
    }
}

/* --- HELLO ------------------------------------------------------------------------------------ */

bool client_name_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < '!' || name.p[i] > '~') {
            return false;
        }
    }
    return true;
}

#define BAD_NAME "ERR Client names cannot contain spaces, newlines or special characters."

static bool is_leader(struct client *c)
{
    struct node_leader leader;

    node_find_leader(c->node, &leader);
    return leader.is_self && leader.is_alive;
}

static void hello_describe(struct client *c, struct reply *reply)
{
    reply_map(reply, c->info.is_sentinel ? 6 : 7);
    reply_bulk_cstr(reply, "server");
    reply_bulk_cstr(reply, "redis");
    reply_bulk_cstr(reply, "version");
    reply_bulk_cstr(reply, REDIS_VERSION);
    reply_bulk_cstr(reply, "proto");
    reply_int(reply, c->protocol == REPLY_RESP3 ? 3 : 2);
    reply_bulk_cstr(reply, "id");
    reply_int(reply, (int64_t)c->id);
    reply_bulk_cstr(reply, "mode");
    reply_bulk_cstr(reply, c->info.is_sentinel ? "sentinel" : node_options(c->node)->cluster_enabled ? "cluster" : "standalone");
    if (!c->info.is_sentinel) {
        reply_bulk_cstr(reply, "role");
        reply_bulk_cstr(reply, is_leader(c) ? "master" : "replica");
    }
    reply_bulk_cstr(reply, "modules");
    reply_array(reply, 0);
}

struct hello_options {
    bool has_auth;
    struct slice user;
    struct slice password;
    bool has_name;
    struct slice name;
};

/* False after an error was written. */
static bool hello_parse(const struct command *command, struct hello_options *o, struct reply *reply)
{
    for (size_t i = 2; i < command->arg_count;) {
        size_t more = command->arg_count - i - 1;

        if (argument_is(command, i, "auth") && more >= 2) {
            o->has_auth = true;
            o->user = command->arg[i + 1];
            o->password = command->arg[i + 2];
            i += 3;
        } else if (argument_is(command, i, "setname") && more >= 1) {
            o->has_name = true;
            o->name = command->arg[i + 1];
            if (!client_name_is_valid(o->name)) {
                reply_error(reply, BAD_NAME);
                return false;
            }
            i += 2;
        } else {
            reply_errorf(reply, "ERR Syntax error in HELLO option '%.*s'", (int)command->arg[i].n,
                         (const char *)command->arg[i].p);
            return false;
        }
    }
    return true;
}

static void row_hello(struct client *c, const struct command *command, struct reply *reply)
{
    int64_t version = 0;
    struct hello_options o = {0};

    if (command->arg_count > 1) {
        if (!number_parse_i64(command->arg[1], &version)) {
            reply_error(reply, "ERR Protocol version is not an integer or out of range");
            return;
        }
        if (version < 2 || version > 3) {
            reply_error(reply, "NOPROTO unsupported protocol version");
            return;
        }
    }
    if (!hello_parse(command, &o, reply)) {
        return;
    }
    if (o.has_auth && !client_authenticate(c, o.user, o.password)) {
        reply_error(reply, WRONGPASS);
        return;
    }
    if (!c->is_authenticated && client_needs_password(c)) {
        reply_error(reply, "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
                           "<user> <pass> option can be used to authenticate the client and select the RESP protocol "
                           "version at the same time");
        return;
    }
    if (o.has_name) {
        slice_replace(&c->name, o.name);
    }
    if (version != 0) {
        c->protocol = version == 3 ? REPLY_RESP3 : REPLY_RESP2;
        reply->protocol = c->protocol;
    }
    hello_describe(c, reply);
}

/* --- the read level --------------------------------------------------------------------------- */

static void row_raft_consistency(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const level[] = {"quorum", "lease", "stale"};

    if (command->arg_count == 2) {
        int now = c->read_level >= 0 ? c->read_level : node_options(c->node)->read_consistency;

        reply_bulk_cstr(reply, level[now]);
        return;
    }
    if (argument_is(command, 2, "default")) {
        c->read_level = -1;
        reply_simple(reply, "OK");
        return;
    }
    for (int i = READ_QUORUM; i <= READ_STALE; i++) {
        if (argument_is(command, 2, level[i])) {
            c->read_level = i;
            reply_simple(reply, "OK");
            return;
        }
    }
    reply_error(reply, "ERR the level must be quorum, lease, stale or default");
}

/* --- the text grammar's own verbs ------------------------------------------------------------- */

static void row_text_auth(struct client *c, const struct command *command, struct reply *reply)
{
    if (!client_needs_password(c)) {
        reply_error(reply, "ERR No password is set.");
    } else if (client_authenticate(c, SLICE_LITERAL("default"), command->arg[1])) {
        reply_line(reply, SLICE_LITERAL(TEXT_AUTHENTICATED));
    } else {
        reply_error(reply, WRONGPASS);
    }
}

static void row_text_help(struct client *c, const struct command *command, struct reply *reply)
{
    struct buf help = {0};

    (void)c;
    (void)command;
    text_append_help(&help);
    reply_line(reply, buf_slice(&help));
    buf_deinit(&help);
}

static void row_text_quit(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    (void)reply;
    c->is_closing = true;
}

/* --- the tables ------------------------------------------------------------------------------- */

#define LOCAL_FLAGS (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)

static const struct command_row connection_row[] = {
    {.name = "auth", .kind = COMMAND_CONNECTION, .arity = -2,
     .flags = LOCAL_FLAGS | COMMAND_FAST | COMMAND_NO_AUTH | COMMAND_ALLOW_BUSY, .run_local = row_auth,
     .group = "connection", .acl_categories = "@fast @connection", .summary = "Authenticate to the server", .since = "1.0.0",
     .complexity = "O(N) where N is the number of passwords defined for the user", .arguments = "[username] password",
     .history = "6.0.0 Added ACL style (username and password)."},
    {.name = "echo", .kind = COMMAND_CONNECTION, .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,
     .run_local = row_echo, .group = "connection", .acl_categories = "@fast @connection", .summary = "Echo the given string",
     .since = "1.0.0", .complexity = "O(1)", .arguments = "message"},
    {.name = "hello", .kind = COMMAND_CONNECTION, .arity = -1,
     .flags = LOCAL_FLAGS | COMMAND_FAST | COMMAND_NO_AUTH | COMMAND_ALLOW_BUSY, .run_local = row_hello,
     .group = "connection", .acl_categories = "@fast @connection", .summary = "Handshake with Redis", .since = "6.0.0",
     .complexity = "O(1)", .arguments = "[protover [AUTH username password] [SETNAME clientname]]",
     .history = "6.2.0 `protover` made optional; when called without arguments the command reports the current connection's context."},
    {.name = "ping", .kind = COMMAND_CONNECTION, .arity = -1, .flags = COMMAND_FAST, .run_local = row_ping,
     .group = "connection", .acl_categories = "@fast @connection", .summary = "Ping the server", .since = "1.0.0",
     .complexity = "O(1)", .arguments = "[message]",
     .tips = "request_policy:all_shards response_policy:all_succeeded"},
    {.name = "quit", .kind = COMMAND_CONNECTION, .arity = -1,
     .flags = LOCAL_FLAGS | COMMAND_FAST | COMMAND_NO_AUTH | COMMAND_ALLOW_BUSY, .run_local = row_quit,
     .group = "connection", .acl_categories = "@fast @connection", .summary = "Close the connection", .since = "1.0.0",
     .complexity = "O(1)", .arguments = ""},
    {.name = "raft|consistency", .kind = COMMAND_CONNECTION, .arity = -2, .flags = LOCAL_FLAGS | COMMAND_FAST,
     .run_local = row_raft_consistency, .group = "server", .acl_categories = "@fast @connection",
     .summary = "Show or set how this connection's reads are confirmed", .since = "7.0.0", .complexity = "O(1)",
     .arguments = "[quorum | lease | stale | default]"},
    {.name = "reset", .kind = COMMAND_CONNECTION, .arity = 1,
     .flags = LOCAL_FLAGS | COMMAND_FAST | COMMAND_NO_AUTH | COMMAND_ALLOW_BUSY, .run_local = row_reset,
     .group = "connection", .acl_categories = "@fast @connection", .summary = "Reset the connection", .since = "6.2.0",
     .complexity = "O(1)", .arguments = ""},
    {.name = "select", .kind = COMMAND_CONNECTION, .arity = 2, .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST,
     .run_local = row_select, .group = "connection", .acl_categories = "@fast @connection",
     .summary = "Change the selected database for the current connection", .since = "1.0.0", .complexity = "O(1)",
     .arguments = "index"},
    {.name = "text.auth", .kind = COMMAND_CONNECTION, .arity = 2, .flags = COMMAND_TEXT_ONLY | COMMAND_NO_AUTH | LOCAL_FLAGS,
     .run_local = row_text_auth, .group = "text", .acl_categories = "@fast @connection", .summary = "Authenticate",
     .since = "7.0.0", .complexity = "O(1)", .arguments = "password"},
    {.name = "text.help", .kind = COMMAND_CONNECTION, .arity = 1, .flags = COMMAND_TEXT_ONLY | COMMAND_NO_AUTH | LOCAL_FLAGS,
     .run_local = row_text_help, .group = "text", .acl_categories = "@fast @connection", .summary = "Show the text grammar",
     .since = "7.0.0", .complexity = "O(1)", .arguments = ""},
    {.name = "text.quit", .kind = COMMAND_CONNECTION, .arity = 1, .flags = COMMAND_TEXT_ONLY | COMMAND_NO_AUTH | LOCAL_FLAGS,
     .run_local = row_text_quit, .group = "text", .acl_categories = "@fast @connection", .summary = "Close the connection",
     .since = "7.0.0", .complexity = "O(1)", .arguments = ""},
    {.name = "time", .kind = COMMAND_CONNECTION, .arity = 1,
     .flags = COMMAND_LOADING | COMMAND_STALE | COMMAND_FAST, .run_local = row_time, .group = "server",
     .acl_categories = "@fast", .summary = "Return the current server time",
     .since = "2.6.0", .complexity = "O(1)", .arguments = "",
     .tips = "nondeterministic_output"},
};
const struct command_family rows_connection = {connection_row, sizeof connection_row / sizeof connection_row[0]};

static const struct command_row transaction_row[] = {
    {.name = "discard", .kind = COMMAND_CONNECTION, .arity = 1,
     .flags = LOCAL_FLAGS | COMMAND_FAST | COMMAND_ALLOW_BUSY, .run_local = row_discard, .group = "transactions",
     .acl_categories = "@fast @transaction", .summary = "Discard all commands issued after MULTI", .since = "2.0.0",
     .complexity = "O(N), when N is the number of queued commands", .arguments = ""},
    {.name = "exec", .number = PROPOSAL_EXEC, .version = EXEC_VERSION, .kind = COMMAND_CONNECTION, .arity = 1,
     .flags = LOCAL_FLAGS | COMMAND_SKIP_SLOWLOG, .run_local = row_exec, .group = "transactions",
     .acl_categories = "@slow @transaction", .summary = "Execute all commands issued after MULTI", .since = "1.2.0",
     .complexity = "Depends on commands in the transaction", .arguments = ""},
    {.name = "multi", .kind = COMMAND_CONNECTION, .arity = 1,
     .flags = LOCAL_FLAGS | COMMAND_FAST | COMMAND_ALLOW_BUSY, .run_local = row_multi, .group = "transactions",
     .acl_categories = "@fast @transaction", .summary = "Mark the start of a transaction block", .since = "1.2.0",
     .complexity = "O(1)", .arguments = ""},
    {.name = "unwatch", .kind = COMMAND_CONNECTION, .arity = 1,
     .flags = LOCAL_FLAGS | COMMAND_FAST | COMMAND_ALLOW_BUSY, .run_local = row_unwatch, .group = "transactions",
     .acl_categories = "@fast @transaction", .summary = "Forget about all watched keys", .since = "2.2.0",
     .complexity = "O(1)", .arguments = ""},
    {.name = "watch", .kind = COMMAND_CONNECTION, .arity = -2,
     .flags = LOCAL_FLAGS | COMMAND_FAST | COMMAND_ALLOW_BUSY, .keys = {1, -1, 1}, .run_local = row_watch,
     .group = "transactions", .acl_categories = "@fast @transaction",
     .summary = "Watch the given keys to determine execution of the MULTI/EXEC block", .since = "2.2.0",
     .complexity = "O(1) for every key.", .key_flags = "RO", .arguments = "key [key ...]"},
};
const struct command_family rows_transaction = {transaction_row, sizeof transaction_row / sizeof transaction_row[0]};
