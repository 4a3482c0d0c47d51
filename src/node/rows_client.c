#include "node/rows.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "node/client_internal.h"

/* CLIENT and its subcommands, as Redis 7.0 (SETINFO as 7.2, which clients of today send). */

static bool argument_is(const struct command *command, size_t position, const char *word)
{
    return position < command->arg_count && slice_equal_nocase(command->arg[position], word);
}

static void row_id(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_int(reply, (int64_t)c->id);
}

static void row_getname(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    if (c->name.n > 0) {
        reply_bulk(reply, c->name);
    } else {
        reply_null(reply);
    }
}

static void row_setname(struct client *c, const struct command *command, struct reply *reply)
{
    if (!client_name_is_valid(command->arg[2])) {
        reply_error(reply, "ERR Client names cannot contain spaces, newlines or special characters.");
        return;
    }
    slice_replace(&c->name, command->arg[2]);
    reply_simple(reply, "OK");
}

static void row_setinfo(struct client *c, const struct command *command, struct reply *reply)
{
    bool is_name = argument_is(command, 2, "lib-name");

    if (!is_name && !argument_is(command, 2, "lib-ver")) {
        reply_errorf(reply, "ERR Unrecognized option '%.*s'", (int)command->arg[2].n, (const char *)command->arg[2].p);
    } else if (!client_name_is_valid(command->arg[3])) {
        reply_errorf(reply, "ERR %s cannot contain spaces, newlines or special characters.", is_name ? "lib-name" : "lib-ver");
    } else {
        slice_replace(is_name ? &c->library_name : &c->library_version, command->arg[3]);
        reply_simple(reply, "OK");
    }
}

/* --- LIST and INFO ---------------------------------------------------------------------------- */

static void append_name(struct buf *out, const char *field, struct slice value)
{
    buf_printf(out, " %s=", field);
    buf_append_slice(out, value);
}

/* Redis counts a client's first 16 KiB of replies as part of the client; what is beyond is omem. */
#define OUTPUT_OWN_BYTES 16384u

static size_t output_beyond(const struct client *c)
{
    return c->output.capacity > OUTPUT_OWN_BYTES ? c->output.capacity - OUTPUT_OWN_BYTES : 0;
}

size_t client_memory(const struct client *c)
{
    return sizeof *c + c->input.capacity + c->output.capacity + c->slot_count * sizeof(struct client_slot) +
           (c->transaction ? c->transaction->bytes : 0);
}

static void describe_flags(const struct client *c, char flags[16])
{
    const struct {
        bool is_set;
        char letter;
    } flag[] = {
        {!list_empty(&c->in_monitors), 'O'},
        {client_is_subscriber(c), 'P'},
        {c->transaction != NULL, 'x'},
        {c->wait.kind != CLIENT_WAITS_NOT || c->is_held_by_pause || client_is_blocked(c), 'b'},
        {c->tracking.is_on, 't'},
        {c->tracking.is_redirect_broken, 'R'},
        {(c->tracking.mode & TRACKING_BCAST) != 0, 'B'},
        {c->is_closing && !c->is_killed, 'c'},
        {c->is_killed, 'A'},
        {c->info.is_unix, 'U'},
        {c->is_no_evict, 'e'},
    };
    size_t n = 0;

    for (size_t i = 0; i < sizeof flag / sizeof flag[0]; i++) {
        if (flag[i].is_set) {
            flags[n++] = flag[i].letter;
        }
    }
    if (n == 0) {
        flags[n++] = 'N';
    }
    flags[n] = '\0';
}

