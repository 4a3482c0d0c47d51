/* Sorted sets, member by member: ZADD ZINCRBY ZREM ZCARD ZSCORE ZMSCORE ZRANK ZREVRANK ZCOUNT
 * ZLEXCOUNT, as Redis 7.0.15 t_zset.c answers them. */

#include <math.h>

#include "base/assert.h"
#include "commands/numbers.h"
#include "commands/vain.h"
#include "commands/zset_common.h"

/* --- ZADD and ZINCRBY --- */

struct zadd_options {
    bool nx;
    bool xx;
    bool gt;
    bool lt;
    bool counts_changes; /* CH */
    bool is_increment;   /* INCR */
    size_t first;        /* argument of the first score */
};

static bool
zadd_check_options(const struct command *command, const struct zadd_options *o, struct reply *reply)
{
    size_t rest = command->arg_count - o->first;
    if (rest == 0 || rest % 2) {
        reply_error(reply, REPLY_SYNTAX);
    } else if (o->nx && o->xx) {
        reply_error(reply, "ERR XX and NX options at the same time are not compatible");
    } else if ((o->gt && o->nx) || (o->lt && o->nx) || (o->gt && o->lt)) {
        reply_error(reply, "ERR GT, LT, and/or NX options at the same time are not compatible");
    } else if (o->is_increment && rest > 2) {
        reply_error(reply, "ERR INCR option supports a single increment-element pair");
    } else {
        return true;
    }
    return false;
}

static bool zadd_parse(const struct command *command, struct zadd_options *o, struct reply *reply)
{
    *o = (struct zadd_options){.first = 2};
    for (; o->first < command->arg_count; o->first++) {
        struct slice option = command->arg[o->first];
        if (argument_is(option, "nx")) {
            o->nx = true;
        } else if (argument_is(option, "xx")) {
            o->xx = true;
        } else if (argument_is(option, "ch")) {
            o->counts_changes = true;
        } else if (argument_is(option, "incr")) {
            o->is_increment = true;
        } else if (argument_is(option, "gt")) {
            o->gt = true;
        } else if (argument_is(option, "lt")) {
            o->lt = true;
        } else {
            break;
        }
    }
    if (!zadd_check_options(command, o, reply)) {
        return false;
    }
    for (size_t i = o->first; i < command->arg_count; i += 2) {
        double score;
        if (!argument_double(command->arg[i], NULL, &score, reply)) {
            return false;
        }
    }
    return true;
}

static bool zadd_check(const struct command *command, struct reply *reply)
{
    struct zadd_options options;
    return zadd_parse(command, &options, reply);
}

enum zadd_effect { ZADD_NOTHING, ZADD_SAME, ZADD_ADDED, ZADD_UPDATED, ZADD_NAN };

/* What (score, member) would do to the set, NULL if there is none; *score becomes the new one and
 * *before the old one. */
static enum zadd_effect zadd_decide(const struct value *z,
                                    const struct zset_rules *rules,
                                    const struct zadd_options *o,
                                    struct slice member,
                                    double *score,
                                    double *before)
{
    if (!z || !zset_find(z, rules, member, before)) {
        return o->xx ? ZADD_NOTHING : ZADD_ADDED;
    }
    if (o->nx) {
        return ZADD_NOTHING;
    }
    if (o->is_increment) {
        *score += *before;
        if (isnan(*score)) {
            return ZADD_NAN;
        }
    }
    if ((o->lt && *score >= *before) || (o->gt && *score <= *before)) {
        return ZADD_NOTHING;
    }
    return *score == *before ? ZADD_SAME : ZADD_UPDATED;
}

static void zadd_apply(struct zset_edit *edit,
                       enum zadd_effect effect,
                       struct slice member,
                       double before,
                       double score)
{
    if (effect == ZADD_ADDED) {
        zset_add(edit->set, &edit->rules, member, score);
    } else {
        ASSERT(effect == ZADD_UPDATED);
        zset_move(edit->set, &edit->rules, member, before, score);
    }
}

