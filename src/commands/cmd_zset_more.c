/* Sorted sets: ZPOPMIN ZPOPMAX ZMPOP ZRANDMEMBER ZSCAN, as Redis 7.0.15 t_zset.c answers them. */

#include <stdio.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/prng.h"
#include "commands/numbers.h"
#include "commands/scan.h"
#include "commands/vain.h"
#include "commands/zset_common.h"

/* --- popping --- */

static bool zpop_parse(const struct command *command, int64_t *count, struct reply *reply)
{
    *count = -1; /* one, and no array of its own */
    if (command->arg_count > 3) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return command->arg_count < 3 ||
           argument_integer_between(command->arg[2], 0, INT64_MAX,
                                    "ERR value is out of range, must be positive", count, reply);
}

static bool zpop_check(const struct command *command, struct reply *reply)
{
    int64_t count;
    return zpop_parse(command, &count, reply);
}

static void zpop_command(struct command_run *run,
                         const struct command *command,
                         bool from_max,
                         struct reply *reply)
{
    int64_t count;
    const struct value *z;
    if (!zpop_parse(command, &count, reply) ||
        !collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    uint64_t wanted = count < 0 ? 1 : (uint64_t)count;
    uint64_t taken = !z ? 0 : zset_count(z) < wanted ? zset_count(z) : wanted;
    if (!collection_may_change(taken, reply)) {
        return;
    }
    bool is_nested = count >= 0 && reply->protocol == REPLY_RESP3;
    reply_array(reply, is_nested ? taken : 2 * taken);
    if (taken > 0) {
        zset_pop(run, command->arg[1], from_max, taken, is_nested, reply);
    }
}

static void zpopmin_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    zpop_command(run, command, false, reply);
}

static void zpopmax_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    zpop_command(run, command, true, reply);
}

static bool zmpop_check(const struct command *command, struct reply *reply)
{
    struct zset_mpop mpop;
    return zset_parse_mpop(command, 1, &mpop, reply);
}

static void zmpop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct zset_mpop mpop;
    if (zset_parse_mpop(command, 1, &mpop, reply) && !zset_mpop(run, command, &mpop, reply)) {
        reply_null_array(reply);
    }
}

/* --- ZRANDMEMBER --- */

static void
random_reply(const struct command_run *run, const struct value *z, uint64_t rank, bool with_scores, struct reply *reply)
{
    struct zset_rules rules = zset_rules_of(run);
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(zset_order(z), rank, &c);
    ASSERT(tree_cursor_get(&c, &item));
    zset_reply_item(item.bytes, zset_item_score(z, &rules, &item), with_scores, reply);
}

/* `count` different ones of [0, size), each choice as likely as any other. */
static void random_distinct(const struct command_run *run,
                            const struct value *z,
                            uint64_t count,
                            bool with_scores,
                            struct prng *random,
                            struct reply *reply)
{
    uint64_t *rank = mem_alloc_array(count, sizeof *rank);
    collection_sample(random, zset_count(z), count, rank);
    for (uint64_t i = 0; i < count; i++) {
        random_reply(run, z, rank[i], with_scores, reply);
    }
    mem_free(rank);
}

static bool
random_parse(const struct command *command, int64_t *count, bool *with_scores, struct reply *reply)
{
    *with_scores = false;
    *count = 0;
    if (command->arg_count < 3) {
        return true;
    }
    if (!argument_integer_between(command->arg[2], -INT64_MAX, INT64_MAX, NULL, count, reply)) {
        return false;
    }
    *with_scores = command->arg_count > 3;
    if (command->arg_count > 4 || (*with_scores && !argument_is(command->arg[3], "withscores"))) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    if (*with_scores && (*count < -(INT64_MAX / 2) || *count > INT64_MAX / 2)) {
        reply_error(reply, "ERR value is out of range");
        return false;
    }
    return true;
}

static bool zrandmember_check(const struct command *command, struct reply *reply)
{
    int64_t count;
    bool with_scores;
    return random_parse(command, &count, &with_scores, reply);
}

static void
zrandmember_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t count;
    bool with_scores;
    const struct value *z;
    bool has_count = command->arg_count > 2;
    if (!random_parse(command, &count, &with_scores, reply) ||
        !collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    if (!z) {
        if (has_count) {
            reply_array(reply, 0);
        } else {
            reply_null(reply);
        }
        return;
    }
    struct prng random;
    prng_seed(&random, run->seed);
    uint64_t size = zset_count(z);
    if (!has_count) {
        random_reply(run, z, prng_below(&random, size), false, reply);
        return;
    }
    uint64_t wanted = count < 0                ? (uint64_t)-count
                      : (uint64_t)count < size ? (uint64_t)count
                                               : size;
    if (!collection_may_reply(wanted, reply)) {
        return;
    }
    if (count > 0 && wanted == size) {
        zset_reply_span(run, z, (struct zset_span){0, size}, false, with_scores, reply);
        return;
    }
    zset_reply_begin(wanted, with_scores, reply);
    if (count > 0) {
        random_distinct(run, z, wanted, with_scores, &random, reply);
    }
    for (uint64_t i = 0; count < 0 && i < wanted; i++) {
        random_reply(run, z, prng_below(&random, size), with_scores, reply);
    }
}

