/* Changes that depend on what is there, each one log entry decided at apply: DELEX as in Redis 8.4 (SET's IFEQ and IFNE are in
 * cmd_string.c), the same by the index of a key's last change (IGET ISET IDEL), and by JSON equality (JSONCAS). HTTP is made of
 * them, and any Redis client may send them. */

#include "base/json.h"
#include "base/limits.h"
#include "base/number.h"
#include "commands/arguments.h"
#include "commands/command_row.h"
#include "commands/list.h"
#include "commands/numbers.h"
#include "commands/string_common.h"
#include "keyspace/value.h"

/* --- DELEX --- */

static bool delex_check(const struct command *command, struct reply *reply)
{
    if (command->arg_count == 2) {
        return true;
    }
    if (command->arg_count != 4) {
        argument_arity_error(reply, "delex");
        return false;
    }
    if (argument_is(command->arg[2], "ifeq") || argument_is(command->arg[2], "ifne")) {
        return true;
    }
    bool is_digest = argument_is(command->arg[2], "ifdeq") || argument_is(command->arg[2], "ifdne");
    reply_error(reply, is_digest ? "ERR IFDEQ and IFDNE are not supported, use IFEQ or IFNE" : "ERR Invalid condition. Use IFEQ, IFNE");
    return false;
}

static void delex_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!delex_check(command, reply)) {
        return;
    }
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (value && command->arg_count == 4) {
        if (value_get_type(value) != VALUE_STRING) {
            reply_error(reply, "ERR Key should be of string type if conditions are specified");
            return;
        }
        bool wants_equal = argument_is(command->arg[2], "ifeq");
        if (string_equals(value, command->arg[3]) != wants_equal) {
            reply_int(reply, 0);
            return;
        }
    }
    reply_int(reply, keyspace_delete(&run->view, command->arg[1], "del"));
}

/* --- IGET, ISET, IDEL --- */

static void iget_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    if (!value) {
        reply_null(reply);
    } else if (argument_is_string(value, reply)) {
        reply_array(reply, 2);
        reply_int(reply, (int64_t)keyspace_last_change(&run->view, command->arg[1]));
        string_reply(value, reply);
    }
}

/* What must hold of the key, from argument `first` on: nothing, NX, XX, or IFINDEX and one index or more. */
static bool index_check(const struct command *command, size_t first, bool may_be_nx, struct reply *reply)
{
    if (command->arg_count == first) {
        return true;
    }
    if (may_be_nx && command->arg_count == first + 1 && (argument_is(command->arg[first], "nx") || argument_is(command->arg[first], "xx"))) {
        return true;
    }
    if (!argument_is(command->arg[first], "ifindex") || command->arg_count == first + 1) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    for (size_t i = first + 1; i < command->arg_count; i++) {
        uint64_t index;
        if (!number_parse_u64(command->arg[i], &index)) {
            reply_error(reply, "ERR index is not an integer or out of range");
            return false;
        }
    }
    return true;
}

/* `index` is the key's last change, 0: it is absent. */
static bool index_holds(const struct command *command, size_t first, uint64_t index)
{
    if (command->arg_count == first) {
        return true;
    }
    if (argument_is(command->arg[first], "nx")) {
        return index == 0;
    }
    if (argument_is(command->arg[first], "xx")) {
        return index != 0;
    }
    for (size_t i = first + 1; i < command->arg_count; i++) {
        uint64_t wanted;
        if (number_parse_u64(command->arg[i], &wanted) && wanted == index && index != 0) {
            return true;
        }
    }
    return false;
}

static uint64_t index_of(struct command_run *run, struct slice key)
{
    return keyspace_get(&run->view, key) ? keyspace_last_change(&run->view, key) : 0;
}

/* [done, index]; no index: the key is absent. */
static void index_reply(struct reply *reply, bool is_done, uint64_t index)
{
    reply_array(reply, 2);
    reply_int(reply, is_done);
    if (index != 0) {
        reply_int(reply, (int64_t)index);
    } else {
        reply_null(reply);
    }
}

static bool iset_check(const struct command *command, struct reply *reply)
{
    return index_check(command, 3, true, reply);
}

static void iset_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!iset_check(command, reply)) {
        return;
    }
    uint64_t index = index_of(run, command->arg[1]);
    bool is_done = index_holds(command, 3, index);
    if (is_done) {
        keyspace_set_string(&run->view, command->arg[1], command->arg[2], false, "set");
        index = run->index;
    }
    index_reply(reply, is_done, index);
}

static bool idel_check(const struct command *command, struct reply *reply)
{
    return index_check(command, 2, false, reply);
}

static void idel_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!idel_check(command, reply)) {
        return;
    }
    uint64_t index = index_of(run, command->arg[1]);
    bool is_done = index != 0 && index_holds(command, 2, index);
    if (is_done) {
        keyspace_delete(&run->view, command->arg[1], "del");
        index = run->index;
    }
    index_reply(reply, is_done, index);
}

/* --- JSONCAS --- */

/* Comparing is work at apply, on every node: what is longer is never equal. */
#define JSONCAS_EXPECTED_BYTES 1048576u
#define JSONCAS_STORED_BYTES (4u * JSONCAS_EXPECTED_BYTES)