/* One member, whose new score is the reply. */
static void zadd_increment(struct command_run *run,
                           const struct command *command,
                           const struct zadd_options *o,
                           struct reply *reply)
{
    const struct value *z;
    double score;
    double before = 0;
    struct slice member = command->arg[o->first + 1];
    if (!argument_double(command->arg[o->first], NULL, &score, reply) ||
        !collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    struct zset_rules rules = zset_rules_of(run);
    enum zadd_effect effect = zadd_decide(z, &rules, o, member, &score, &before);
    if (effect == ZADD_NAN) {
        reply_error(reply, "ERR resulting score is not a number (NaN)");
        return;
    }
    if (effect == ZADD_NOTHING) {
        reply_null(reply);
        return;
    }
    if (effect != ZADD_SAME) {
        struct zset_edit edit;
        zset_begin(&edit, run, command->arg[1], member.n);
        zadd_apply(&edit, effect, member, before, score);
        zset_finish(&edit, run, command->arg[1], "zincr");
    }
    reply_double(reply, score);
}

/* The first pair from `at` on that changes something; arg_count if none does. */
static size_t zadd_first_effect(const struct value *z,
                                const struct zset_rules *rules,
                                const struct command *command,
                                const struct zadd_options *o)
{
    size_t i = o->first;
    for (; i < command->arg_count; i += 2) {
        double score;
        double before;
        struct reply nobody = {.protocol = REPLY_DISCARD};
        ASSERT(argument_double(command->arg[i], NULL, &score, &nobody));
        enum zadd_effect effect = zadd_decide(z, rules, o, command->arg[i + 1], &score, &before);
        if (effect == ZADD_ADDED || effect == ZADD_UPDATED) {
            break;
        }
    }
    return i;
}

static void zadd_command(struct command_run *run,
                         const struct command *command,
                         const struct zadd_options *o,
                         struct reply *reply)
{
    const struct value *z;
    if (!collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    struct zset_rules rules = zset_rules_of(run);
    size_t i = zadd_first_effect(z, &rules, command, o);
    int64_t added = 0;
    int64_t updated = 0;
    if (i < command->arg_count) {
        struct zset_edit edit;
        zset_begin(&edit, run, command->arg[1], command->arg[o->first + 1].n);
        for (; i < command->arg_count; i += 2) {
            double score;
            double before = 0;
            struct slice member = command->arg[i + 1];
            ASSERT(argument_double(command->arg[i], NULL, &score, reply));
            enum zadd_effect effect = zadd_decide(*edit.set, &rules, o, member, &score, &before);
            if (effect == ZADD_ADDED || effect == ZADD_UPDATED) {
                zadd_apply(&edit, effect, member, before, score);
                added += effect == ZADD_ADDED;
                updated += effect == ZADD_UPDATED;
            }
        }
        zset_finish(&edit, run, command->arg[1], "zadd");
    }
    reply_int(reply, o->counts_changes ? added + updated : added);
}

void zset_run_zadd(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct zadd_options options;
    if (!zadd_parse(command, &options, reply)) {
        return;
    }
    if (options.is_increment) {
        zadd_increment(run, command, &options, reply);
    } else {
        zadd_command(run, command, &options, reply);
    }
}

static bool zincrby_check(const struct command *command, struct reply *reply)
{
    static const char *const option[] = {"nx", "xx", "gt", "lt", "ch", "incr"};
    double increment;
    /* Redis reads options here, too, and misses the member then. */
    for (size_t i = 0; i < sizeof option / sizeof option[0]; i++) {
        if (argument_is(command->arg[2], option[i])) {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return argument_double(command->arg[2], NULL, &increment, reply);
}

static void zincrby_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    static const struct zadd_options options = {.is_increment = true, .first = 2};
    zadd_increment(run, command, &options, reply);
}

/* --- ZREM --- */

static void zrem_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *z;
    if (!collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    struct zset_rules rules = zset_rules_of(run);
    struct zset_edit edit = {.set = NULL};
    int64_t removed = 0;
    for (size_t i = 2; z && i < command->arg_count && zset_count(z) > 0; i++) {
        double score;
        if (!zset_find(z, &rules, command->arg[i], &score)) {
            continue;
        }
        if (!edit.set) {
            zset_begin(&edit, run, command->arg[1], 0);
        }
        zset_remove(edit.set, &rules, command->arg[i], score);
        z = *edit.set;
        removed++;
    }
    if (edit.set) {
        zset_finish(&edit, run, command->arg[1], "zrem");
    }
    reply_int(reply, removed);
}

/* --- looking --- */

static void zcard_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *z;
    if (collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        reply_int(reply, z ? (int64_t)zset_count(z) : 0);
    }
}

static void zset_reply_score(const struct command_run *run,
                             const struct value *z,
                             struct slice member,
                             struct reply *reply)
{
    struct zset_rules rules = zset_rules_of(run);
    double score;
    if (z && zset_find(z, &rules, member, &score)) {
        reply_double(reply, score);
    } else {
        reply_null(reply);
    }
}

static void zscore_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *z;
    if (collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        zset_reply_score(run, z, command->arg[2], reply);
    }
}

static void zmscore_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *z;
    if (!collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    reply_array(reply, command->arg_count - 2);
    for (size_t i = 2; i < command->arg_count; i++) {
        zset_reply_score(run, z, command->arg[i], reply);
    }
}

static void zset_reply_rank(struct command_run *run,
                            const struct command *command,
                            bool is_reverse,
                            struct reply *reply)
{
    const struct value *z;
    struct zset_rules rules = zset_rules_of(run);
    double score;
    if (!collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    if (!z || !zset_find(z, &rules, command->arg[2], &score)) {
        reply_null(reply);
        return;
    }
    uint64_t rank = zset_rank(z, command->arg[2], score);
    reply_int(reply, (int64_t)(is_reverse ? zset_count(z) - 1 - rank : rank));
}

static void zrank_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    zset_reply_rank(run, command, false, reply);
}

static void
zrevrank_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    zset_reply_rank(run, command, true, reply);
}