void client_describe(const struct client *c, struct buf *out)
{
    const struct node_env *env = node_environment(c->node);
    uint64_t now_us = env->now_us(env->ctx);
    char flags[16];

    describe_flags(c, flags);
    buf_printf(out, "id=%llu addr=%s laddr=%s fd=%d", (unsigned long long)c->id, c->info.address, c->info.local_address,
               c->info.fd);
    append_name(out, "name", c->name);
    buf_printf(out, " age=%llu idle=%llu flags=%s db=%u sub=%zu psub=%zu ssub=%zu multi=%lld",
               (unsigned long long)((now_us - c->opened_us) / 1000000), (unsigned long long)((now_us - c->active_us) / 1000000),
               flags, c->db, pubsub_count_of(&c->subscriptions, PUBSUB_CHANNEL), pubsub_count_of(&c->subscriptions, PUBSUB_PATTERN),
               pubsub_count_of(&c->subscriptions, PUBSUB_SHARD), c->transaction ? (long long)c->transaction->count : -1LL);
    buf_printf(out, " qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu rbs=%zu rbp=%zu obl=%zu oll=%zu omem=%zu tot-mem=%zu",
               buf_size(&c->input), c->input.capacity - buf_size(&c->input), c->transaction ? c->transaction->bytes : 0,
               c->output.capacity, c->output.capacity, buf_size(&c->output), c->slot_count, output_beyond(c),
               client_memory(c));
    buf_printf(out, " events=%s cmd=%s user=default redir=%lld resp=%d", buf_size(&c->output) > 0 ? "rw" : "r",
               c->last_row ? c->last_row->name : "NULL", c->tracking.is_on ? (long long)c->tracking.redirect : -1LL, c->protocol == REPLY_RESP3 ? 3 : 2);
    append_name(out, "lib-name", c->library_name);
    append_name(out, "lib-ver", c->library_version);
    buf_append_byte(out, '\n');
}

static void row_info(struct client *c, const struct command *command, struct reply *reply)
{
    struct buf text = {0};

    (void)command;
    client_describe(c, &text);
    reply_verbatim(reply, "txt", buf_slice(&text));
    buf_deinit(&text);
}

/* What a TYPE argument selects. */
enum client_type { TYPE_NONE, TYPE_NORMAL, TYPE_PUBSUB, TYPE_EMPTY, TYPE_UNKNOWN };

static enum client_type client_type_of(struct slice word)
{
    if (slice_equal_nocase(word, "normal")) {
        return TYPE_NORMAL;
    }
    if (slice_equal_nocase(word, "pubsub")) {
        return TYPE_PUBSUB;
    }
    bool is_other = slice_equal_nocase(word, "master") || slice_equal_nocase(word, "replica") || slice_equal_nocase(word, "slave");
    return is_other ? TYPE_EMPTY : TYPE_UNKNOWN;
}

static bool client_is_of_type(const struct client *c, enum client_type type)
{
    return type == TYPE_NONE || (type == TYPE_PUBSUB && client_is_subscriber(c)) ||
           (type == TYPE_NORMAL && !client_is_subscriber(c));
}

static bool reply_unknown_type(struct reply *reply, struct slice word)
{
    reply_errorf(reply, "ERR Unknown client type '%.*s'", (int)word.n, (const char *)word.p);
    return false;
}

static struct client *client_of(struct list *in_all)
{
    return CONTAINER_OF(in_all, struct client, in_all);
}

/* A session that came in, not a peer's. */
static struct client *session_by_id(struct clients *cs, int64_t id)
{
    struct client *c = id > 0 ? client_by_id(cs, (uint64_t)id) : NULL;

    return c && c->is_counted ? c : NULL;
}

static bool list_by_ids(struct clients *cs, const struct command *command, struct buf *text, struct reply *reply)
{
    for (size_t i = 3; i < command->arg_count; i++) {
        int64_t id = 0;

        if (!number_parse_i64(command->arg[i], &id) || id <= 0) {
            reply_error(reply, "ERR Invalid client ID");
            return false;
        }
        struct client *found = session_by_id(cs, id);
        if (found) {
            client_describe(found, text);
        }
    }
    return true;
}

static bool list_fill(struct client *c, const struct command *command, struct buf *text, struct reply *reply)
{
    enum client_type type = TYPE_NONE;

    if (command->arg_count > 3 && argument_is(command, 2, "id")) {
        return list_by_ids(c->clients, command, text, reply);
    }
    if (command->arg_count == 4 && argument_is(command, 2, "type")) {
        type = client_type_of(command->arg[3]);
        if (type == TYPE_UNKNOWN) {
            return reply_unknown_type(reply, command->arg[3]);
        }
    } else if (command->arg_count != 2) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    for (struct list *at = c->clients->all.next; at != &c->clients->all; at = at->next) {
        if (client_of(at)->is_counted && client_is_of_type(client_of(at), type)) {
            client_describe(client_of(at), text);
        }
    }
    return true;
}

static void row_list(struct client *c, const struct command *command, struct reply *reply)
{
    struct buf text = {0};

    if (list_fill(c, command, &text, reply)) {
        reply_verbatim(reply, "txt", buf_slice(&text));
    }
    buf_deinit(&text);
}

/* --- KILL ------------------------------------------------------------------------------------- */

struct kill_filter {
    int64_t id; /* 0: any */
    enum client_type type;
    struct slice address;       /* n == 0: any */
    struct slice local_address;
    bool is_other_user;         /* a user that nobody is */
    bool skips_me;
};

