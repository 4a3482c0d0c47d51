/* Strings: SET GET INCR DECR INCRBY DECRBY APPEND STRLEN MGET MSET, as Redis 7.0.15 t_string.c
 * answers them. Each `check` refuses exactly what Redis finds before it looks at a key; `run`
 * parses again, since entries come from the log. */

#include <stdint.h>

#include "base/number.h"
#include "commands/arguments.h"
#include "commands/command_row.h"
#include "commands/numbers.h"
#include "commands/string_common.h"
#include "commands/vain.h"
#include "keyspace/value.h"

#define STRING_OVERFLOW "ERR increment or decrement would overflow"

/* --- GET, MGET, STRLEN --- */

static void get_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    string_reply_get(&run->view, command->arg[1], reply);
}

static void mget_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    reply_array(reply, command->arg_count - 1);
    for (size_t i = 1; i < command->arg_count; i++) {
        const struct value *value = keyspace_get(&run->view, command->arg[i]);
        if (value && value_get_type(value) == VALUE_STRING) {
            string_reply(value, reply);
        } else {
            reply_null(reply);
        }
    }
}

static void strlen_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (!value) {
        reply_int(reply, 0);
    } else if (argument_is_string(value, reply)) {
        reply_int(reply, (int64_t)value_string_size(value));
    }
}

/* --- SET, MSET --- */

struct set_options {
    bool only_if_absent;
    bool only_if_present;
    bool only_if_equal;    /* IFEQ */
    bool only_if_other;    /* IFNE */
    struct slice compared; /* with this */
    bool wants_old;
    bool keep_expiry;
    bool has_expiry;
    enum expiry_unit unit;
    struct slice expiry;
    int64_t expiry_value; /* as given, parsed, > 0, and in range as milliseconds */
};

/* An expiry option: allowed again with the same name (the last wins), never with another one or
 * KEEPTTL. */
static bool
set_take_expiry(struct set_options *options, enum expiry_unit unit, const struct slice *next)
{
    if (!next || options->keep_expiry || (options->has_expiry && options->unit != unit)) {
        return false;
    }
    options->has_expiry = true;
    options->unit = unit;
    options->expiry = *next;
    return true;
}

/* Takes one option and whether it used `next` too; false: a syntax error. */
static bool set_parse_option(struct set_options *options,
                             struct slice option,
                             const struct slice *next,
                             bool *used_next)
{
    enum expiry_unit unit;
    bool has_comparison = options->only_if_equal || options->only_if_other;
    *used_next = false;
    if (argument_is(option, "nx") && !options->only_if_present && !has_comparison) {
        options->only_if_absent = true;
        return true;
    }
    if (argument_is(option, "xx") && !options->only_if_absent && !has_comparison) {
        options->only_if_present = true;
        return true;
    }
    bool is_equal = argument_is(option, "ifeq");
    if (is_equal || argument_is(option, "ifne")) {
        *used_next = true;
        options->only_if_equal = is_equal;
        options->only_if_other = !is_equal;
        options->compared = next ? *next : (struct slice){0};
        return next && !has_comparison && !options->only_if_absent && !options->only_if_present;
    }
    if (argument_is(option, "get")) {
        options->wants_old = true;
        return true;
    }
    if (argument_is(option, "keepttl") && !options->has_expiry) {
        options->keep_expiry = true;
        return true;
    }
    if (string_expiry_unit(option, &unit)) {
        *used_next = true;
        return set_take_expiry(options, unit, next);
    }
    return false;
}