static void zcount_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *z;
    struct zset_score_range range;
    if (zset_parse_score_range(command->arg[2], command->arg[3], &range, reply) &&
        collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        reply_int(reply, z ? (int64_t)zset_span_by_score(z, &range).count : 0);
    }
}

static void
zlexcount_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *z;
    struct zset_lex_range range;
    if (zset_parse_lex_range(command->arg[2], command->arg[3], &range, reply) &&
        collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        reply_int(reply, z ? (int64_t)zset_span_by_lex(z, &range, ZSET_LEX_FROM_BEGIN).count : 0);
    }
}

/* --- the rows --- */

static const struct command_row zset_row[] = {
    {
        .name = "zadd",
        COMMAND_NUMBERED(ZADD),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = zadd_check,
        .run = zset_run_zadd,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @fast",
        .summary = "Add one or more members to a sorted set, or update its score if it "
                   "already exists",
        .since = "1.2.0",
        .complexity = "O(log(N)) for each item added, where N is the number of elements in the "
                      "sorted set.",
        .arguments = "key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]",
        .key_flags = "RW update",
        .history = "2.4.0 Accepts multiple elements.\n"
                   "3.0.2 Added the `XX`, `NX`, `CH` and `INCR` options.\n"
                   "6.2.0 Added the `GT` and `LT` options.",
    },
    {
        .name = "zcard",
        COMMAND_NUMBERED(ZCARD),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = zcard_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @fast",
        .summary = "Get the number of members in a sorted set",
        .since = "1.2.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO",
    },
    {
        .name = "zcount",
        COMMAND_NUMBERED(ZCOUNT),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = zcount_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @fast",
        .summary = "Count the members in a sorted set with scores within the given values",
        .since = "2.0.0",
        .complexity = "O(log(N)) with N being the number of elements in the sorted set.",
        .arguments = "key min max",
        .key_flags = "RO access",
    },
    {
        .name = "zincrby",
        COMMAND_NUMBERED(ZINCRBY),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = zincrby_check,
        .run = zincrby_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @fast",
        .summary = "Increment the score of a member in a sorted set",
        .since = "1.2.0",
        .complexity = "O(log(N)) where N is the number of elements in the sorted set.",
        .arguments = "key increment member",
        .key_flags = "RW access update",
    },
    {
        .name = "zlexcount",
        COMMAND_NUMBERED(ZLEXCOUNT),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = zlexcount_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @fast",
        .summary = "Count the number of members in a sorted set between a given "
                   "lexicographical range",
        .since = "2.8.9",
        .complexity = "O(log(N)) with N being the number of elements in the sorted set.",
        .arguments = "key min max",
        .key_flags = "RO access",
    },
    {
        .name = "zmscore",
        COMMAND_NUMBERED(ZMSCORE),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = zmscore_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @fast",
        .summary = "Get the score associated with the given members in a sorted set",
        .since = "6.2.0",
        .complexity = "O(N) where N is the number of members being requested.",
        .arguments = "key member [member ...]",
        .key_flags = "RO access",
    },
    {
        .name = "zrank",
        COMMAND_NUMBERED(ZRANK),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = zrank_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @fast",
        .summary = "Determine the index of a member in a sorted set",
        .since = "2.0.0",
        .complexity = "O(log(N))",
        .arguments = "key member",
        .key_flags = "RO access",
    },
    {
        .name = "zrem",
        COMMAND_NUMBERED(ZREM),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = vain_without_key,
        .run = zrem_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @fast",
        .summary = "Remove one or more members from a sorted set",
        .since = "1.2.0",
        .complexity = "O(M*log(N)) with N being the number of elements in the sorted set and M "
                      "the number of elements to be removed.",
        .arguments = "key member [member ...]",
        .key_flags = "RW delete",
        .history = "2.4.0 Accepts multiple elements.",
    },
    {
        .name = "zrevrank",
        COMMAND_NUMBERED(ZREVRANK),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = zrevrank_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @fast",
        .summary = "Determine the index of a member in a sorted set, with scores ordered "
                   "from high to low",
        .since = "2.0.0",
        .complexity = "O(log(N))",
        .arguments = "key member",
        .key_flags = "RO access",
    },
    {
        .name = "zscore",
        COMMAND_NUMBERED(ZSCORE),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = zscore_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @fast",
        .summary = "Get the score associated with the given member in a sorted set",
        .since = "1.2.0",
        .complexity = "O(1)",
        .arguments = "key member",
        .key_flags = "RO access",
    },
};

const struct command_family commands_zset = {zset_row, sizeof zset_row / sizeof zset_row[0]};
