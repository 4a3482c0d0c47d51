/* Expiry: EXPIRE PEXPIRE EXPIREAT PEXPIREAT TTL PTTL EXPIRETIME PEXPIRETIME PERSIST, as Redis 7.0.15 expire.c answers
 * them. Relative times count from the time of the entry, so every node stores the same instant. */

#include "base/number.h"
#include "commands/arguments.h"
#include "commands/command_row.h"
#include "commands/numbers.h"
#include "commands/vain.h"

enum expire_condition {
    EXPIRE_NX = 1 << 0,
    EXPIRE_XX = 1 << 1,
    EXPIRE_GT = 1 << 2,
    EXPIRE_LT = 1 << 3,
};

struct expire_options {
    uint32_t condition; /* EXPIRE_* */
    int64_t value_ms;   /* in milliseconds; still relative where the command is */
};

/* Redis prints a C string: it ends at the first NUL byte. */
static void expire_unsupported(struct slice option, struct reply *reply)
{
    size_t n = 0;
    while (n < option.n && option.p[n]) {
        n++;
    }
    reply_errorf(reply, "ERR Unsupported option %.*s", (int)n, n ? (const char *)option.p : "");
}

static bool
expire_parse_conditions(const struct command *command, uint32_t *condition, struct reply *reply)
{
    static const char *const name[] = {"nx", "xx", "gt", "lt"};
    *condition = 0;
    for (size_t i = 3; i < command->arg_count; i++) {
        size_t which = 0;
        while (which < 4 && !argument_is(command->arg[i], name[which])) {
            which++;
        }
        if (which == 4) {
            expire_unsupported(command->arg[i], reply);
            return false;
        }
        *condition |= 1u << which;
    }
    if ((*condition & EXPIRE_NX) && *condition != EXPIRE_NX) {
        reply_error(reply, "ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if ((*condition & EXPIRE_GT) && (*condition & EXPIRE_LT)) {
        reply_error(reply, "ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

static bool expire_parse(const struct command *command,
                         const char *name,
                         enum expiry_unit unit,
                         struct expire_options *options,
                         struct reply *reply)
{
    if (!expire_parse_conditions(command, &options->condition, reply) ||
        !argument_integer(command->arg[2], &options->value_ms, reply)) {
        return false;
    }
    if (expiry_unit_is_seconds(unit) &&
        !number_multiply_i64(options->value_ms, 1000, &options->value_ms)) {
        argument_expiry_error(reply, name);
        return false;
    }
    return true;
}

static bool expire_condition_holds(uint32_t condition, int64_t current_ms, int64_t at_ms)
{
    bool has_expiry = current_ms != KEYSPACE_NO_EXPIRY;
    if ((condition & EXPIRE_NX) && has_expiry) {
        return false;
    }
    if ((condition & EXPIRE_XX) && !has_expiry) {
        return false;
    }
    if ((condition & EXPIRE_GT) && (!has_expiry || at_ms <= current_ms)) {
        return false; /* none is later than never */
    }
    return !((condition & EXPIRE_LT) && has_expiry && at_ms >= current_ms);
}

static void expire_generic(struct command_run *run,
                           const struct command *command,
                           const char *name,
                           enum expiry_unit unit,
                           struct reply *reply)
{
    struct expire_options options;
    if (!expire_parse(command, name, unit, &options, reply)) {
        return;
    }
    int64_t at_ms = options.value_ms;
    if (expiry_unit_is_relative(unit) && !number_add_i64(at_ms, argument_now_ms(run), &at_ms)) {
        argument_expiry_error(reply, name);
        return;
    }
    struct slice key = command->arg[1];
    if (!keyspace_get(&run->view, key) ||
        !expire_condition_holds(options.condition, keyspace_expiry(&run->view, key), at_ms)) {
        reply_int(reply, 0);
        return;
    }
    if (at_ms <= argument_now_ms(run)) {
        keyspace_delete(&run->view, key, "del");
    } else {
        keyspace_set_expiry(&run->view, key, at_ms, "expire");
    }
    reply_int(reply, 1);
}

/* A check and a run for each of the four. */
#define EXPIRE_COMMAND(name, unit)                                                                 \
    static bool name##_check(const struct command *command, struct reply *reply)                   \
    {                                                                                              \
        struct expire_options options;                                                             \
        return expire_parse(command, #name, unit, &options, reply);                                \
    }                                                                                              \
    static void name##_run(struct command_run *run, const struct command *command,                 \
                           struct reply *reply)                                                    \
    {                                                                                              \
        expire_generic(run, command, #name, unit, reply);                                          \
    }
EXPIRE_COMMAND(expire, EXPIRY_SECONDS)
EXPIRE_COMMAND(pexpire, EXPIRY_MILLISECONDS)
EXPIRE_COMMAND(expireat, EXPIRY_AT_SECONDS)
EXPIRE_COMMAND(pexpireat, EXPIRY_AT_MILLISECONDS)

/* -2: no such key, -1: it never expires, else the milliseconds left. */
static int64_t expiry_left_ms(struct keyspace_view *view, struct slice key)
{
    if (!keyspace_get(view, key)) {
        return -2;
    }
    int64_t at_ms = keyspace_expiry(view, key);
    return at_ms == KEYSPACE_NO_EXPIRY ? -1 : at_ms - keyspace_view_time(view);
}

static void pttl_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    reply_int(reply, expiry_left_ms(&run->view, command->arg[1]));
}

/* To the nearest second, written so that it can't overflow; -1 and -2 stay. */
static int64_t expiry_round_seconds(int64_t ms)
{
    return ms > 0 ? ms / 1000 + (ms % 1000 >= 500) : ms;
}

static void ttl_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    reply_int(reply, expiry_round_seconds(expiry_left_ms(&run->view, command->arg[1])));
}

/* -2: no such key, -1: it never expires, else the instant. */
static int64_t expiry_instant_ms(struct keyspace_view *view, struct slice key)
{
    int64_t left_ms = expiry_left_ms(view, key);
    return left_ms < 0 ? left_ms : keyspace_expiry(view, key);
}

static void
pexpiretime_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    reply_int(reply, expiry_instant_ms(&run->view, command->arg[1]));
}

static void
expiretime_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    reply_int(reply, expiry_round_seconds(expiry_instant_ms(&run->view, command->arg[1])));
}

static void persist_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    reply_int(reply, keyspace_clear_expiry(&run->view, command->arg[1], "persist"));
}

