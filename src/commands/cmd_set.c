/* Sets: one at a time. SADD SREM SMOVE SPOP and the reads, as Redis 7.0.15 t_set.c answers them. Set algebra is in cmd_set_algebra.c.
 *
 * A command that turns out to change nothing does not touch the key.
 *
 * SPOP chooses by rank, from the seed of the entry: every node takes the same members. A few are chosen one by one; many are a run of
 * neighbours from a random rank on, taken out as whole nodes of the tree. Their order is that of a keyed hash, so neighbours have
 * nothing in common that anybody could know. */

#include <stdint.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/prng.h"
#include "commands/collection.h"
#include "commands/numbers.h"
#include "commands/random_ranks.h"
#include "commands/scan.h"
#include "commands/vain.h"
#include "keyspace/set.h"
#include "keyspace/value.h"

enum { SPOP_ONE_BY_ONE = 64 };

/* NULL in *set when absent. False: another type, an error was written. */
static bool set_get(struct command_run *run, struct slice key, const struct value **set, struct reply *reply)
{
    return collection_get(run, key, VALUE_SET, set, reply);
}

static bool set_has(struct command_run *run, const struct value *set, struct slice member)
{
    return set && set_contains(&run->view, set, member);
}

/* --- SADD, SREM, SMOVE --- */

static bool sadd_is_vain(const struct command_row *row, struct command_run *run, const struct command *command)
{
    const struct value *set = keyspace_get(&run->view, command->arg[1]);
    size_t i = 2;
    (void)row;
    if (!set || value_get_type(set) != VALUE_SET || command->arg_count > 2 + VAIN_KEYS_MAX) {
        return false;
    }
    while (i < command->arg_count && set_contains(&run->view, set, command->arg[i])) {
        i++;
    }
    return i == command->arg_count;
}

static void sadd_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    const struct value *set;
    int64_t added = 0;
    size_t i = 2;
    if (!set_get(run, key, &set, reply)) {
        return;
    }
    while (i < command->arg_count && set_has(run, set, command->arg[i])) {
        i++;
    }
    if (i < command->arg_count) {
        struct value *made = set ? NULL : set_new();
        struct value **slot = set ? collection_edit(run, key) : &made;
        for (; i < command->arg_count; i++) {
            added += set_add(&run->view, slot, command->arg[i]);
        }
        if (made) {
            keyspace_set(&run->view, key, made, false, "sadd");
        } else {
            keyspace_changed(&run->view, key, "sadd");
        }
    }
    reply_int(reply, added);
}

static void srem_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice key = command->arg[1];
    const struct value *set;
    int64_t removed = 0;
    size_t i = 2;
    if (!set_get(run, key, &set, reply)) {
        return;
    }
    while (set && i < command->arg_count && !set_has(run, set, command->arg[i])) {
        i++;
    }
    if (set && i < command->arg_count) {
        struct value **slot = collection_edit(run, key);
        for (; i < command->arg_count && set_count(*slot) > 0; i++) {
            removed += set_remove(&run->view, slot, command->arg[i]);
        }
        collection_edited(run, key, "srem", set_count(*slot) == 0);
    }
    reply_int(reply, removed);
}

static void smove_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct slice from_key = command->arg[1];
    struct slice to_key = command->arg[2];
    struct slice member = command->arg[3];
    const struct value *from = keyspace_get(&run->view, from_key);
    const struct value *to;
    if (!from) { /* whatever the other key holds */
        reply_int(reply, 0);
        return;
    }
    if (!set_get(run, from_key, &from, reply) || !set_get(run, to_key, &to, reply)) {
        return;
    }
    bool is_member = set_has(run, from, member);
    if (is_member && !slice_equal(from_key, to_key)) {
        bool is_there = to != NULL;
        bool is_new = !set_has(run, to, member);
        struct value **slot = collection_edit(run, from_key);
        set_remove(&run->view, slot, member);
        collection_edited(run, from_key, "srem", set_count(*slot) == 0);
        if (is_new) {
            struct value *made = is_there ? NULL : set_new();
            slot = is_there ? collection_edit(run, to_key) : &made;
            set_add(&run->view, slot, member);
            if (made) {
                keyspace_set(&run->view, to_key, made, false, "sadd");
            } else {
                keyspace_changed(&run->view, to_key, "sadd");
            }
        }
    }
    reply_int(reply, is_member);
}

