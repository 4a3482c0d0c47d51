/* Strings, the less common half: GETEX GETDEL GETSET SETNX SETEX PSETEX MSETNX GETRANGE SUBSTR
 * SETRANGE INCRBYFLOAT, as Redis 7.0.15 t_string.c answers them. Each `check` refuses exactly what
 * Redis finds before it looks at a key, so the ones whose first error may be WRONGTYPE have none.
 */

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "commands/command_row.h"
#include "commands/long_float.h"
#include "commands/numbers.h"
#include "commands/string_common.h"
#include "commands/vain.h"
#include "keyspace/value.h"

/* --- GETEX, GETDEL, GETSET --- */

struct getex_options {
    bool persist;
    bool has_expiry;
    enum expiry_unit unit;
    struct slice expiry;
};

/* Takes the option at *at and moves *at to its last argument. */
static bool
getex_parse_option(const struct command *command, size_t *at, struct getex_options *options)
{
    enum expiry_unit unit;
    struct slice option = command->arg[*at];
    if (argument_is(option, "persist")) {
        options->persist = true;
        return !options->has_expiry;
    }
    if (!string_expiry_unit(option, &unit) || *at + 1 == command->arg_count || options->persist ||
        (options->has_expiry && options->unit != unit)) {
        return false;
    }
    options->has_expiry = true;
    options->unit = unit;
    options->expiry = command->arg[++*at];
    return true;
}

static bool
getex_parse(const struct command *command, struct getex_options *options, struct reply *reply)
{
    *options = (struct getex_options){.unit = EXPIRY_SECONDS};
    for (size_t i = 2; i < command->arg_count; i++) {
        if (!getex_parse_option(command, &i, options)) {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool getex_check(const struct command *command, struct reply *reply)
{
    struct getex_options options;
    return getex_parse(command, &options, reply);
}

static void getex_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    struct getex_options options;
    if (!getex_parse(command, &options, reply)) {
        return;
    }
    const struct value *value = keyspace_get(&run->view, key);
    if (!value) {
        reply_null(reply);
        return;
    }
    int64_t number;
    int64_t at_ms = 0;
    if (!argument_is_string(value, reply) ||
        (options.has_expiry &&
         (!string_expiry_value(options.expiry, options.unit, "getex", &number, reply) ||
          !string_expiry_at(run, number, options.unit, "getex", &at_ms, reply)))) {
        return;
    }
    string_reply(value, reply);
    if (options.has_expiry && at_ms <= argument_now_ms(run)) {
        keyspace_delete(&run->view, key, "del");
    } else if (options.has_expiry) {
        keyspace_set_expiry(&run->view, key, at_ms, "expire");
    } else if (options.persist) {
        keyspace_clear_expiry(&run->view, key, "persist");
    }
}

static void getdel_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (string_reply_get(&run->view, command->arg[1], reply)) {
        keyspace_delete(&run->view, command->arg[1], "del");
    }
}

static void getset_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (string_reply_get(&run->view, command->arg[1], reply)) {
        keyspace_set_string(&run->view, command->arg[1], command->arg[2], false, "set");
    }
}

/* --- SETNX, SETEX, PSETEX, MSETNX --- */

static void setnx_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    bool is_new = !keyspace_get(&run->view, command->arg[1]);
    if (is_new) {
        keyspace_set_string(&run->view, command->arg[1], command->arg[2], false, "set");
    }
    reply_int(reply, is_new);
}

static bool setex_check(const struct command *command, struct reply *reply)
{
    int64_t value;
    return string_expiry_value(command->arg[2], EXPIRY_SECONDS, "setex", &value, reply);
}

static bool psetex_check(const struct command *command, struct reply *reply)
{
    int64_t value;
    return string_expiry_value(command->arg[2], EXPIRY_MILLISECONDS, "psetex", &value, reply);
}

static void string_set_expiring(struct command_run *run,
                                const struct command *command,
                                enum expiry_unit unit,
                                const char *name,
                                struct reply *reply)
{
    int64_t value;
    int64_t at_ms;
    if (!string_expiry_value(command->arg[2], unit, name, &value, reply) ||
        !string_expiry_at(run, value, unit, name, &at_ms, reply)) {
        return;
    }
    keyspace_set_string(&run->view, command->arg[1], command->arg[3], false, "set");
    keyspace_set_expiry(&run->view, command->arg[1], at_ms, "expire");
    reply_simple(reply, "OK");
}

static void setex_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    string_set_expiring(run, command, EXPIRY_SECONDS, "setex", reply);
}

static void psetex_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    string_set_expiring(run, command, EXPIRY_MILLISECONDS, "psetex", reply);
}

