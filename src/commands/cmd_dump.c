/* DUMP and RESTORE, as Redis 7.0.15 cluster.c answers them, in its own format: MIGRATE and tools
 * that copy between servers work. IDLETIME and FREQ are checked and have no effect, since nothing
 * is evicted by use.
 *
 * DEVIATION: a relative TTL that can't be added to the time is refused; in Redis the sum wraps, and
 * the key is gone with +OK. */

#include "base/number.h"
#include "commands/arguments.h"
#include "commands/command_row.h"
#include "commands/dump_format.h"
#include "commands/numbers.h"
#include "keyspace/value.h"

static void dump_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (!value) {
        reply_null(reply);
        return;
    }
    struct buf payload;
    buf_init(&payload);
    if (dump_write(&payload, &run->view, value)) {
        reply_bulk(reply, buf_slice(&payload));
    } else {
        reply_error(reply, "ERR DUMP does not know this type yet");
    }
    buf_deinit(&payload);
}

struct restore_options {
    bool may_replace;
    bool is_absolute;
    bool has_idle;
    bool has_frequency;
};

/* The number behind the option at `at`, in [0, max]; it exists. */
static bool restore_parse_number(
    const struct command *command, size_t at, int64_t max, const char *error, struct reply *reply)
{
    int64_t number;
    if (!argument_integer(command->arg[at + 1], &number, reply)) {
        return false;
    }
    if (number < 0 || number > max) {
        reply_error(reply, error);
        return false;
    }
    return true;
}

static bool
restore_parse(const struct command *command, struct restore_options *options, struct reply *reply)
{
    *options = (struct restore_options){.may_replace = false};
    for (size_t i = 4; i < command->arg_count; i++) {
        struct slice option = command->arg[i];
        bool has_next = i + 1 < command->arg_count;
        if (argument_is(option, "replace")) {
            options->may_replace = true;
        } else if (argument_is(option, "absttl")) {
            options->is_absolute = true;
        } else if (argument_is(option, "idletime") && has_next && !options->has_frequency) {
            if (!restore_parse_number(command, i++, INT64_MAX,
                                      "ERR Invalid IDLETIME value, must be >= 0", reply)) {
                return false;
            }
            options->has_idle = true;
        } else if (argument_is(option, "freq") && has_next && !options->has_idle) {
            if (!restore_parse_number(command, i++, 255,
                                      "ERR Invalid FREQ value, must be >= 0 and <= 255", reply)) {
                return false;
            }
            options->has_frequency = true;
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool restore_check(const struct command *command, struct reply *reply)
{
    struct restore_options options;
    return restore_parse(command, &options, reply);
}

/* *at_ms is 0 for a key that never expires. */
static bool restore_parse_ttl(const struct command_run *run,
                              const struct command *command,
                              bool is_absolute,
                              int64_t *at_ms,
                              struct reply *reply)
{
    if (!argument_integer(command->arg[2], at_ms, reply)) {
        return false;
    }
    if (*at_ms < 0) {
        reply_error(reply, "ERR Invalid TTL value, must be >= 0");
        return false;
    }
    if (*at_ms > 0 && !is_absolute && !number_add_i64(*at_ms, argument_now_ms(run), at_ms)) {
        argument_expiry_error(reply, "restore");
        return false;
    }
    return true;
}

static struct value *restore_read(const struct command_run *run, struct slice payload, struct reply *reply)
{
    struct value *value;
    switch (dump_read(&run->view, payload, &value)) {
    case DUMP_OK:
        return value;
    case DUMP_BAD_FOOTER:
        reply_error(reply, "ERR DUMP payload version or checksum are wrong");
        return NULL;
    case DUMP_BAD_FORMAT:
        reply_error(reply, "ERR Bad data format");
        return NULL;
    case DUMP_UNSUPPORTED:
        reply_error(reply, "ERR RESTORE does not know this type yet");
        return NULL;
    }
    return NULL;
}

static void restore_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    struct restore_options options;
    if (!restore_parse(command, &options, reply)) {
        return;
    }
    if (!options.may_replace && keyspace_get(&run->view, key)) {
        reply_error(reply, "BUSYKEY Target key name already exists.");
        return;
    }
    int64_t at_ms;
    if (!restore_parse_ttl(run, command, options.is_absolute, &at_ms, reply)) {
        return;
    }
    struct value *value = restore_read(run, command->arg[3], reply);
    if (!value) {
        return;
    }
    if (at_ms > 0 && at_ms <= argument_now_ms(run)) { /* over already */
        value_free(value);
        keyspace_delete(&run->view, key, "del");
    } else {
        keyspace_set(&run->view, key, value, false, "restore");
        if (at_ms > 0) {
            keyspace_set_expiry(&run->view, key, at_ms, "expire");
        }
    }
    reply_simple(reply, "OK");
}

/* --- the rows --- */

static const struct command_row dump_row[] = {
    {
        .name = "dump",
        COMMAND_NUMBERED(DUMP),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = dump_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @slow",
        .summary = "Return a serialized version of the value stored at the specified key.",
        .since = "2.6.0",
        .complexity =
            "O(1) to access the key and additional O(N*M) to serialize it, where N is the "
            "number of Redis objects composing the value and M their average size. For "
            "small string values the time complexity is thus O(1)+O(1*M) where M is small, "
            "so simply O(1).",
        .arguments = "key",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
    },
    {
        .name = "restore",
        COMMAND_NUMBERED(RESTORE),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = restore_check,
        .run = restore_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @slow @dangerous",
        .summary = "Create a key using the provided serialized value, previously obtained using "
                   "DUMP.",
        .since = "2.6.0",
        .complexity =
            "O(1) to create the new key and additional O(N*M) to reconstruct the serialized"
            " value, where N is the number of Redis objects composing the value and M their"
            " average size. For small string values the time complexity is thus O(1)+O(1*M)"
            " where M is small, so simply O(1). However for sorted set values the "
            "complexity is O(N*M*log(N)) because inserting values into sorted sets is "
            "O(log(N)).",
        .arguments = "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ "
                     "frequency]",
        .key_flags = "OW update",
        .history = "3.0.0 Added the `REPLACE` modifier.\n"
                   "5.0.0 Added the `ABSTTL` modifier.\n"
                   "5.0.0 Added the `IDLETIME` and `FREQ` options.",
    },
};

const struct command_family commands_dump = {dump_row, sizeof dump_row / sizeof dump_row[0]};
