#include "node/rows.h"

#include <string.h>
#include <strings.h>

#include "base/number.h"
#include "node/client_internal.h"

/* SLOWLOG, LATENCY, MONITOR: what this node saw of its own clients (client_observe.c). */

/* --- SLOWLOG ---------------------------------------------------------------------------------- */

static void row_slowlog_get(struct client *c, const struct command *command, struct reply *reply)
{
    int64_t count = 10;

    if (command->arg_count > 3) {
        reply_errorf(reply, "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try SLOWLOG HELP.",
                     (int)command->arg[1].n, (const char *)command->arg[1].p);
        return;
    }
    if (command->arg_count == 3 && (!number_parse_i64(command->arg[2], &count) || count < -1)) {
        reply_error(reply, "ERR count should be greater than or equal to -1");
        return;
    }
    slowlog_reply(c->clients->slowlog, count < 0 ? SIZE_MAX : (size_t)count, reply);
}

static void row_slowlog_len(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_int(reply, (int64_t)slowlog_size(c->clients->slowlog));
}

static void row_slowlog_reset(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    slowlog_reset(c->clients->slowlog);
    reply_simple(reply, "OK");
}

static void row_slowlog_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>]",
        "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
        "    Entries are made of:",
        "    id, timestamp, time in microseconds, arguments array, client IP and port,",
        "    client name",
        "LEN",
        "    Return the length of the slowlog.",
        "RESET",
        "    Reset the slowlog.",
        "HELP",
        "    Prints this help.",
        NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

/* --- LATENCY ---------------------------------------------------------------------------------- */

static int64_t wall_s(const struct client *c)
{
    const struct node_env *env = node_environment(c->node);

    return env->wall_ms ? env->wall_ms(env->ctx) / 1000 : 0;
}

static void row_latency_latest(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    latency_reply_latest(&c->clients->latency, reply);
}

static void row_latency_history(struct client *c, const struct command *command, struct reply *reply)
{
    latency_reply_history(&c->clients->latency, command->arg[2], reply);
}

static void row_latency_reset(struct client *c, const struct command *command, struct reply *reply)
{
    size_t dropped = 0;

    if (command->arg_count == 2) {
        dropped = latency_reset(&c->clients->latency, (struct slice){0});
    }
    for (size_t i = 2; i < command->arg_count; i++) {
        dropped += command->arg[i].n > 0 ? latency_reset(&c->clients->latency, command->arg[i]) : 0;
    }
    reply_int(reply, (int64_t)dropped);
}

static void row_latency_graph(struct client *c, const struct command *command, struct reply *reply)
{
    const struct latency_event *event = latency_find(&c->clients->latency, command->arg[2]);
    struct buf text = {0};

    if (!event) {
        reply_errorf(reply, "ERR No samples available for event '%.*s'", (int)command->arg[2].n,
                     (const char *)command->arg[2].p);
        return;
    }
    latency_append_graph(event, wall_s(c), &text);
    reply_verbatim(reply, "txt", buf_slice(&text));
    buf_deinit(&text);
}

static void row_latency_doctor(struct client *c, const struct command *command, struct reply *reply)
{
    const struct options *o = node_options(c->node);
    struct buf text = {0};

    (void)command;
    latency_append_report(&c->clients->latency, o->latency_monitor_threshold > 0, o->slowlog_log_slower_than >= 0, &text);
    reply_verbatim(reply, "txt", buf_slice(&text));
    buf_deinit(&text);
}

