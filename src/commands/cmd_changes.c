/* CHANGES: the change feed's switch (keyspace/changes.h). Its events are read as a stream (XREAD on __changes__), over a WebSocket or as
 * Server-Sent Events, on any node. */

#include "commands/arguments.h"
#include "commands/command_row.h"
#include "commands/numbers.h"
#include "keyspace/changes.h"

/* [index of this entry, the index from which on nothing is missing]: whoever goes on from the first sees every later change. */
static void watch_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    (void)command;
    changes_touch(run->view.keyspace);
    reply_array(reply, 2);
    reply_int(reply, (int64_t)run->index);
    reply_int(reply, (int64_t)changes_first(run->view.keyspace));
}

static bool mode_check(const struct command *command, struct reply *reply)
{
    if (argument_is(command->arg[2], "auto") || argument_is(command->arg[2], "always")) {
        return true;
    }
    reply_error(reply, "ERR the mode must be auto or always");
    return false;
}

static void mode_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (mode_check(command, reply)) {
        changes_set_always(run->view.keyspace, argument_is(command->arg[2], "always"));
        reply_simple(reply, "OK");
    }
}

static void pair(struct reply *reply, const char *name, uint64_t value)
{
    reply_bulk_cstr(reply, name);
    reply_int(reply, (int64_t)value);
}

static void status_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct keyspace *k = run->view.keyspace;
    uint32_t part;
    (void)command;
    reply_map(reply, 6);
    reply_bulk_cstr(reply, "state");
    reply_bulk_cstr(reply, changes_are_on(k) ? "on" : "off");
    reply_bulk_cstr(reply, "mode");
    reply_bulk_cstr(reply, changes_are_always(k) ? "always" : "auto");
    pair(reply, "first_index", changes_first(k));
    pair(reply, "last_index", changes_last(k, &part));
    pair(reply, "changes", changes_count(k));
    pair(reply, "bytes", changes_bytes(k));
}

static void help_local(struct client *client, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "CHANGES <subcommand> [<arg> ...]. Subcommands are:",
        "WATCH",
        "    Switch the change feed on for a minute of log time; returns this entry's index and the first index held.",
        "MODE (auto|always)",
        "    Keep the feed on only while someone watches, or always.",
        "STATUS",
        "    Whether it is on, and what it holds.",
        "HELP",
        "    Prints this help.",
    };
    (void)client;
    (void)command;
    reply_array(reply, sizeof line / sizeof line[0]);
    for (size_t i = 0; i < sizeof line / sizeof line[0]; i++) {
        reply_simple(reply, line[i]);
    }
}

#define CHANGES_ROW(row_name, row_arity, access, text, syntax) \
    .name = row_name, .kind = COMMAND_DATA, .arity = row_arity, .group = "stream", .acl_categories = access " @stream @slow", .summary = text, \
    .since = "7.0.0", .complexity = "O(1)", .arguments = syntax

static const struct command_row changes_row[] = {
    {
        .name = "changes",
        .kind = COMMAND_CONTAINER,
        .arity = -2,
        .group = "stream",
        .acl_categories = "@slow",
        .summary = "A container for commands about the change feed",
        .since = "7.0.0",
        .complexity = "Depends on subcommand.",
        .arguments = "subcommand",
    },
    {
        .name = "changes|help",
        .kind = COMMAND_CONNECTION,
        .arity = 2,
        .flags = COMMAND_LOADING | COMMAND_STALE,
        .run_local = help_local,
        .group = "stream",
        .acl_categories = "@slow",
        .summary = "Show helpful text about the different subcommands",
        .since = "7.0.0",
        .complexity = "O(1)",
        .arguments = "",
    },
    {
        CHANGES_ROW("changes|mode", 3, "@write", "Keep the change feed on always, or only while someone watches", "auto | always"),
        COMMAND_NUMBERED(CHANGES_MODE),
        .flags = COMMAND_WRITE,
        .check = mode_check,
        .run = mode_run,
    },
    {
        CHANGES_ROW("changes|status", 2, "@read", "Whether the change feed is on, and what it holds", ""),
        COMMAND_NUMBERED(CHANGES_STATUS),
        .flags = COMMAND_READONLY,
        .run = status_run,
    },
    {
        CHANGES_ROW("changes|watch", 2, "@write", "Switch the change feed on for a minute of log time", ""),
        COMMAND_NUMBERED(CHANGES_WATCH),
        .flags = COMMAND_WRITE,
        .run = watch_run,
    },
};

const struct command_family commands_changes = {changes_row, sizeof changes_row / sizeof changes_row[0]};