#define EXPIRE_HISTORY "7.0.0 Added options: `NX`, `XX`, `GT` and `LT`."

static const struct command_row expiry_row[] = {
    {
        .name = "expire",
        COMMAND_NUMBERED(EXPIRE),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = expire_check,
        .is_vain = vain_without_key,
        .run = expire_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Set a key's time to live in seconds",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key seconds [NX | XX | GT | LT]",
        .key_flags = "RW update",
        .history = EXPIRE_HISTORY,
    },
    {
        .name = "expireat",
        COMMAND_NUMBERED(EXPIREAT),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = expireat_check,
        .is_vain = vain_without_key,
        .run = expireat_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Set the expiration for a key as a UNIX timestamp",
        .since = "1.2.0",
        .complexity = "O(1)",
        .arguments = "key unix-time-seconds [NX | XX | GT | LT]",
        .key_flags = "RW update",
        .history = EXPIRE_HISTORY,
    },
    {
        .name = "expiretime",
        COMMAND_NUMBERED(EXPIRETIME),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = expiretime_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @fast",
        .summary = "Get the expiration Unix timestamp for a key",
        .since = "7.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO access",
    },
    {
        .name = "persist",
        COMMAND_NUMBERED(PERSIST),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = vain_without_key,
        .run = persist_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Remove the expiration from a key",
        .since = "2.2.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RW update",
    },
    {
        .name = "pexpire",
        COMMAND_NUMBERED(PEXPIRE),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = pexpire_check,
        .is_vain = vain_without_key,
        .run = pexpire_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Set a key's time to live in milliseconds",
        .since = "2.6.0",
        .complexity = "O(1)",
        .arguments = "key milliseconds [NX | XX | GT | LT]",
        .key_flags = "RW update",
        .history = EXPIRE_HISTORY,
    },
    {
        .name = "pexpireat",
        COMMAND_NUMBERED(PEXPIREAT),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = pexpireat_check,
        .is_vain = vain_without_key,
        .run = pexpireat_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
        .since = "2.6.0",
        .complexity = "O(1)",
        .arguments = "key unix-time-milliseconds [NX | XX | GT | LT]",
        .key_flags = "RW update",
        .history = EXPIRE_HISTORY,
    },
    {
        .name = "pexpiretime",
        COMMAND_NUMBERED(PEXPIRETIME),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = pexpiretime_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @fast",
        .summary = "Get the expiration Unix timestamp for a key in milliseconds",
        .since = "7.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO access",
    },
    {
        .name = "pttl",
        COMMAND_NUMBERED(PTTL),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = pttl_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @fast",
        .summary = "Get the time to live for a key in milliseconds",
        .since = "2.6.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
        .history = "2.8.0 Added the -2 reply.",
    },
    {
        .name = "ttl",
        COMMAND_NUMBERED(TTL),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = ttl_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @fast",
        .summary = "Get the time to live for a key in seconds",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
        .history = "2.8.0 Added the -2 reply.",
    },
};

const struct command_family commands_expiry = {expiry_row,
                                               sizeof expiry_row / sizeof expiry_row[0]};