static bool msetnx_check(const struct command *command, struct reply *reply)
{
    if (command->arg_count % 2 == 0) {
        argument_arity_error(reply, "msetnx");
        return false;
    }
    return true;
}

static void msetnx_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!msetnx_check(command, reply)) {
        return;
    }
    for (size_t i = 1; i < command->arg_count; i += 2) {
        if (keyspace_get(&run->view, command->arg[i])) {
            reply_int(reply, 0);
            return;
        }
    }
    for (size_t i = 1; i < command->arg_count; i += 2) {
        keyspace_set_string(&run->view, command->arg[i], command->arg[i + 1], false, "set");
    }
    reply_int(reply, 1);
}

/* --- GETRANGE, SUBSTR, SETRANGE --- */

static bool
getrange_parse(const struct command *command, int64_t *first, int64_t *last, struct reply *reply)
{
    return argument_integer(command->arg[2], first, reply) &&
           argument_integer(command->arg[3], last, reply);
}

static bool getrange_check(const struct command *command, struct reply *reply)
{
    int64_t first;
    int64_t last;
    return getrange_parse(command, &first, &last, reply);
}

static void
getrange_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t first;
    int64_t last;
    if (!getrange_parse(command, &first, &last, reply)) {
        return;
    }
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (value && !argument_is_string(value, reply)) {
        return;
    }
    int64_t size = value ? (int64_t)value_string_size(value) : 0;
    bool is_empty = first < 0 && last < 0 && first > last;
    first += first < 0 ? size : 0;
    last += last < 0 ? size : 0;
    first = first < 0 ? 0 : first;
    last = last < 0 ? 0 : last;
    last = last >= size ? size - 1 : last;
    if (is_empty || first > last) {
        reply_bulk_cstr(reply, "");
    } else {
        string_reply_range(value, (size_t)first, (size_t)(last - first + 1), reply);
    }
}

static bool setrange_parse(const struct command *command, int64_t *offset, struct reply *reply)
{
    if (!argument_integer(command->arg[2], offset, reply)) {
        return false;
    }
    if (*offset < 0) {
        reply_error(reply, "ERR offset is out of range");
        return false;
    }
    return true;
}

static bool setrange_check(const struct command *command, struct reply *reply)
{
    int64_t offset;
    return setrange_parse(command, &offset, reply);
}

static void
setrange_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    struct slice bytes = command->arg[3];
    int64_t offset;
    if (!setrange_parse(command, &offset, reply)) {
        return;
    }
    const struct value *value = keyspace_get(&run->view, key);
    if (value && !argument_is_string(value, reply)) {
        return;
    }
    size_t size = value ? value_string_size(value) : 0;
    size_t end = (size_t)offset + bytes.n;
    if (bytes.n == 0) {
        reply_int(reply, (int64_t)size);
        return;
    }
    if (!string_length_ok((size_t)offset, bytes.n, reply)) {
        return;
    }
    if (!value) {
        struct value *made = value_string_extend(value_new_string((struct slice){NULL, 0}), end);
        value_string_write(made, (size_t)offset, bytes);
        keyspace_set(&run->view, key, made, false, "setrange");
    } else {
        struct value **slot = keyspace_edit_slot(&run->view, key);
        *slot = value_string_extend(*slot, end > size ? end : size);
        value_string_write(*slot, (size_t)offset, bytes);
        keyspace_changed(&run->view, key, "setrange");
    }
    reply_int(reply, (int64_t)(end > size ? end : size));
}

/* --- INCRBYFLOAT --- */

static bool float_of_value(const struct value *value, long double *number)
{
    uint8_t text[LONG_FLOAT_TEXT_MAX];
    size_t size = value_string_size(value);
    if (size >= sizeof text) {
        return false;
    }
    value_string_read(value, 0, text, size);
    return long_float_parse((struct slice){text, size}, number);
}

