/* Hashes, as Redis 7.0.15 t_hash.c answers: everything but HRANDFIELD and HSCAN, which are in cmd_hash_walk.c.
 *
 * Fields with a value are changed in the place where they are. A command that turns out to change nothing does not touch the key,
 * so that WATCH and notifications see what Redis's see. */

#include <math.h>

#include "base/number.h"
#include "commands/collection.h"
#include "commands/long_float.h"
#include "commands/numbers.h"
#include "commands/vain.h"
#include "keyspace/hash.h"
#include "keyspace/value.h"

/* NULL in *hash when absent. False: another type, an error was written. */
static bool hash_get(struct command_run *run, const struct command *command, const struct value **hash, struct reply *reply)
{
    return collection_get(run, command->arg[1], VALUE_HASH, hash, reply);
}

/* --- changes --- */

/* A hash to change, made if it is absent. */
struct hash_edit {
    struct command_run *run;
    struct slice key;
    struct value *made;
    struct value **slot;
};

static void hash_edit_begin(struct hash_edit *edit, struct command_run *run, struct slice key, bool is_there)
{
    *edit = (struct hash_edit){.run = run, .key = key};
    if (!is_there) {
        edit->made = hash_new();
    }
    edit->slot = is_there ? collection_edit(run, key) : &edit->made;
}

static void hash_edit_end(struct hash_edit *edit, const char *event)
{
    if (edit->made) {
        keyspace_set(&edit->run->view, edit->key, edit->made, false, event);
    } else {
        keyspace_changed(&edit->run->view, edit->key, event);
    }
}

/* One field. */
static void hash_put(struct command_run *run, struct slice key, bool is_there, struct slice field, struct slice value, const char *event)
{
    struct hash_edit edit;
    hash_edit_begin(&edit, run, key, is_there);
    hash_set(&run->view, edit.slot, field, value);
    hash_edit_end(&edit, event);
}

/* HSET and HMSET. The number of new fields; -1: an error was written. */
static int64_t hash_put_all(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    struct hash_edit edit;
    int64_t created = 0;
    if (!hash_get(run, command, &hash, reply)) {
        return -1;
    }
    hash_edit_begin(&edit, run, command->arg[1], hash != NULL);
    hash_prepare(&run->view, edit.slot, command->arg + 2, command->arg_count - 2);
    for (size_t i = 2; i < command->arg_count; i += 2) {
        created += hash_set(&run->view, edit.slot, command->arg[i], command->arg[i + 1]);
    }
    hash_edit_end(&edit, "hset");
    return created;
}

static bool hset_check(const struct command *command, struct reply *reply)
{
    if (command->arg_count % 2 == 1) {
        argument_arity_error(reply, "hset");
        return false;
    }
    return true;
}

static bool hmset_check(const struct command *command, struct reply *reply)
{
    if (command->arg_count % 2 == 1) {
        argument_arity_error(reply, "hmset");
        return false;
    }
    return true;
}

static void hset_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (!hset_check(command, reply)) {
        return;
    }
    int64_t created = hash_put_all(run, command, reply);
    if (created >= 0) {
        reply_int(reply, created);
    }
}

static void hmset_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    if (hmset_check(command, reply) && hash_put_all(run, command, reply) >= 0) {
        reply_simple(reply, "OK");
    }
}

static bool hsetnx_is_vain(const struct command_row *row, struct command_run *run, const struct command *command)
{
    const struct value *hash = keyspace_get(&run->view, command->arg[1]);
    struct hash_pair pair;
    (void)row;
    return hash && value_get_type(hash) == VALUE_HASH && hash_find(&run->view, hash, command->arg[2], &pair);
}

static void hsetnx_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    struct hash_pair pair;
    if (!hash_get(run, command, &hash, reply)) {
        return;
    }
    bool is_new = !hash || !hash_find(&run->view, hash, command->arg[2], &pair);
    if (is_new) {
        hash_put(run, command->arg[1], hash != NULL, command->arg[2], command->arg[3], "hset");
    }
    reply_int(reply, is_new);
}