/* Reads "ID 7 ADDR a:1 ..."; false after an error was written. */
static bool kill_parse(const struct command *command, struct kill_filter *f, struct reply *reply)
{
    for (size_t i = 2; i < command->arg_count; i += 2) {
        if (i + 1 >= command->arg_count) {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
        struct slice value = command->arg[i + 1];
        if (argument_is(command, i, "id")) {
            if (!number_parse_i64(value, &f->id)) {
                reply_error(reply, "ERR client-id should be greater than 0");
                return false;
            }
            if (f->id < 1) {
                reply_error(reply, "ERR client-id should be greater than 0");
                return false;
            }
        } else if (argument_is(command, i, "type")) {
            f->type = client_type_of(value);
            if (f->type == TYPE_UNKNOWN) {
                return reply_unknown_type(reply, value);
            }
        } else if (argument_is(command, i, "addr")) {
            f->address = value;
        } else if (argument_is(command, i, "laddr")) {
            f->local_address = value;
        } else if (argument_is(command, i, "user")) {
            if (!slice_equal(value, SLICE_LITERAL("default"))) {
                reply_errorf(reply, "ERR No such user '%.*s'", (int)value.n, (const char *)value.p);
                return false;
            }
        } else if (argument_is(command, i, "skipme") &&
                   (slice_equal_nocase(value, "yes") || slice_equal_nocase(value, "no"))) {
            f->skips_me = slice_equal_nocase(value, "yes");
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool kill_matches(const struct kill_filter *f, const struct client *other, const struct client *me)
{
    if (!other->is_counted || other->is_killed || !client_is_of_type(other, f->type) || (f->skips_me && other == me)) {
        return false;
    }
    return (f->id == 0 || (int64_t)other->id == f->id) &&
           (f->address.n == 0 || slice_equal(f->address, slice_from_cstr(other->info.address))) &&
           (f->local_address.n == 0 || slice_equal(f->local_address, slice_from_cstr(other->info.local_address)));
}

static int64_t client_kill(struct client *c, const struct kill_filter *f)
{
    int64_t killed = 0;

    for (struct list *at = c->clients->all.next; at != &c->clients->all; at = at->next) {
        struct client *other = client_of(at);

        if (!kill_matches(f, other, c)) {
            continue;
        }
        killed++;
        /* Oneself is answered first. */
        if (other == c) {
            c->is_closing = true;
        } else {
            other->is_killed = true;
            client_mark_dirty(other);
        }
    }
    return killed;
}

static void row_kill(struct client *c, const struct command *command, struct reply *reply)
{
    bool is_old_form = command->arg_count == 3;
    struct kill_filter filter = {.skips_me = !is_old_form};

    if (is_old_form) {
        filter.address = command->arg[2];
        if (filter.address.n > 0 && client_kill(c, &filter) > 0) {
            reply_simple(reply, "OK");
        } else {
            reply_error(reply, "ERR No such client");
        }
    } else if (kill_parse(command, &filter, reply)) {
        reply_int(reply, client_kill(c, &filter));
    }
}

/* --- REPLY, NO-EVICT -------------------------------------------------------------------------- */

static void row_reply(struct client *c, const struct command *command, struct reply *reply)
{
    if (argument_is(command, 2, "on")) {
        c->is_reply_off = false;
        c->is_muted = false;
        reply_simple(reply, "OK");
    } else if (argument_is(command, 2, "off")) {
        c->is_reply_off = true;
        c->is_muted = true;
    } else if (argument_is(command, 2, "skip")) {
        c->is_skip_next = !c->is_reply_off;
        c->is_muted = true;
    } else {
        reply_error(reply, REPLY_SYNTAX);
    }
}

static void row_no_evict(struct client *c, const struct command *command, struct reply *reply)
{
    if (!argument_is(command, 2, "on") && !argument_is(command, 2, "off")) {
        reply_error(reply, REPLY_SYNTAX);
        return;
    }
    c->is_no_evict = argument_is(command, 2, "on");
    reply_simple(reply, "OK");
}

/* --- PAUSE, UNPAUSE, UNBLOCK ------------------------------------------------------------------ */

#define SUBCOMMAND_SYNTAX "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try CLIENT HELP."

static void reply_subcommand_syntax(const struct command *command, struct reply *reply)
{
    reply_errorf(reply, SUBCOMMAND_SYNTAX, (int)command->arg[1].n, (const char *)command->arg[1].p);
}

/* `ms` from now, or for ever where the clock ends before: Redis 7.0 takes any timeout that is a number. */
static uint64_t pause_end_us(uint64_t now_us, uint64_t ms)
{
    return ms < (UINT64_MAX - now_us) / 1000 ? now_us + ms * 1000 : UINT64_MAX;
}

static void row_pause(struct client *c, const struct command *command, struct reply *reply)
{
    bool is_for_writes = argument_is(command, 3, "write");
    int64_t ms = 0;

    if (command->arg_count > 4) {
        reply_subcommand_syntax(command, reply);
    } else if (command->arg_count == 4 && !is_for_writes && !argument_is(command, 3, "all")) {
        reply_error(reply, "ERR CLIENT PAUSE mode must be WRITE or ALL");
    } else if (!number_parse_i64(command->arg[2], &ms)) {
        reply_error(reply, "ERR timeout is not an integer or out of range");
    } else if (ms < 0) {
        reply_error(reply, "ERR timeout is negative");
    } else {
        clients_pause(c->clients, pause_end_us(c->now_us, (uint64_t)ms), is_for_writes);
        reply_simple(reply, "OK");
    }
}

static void row_unpause(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    clients_unpause(c->clients);
    reply_simple(reply, "OK");
}

static void row_unblock(struct client *c, const struct command *command, struct reply *reply)
{
    bool is_error = argument_is(command, 3, "error");
    int64_t id = 0;

    if (command->arg_count > 4) {
        reply_subcommand_syntax(command, reply);
        return;
    }
    if (command->arg_count == 4 && !is_error && !argument_is(command, 3, "timeout")) {
        reply_error(reply, "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
        return;
    }
    if (!number_parse_i64(command->arg[2], &id)) {
        reply_error(reply, REPLY_NOT_INTEGER);
        return;
    }
    struct client *other = session_by_id(c->clients, id);
    bool is_waiting = other && (other->wait.kind == CLIENT_WAITS_COPIES || other->wait.kind == CLIENT_WAITS_AOF);
    struct request *first = other ? client_first_request(other) : NULL;
    if (first && first->state == REQUEST_BLOCKED) {
        node_unblock(c->node, first, is_error);
        is_waiting = true;
    } else if (is_waiting) {
        client_end_wait(other, is_error ? "UNBLOCKED client unblocked via CLIENT UNBLOCK" : NULL);
    }
    reply_int(reply, is_waiting ? 1 : 0);
}

/* --- HELP, the table ----------------------------------------------------------------------------- */

void reply_help(struct reply *reply, const char *const *line)
{
    size_t count = 0;

    while (line[count]) {
        count++;
    }
    reply_array(reply, count);
    for (size_t i = 0; i < count; i++) {
        reply_simple(reply, line[i]);
    }
}

static void row_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CACHING (YES|NO)",
        "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
        "GETREDIR",
        "    Return the client ID we are redirecting to when tracking is enabled.",
        "GETNAME",
        "    Return the name of the current connection.",
        "ID",
        "    Return the ID of the current connection.",
        "INFO",
        "    Return information about the current client connection.",
        "KILL <ip:port>",
        "    Kill connection made from <ip:port>.",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Kill connections. Options are:",
        "    * ADDR (<ip:port>|<unixsocket>:0)",
        "      Kill connections made from the specified address",
        "    * LADDR (<ip:port>|<unixsocket>:0)",
        "      Kill connections made to specified local address",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Kill connections by type.",
        "    * USER <username>",
        "      Kill connections authenticated by <username>.",
        "    * SKIPME (YES|NO)",
        "      Skip killing current connection (default: yes).",
        "LIST [options ...]",
        "    Return information about client connections. Options:",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
        "      Return clients of specified type.",
        "    * ID <id> [<id> ...]",
        "      Return clients of specified IDs only.",
        "UNPAUSE",
        "    Stop the current client pause, resuming traffic.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Suspend all, or just write, clients for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Control the replies sent to the current connection.",
        "SETINFO <LIB-NAME|LIB-VER> <value>",
        "    Tell the name and version of the client library.",
        "SETNAME <name>",
        "    Assign the name <name> to the current connection.",
        "UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "    Unblock the specified blocked client.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
        "         [OPTIN] [OPTOUT] [NOLOOP]",
        "    Control server assisted client side caching.",
        "TRACKINGINFO",
        "    Report tracking status for the current connection.",
        "NO-EVICT (ON|OFF)",
        "    Protect current client connection from eviction.",
        "HELP",
        "    Prints this help.",
        NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

#define CLIENT_FLAGS (COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE)
#define CLIENT_ROW(row_name, row_arity, more_flags, fn, categories, text, version, cost, syntax)                       \
    {                                                                                                                  \
        .name = row_name, .kind = COMMAND_CONNECTION, .arity = row_arity, .flags = CLIENT_FLAGS | (more_flags),        \
        .run_local = fn, .group = "connection", .acl_categories = categories, .summary = text, .since = version,       \
        .complexity = cost, .arguments = syntax                                                                        \
    }

static const struct command_row client_row[] = {
    {.name = "client", .kind = COMMAND_CONTAINER, .arity = -2, .group = "connection", .acl_categories = "@slow",
     .summary = "A container for client connection commands", .since = "2.4.0", .complexity = "Depends on subcommand.",
     .arguments = "subcommand"},
    CLIENT_ROW("client|getname", 2, 0, row_getname, "@slow @connection", "Get the current connection name", "2.6.9", "O(1)", ""),
    CLIENT_ROW("client|help", 2, 0, row_help, "@slow @connection", "Show helpful text about the different subcommands",
               "5.0.0", "O(1)", ""),
    CLIENT_ROW("client|id", 2, 0, row_id, "@slow @connection", "Returns the client ID for the current connection", "5.0.0",
               "O(1)", ""),
    CLIENT_ROW("client|info", 2, 0, row_info, "@slow @connection",
               "Returns information about the current client connection.", "6.2.0", "O(1)", ""),
    CLIENT_ROW("client|kill", -3, COMMAND_ADMIN, row_kill, "@admin @slow @dangerous @connection",
               "Kill the connection of a client", "2.4.0", "O(N) where N is the number of client connections",
               "ip:port | option value [option value ...]"),
    CLIENT_ROW("client|list", -2, COMMAND_ADMIN, row_list, "@admin @slow @dangerous @connection",
               "Get the list of client connections", "2.4.0", "O(N) where N is the number of client connections",
               "[TYPE normal | master | replica | pubsub] [ID client-id [client-id ...]]"),
    CLIENT_ROW("client|setinfo", 4, 0, row_setinfo, "@slow @connection", "Set client or connection specific info", "7.2.0",
               "O(1)", "LIB-NAME libname | LIB-VER libver"),
    CLIENT_ROW("client|setname", 3, 0, row_setname, "@slow @connection", "Set the current connection name", "2.6.9", "O(1)",
               "connection-name"),
    {.name = "client|no-evict", .kind = COMMAND_CONNECTION, .arity = 3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_no_evict,
     .group = "connection",
     .acl_categories = "@admin @slow @dangerous @connection", .summary = "Set client eviction mode for the current connection",
     .since = "7.0.0", .complexity = "O(1)", .arguments = "ON | OFF"},
    {.name = "client|pause", .kind = COMMAND_CONNECTION, .arity = -3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_pause,
     .group = "connection",
     .acl_categories = "@admin @slow @dangerous @connection", .summary = "Stop processing commands from clients for some time",
     .since = "2.9.50", .complexity = "O(1)", .arguments = "timeout [WRITE | ALL]",
     .history = "6.2.0 `CLIENT PAUSE WRITE` mode added along with the `mode` option."},
    {.name = "client|reply", .kind = COMMAND_CONNECTION, .arity = 3,
     .flags = COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_reply, .group = "connection",
     .acl_categories = "@slow @connection", .summary = "Instruct the server whether to reply to commands",
     .since = "3.2.0", .complexity = "O(1)", .arguments = "ON | OFF | SKIP"},
    {.name = "client|unblock", .kind = COMMAND_CONNECTION, .arity = -3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_unblock,
     .group = "connection",
     .acl_categories = "@admin @slow @dangerous @connection",
     .summary = "Unblock a client blocked in a blocking command from a different connection",
     .since = "5.0.0", .complexity = "O(log N) where N is the number of client connections",
     .arguments = "client-id [TIMEOUT | ERROR]"},
    {.name = "client|unpause", .kind = COMMAND_CONNECTION, .arity = 2,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_unpause,
     .group = "connection",
     .acl_categories = "@admin @slow @dangerous @connection", .summary = "Resume processing of clients that were paused",
     .since = "6.2.0", .complexity = "O(N) Where N is the number of paused clients", .arguments = ""},
};
const struct command_family rows_client = {client_row, sizeof client_row / sizeof client_row[0]};