static void reply_histogram(struct reply *reply, const struct command_stat *stat)
{
    size_t steps = 0;
    uint64_t before = 0;

    reply_bulk_cstr(reply, stat->row->name);
    reply_map(reply, 2);
    reply_bulk_cstr(reply, "calls");
    reply_int(reply, (int64_t)stat->timed);
    reply_bulk_cstr(reply, "histogram_usec");
    for (unsigned power = 0; power < 40; power++) {
        uint64_t calls = command_stats_up_to(stat, power);

        steps += calls > before ? 1 : 0;
        before = calls;
    }
    reply_map(reply, steps);
    before = 0;
    for (unsigned power = 0; power < 40; power++) {
        uint64_t calls = command_stats_up_to(stat, power);

        if (calls > before) {
            reply_int(reply, (int64_t)1 << power);
            reply_int(reply, (int64_t)calls);
        }
        before = calls;
    }
}

/* Is the row asked for: by its name, by its container's, or as one of all? */
static bool histogram_is_asked(const struct command_row *row, const struct command *command)
{
    size_t container = strcspn(row->name, "|");

    for (size_t i = 2; i < command->arg_count; i++) {
        struct slice name = command->arg[i];

        if (slice_equal_nocase(name, row->name) ||
            (name.n == container && row->name[container] == '|' && strncasecmp((const char *)name.p, row->name, container) == 0)) {
            return true;
        }
    }
    return command->arg_count == 2;
}

static void row_latency_histogram(struct client *c, const struct command *command, struct reply *reply)
{
    const struct command_table *t = node_commands(c->node);
    size_t count = 0;

    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            reply_map(reply, count);
        }
        for (size_t i = 0; i < command_table_count(t); i++) {
            const struct command_row *row = command_table_at(t, i);
            const struct command_stat *stat = command_stats_find(c->clients->stats, row);

            if (!stat || !stat->histogram || !histogram_is_asked(row, command)) {
                continue;
            }
            if (pass == 0) {
                count++;
            } else {
                reply_histogram(reply, stat);
            }
        }
    }
}

static void row_latency_help(struct client *c, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    Return a human readable latency analysis report.",
        "GRAPH <event>",
        "    Return an ASCII latency graph for the <event> class.",
        "HISTORY <event>",
        "    Return time-latency samples for the <event> class.",
        "LATEST",
        "    Return the latest latency samples for all events.",
        "RESET [<event> ...]",
        "    Reset latency data of one or more <event> classes.",
        "    (default: reset all data for all event classes)",
        "HISTOGRAM [COMMAND ...]",
        "    Return a cumulative distribution of latencies in the format of a histogram for the specified command names.",
        "    If no commands are specified then all histograms are replied.",
        "HELP",
        "    Prints this help.",
        NULL};

    (void)c;
    (void)command;
    reply_help(reply, line);
}

/* --- MONITOR ---------------------------------------------------------------------------------- */