static void hdel_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    struct hash_pair pair;
    int64_t deleted = 0;
    size_t i = 2;
    if (!hash_get(run, command, &hash, reply)) {
        return;
    }
    while (hash && i < command->arg_count && !hash_find(&run->view, hash, command->arg[i], &pair)) {
        i++;
    }
    if (hash && i < command->arg_count) {
        struct value **slot = collection_edit(run, command->arg[1]);
        for (; i < command->arg_count && hash_count(*slot) > 0; i++) {
            deleted += hash_remove(&run->view, slot, command->arg[i]);
        }
        collection_edited(run, command->arg[1], "hdel", hash_count(*slot) == 0);
    }
    reply_int(reply, deleted);
}

static bool hincrby_check(const struct command *command, struct reply *reply)
{
    int64_t increment;
    return argument_integer(command->arg[3], &increment, reply);
}

static void hincrby_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    struct hash_pair pair;
    int64_t increment;
    int64_t number = 0;
    if (!argument_integer(command->arg[3], &increment, reply) || !hash_get(run, command, &hash, reply)) {
        return;
    }
    if (hash && hash_find(&run->view, hash, command->arg[2], &pair) && !number_parse_i64(pair.value, &number)) {
        reply_error(reply, "ERR hash value is not an integer");
        return;
    }
    if (!number_add_i64(number, increment, &number)) {
        reply_error(reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[NUMBER_TEXT_MAX];
    struct slice value = {(const uint8_t *)text, number_format_i64(number, text)};
    hash_put(run, command->arg[1], hash != NULL, command->arg[2], value, "hincrby");
    reply_int(reply, number);
}

static bool hincrbyfloat_parse(const struct command *command, long double *increment, struct reply *reply)
{
    if (!long_float_parse(command->arg[3], increment)) {
        reply_error(reply, "ERR value is not a valid float");
        return false;
    }
    if (isinf(*increment)) {
        reply_error(reply, "ERR value is NaN or Infinity");
        return false;
    }
    return true;
}

static bool hincrbyfloat_check(const struct command *command, struct reply *reply)
{
    long double increment;
    return hincrbyfloat_parse(command, &increment, reply);
}

static void hincrbyfloat_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    struct hash_pair pair;
    long double increment;
    long double number = 0;
    if (!hincrbyfloat_parse(command, &increment, reply) || !hash_get(run, command, &hash, reply)) {
        return;
    }
    if (hash && hash_find(&run->view, hash, command->arg[2], &pair) && !long_float_parse(pair.value, &number)) {
        reply_error(reply, "ERR hash value is not a float");
        return;
    }
    number += increment;
    if (isnan(number) || isinf(number)) {
        reply_error(reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    char text[LONG_FLOAT_TEXT_MAX];
    struct slice value = {(const uint8_t *)text, long_float_format(number, text)};
    hash_put(run, command->arg[1], hash != NULL, command->arg[2], value, "hincrbyfloat");
    reply_bulk(reply, value);
}

/* --- reads --- */

static void hash_reply_field(struct command_run *run, const struct value *hash, struct slice field, struct reply *reply)
{
    struct hash_pair pair;
    if (hash && hash_find(&run->view, hash, field, &pair)) {
        reply_bulk(reply, pair.value);
    } else {
        reply_null(reply);
    }
}

static void hget_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    if (hash_get(run, command, &hash, reply)) {
        hash_reply_field(run, hash, command->arg[2], reply);
    }
}

static void hmget_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    if (!hash_get(run, command, &hash, reply)) {
        return;
    }
    reply_array(reply, command->arg_count - 2);
    for (size_t i = 2; i < command->arg_count; i++) {
        hash_reply_field(run, hash, command->arg[i], reply);
    }
}

