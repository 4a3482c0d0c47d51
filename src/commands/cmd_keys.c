/* Keys as a whole: COPY MOVE RENAME RENAMENX RANDOMKEY SWAPDB, as Redis 7.0.15 db.c answers them.
 * A value never changes hands without its expiry; both keys get the entry's index as their last
 * change. */

#include <limits.h>

#include "base/limits.h"
#include "commands/arguments.h"
#include "commands/numbers.h"
#include "keyspace/value.h"

#define KEYS_SAME_OBJECT "ERR source and destination objects are the same"
#define KEYS_NO_SUCH_KEY "ERR no such key"
#define KEYS_BAD_DB "ERR DB index is out of range"

/* An int, as Redis's getIntFromObjectOrReply. `error` replaces both of its texts, unless NULL. */
static bool
keys_argument_int(struct slice argument, int64_t *value, const char *error, struct reply *reply)
{
    struct reply discard = {.protocol = REPLY_DISCARD};
    if (!argument_integer(argument, value, error ? &discard : reply)) {
        if (error) {
            reply_error(reply, error);
        }
        return false;
    }
    if (*value < INT_MIN || *value > INT_MAX) {
        reply_error(reply, error ? error
                                 : "ERR value is out of range, value must between -2147483648 and "
                                   "2147483647");
        return false;
    }
    return true;
}

static bool keys_argument_db(struct slice argument, uint32_t *db, struct reply *reply)
{
    int64_t value;
    if (!keys_argument_int(argument, &value, NULL, reply)) {
        return false;
    }
    if (value < 0 || value >= LIMIT_DATABASES) {
        reply_error(reply, KEYS_BAD_DB);
        return false;
    }
    *db = (uint32_t)value;
    return true;
}

/* --- RENAME, RENAMENX, MOVE --- */

static void rename_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice from = command->arg[1];
    struct slice to = command->arg[2];
    if (!keyspace_get(&run->view, from)) {
        reply_error(reply, KEYS_NO_SUCH_KEY);
        return;
    }
    if (!slice_equal(from, to)) {
        keyspace_move(&run->view, from, run->view.db, to, "rename_from", "rename_to");
    }
    reply_simple(reply, "OK");
}

static void
renamenx_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice from = command->arg[1];
    struct slice to = command->arg[2];
    if (!keyspace_get(&run->view, from)) {
        reply_error(reply, KEYS_NO_SUCH_KEY);
        return;
    }
    if (keyspace_get(&run->view, to)) { /* also when it is the same key */
        reply_int(reply, 0);
        return;
    }
    keyspace_move(&run->view, from, run->view.db, to, "rename_from", "rename_to");
    reply_int(reply, 1);
}

static bool keys_is_present(const struct command_run *run, uint32_t db, struct slice key)
{
    struct keyspace_view view = run->view;
    view.db = db;
    return keyspace_get(&view, key) != NULL;
}

static bool move_check(const struct command *command, struct reply *reply)
{
    uint32_t db;
    return keys_argument_db(command->arg[2], &db, reply);
}

static void move_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    uint32_t db;
    if (!keys_argument_db(command->arg[2], &db, reply)) {
        return;
    }
    if (db == run->view.db) {
        reply_error(reply, KEYS_SAME_OBJECT);
        return;
    }
    if (!keyspace_get(&run->view, key) || keys_is_present(run, db, key)) {
        reply_int(reply, 0);
        return;
    }
    reply_int(reply, keyspace_move(&run->view, key, db, key, "move_from", "move_to"));
}

/* --- COPY --- */

struct copy_options {
    bool has_db;
    bool may_replace;
    uint32_t db;
};