static bool jsoncas_check(const struct command *command, struct reply *reply)
{
    struct slice value;
    if (command->arg[2].n > JSONCAS_EXPECTED_BYTES) {
        reply_error(reply, "ERR the expected value is longer than 1048576 bytes");
        return false;
    }
    if (!json_check(command->arg[2], &value)) {
        reply_error(reply, "ERR the expected value is not JSON");
        return false;
    }
    if (!json_check(command->arg[3], &value)) {
        reply_error(reply, "ERR the desired value is not JSON");
        return false;
    }
    return true;
}

/* A stored text that is no JSON stands for the JSON string of its bytes, if they are UTF-8. */
static bool jsoncas_matches(const struct value *stored, struct slice expected)
{
    if (!stored) {
        return json_type_of(expected) == JSON_NULL;
    }
    size_t size = value_string_size(stored);
    if (string_equals(stored, expected)) {
        return true;
    }
    if (size > JSONCAS_STORED_BYTES) {
        return false;
    }
    struct buf bytes = {0};
    struct slice value;
    bool is_equal = false;
    string_append_to(stored, &bytes);
    if (json_check(buf_slice(&bytes), &value)) {
        is_equal = json_equal(value, expected);
    } else if (utf8_is_valid(buf_slice(&bytes)) && json_type_of(expected) == JSON_STRING) {
        struct buf plain = {0};
        json_unescape(expected, &plain);
        is_equal = slice_equal(buf_slice(&plain), buf_slice(&bytes));
        buf_deinit(&plain);
    }
    buf_deinit(&bytes);
    return is_equal;
}

static void jsoncas_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    struct slice expected;
    struct slice desired;
    if (!jsoncas_check(command, reply) || !json_check(command->arg[2], &expected) || !json_check(command->arg[3], &desired)) {
        return;
    }
    const struct value *stored = keyspace_get(&run->view, key);
    if (stored && !argument_is_string(stored, reply)) {
        return;
    }
    if (!jsoncas_matches(stored, expected)) {
        reply_array(reply, 2);
        reply_int(reply, 0);
        if (stored) {
            string_reply(stored, reply);
        } else {
            reply_null(reply);
        }
        return;
    }
    if (json_type_of(desired) == JSON_NULL) {
        keyspace_delete(&run->view, key, "del");
    } else {
        keyspace_set_string(&run->view, key, desired, false, "set");
    }
    reply_array(reply, 2);
    reply_int(reply, 1);
    reply_null(reply);
}

/* --- LREPLACE --- */

/* What was there goes, of whatever type; a list without elements is no list. */
static void lreplace_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    size_t count = command->arg_count - 2;
    keyspace_delete(&run->view, command->arg[1], "del");
    if (count > 0) {
        list_push(run, command->arg[1], LIST_RIGHT, command->arg + 2, count);
    }
    reply_int(reply, (int64_t)count);
}

/* --- the rows --- */

static const struct command_row compare_row[] = {
    {
        .name = "delex",
        COMMAND_NUMBERED(DELEX),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = delex_check,
        .run = delex_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Delete a key if its value is, or is not, the given one",
        .since = "8.4.0",
        .complexity = "O(1) without a condition, O(N) with one, where N is the length of the string value",
        .arguments = "key [IFEQ value | IFNE value]",
        .key_flags = "RM delete",
    },
    {
        .name = "idel",
        COMMAND_NUMBERED(IDEL),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = idel_check,
        .run = idel_run,
        .group = "string",
        .acl_categories = "@write @keyspace @fast",
        .summary = "Delete a key if the entry that changed it last has one of the given indices",
        .since = "7.0.0",
        .complexity = "O(1)",
        .arguments = "key [IFINDEX index [index ...]]",
        .key_flags = "RM delete",
    },
    {
        .name = "iget",
        COMMAND_NUMBERED(IGET),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = iget_run,
        .group = "string",
        .acl_categories = "@read @string @fast",
        .summary = "The string value of a key, and the index of the entry that changed the key last",
        .since = "7.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO access",
    },
    {
        .name = "iset",
        COMMAND_NUMBERED(ISET),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = iset_check,
        .run = iset_run,
        .group = "string",
        .acl_categories = "@write @string @fast",
        .summary = "Set the string value of a key if it is absent, present, or was changed last by a given entry",
        .since = "7.0.0",
        .complexity = "O(1)",
        .arguments = "key value [NX | XX | IFINDEX index [index ...]]",
        .key_flags = "OW update",
    },
    {
        .name = "jsoncas",
        COMMAND_NUMBERED(JSONCAS),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = jsoncas_check,
        .run = jsoncas_run,
        .group = "string",
        .acl_categories = "@write @string @slow",
        .summary = "Replace a JSON text if it equals the expected one as JSON; null stands for an absent key",
        .since = "7.0.0",
        .complexity = "O(N log N) where N is the length of the values",
        .arguments = "key expected desired",
        .key_flags = "RW access update delete",
    },
    {
        .name = "lreplace",
        COMMAND_NUMBERED(LREPLACE),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .run = lreplace_run,
        .group = "list",
        .acl_categories = "@write @list @slow",
        .summary = "Replace whatever a key holds by a list of these elements, or by nothing",
        .since = "7.0.0",
        .complexity = "O(N) where N is the number of elements",
        .arguments = "key [element [element ...]]",
        .key_flags = "OW update",
    },
};

const struct command_family commands_compare = {compare_row, sizeof compare_row / sizeof compare_row[0]};