static void hlen_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    if (hash_get(run, command, &hash, reply)) {
        reply_int(reply, hash ? (int64_t)hash_count(hash) : 0);
    }
}

static void hstrlen_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    struct hash_pair pair = {.value = {NULL, 0}};
    if (hash_get(run, command, &hash, reply)) {
        bool is_there = hash && hash_find(&run->view, hash, command->arg[2], &pair);
        reply_int(reply, is_there ? (int64_t)pair.value.n : 0);
    }
}

static void hexists_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *hash;
    struct hash_pair pair;
    if (hash_get(run, command, &hash, reply)) {
        reply_int(reply, hash && hash_find(&run->view, hash, command->arg[2], &pair));
    }
}

/* HGETALL, HKEYS, HVALS. */
static void hash_reply_all(
    struct command_run *run, const struct command *command, bool with_fields, bool with_values, struct reply *reply)
{
    const struct value *hash;
    struct tree_cursor c;
    struct tree_item item;
    if (!hash_get(run, command, &hash, reply)) {
        return;
    }
    uint64_t count = hash ? hash_count(hash) : 0;
    if (!collection_may_reply(count, reply)) {
        return;
    }
    if (with_fields && with_values) {
        reply_map(reply, (size_t)count);
    } else {
        reply_array(reply, (size_t)count);
    }
    if (!hash) {
        return;
    }
    for (tree_seek_rank(hash, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        struct hash_pair pair = hash_pair_of(&item);
        if (with_fields) {
            reply_bulk(reply, pair.field);
        }
        if (with_values) {
            reply_bulk(reply, pair.value);
        }
    }
}

static void hgetall_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    hash_reply_all(run, command, true, true, reply);
}

static void hkeys_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    hash_reply_all(run, command, true, false, reply);
}

static void hvals_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    hash_reply_all(run, command, false, true, reply);
}

/* --- the rows --- */