static bool
set_parse(const struct command *command, struct set_options *options, struct reply *reply)
{
    *options = (struct set_options){.unit = EXPIRY_SECONDS};
    for (size_t i = 3; i < command->arg_count; i++) {
        bool used_next;
        const struct slice *next = i + 1 < command->arg_count ? &command->arg[i + 1] : NULL;
        if (!set_parse_option(options, command->arg[i], next, &used_next)) {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
        i += used_next;
    }
    return !options->has_expiry || string_expiry_value(options->expiry, options->unit, "set",
                                                       &options->expiry_value, reply);
}

static bool set_check(const struct command *command, struct reply *reply)
{
    struct set_options options;
    return set_parse(command, &options, reply);
}

/* NX, XX, and Redis 8.4's IFEQ (an absent key equals nothing) and IFNE. */
static bool set_condition_holds(const struct set_options *options, const struct value *value)
{
    if (options->only_if_equal) {
        return value && string_equals(value, options->compared);
    }
    if (options->only_if_other) {
        return !value || !string_equals(value, options->compared);
    }
    return !(options->only_if_absent && value) && !(options->only_if_present && !value);
}

/* Who waits for a lock asks again and again. */
static bool set_is_vain(const struct command_row *row, struct command_run *run, const struct command *command)
{
    struct set_options options;
    struct reply unused = {.protocol = REPLY_DISCARD};
    return command->arg_count > 3 && set_parse(command, &options, &unused) && options.only_if_absent && vain_with_key(row, run, command);
}

static void set_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    struct slice bytes = command->arg[2];
    if (command->arg_count == 3) { /* by far the most common */
        keyspace_set_string(&run->view, key, bytes, false, "set");
        reply_simple(reply, "OK");
        return;
    }
    struct set_options options;
    int64_t at_ms = 0;
    if (!set_parse(command, &options, reply) ||
        (options.has_expiry &&
         !string_expiry_at(run, options.expiry_value, options.unit, "set", &at_ms, reply))) {
        return;
    }
    if (options.wants_old && !string_reply_get(&run->view, key, reply)) {
        return;
    }
    const struct value *value = keyspace_get(&run->view, key);
    bool is_compared = options.only_if_equal || options.only_if_other;
    if (is_compared && value && !options.wants_old && !argument_is_string(value, reply)) {
        return;
    }
    if (!set_condition_holds(&options, value)) {
        if (!options.wants_old) {
            reply_null(reply);
        }
        return;
    }
    keyspace_set_string(&run->view, key, bytes, options.keep_expiry, "set");
    if (options.has_expiry) {
        keyspace_set_expiry(&run->view, key, at_ms, "expire");
    }
    if (!options.wants_old) {
        reply_simple(reply, "OK");
    }
}

static bool mset_check(const struct command *command, struct reply *reply)
{
    if (command->arg_count % 2 == 0) {
        argument_arity_error(reply, "mset");
        return false;
    }
    return true;
}

static void mset_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!mset_check(command, reply)) {
        return;
    }
    for (size_t i = 1; i < command->arg_count; i += 2) {
        keyspace_set_string(&run->view, command->arg[i], command->arg[i + 1], false, "set");
    }
    reply_simple(reply, "OK");
}

/* --- INCR, DECR, INCRBY, DECRBY --- */

static void
string_increment(struct command_run *run, struct slice key, int64_t increment, struct reply *reply)
{
    int64_t number = 0;
    const struct value *value = keyspace_get(&run->view, key);
    if (value) {
        if (!argument_is_string(value, reply)) {
            return;
        }
        if (!value_string_integer(value, &number)) {
            reply_error(reply, REPLY_NOT_INTEGER);
            return;
        }
    }
    if (!number_add_i64(number, increment, &number)) {
        reply_error(reply, STRING_OVERFLOW);
        return;
    }
    char text[NUMBER_TEXT_MAX];
    size_t size = number_format_i64(number, text);
    keyspace_set_string(&run->view, key, (struct slice){(const uint8_t *)text, size}, true,
                        "incrby");
    reply_int(reply, number);
}

static void incr_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    string_increment(run, command->arg[1], 1, reply);
}

static void decr_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    string_increment(run, command->arg[1], -1, reply);
}

static bool incrby_check(const struct command *command, struct reply *reply)
{
    int64_t increment;
    return argument_integer(command->arg[2], &increment, reply);
}

static void incrby_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t increment;
    if (argument_integer(command->arg[2], &increment, reply)) {
        string_increment(run, command->arg[1], increment, reply);
    }
}

static bool decrby_parse(const struct command *command, int64_t *decrement, struct reply *reply)
{
    if (!argument_integer(command->arg[2], decrement, reply)) {
        return false;
    }
    if (*decrement == INT64_MIN) {
        reply_error(reply, "ERR decrement would overflow");
        return false;
    }
    return true;
}

static bool decrby_check(const struct command *command, struct reply *reply)
{
    int64_t decrement;
    return decrby_parse(command, &decrement, reply);
}

static void decrby_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t decrement;
    if (decrby_parse(command, &decrement, reply)) {
        string_increment(run, command->arg[1], -decrement, reply);
    }
}