/* --- SPOP --- */

/* `count` members from `rank` on, written and taken out. */
static void spop_range(struct command_run *run, struct value **slot, uint64_t rank, uint64_t count, struct reply *reply)
{
    struct set_cursor c;
    struct slice member;
    set_seek(*slot, rank, &c);
    for (uint64_t i = 0; i < count && set_next(&c, &member); i++) {
        reply_bulk(reply, member);
    }
    struct value *gone = set_remove_range(slot, rank, count);
    if (gone) {
        keyspace_bury(&run->view, gone);
    }
}

static void spop_some(struct command_run *run, struct value **slot, uint64_t count, struct reply *reply)
{
    struct prng random;
    uint64_t size = set_count(*slot);
    prng_seed(&random, run->seed);
    if (count == size) {
        spop_range(run, slot, 0, count, reply);
    } else if (count <= SPOP_ONE_BY_ONE || !set_is_ordered(*slot)) {
        for (; count > 0; count--, size--) {
            spop_range(run, slot, prng_below(&random, size), 1, reply);
        }
    } else {
        uint64_t rank = prng_below(&random, size);
        uint64_t at_end = count < size - rank ? count : size - rank;
        spop_range(run, slot, rank, at_end, reply);
        spop_range(run, slot, 0, count - at_end, reply);
    }
}

static bool spop_parse(const struct command *command, int64_t *count, struct reply *reply)
{
    *count = 1;
    if (command->arg_count > 3) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return command->arg_count < 3 ||
           argument_integer_between(command->arg[2], 0, INT64_MAX, "ERR value is out of range, must be positive", count,
                                    reply);
}

static bool spop_check(const struct command *command, struct reply *reply)
{
    int64_t count;
    return spop_parse(command, &count, reply);
}

static void spop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    bool has_count = command->arg_count > 2;
    const struct value *set;
    int64_t wanted;
    if (!spop_parse(command, &wanted, reply) || !set_get(run, command->arg[1], &set, reply)) {
        return;
    }
    uint64_t size = set ? set_count(set) : 0;
    uint64_t count = (uint64_t)wanted < size ? (uint64_t)wanted : size;
    if (!collection_may_reply(count, reply)) {
        return;
    }
    if (!set && !has_count) {
        reply_null(reply);
        return;
    }
    if (has_count) {
        reply_set(reply, (size_t)count);
    }
    if (count > 0) {
        struct value **slot = collection_edit(run, command->arg[1]);
        spop_some(run, slot, count, reply);
        collection_edited(run, command->arg[1], "spop", set_count(*slot) == 0);
    }
}

/* --- reads --- */

static void sismember_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *set;
    if (set_get(run, command->arg[1], &set, reply)) {
        reply_int(reply, set_has(run, set, command->arg[2]));
    }
}

static void smismember_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *set;
    if (!set_get(run, command->arg[1], &set, reply)) {
        return;
    }
    reply_array(reply, command->arg_count - 2);
    for (size_t i = 2; i < command->arg_count; i++) {
        reply_int(reply, set_has(run, set, command->arg[i]));
    }
}

static void scard_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *set;
    if (set_get(run, command->arg[1], &set, reply)) {
        reply_int(reply, set ? (int64_t)set_count(set) : 0);
    }
}

static void smembers_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *set;
    struct set_cursor c;
    struct slice member;
    if (!set_get(run, command->arg[1], &set, reply)) {
        return;
    }
    uint64_t count = set ? set_count(set) : 0;
    if (!collection_may_reply(count, reply)) {
        return;
    }
    reply_set(reply, (size_t)count);
    if (set) {
        set_seek(set, 0, &c);
        while (set_next(&c, &member)) {
            reply_bulk(reply, member);
        }
    }
}

/* --- SRANDMEMBER --- */

static struct slice set_at(const struct value *set, uint64_t rank, struct set_cursor *c)
{
    struct slice member = {NULL, 0};
    set_seek(set, rank, c);
    set_next(c, &member);
    return member;
}