static void
incrbyfloat_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    char text[LONG_FLOAT_TEXT_MAX];
    long double sum = 0;
    long double increment;
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (value && !argument_is_string(value, reply)) {
        return;
    }
    if ((value && !float_of_value(value, &sum)) || !long_float_parse(command->arg[2], &increment)) {
        reply_error(reply, "ERR value is not a valid float");
        return;
    }
    sum += increment;
    if (isnan(sum) || isinf(sum)) {
        reply_error(reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    struct slice shown = {(const uint8_t *)text, long_float_format(sum, text)};
    keyspace_set_string(&run->view, command->arg[1], shown, true, "incrbyfloat");
    reply_bulk(reply, shown);
}

/* --- the rows --- */

static const struct command_row string_more_row[] = {
    {
        .name = "getdel",
        COMMAND_NUMBERED(GETDEL),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = vain_without_key,
        .run = getdel_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Get the value of a key and delete the key",
        .since = "6.2.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RW access delete",
    },
    {
        .name = "getex",
        COMMAND_NUMBERED(GETEX),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = getex_check,
        .is_vain = vain_without_key,
        .run = getex_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Get the value of a key and optionally set its expiration",
        .since = "6.2.0",
        .complexity = "O(1)",
        .arguments = "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-"
                     "milliseconds | PERSIST]",
        .key_flags = "RW access update",
        .key_notes = "RW and UPDATE because it changes the TTL",
    },
    {
        .name = "getrange",
        COMMAND_NUMBERED(GETRANGE),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = getrange_check,
        .run = getrange_run,
        .group = "string",
        .acl_categories = "@read @string @slow",
        .summary = "Get a substring of the string stored at a key",
        .since = "2.4.0",
        .complexity =
            "O(N) where N is the length of the returned string. The complexity is "
            "ultimately determined by the returned length, but because creating a substring"
            " from an existing string is very cheap, it can be considered O(1) for small "
            "strings.",
        .arguments = "key start end",
        .key_flags = "RO access",
    },
    {
        .name = "getset",
        COMMAND_NUMBERED(GETSET),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = getset_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Set the string value of a key and return its old value",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key value",
        .key_flags = "RW access update",
    },
    {
        .name = "incrbyfloat",
        COMMAND_NUMBERED(INCRBYFLOAT),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = incrbyfloat_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Increment the float value of a key by the given amount",
        .since = "2.6.0",
        .complexity = "O(1)",
        .arguments = "key increment",
        .key_flags = "RW access update",
    },
    {
        .name = "msetnx",
        COMMAND_NUMBERED(MSETNX),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, -1, 2},
        .check = msetnx_check,
        .run = msetnx_run,
        .group = "string",
        .acl_categories = "@write @string @slow",
        .summary = "Set multiple keys to multiple values, only if none of the keys exist",
        .since = "1.0.1",
        .complexity = "O(N) where N is the number of keys to set.",
        .arguments = "key value [key value ...]",
        .key_flags = "OW insert",
        .tips = "request_policy:multi_shard response_policy:agg_min",
    },
    {
        .name = "psetex",
        COMMAND_NUMBERED(PSETEX),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = psetex_check,
        .run = psetex_run,
        .group = "string",
        .acl_categories = "@write @string @slow",
        .summary = "Set the value and expiration in milliseconds of a key",
        .since = "2.6.0",
        .complexity = "O(1)",
        .arguments = "key milliseconds value",
        .key_flags = "OW update",
    },
    {
        .name = "setex",
        COMMAND_NUMBERED(SETEX),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = setex_check,
        .run = setex_run,
        .group = "string",
        .acl_categories = "@write @string @slow",
        .summary = "Set the value and expiration of a key",
        .since = "2.0.0",
        .complexity = "O(1)",
        .arguments = "key seconds value",
        .key_flags = "OW update",
    },
    {
        .name = "setnx",
        COMMAND_NUMBERED(SETNX),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = vain_with_key,
        .run = setnx_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Set the value of a key, only if the key does not exist",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key value",
        .key_flags = "OW insert",
    },
    {
        .name = "setrange",
        COMMAND_NUMBERED(SETRANGE),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = setrange_check,
        .run = setrange_run,
        .group = "string",
        .acl_categories = "@write @string @slow",
        .summary = "Overwrite part of a string at key starting at the specified offset",
        .since = "2.2.0",
        .complexity = "O(1), not counting the time taken to copy the new string in place. Usually, "
                      "this string is very small so the amortized complexity is O(1). Otherwise, "
                      "complexity is O(M) with M being the length of the value argument.",
        .arguments = "key offset value",
        .key_flags = "RW update",
    },
    {
        .name = "substr",
        COMMAND_NUMBERED(SUBSTR),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = getrange_check,
        .run = getrange_run,
        .group = "string",
        .acl_categories = "@read @string @slow",
        .summary = "Get a substring of the string stored at a key",
        .since = "1.0.0",
        .complexity =
            "O(N) where N is the length of the returned string. The complexity is "
            "ultimately determined by the returned length, but because creating a substring"
            " from an existing string is very cheap, it can be considered O(1) for small "
            "strings.",
        .arguments = "key start end",
        .key_flags = "RO access",
    },
};

const struct command_family commands_string_more = {string_more_row, sizeof string_more_row /
                                                                         sizeof string_more_row[0]};