/* --- APPEND --- */

static void append_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    struct slice bytes = command->arg[2];
    const struct value *value = keyspace_get(&run->view, key);
    if (!value) {
        keyspace_set_string(&run->view, key, bytes, false, "append");
        reply_int(reply, (int64_t)bytes.n);
        return;
    }
    if (!argument_is_string(value, reply)) {
        return;
    }
    size_t size = value_string_size(value);
    if (!string_length_ok(size, bytes.n, reply)) {
        return;
    }
    struct value **slot = keyspace_edit_slot(&run->view, key);
    *slot = value_string_append(*slot, bytes);
    keyspace_changed(&run->view, key, "append");
    reply_int(reply, (int64_t)(size + bytes.n));
}

/* --- the rows --- */

static const struct command_row string_row[] = {
    {
        .name = "append",
        COMMAND_NUMBERED(APPEND),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = append_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Append a value to a key",
        .since = "2.0.0",
        .complexity =
            "O(1). The amortized time complexity is O(1) assuming the appended value is "
            "small and the already present value is of any size, since the dynamic string "
            "library used by Redis will double the free space available on every "
            "reallocation.",
        .arguments = "key value",
        .key_flags = "RW insert",
    },
    {
        .name = "decr",
        COMMAND_NUMBERED(DECR),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = decr_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Decrement the integer value of a key by one",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RW access update",
    },
    {
        .name = "decrby",
        COMMAND_NUMBERED(DECRBY),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = decrby_check,
        .run = decrby_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Decrement the integer value of a key by the given number",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key decrement",
        .key_flags = "RW access update",
    },
    {
        .name = "get",
        COMMAND_NUMBERED(GET),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = get_run,
        .group = "string",
        .acl_categories = "@read @string @fast",
        .summary = "Get the value of a key",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO access",
    },
    {
        .name = "incr",
        COMMAND_NUMBERED(INCR),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = incr_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Increment the integer value of a key by one",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RW access update",
    },
    {
        .name = "incrby",
        COMMAND_NUMBERED(INCRBY),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = incrby_check,
        .run = incrby_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Increment the integer value of a key by the given amount",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key increment",
        .key_flags = "RW access update",
    },
    {
        .name = "mget",
        COMMAND_NUMBERED(MGET),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, -1, 1},
        .run = mget_run,
        .group = "string",
        .acl_categories = "@read @string @fast",
        .summary = "Get the values of all the given keys",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of keys to retrieve.",
        .arguments = "key [key ...]",
        .key_flags = "RO access",
        .tips = "request_policy:multi_shard",
    },
    {
        .name = "mset",
        COMMAND_NUMBERED(MSET),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, -1, 2},
        .check = mset_check,
        .run = mset_run,
        .group = "string",
        .acl_categories = "@write @string @slow",
        .summary = "Set multiple keys to multiple values",
        .since = "1.0.1",
        .complexity = "O(N) where N is the number of keys to set.",
        .arguments = "key value [key value ...]",
        .key_flags = "OW update",
        .tips = "request_policy:multi_shard response_policy:all_succeeded",
    },
    {
        .name = "set",
        COMMAND_NUMBERED(SET),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = set_check,
        .is_vain = set_is_vain,
        .run = set_run,
        .group = "string",
        .acl_categories = "@write @string @slow",
        .summary = "Set the string value of a key",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments =
            "key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | "
            "PXAT unix-time-milliseconds | KEEPTTL]",
        .key_flags = "RW access update variable_flags",
        .key_notes = "RW and ACCESS due to the optional `GET` argument",
        .history = "2.6.12 Added the `EX`, `PX`, `NX` and `XX` options.\n"
                   "6.0.0 Added the `KEEPTTL` option.\n"
                   "6.2.0 Added the `GET`, `EXAT` and `PXAT` option.\n"
                   "7.0.0 Allowed the `NX` and `GET` options to be used together.",
    },
    {
        .name = "strlen",
        COMMAND_NUMBERED(STRLEN),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = strlen_run,
        .group = "string",
        .acl_categories = "@read @string @fast",
        .summary = "Get the length of the value stored in a key",
        .since = "2.2.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO",
    },
};

const struct command_family commands_string = {string_row,
                                               sizeof string_row / sizeof string_row[0]};
