/* Keys and databases: DEL UNLINK EXISTS TOUCH TYPE DBSIZE FLUSHALL FLUSHDB, as Redis 7.0.15 db.c answers them. */

#include "commands/arguments.h"
#include "commands/command_row.h"
#include "commands/numbers.h"
#include "commands/vain.h"
#include "keyspace/value.h"

static void del_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t deleted = 0;
    for (size_t i = 1; i < command->arg_count; i++) {
        deleted += keyspace_delete(&run->view, command->arg[i], "del");
    }
    reply_int(reply, deleted);
}

static void exists_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t present = 0;
    for (size_t i = 1; i < command->arg_count; i++) {
        present += keyspace_get(&run->view, command->arg[i]) != NULL;
    }
    reply_int(reply, present);
}

static void type_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    reply_simple(reply, value ? value_type_name(value_get_type(value)) : "none");
}

static void dbsize_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    (void)command;
    reply_int(reply, (int64_t)keyspace_count(run->view.keyspace, run->view.db));
}

static bool flushall_check(const struct command *command, struct reply *reply)
{
    if (command->arg_count == 1 ||
        (command->arg_count == 2 &&
         (argument_is(command->arg[1], "sync") || argument_is(command->arg[1], "async")))) {
        return true;
    }
    reply_error(reply, REPLY_SYNTAX);
    return false;
}

/* SYNC and ASYNC only tell Redis when to free memory; here it is always freed in pieces, later. */
static void
flushall_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (flushall_check(command, reply)) {
        keyspace_flush(&run->view, true);
        reply_simple(reply, "OK");
    }
}

static void
flushdb_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (flushall_check(command, reply)) {
        keyspace_flush(&run->view, false);
        reply_simple(reply, "OK");
    }
}

/* UNLINK is DEL: big values are always freed in pieces, later. TOUCH is EXISTS: nothing depends on
 * when a key was last used. */
static const struct command_row generic_row[] = {
    {
        .name = "dbsize",
        COMMAND_NUMBERED(DBSIZE),
        .kind = COMMAND_DATA,
        .arity = 1,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .run = dbsize_run,
        .group = "server",
        .acl_categories = "@keyspace @read @fast",
        .summary = "Return the number of keys in the selected database",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "",
        .tips = "request_policy:all_shards response_policy:agg_sum",
    },
    {
        .name = "del",
        COMMAND_NUMBERED(DEL),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE,
        .keys = {1, -1, 1},
        .is_vain = vain_without_keys,
        .run = del_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @slow",
        .summary = "Delete a key",
        .since = "1.0.0",
        .complexity =
            "O(N) where N is the number of keys that will be removed. When a key to remove "
            "holds a value other than a string, the individual complexity for this key is "
            "O(M) where M is the number of elements in the list, set, sorted set or hash. "
            "Removing a single key that holds a string value is O(1).",
        .arguments = "key [key ...]",
        .key_flags = "RM delete",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
    },
    {
        .name = "exists",
        COMMAND_NUMBERED(EXISTS),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, -1, 1},
        .run = exists_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @fast",
        .summary = "Determine if a key exists",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of keys to check.",
        .arguments = "key [key ...]",
        .key_flags = "RO",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
        .history = "3.0.3 Accepts multiple `key` arguments.",
    },
    {
        .name = "flushall",
        COMMAND_NUMBERED(FLUSHALL),
        .kind = COMMAND_DATA,
        .arity = -1,
        .flags = COMMAND_WRITE,
        .check = flushall_check,
        .run = flushall_run,
        .group = "server",
        .acl_categories = "@keyspace @write @slow @dangerous",
        .summary = "Remove all keys from all databases",
        .since = "1.0.0",
        .complexity = "O(N) where N is the total number of keys in all databases",
        .arguments = "[ASYNC | SYNC]",
        .tips = "request_policy:all_shards response_policy:all_succeeded",
        .history = "4.0.0 Added the `ASYNC` flushing mode modifier.\n"
                   "6.2.0 Added the `SYNC` flushing mode modifier.",
    },
    {
        .name = "flushdb",
        COMMAND_NUMBERED(FLUSHDB),
        .kind = COMMAND_DATA,
        .arity = -1,
        .flags = COMMAND_WRITE,
        .check = flushall_check,
        .run = flushdb_run,
        .group = "server",
        .acl_categories = "@keyspace @write @slow @dangerous",
        .summary = "Remove all keys from the current database",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of keys in the selected database",
        .arguments = "[ASYNC | SYNC]",
        .tips = "request_policy:all_shards response_policy:all_succeeded",
        .history = "4.0.0 Added the `ASYNC` flushing mode modifier.\n"
                   "6.2.0 Added the `SYNC` flushing mode modifier.",
    },
    {
        .name = "touch",
        COMMAND_NUMBERED(TOUCH),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, -1, 1},
        .run = exists_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @fast",
        .summary =
            "Alters the last access time of a key(s). Returns the number of existing keys "
            "specified.",
        .since = "3.2.1",
        .complexity = "O(N) where N is the number of keys that will be touched.",
        .arguments = "key [key ...]",
        .key_flags = "RO",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
    },
    {
        .name = "type",
        COMMAND_NUMBERED(TYPE),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = type_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @fast",
        .summary = "Determine the type stored at key",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO",
    },
    {
        .name = "unlink",
        COMMAND_NUMBERED(UNLINK),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, -1, 1},
        .is_vain = vain_without_keys,
        .run = del_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Delete a key asynchronously in another thread. Otherwise it is just as DEL, "
                   "but non blocking.",
        .since = "4.0.0",
        .complexity =
            "O(1) for each key removed regardless of its size. Then the command does O(N) work in "
            "a different thread in order to reclaim memory, where N is the number of allocations "
            "the deleted objects where composed of.",
        .arguments = "key [key ...]",
        .key_flags = "RM delete",
        .tips = "request_policy:multi_shard response_policy:agg_sum",
    },
};

const struct command_family commands_generic = {generic_row,
                                                sizeof generic_row / sizeof generic_row[0]};
