/* What a key looks like from inside: OBJECT and MEMORY USAGE, as Redis 7.0.15 object.c answers
 * them.
 *
 * ENCODING says what Redis would use for the same content, with one trace of history that the
 * layout keeps: a string that was appended to is "raw". It is an answer about this node, never
 * state.
 *
 * When and how often a key is read is not recorded (a read leaves no trace, K2 in keyspace.c), and
 * nothing is ever evicted. So FREQ refuses as Redis does without an LFU policy, and IDLETIME is 0:
 * no key has been idle as far as anybody here knows. */

#include "commands/arguments.h"
#include "commands/numbers.h"
#include "keyspace/tree.h"

enum {
    OBJECT_EMBSTR_MAX = 44,           /* OBJ_ENCODING_EMBSTR_SIZE_LIMIT */
    OBJECT_SHARED_INTEGERS = 10000,   /* OBJ_SHARED_INTEGERS */
    OBJECT_SHARED_COUNT = 2147483647, /* OBJ_SHARED_REFCOUNT */
};

static bool object_is_int(const struct value *value, int64_t *number)
{
    return !value_string_has_grown(value) && value_string_integer(value, number);
}

static const char *object_encoding(const struct value *value)
{
    int64_t number;
    if (value_get_type(value) != VALUE_STRING) {
        return tree_encoding_name(tree_get_encoding(value));
    }
    if (object_is_int(value, &number)) {
        return "int";
    }
    bool is_short = value_string_size(value) <= OBJECT_EMBSTR_MAX;
    return is_short && !value_string_has_grown(value) ? "embstr" : "raw";
}

/* The value of arg[2]; NULL after a null was written. */
static const struct value *
object_lookup(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, command->arg[2]);
    if (!value) {
        reply_null(reply);
    }
    return value;
}

static void
object_encoding_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = object_lookup(run, command, reply);
    if (value) {
        reply_bulk_cstr(reply, object_encoding(value));
    }
}

static void
object_freq_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (object_lookup(run, command, reply)) {
        reply_error(reply,
                    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. "
                    "Please note that when switching between policies at runtime LRU and LFU data "
                    "will take some time to adjust.");
    }
}

static void
object_idletime_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (object_lookup(run, command, reply)) {
        reply_int(reply, 0);
    }
}

static void
object_refcount_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = object_lookup(run, command, reply);
    int64_t number;
    if (value) {
        bool is_shared = value_get_type(value) == VALUE_STRING && object_is_int(value, &number) &&
                         number >= 0 && number < OBJECT_SHARED_INTEGERS;
        reply_int(reply, is_shared ? OBJECT_SHARED_COUNT : 1);
    }
}

static void object_help(struct client *client, const struct command *command, struct reply *reply)
{
    static const char *const line[] = {
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
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

/* --- MEMORY USAGE --- */

/* SAMPLES is checked and has no effect: what a value takes is counted, not estimated. */
static bool memory_usage_check(const struct command *command, struct reply *reply)
{
    for (size_t i = 3; i < command->arg_count; i += 2) {
        int64_t samples;
        if (!argument_is(command->arg[i], "samples") || i + 1 == command->arg_count) {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
        if (!argument_integer(command->arg[i + 1], &samples, reply)) {
            return false;
        }
        if (samples < 0) {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

static void
memory_usage_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!memory_usage_check(command, reply)) {
        return;
    }
    size_t bytes = keyspace_key_memory(&run->view, command->arg[2]);
    if (bytes) {
        reply_int(reply, (int64_t)bytes);
    } else {
        reply_null(reply);
    }
}

#define OBJECT_ROW(row_name, id, fn, text, version)                                                \
    {                                                                                              \
        .name = row_name, COMMAND_NUMBERED(id), .kind = COMMAND_DATA, .arity = 3,                  \
        .flags = COMMAND_READONLY, .keys = {2, 2, 1}, .run = fn, .group = "generic",               \
        .acl_categories = "@keyspace @read @slow", .summary = text, .since = version,              \
        .complexity = "O(1)", .arguments = "key", .key_flags = "RO",                               \
        .tips = "nondeterministic_output"                                                          \
    }

static const struct command_row object_row[] = {
    {
        .name = "memory", /* its other subcommands are the node's: node/rows_memory.c */
        .kind = COMMAND_CONTAINER,
        .arity = -2,
        .group = "server",
        .acl_categories = "@slow",
        .summary = "A container for memory diagnostics commands",
        .since = "4.0.0",
        .complexity = "Depends on subcommand.",
        .arguments = "subcommand",
    },
    {
        .name = "memory|usage",
        COMMAND_NUMBERED(MEMORY_USAGE),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY,
        .keys = {2, 2, 1},
        .check = memory_usage_check,
        .run = memory_usage_run,
        .group = "server",
        .acl_categories = "@read @slow",
        .summary = "Estimate the memory usage of a key",
        .since = "4.0.0",
        .complexity = "O(N) where N is the number of samples.",
        .arguments = "key [SAMPLES count]",
        .key_flags = "RO",
    },
    {
        .name = "object",
        .kind = COMMAND_CONTAINER,
        .arity = -2,
        .group = "generic",
        .acl_categories = "@slow",
        .summary = "A container for object introspection commands",
        .since = "2.2.3",
        .complexity = "Depends on subcommand.",
        .arguments = "subcommand",
    },
    OBJECT_ROW("object|encoding",
               OBJECT_ENCODING,
               object_encoding_run,
               "Inspect the internal encoding of a Redis object",
               "2.2.3"),
    OBJECT_ROW("object|freq",
               OBJECT_FREQ,
               object_freq_run,
               "Get the logarithmic access frequency counter of a Redis object",
               "4.0.0"),
    {
        .name = "object|help",
        .kind = COMMAND_NODE,
        .arity = 2,
        .flags = COMMAND_LOADING | COMMAND_STALE,
        .run_local = object_help,
        .group = "generic",
        .acl_categories = "@keyspace @slow",
        .summary = "Show helpful text about the different subcommands",
        .since = "6.2.0",
        .complexity = "O(1)",
        .arguments = "",
    },
    OBJECT_ROW("object|idletime",
               OBJECT_IDLETIME,
               object_idletime_run,
               "Get the time since a Redis object was last accessed",
               "2.2.3"),
    OBJECT_ROW("object|refcount",
               OBJECT_REFCOUNT,
               object_refcount_run,
               "Get the number of references to the value of the key",
               "2.2.3"),
};

const struct command_family commands_object = {object_row,
                                               sizeof object_row / sizeof object_row[0]};