static const struct command_row hash_row[] = {
    {
        .name = "hdel",
        COMMAND_NUMBERED(HDEL),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = vain_without_key,
        .run = hdel_run,
        .group = "hash",
        .acl_categories = "@write @hash @fast",
        .summary = "Delete one or more hash fields",
        .since = "2.0.0",
        .complexity = "O(N) where N is the number of fields to be removed.",
        .arguments = "key field [field ...]",
        .key_flags = "RW delete",
        .history = "2.4.0 Accepts multiple `field` arguments.",
    },
    {
        .name = "hexists",
        COMMAND_NUMBERED(HEXISTS),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = hexists_run,
        .group = "hash",
        .acl_categories = "@read @hash @fast",
        .summary = "Determine if a hash field exists",
        .since = "2.0.0",
        .complexity = "O(1)",
        .arguments = "key field",
        .key_flags = "RO",
    },
    {
        .name = "hget",
        COMMAND_NUMBERED(HGET),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = hget_run,
        .group = "hash",
        .acl_categories = "@read @hash @fast",
        .summary = "Get the value of a hash field",
        .since = "2.0.0",
        .complexity = "O(1)",
        .arguments = "key field",
        .key_flags = "RO access",
    },
    {
        .name = "hgetall",
        COMMAND_NUMBERED(HGETALL),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = hgetall_run,
        .group = "hash",
        .acl_categories = "@read @hash @slow",
        .summary = "Get all the fields and values in a hash",
        .since = "2.0.0",
        .complexity = "O(N) where N is the size of the hash.",
        .arguments = "key",
        .key_flags = "RO access",
        .tips = "nondeterministic_output_order",
    },
    {
        .name = "hincrby",
        COMMAND_NUMBERED(HINCRBY),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = hincrby_check,
        .run = hincrby_run,
        .group = "hash",
        .acl_categories = "@write @hash @fast",
        .summary = "Increment the integer value of a hash field by the given number",
        .since = "2.0.0",
        .complexity = "O(1)",
        .arguments = "key field increment",
        .key_flags = "RW access update",
    },
    {
        .name = "hincrbyfloat",
        COMMAND_NUMBERED(HINCRBYFLOAT),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = hincrbyfloat_check,
        .run = hincrbyfloat_run,
        .group = "hash",
        .acl_categories = "@write @hash @fast",
        .summary = "Increment the float value of a hash field by the given amount",
        .since = "2.6.0",
        .complexity = "O(1)",
        .arguments = "key field increment",
        .key_flags = "RW access update",
    },
    {
        .name = "hkeys",
        COMMAND_NUMBERED(HKEYS),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = hkeys_run,
        .group = "hash",
        .acl_categories = "@read @hash @slow",
        .summary = "Get all the fields in a hash",
        .since = "2.0.0",
        .complexity = "O(N) where N is the size of the hash.",
        .arguments = "key",
        .key_flags = "RO access",
        .tips = "nondeterministic_output_order",
    },
    {
        .name = "hlen",
        COMMAND_NUMBERED(HLEN),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = hlen_run,
        .group = "hash",
        .acl_categories = "@read @hash @fast",
        .summary = "Get the number of fields in a hash",
        .since = "2.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO",
    },
    {
        .name = "hmget",
        COMMAND_NUMBERED(HMGET),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = hmget_run,
        .group = "hash",
        .acl_categories = "@read @hash @fast",
        .summary = "Get the values of all the given hash fields",
        .since = "2.0.0",
        .complexity = "O(N) where N is the number of fields being requested.",
        .arguments = "key field [field ...]",
        .key_flags = "RO access",
    },
    {
        .name = "hmset",
        COMMAND_NUMBERED(HMSET),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = hmset_check,
        .run = hmset_run,
        .group = "hash",
        .acl_categories = "@write @hash @fast",
        .summary = "Set multiple hash fields to multiple values",
        .since = "2.0.0",
        .complexity = "O(N) where N is the number of fields being set.",
        .arguments = "key field value [field value ...]",
        .key_flags = "RW update",
    },
    {
        .name = "hset",
        COMMAND_NUMBERED(HSET),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = hset_check,
        .run = hset_run,
        .group = "hash",
        .acl_categories = "@write @hash @fast",
        .summary = "Set the string value of a hash field",
        .since = "2.0.0",
        .complexity = "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the "
                      "command is called with multiple field/value pairs.",
        .arguments = "key field value [field value ...]",
        .key_flags = "RW update",
        .history = "4.0.0 Accepts multiple `field` and `value` arguments.",
    },
    {
        .name = "hsetnx",
        COMMAND_NUMBERED(HSETNX),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = hsetnx_is_vain,
        .run = hsetnx_run,
        .group = "hash",
        .acl_categories = "@write @hash @fast",
        .summary = "Set the value of a hash field, only if the field does not exist",
        .since = "2.0.0",
        .complexity = "O(1)",
        .arguments = "key field value",
        .key_flags = "RW insert",
    },
    {
        .name = "hstrlen",
        COMMAND_NUMBERED(HSTRLEN),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = hstrlen_run,
        .group = "hash",
        .acl_categories = "@read @hash @fast",
        .summary = "Get the length of the value of a hash field",
        .since = "3.2.0",
        .complexity = "O(1)",
        .arguments = "key field",
        .key_flags = "RO",
    },
    {
        .name = "hvals",
        COMMAND_NUMBERED(HVALS),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = hvals_run,
        .group = "hash",
        .acl_categories = "@read @hash @slow",
        .summary = "Get all the values in a hash",
        .since = "2.0.0",
        .complexity = "O(N) where N is the size of the hash.",
        .arguments = "key",
        .key_flags = "RO access",
        .tips = "nondeterministic_output_order",
    },
};

const struct command_family commands_hash = {hash_row, sizeof hash_row / sizeof hash_row[0]};