static bool
copy_parse(const struct command *command, struct copy_options *options, struct reply *reply)
{
    *options = (struct copy_options){.has_db = false};
    for (size_t i = 3; i < command->arg_count; i++) {
        if (argument_is(command->arg[i], "replace")) {
            options->may_replace = true;
        } else if (argument_is(command->arg[i], "db") && i + 1 < command->arg_count) {
            if (!keys_argument_db(command->arg[++i], &options->db, reply)) {
                return false;
            }
            options->has_db = true;
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool copy_check(const struct command *command, struct reply *reply)
{
    struct copy_options options;
    return copy_parse(command, &options, reply);
}

static void copy_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct copy_options options;
    if (!copy_parse(command, &options, reply)) {
        return;
    }
    struct slice from = command->arg[1];
    struct slice to = command->arg[2];
    struct keyspace_view to_view = run->view;
    to_view.db = options.has_db ? options.db : run->view.db;
    if (to_view.db == run->view.db && slice_equal(from, to)) {
        reply_error(reply, KEYS_SAME_OBJECT);
        return;
    }
    if (!keyspace_get(&run->view, from) || (!options.may_replace && keyspace_get(&to_view, to))) {
        reply_int(reply, 0);
        return;
    }
    struct value *copy = value_share(keyspace_get(&run->view, from));
    keyspace_set_expiring(&to_view, to, copy, keyspace_expiry(&run->view, from), "copy_to");
    reply_int(reply, 1);
}

/* --- RANDOMKEY --- */

static void
randomkey_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key;
    (void)command;
    if (keyspace_random_key(&run->view, run->seed, &key)) {
        reply_bulk(reply, key);
    } else {
        reply_null(reply);
    }
}

/* --- SWAPDB --- */

static bool
swapdb_parse(const struct command *command, int64_t *first, int64_t *second, struct reply *reply)
{
    if (!keys_argument_int(command->arg[1], first, "ERR invalid first DB index", reply) ||
        !keys_argument_int(command->arg[2], second, "ERR invalid second DB index", reply)) {
        return false;
    }
    if (*first < 0 || *first >= LIMIT_DATABASES || *second < 0 || *second >= LIMIT_DATABASES) {
        reply_error(reply, KEYS_BAD_DB);
        return false;
    }
    return true;
}

static bool swapdb_check(const struct command *command, struct reply *reply)
{
    int64_t first;
    int64_t second;
    return swapdb_parse(command, &first, &second, reply);
}

static void swapdb_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t first;
    int64_t second;
    if (!swapdb_parse(command, &first, &second, reply)) {
        return;
    }
    if (first != second) {
        keyspace_swap(&run->view, (uint32_t)first, (uint32_t)second);
    }
    reply_simple(reply, "OK");
}

static const struct command_row keys_row[] = {
    {
        .name = "copy",
        COMMAND_NUMBERED(COPY),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 2, 1},
        .check = copy_check,
        .run = copy_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @slow",
        .summary = "Copy a key",
        .since = "6.2.0",
        .complexity = "O(N) worst case for collections, where N is the number of nested items. "
                      "O(1) for string values.",
        .arguments = "source destination [DB destination-db] [REPLACE]",
        .key_flags = "RO access;OW update",
    },
    {
        .name = "move",
        COMMAND_NUMBERED(MOVE),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = move_check,
        .run = move_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Move a key to another database",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key db",
        .key_flags = "RW access update",
    },
    {
        .name = "randomkey",
        COMMAND_NUMBERED(RANDOMKEY),
        .kind = COMMAND_DATA,
        .arity = 1,
        .flags = COMMAND_READONLY,
        .run = randomkey_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @slow",
        .summary = "Return a random key from the keyspace",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "",
        .tips = "request_policy:all_shards nondeterministic_output",
    },
    {
        .name = "rename",
        COMMAND_NUMBERED(RENAME),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE,
        .keys = {1, 2, 1},
        .run = rename_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @slow",
        .summary = "Rename a key",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key newkey",
        .key_flags = "RW access delete;OW update",
    },
    {
        .name = "renamenx",
        COMMAND_NUMBERED(RENAMENX),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 2, 1},
        .run = renamenx_run,
        .group = "generic",
        .acl_categories = "@keyspace @write @fast",
        .summary = "Rename a key, only if the new key does not exist",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key newkey",
        .key_flags = "RW access delete;OW insert",
        .history = "3.2.0 The command no longer returns an error when source and destination names "
                   "are the same.",
    },
    {
        .name = "swapdb",
        COMMAND_NUMBERED(SWAPDB),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .check = swapdb_check,
        .run = swapdb_run,
        .group = "server",
        .acl_categories = "@keyspace @write @fast @dangerous",
        .summary = "Swaps two Redis databases",
        .since = "4.0.0",
        .complexity = "O(N) where N is the count of clients watching or blocking on keys from both "
                      "databases.",
        .arguments = "index1 index2",
    },
};

const struct command_family commands_keys = {keys_row, sizeof keys_row / sizeof keys_row[0]};