/* `count` members drawn by the seed, with repetitions; bounded in number and bytes, where Redis would fill its memory. */
static void
srandmember_with_repetitions(struct command_run *run, const struct value *set, uint64_t count, struct reply *reply)
{
    struct prng random;
    struct set_cursor c;
    uint64_t bytes = 0;
    if (!collection_may_reply(count, reply)) {
        return;
    }
    prng_seed(&random, run->seed);
    for (uint64_t i = 0; i < count && bytes <= LIMIT_RANDOM_REPLY_BYTES; i++) {
        bytes += set_at(set, prng_below(&random, set_count(set)), &c).n;
    }
    if (bytes > LIMIT_RANDOM_REPLY_BYTES) {
        reply_errorf(reply, "ERR refused: the answer would be longer than %u bytes", LIMIT_RANDOM_REPLY_BYTES);
        return;
    }
    prng_seed(&random, run->seed);
    reply_array(reply, (size_t)count);
    for (uint64_t i = 0; i < count; i++) {
        reply_bulk(reply, set_at(set, prng_below(&random, set_count(set)), &c));
    }
}

static void srandmember_different(struct command_run *run, const struct value *set, uint64_t count, struct reply *reply)
{
    struct prng random;
    struct set_cursor c;
    prng_seed(&random, run->seed);
    count = count < set_count(set) ? count : set_count(set);
    if (!collection_may_reply(count, reply)) {
        return;
    }
    uint64_t *rank = random_ranks(&random, set_count(set), count);
    reply_array(reply, (size_t)count);
    for (uint64_t i = 0; i < count; i++) {
        reply_bulk(reply, set_at(set, rank[i], &c));
    }
    mem_free(rank);
}

static bool srandmember_parse(const struct command *command, int64_t *count, struct reply *reply)
{
    *count = 1;
    if (command->arg_count > 3) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return command->arg_count < 3 ||
           argument_integer_between(command->arg[2], -INT64_MAX, INT64_MAX, NULL, count, reply);
}

static bool srandmember_check(const struct command *command, struct reply *reply)
{
    int64_t count;
    return srandmember_parse(command, &count, reply);
}

static void srandmember_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *set;
    int64_t count;
    if (!srandmember_parse(command, &count, reply) || !set_get(run, command->arg[1], &set, reply)) {
        return;
    }
    if (command->arg_count < 3 && !set) {
        reply_null(reply);
    } else if (command->arg_count < 3) {
        struct prng random;
        struct set_cursor c;
        prng_seed(&random, run->seed);
        reply_bulk(reply, set_at(set, prng_below(&random, set_count(set)), &c));
    } else if (!set || count == 0) {
        reply_array(reply, 0);
    } else if (count < 0) {
        srandmember_with_repetitions(run, set, (uint64_t)-count, reply);
    } else {
        srandmember_different(run, set, (uint64_t)count, reply);
    }
}

/* --- SSCAN --- */

static void sscan_member(struct scan_request *scan, struct slice member)
{
    if (scan_pattern_matches(&scan->pattern, member)) {
        reply_bulk(&scan->found, member);
        scan->found_count++;
    }
}

static void sscan_item(struct scan_request *scan, const struct tree_item *item)
{
    sscan_member(scan, item->bytes);
}

/* Integers in one item are few, and answered at once, as in Redis. */
static void sscan_packed(struct scan_request *scan, const struct value *set)
{
    struct set_cursor c;
    struct slice member;
    set_seek(set, 0, &c);
    while (set_next(&c, &member)) {
        sscan_member(scan, member);
    }
    scan->cursor = 0;
}

static void sscan_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct scan_request scan;
    const struct value *set;
    if (!scan_check(command, reply) || !set_get(run, command->arg[1], &set, reply)) {
        return;
    }
    if (!set) {
        scan_reply_nothing(reply);
        return;
    }
    if (!scan_begin(&scan, command, reply)) {
        return;
    }
    if (set_is_ordered(set)) {
        scan_some(&scan, set, sscan_item);
    } else {
        sscan_packed(&scan, set);
    }
    scan_end(&scan, reply);
}

/* --- the rows --- */

