/* HRANDFIELD and HSCAN, as Redis 7.0.15 t_hash.c answers.
 *
 * Random fields are chosen by rank, each as likely as the next. A negative count asks for that many fields with repetitions: bounded
 * in number and bytes here, where Redis would fill its memory. */

#include <stdint.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/prng.h"
#include "commands/collection.h"
#include "commands/numbers.h"
#include "commands/random_ranks.h"
#include "commands/scan.h"
#include "keyspace/hash.h"
#include "keyspace/value.h"

/* --- HRANDFIELD --- */

struct hrandfield {
    int64_t count;
    bool has_count;
    bool with_values;
};

static bool hrandfield_parse(const struct command *command, struct hrandfield *options, struct reply *reply)
{
    *options = (struct hrandfield){.has_count = command->arg_count > 2};
    if (!options->has_count) {
        return true;
    }
    if (!argument_integer_between(command->arg[2], -INT64_MAX, INT64_MAX, NULL, &options->count, reply)) {
        return false;
    }
    options->with_values = command->arg_count == 4 && argument_is(command->arg[3], "withvalues");
    if (command->arg_count > 4 || (command->arg_count == 4 && !options->with_values)) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    if (options->with_values && (options->count < -INT64_MAX / 2 || options->count > INT64_MAX / 2)) {
        reply_error(reply, "ERR value is out of range");
        return false;
    }
    return true;
}

static bool hrandfield_check(const struct command *command, struct reply *reply)
{
    struct hrandfield options;
    return hrandfield_parse(command, &options, reply);
}

static struct hash_pair hash_at(const struct value *hash, uint64_t rank)
{
    struct tree_cursor c;
    struct tree_item item = {.key = 0};
    tree_seek_rank(hash, rank, &c);
    tree_cursor_get(&c, &item);
    return hash_pair_of(&item);
}

/* In RESP3 a field and its value are an array of their own. */
static void hrandfield_reply_size(uint64_t count, bool with_values, struct reply *reply)
{
    bool is_flat = with_values && reply->protocol != REPLY_RESP3;
    reply_array(reply, (size_t)(is_flat ? 2 * count : count));
}

static void hrandfield_reply_pair(struct hash_pair pair, bool with_values, struct reply *reply)
{
    if (with_values && reply->protocol == REPLY_RESP3) {
        reply_array(reply, 2);
    }
    reply_bulk(reply, pair.field);
    if (with_values) {
        reply_bulk(reply, pair.value);
    }
}

/* Whether `count` fields drawn by `random` make a reply of a bearable size. */
static bool hrandfield_fits(
    const struct value *hash, struct prng random, uint64_t count, bool with_values, struct reply *reply)
{
    uint64_t bytes = 0;
    if (!collection_may_reply(count, reply)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct hash_pair pair = hash_at(hash, prng_below(&random, hash_count(hash)));
        bytes += pair.field.n + (with_values ? pair.value.n : 0);
        if (bytes > LIMIT_RANDOM_REPLY_BYTES) {
            reply_errorf(reply, "ERR refused: the answer would be longer than %u bytes", LIMIT_RANDOM_REPLY_BYTES);
            return false;
        }
    }
    return true;
}

static void
hrandfield_with_repetitions(struct command_run *run, const struct value *hash, uint64_t count, bool with_values, struct reply *reply)
{
    struct prng random;
    prng_seed(&random, run->seed);
    if (!hrandfield_fits(hash, random, count, with_values, reply)) {
        return;
    }
    hrandfield_reply_size(count, with_values, reply);
    for (uint64_t i = 0; i < count; i++) {
        hrandfield_reply_pair(hash_at(hash, prng_below(&random, hash_count(hash))), with_values, reply);
    }
}

static void
hrandfield_different(struct command_run *run, const struct value *hash, uint64_t count, bool with_values, struct reply *reply)
{
    struct prng random;
    prng_seed(&random, run->seed);
    count = count < hash_count(hash) ? count : hash_count(hash);
    if (!collection_may_reply(count, reply)) {
        return;
    }
    uint64_t *rank = random_ranks(&random, hash_count(hash), count);
    hrandfield_reply_size(count, with_values, reply);
    for (uint64_t i = 0; i < count; i++) {
        hrandfield_reply_pair(hash_at(hash, rank[i]), with_values, reply);
    }
    mem_free(rank);
}

static void hrandfield_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct hrandfield options;
    const struct value *hash;
    if (!hrandfield_parse(command, &options, reply) ||
        !collection_get(run, command->arg[1], VALUE_HASH, &hash, reply)) {
        return;
    }
    if (!options.has_count && !hash) {
        reply_null(reply);
    } else if (!options.has_count) {
        struct prng random;
        prng_seed(&random, run->seed);
        reply_bulk(reply, hash_at(hash, prng_below(&random, hash_count(hash))).field);
    } else if (!hash || options.count == 0) {
        reply_array(reply, 0);
    } else if (options.count < 0) {
        hrandfield_with_repetitions(run, hash, (uint64_t)-options.count, options.with_values, reply);
    } else {
        hrandfield_different(run, hash, (uint64_t)options.count, options.with_values, reply);
    }
}

/* --- HSCAN --- */

static void hscan_item(struct scan_request *scan, const struct tree_item *item)
{
    struct hash_pair pair = hash_pair_of(item);
    if (scan_pattern_matches(&scan->pattern, pair.field)) {
        reply_bulk(&scan->found, pair.field);
        reply_bulk(&scan->found, pair.value);
        scan->found_count += 2;
    }
}

/* One that is not ordered is short, and answered at once, as in Redis. */
static void hscan_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct scan_request scan;
    const struct value *hash;
    if (!scan_check(command, reply) || !collection_get(run, command->arg[1], VALUE_HASH, &hash, reply)) {
        return;
    }
    if (!hash) {
        scan_reply_nothing(reply);
        return;
    }
    if (!scan_begin(&scan, command, reply)) {
        return;
    }
    if (hash_is_ordered(hash)) {
        scan_some(&scan, hash, hscan_item);
    } else {
        scan_all(&scan, hash, hscan_item);
    }
    scan_end(&scan, reply);
}

/* --- the rows --- */

static const struct command_row hash_walk_row[] = {
    {
        .name = "hrandfield",
        COMMAND_NUMBERED(HRANDFIELD),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = hrandfield_check,
        .run = hrandfield_run,
        .group = "hash",
        .acl_categories = "@read @hash @slow",
        .summary = "Get one or multiple random fields from a hash",
        .since = "6.2.0",
        .complexity = "O(N) where N is the number of fields returned",
        .arguments = "key [count [WITHVALUES]]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
    },
    {
        .name = "hscan",
        COMMAND_NUMBERED(HSCAN),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = scan_check,
        .run = hscan_run,
        .group = "hash",
        .acl_categories = "@read @hash @slow",
        .summary = "Incrementally iterate hash fields and associated values",
        .since = "2.8.0",
        .complexity = "O(1) for every call. O(N) for a complete iteration, including enough command calls for "
                      "the cursor to return back to 0. N is the number of elements inside the collection..",
        .arguments = "key cursor [MATCH pattern] [COUNT count]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
    },
};

const struct command_family commands_hash_walk = {hash_walk_row,
                                                  sizeof hash_walk_row / sizeof hash_walk_row[0]};