/* --- ZSCAN --- */

static void zscan_add(struct scan_request *scan, struct slice member, const char *score)
{
    reply_bulk(&scan->found, member);
    reply_bulk_cstr(&scan->found, score);
    scan->found_count += 2;
}

static void zscan_ordered(struct scan_request *scan, const struct tree_item *item)
{
    char text[ZSET_SCORE_TEXT_MAX];
    if (scan_pattern_matches(&scan->pattern, item->bytes)) {
        zset_format_stored(zset_score(item->key), text);
        zscan_add(scan, item->bytes, text);
    }
}

static void zscan_indexed(struct scan_request *scan, const struct tree_item *item)
{
    char text[32];
    if (scan_pattern_matches(&scan->pattern, item->bytes)) {
        (void)snprintf(text, sizeof text, "%.17g", zset_score(item->extra));
        zscan_add(scan, item->bytes, text);
    }
}

static void zscan_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct scan_request scan;
    const struct value *z;
    if (!scan_check(command, reply) ||
        !collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    if (!z) {
        scan_reply_nothing(reply);
        return;
    }
    if (!scan_begin(&scan, command, reply)) {
        return;
    }
    if (zset_index(z)) {
        scan_some(&scan, zset_index(z), zscan_indexed);
    } else {
        scan_all(&scan, z, zscan_ordered);
    }
    scan_end(&scan, reply);
}

/* --- the rows --- */

static const struct command_row zset_more_row[] = {
    {
        .name = "zmpop",
        COMMAND_NUMBERED(ZMPOP),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_MOVABLE_KEYS,
        .key_number = 1,
        .check = zmpop_check,
        .is_vain = vain_without_keys,
        .run = zmpop_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow",
        .summary = "Remove and return members with scores in a sorted set",
        .since = "7.0.0",
        .complexity = "O(K) + O(M*log(N)) where K is the number of provided keys, N being the "
                      "number of elements in the sorted set, and M being the number of elements"
                      " popped.",
        .arguments = "numkeys key [key ...] <MIN | MAX> [COUNT count]",
        .key_flags = "RW access delete",
    },
    {
        .name = "zpopmax",
        COMMAND_NUMBERED(ZPOPMAX),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = zpop_check,
        .is_vain = vain_without_key,
        .run = zpopmax_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @fast",
        .summary = "Remove and return members with the highest scores in a sorted set",
        .since = "5.0.0",
        .complexity = "O(log(N)*M) with N being the number of elements in the sorted set, and M"
                      " being the number of elements popped.",
        .arguments = "key [count]",
        .key_flags = "RW access delete",
    },
    {
        .name = "zpopmin",
        COMMAND_NUMBERED(ZPOPMIN),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = zpop_check,
        .is_vain = vain_without_key,
        .run = zpopmin_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @fast",
        .summary = "Remove and return members with the lowest scores in a sorted set",
        .since = "5.0.0",
        .complexity = "O(log(N)*M) with N being the number of elements in the sorted set, and M"
                      " being the number of elements popped.",
        .arguments = "key [count]",
        .key_flags = "RW access delete",
    },
    {
        .name = "zrandmember",
        COMMAND_NUMBERED(ZRANDMEMBER),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = zrandmember_check,
        .run = zrandmember_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Get one or multiple random elements from a sorted set",
        .since = "6.2.0",
        .complexity = "O(N) where N is the number of elements returned",
        .arguments = "key [count [WITHSCORES]]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
    },
    {
        .name = "zscan",
        COMMAND_NUMBERED(ZSCAN),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = scan_check,
        .run = zscan_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Incrementally iterate sorted sets elements and associated scores",
        .since = "2.8.0",
        .complexity = "O(1) for every call. O(N) for a complete iteration, including enough "
                      "command calls for the cursor to return back to 0. N is the number of "
                      "elements inside the collection..",
        .arguments = "key cursor [MATCH pattern] [COUNT count]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output",
    },
};

const struct command_family commands_zset_more = {zset_more_row,
                                                  sizeof zset_more_row / sizeof zset_more_row[0]};