static const struct command_row set_row[] = {
    {
        .name = "sadd",
        COMMAND_NUMBERED(SADD),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = sadd_is_vain,
        .run = sadd_run,
        .group = "set",
        .acl_categories = "@write @set @fast",
        .summary = "Add one or more members to a set",
        .since = "1.0.0",
        .complexity = "O(1) for each element added, so O(N) to add N elements when the command is called with "
                      "multiple arguments.",
        .arguments = "key member [member ...]",
        .key_flags = "RW insert",
        .history = "2.4.0 Accepts multiple `member` arguments.",
    },
    {
        .name = "scard",
        COMMAND_NUMBERED(SCARD),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = scard_run,
        .group = "set",
        .acl_categories = "@read @set @fast",
        .summary = "Get the number of members in a set",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO",
    },
    {
        .name = "sismember",
        COMMAND_NUMBERED(SISMEMBER),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = sismember_run,
        .group = "set",
        .acl_categories = "@read @set @fast",
        .summary = "Determine if a given value is a member of a set",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key member",
        .key_flags = "RO",
    },
    {
        .name = "smembers",
        COMMAND_NUMBERED(SMEMBERS),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = smembers_run,
        .group = "set",
        .acl_categories = "@read @set @slow",
        .summary = "Get all the members in a set",
        .since = "1.0.0",
        .complexity = "O(N) where N is the set cardinality.",
        .arguments = "key",
        .key_flags = "RO access",
        .tips = "nondeterministic_output_order",
    },
    {
        .name = "smismember",
        COMMAND_NUMBERED(SMISMEMBER),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = smismember_run,
        .group = "set",
        .acl_categories = "@read @set @fast",
        .summary = "Returns the membership associated with the given elements for a set",
        .since = "6.2.0",
        .complexity = "O(N) where N is the number of elements being checked for membership",
        .arguments = "key member [member ...]",
        .key_flags = "RO access",
    },
    {
        .name = "smove",
        COMMAND_NUMBERED(SMOVE),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 2, 1},
        .is_vain = vain_without_key,
        .run = smove_run,
        .group = "set",
        .acl_categories = "@write @set @fast",
        .summary = "Move a member from one set to another",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "source destination member",
        .key_flags = "RW access delete;RW insert",
    },
    {
        .name = "spop",
        COMMAND_NUMBERED(SPOP),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = spop_check,
        .is_vain = vain_without_key,
        .run = spop_run,
        .group = "set",
        .acl_categories = "@write @set @fast",
        .summary = "Remove and return one or multiple random members from a set",
        .since = "1.0.0",
        .complexity = "Without the count argument O(1), otherwise O(N) where N is the value of the passed "
                      "count.",
        .arguments = "key [count]",
        .key_flags = "RW access delete",
        .tips = "nondeterministic_output",
        .history = "3.2.0 Added the `count` argument.",
    },
    {
        .name = "srandmember",
        COMMAND_NUMBERED(SRANDMEMBER),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = srandmember_check,
        .run = srandmember_run,
        .group = "set",
        .acl_categories = "@read @set @slow",
        .summary = "Get one or multiple random members from a set",
        .since = "1.0.0",
        .complexity = "Without the count argument O(1), otherwise O(N) where N is the absolute value of the "
                      "passed count.",
        .arguments = "key [count]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
        .history = "2.6.0 Added the optional `count` argument.",
    },
    {
        .name = "srem",
        COMMAND_NUMBERED(SREM),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = vain_without_key,
        .run = srem_run,
        .group = "set",
        .acl_categories = "@write @set @fast",
        .summary = "Remove one or more members from a set",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of members to be removed.",
        .arguments = "key member [member ...]",
        .key_flags = "RW delete",
        .history = "2.4.0 Accepts multiple `member` arguments.",
    },
    {
        .name = "sscan",
        COMMAND_NUMBERED(SSCAN),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = scan_check,
        .run = sscan_run,
        .group = "set",
        .acl_categories = "@read @set @slow",
        .summary = "Incrementally iterate Set elements",
        .since = "2.8.0",
        .complexity = "O(1) for every call. O(N) for a complete iteration, including enough command calls for "
                      "the cursor to return back to 0. N is the number of elements inside the collection..",
        .arguments = "key cursor [MATCH pattern] [COUNT count]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
    },
};

const struct command_family commands_set = {set_row, sizeof set_row / sizeof set_row[0]};