static void row_monitor(struct client *c, const struct command *command, struct reply *reply)
{
    (void)command;
    if (c->is_in_exec) {
        reply_error(reply, "ERR MONITOR isn't allowed for DENY BLOCKING client");
        return;
    }
    if (list_empty(&c->in_monitors)) {
        list_append(&c->clients->monitors, &c->in_monitors);
    }
    reply_simple(reply, "OK");
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct command_row stats_row[] = {
    {.name = "latency", .kind = COMMAND_CONTAINER, .arity = -2,
     .flags = 0, .run_local = NULL, .group = "server",
     .acl_categories = "@slow", .summary = "A container for latency diagnostics commands",
     .since = "2.8.13", .complexity = "Depends on subcommand.", .arguments = "subcommand"},
    {.name = "latency|doctor", .kind = COMMAND_NODE, .arity = 2,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_latency_doctor,
     .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Return a human readable latency analysis report.",
     .since = "2.8.13", .complexity = "O(1)", .arguments = "",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|graph", .kind = COMMAND_NODE, .arity = 3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_latency_graph,
     .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Return a latency graph for the event.",
     .since = "2.8.13", .complexity = "O(1)", .arguments = "event",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|help", .kind = COMMAND_NODE, .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE, .run_local = row_latency_help, .group = "server",
     .acl_categories = "@slow", .summary = "Show helpful text about the different subcommands.",
     .since = "2.8.13", .complexity = "O(1)", .arguments = ""},
    {.name = "latency|histogram", .kind = COMMAND_NODE, .arity = -2,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_latency_histogram,
     .group = "server",
     .acl_categories = "@admin @slow @dangerous",
     .summary = "Return the cumulative distribution of latencies of a subset of commands or all.",
     .since = "7.0.0", .complexity = "O(N) where N is the number of commands with latency information being retrieved.",
     .arguments = "[command [command ...]]",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|history", .kind = COMMAND_NODE, .arity = 3,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_latency_history,
     .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Return timestamp-latency samples for the event.",
     .since = "2.8.13", .complexity = "O(1)", .arguments = "event",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|latest", .kind = COMMAND_NODE, .arity = 2,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_latency_latest,
     .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Return the latest latency samples for all events.",
     .since = "2.8.13", .complexity = "O(1)", .arguments = "",
     .tips = "nondeterministic_output request_policy:all_nodes response_policy:special"},
    {.name = "latency|reset", .kind = COMMAND_NODE, .arity = -2,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_latency_reset,
     .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Reset latency data for one or more events.",
     .since = "2.8.13", .complexity = "O(1)", .arguments = "[event [event ...]]",
     .tips = "request_policy:all_nodes response_policy:all_succeeded"},
    {.name = "monitor", .kind = COMMAND_NODE, .arity = 1,
     .flags = COMMAND_ADMIN | COMMAND_NOSCRIPT | COMMAND_LOADING | COMMAND_STALE, .run_local = row_monitor, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Listen for all requests received by the server in real time",
     .since = "1.0.0", .complexity = "", .arguments = ""},
    {.name = "slowlog", .kind = COMMAND_CONTAINER, .arity = -2,
     .flags = 0, .run_local = NULL, .group = "server",
     .acl_categories = "@slow", .summary = "A container for slow log commands",
     .since = "2.2.12", .complexity = "Depends on subcommand.", .arguments = "subcommand"},
    {.name = "slowlog|get", .kind = COMMAND_NODE, .arity = -2,
     .flags = COMMAND_ADMIN | COMMAND_LOADING | COMMAND_STALE, .run_local = row_slowlog_get, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Get the slow log's entries",
     .since = "2.2.12", .complexity = "O(N) where N is the number of entries returned", .arguments = "[count]",
     .tips = "request_policy:all_nodes nondeterministic_output",
     .history = "4.0.0 Added client IP address, port and name to the reply."},
    {.name = "slowlog|help", .kind = COMMAND_NODE, .arity = 2,
     .flags = COMMAND_LOADING | COMMAND_STALE, .run_local = row_slowlog_help, .group = "server",
     .acl_categories = "@slow", .summary = "Show helpful text about the different subcommands",
     .since = "6.2.0", .complexity = "O(1)", .arguments = ""},
    {.name = "slowlog|len", .kind = COMMAND_NODE, .arity = 2,
     .flags = COMMAND_ADMIN | COMMAND_LOADING | COMMAND_STALE, .run_local = row_slowlog_len, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Get the slow log's length",
     .since = "2.2.12", .complexity = "O(1)", .arguments = "",
     .tips = "request_policy:all_nodes response_policy:agg_sum nondeterministic_output"},
    {.name = "slowlog|reset", .kind = COMMAND_NODE, .arity = 2,
     .flags = COMMAND_ADMIN | COMMAND_LOADING | COMMAND_STALE, .run_local = row_slowlog_reset, .group = "server",
     .acl_categories = "@admin @slow @dangerous", .summary = "Clear all entries from the slow log",
     .since = "2.2.12", .complexity = "O(N) where N is the number of entries in the slowlog", .arguments = "",
     .tips = "request_policy:all_nodes response_policy:all_succeeded"},
};
const struct command_family rows_stats = {stats_row, sizeof stats_row / sizeof stats_row[0]};
