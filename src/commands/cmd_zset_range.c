/* Sorted sets, by ranges: ZRANGE in all forms and its older names, ZRANGESTORE, ZREMRANGEBYRANK,
 * ZREMRANGEBYSCORE, ZREMRANGEBYLEX; as Redis 7.0.15 t_zset.c answers them. Every range becomes a
 * span of ranks first. */

#include "base/assert.h"
#include "commands/numbers.h"
#include "commands/zset_common.h"

enum range_kind {
    RANGE_ANY, /* the options say */
    RANGE_RANK,
    RANGE_SCORE,
    RANGE_LEX,
};

enum range_direction {
    DIRECTION_ANY,
    DIRECTION_FORWARD,
    DIRECTION_REVERSE,
};

struct range_request {
    enum range_kind kind;
    enum range_direction direction;
    bool is_store;
    size_t key; /* argument; min and max follow */
    bool with_scores;
    int64_t offset;
    int64_t limit; /* < 0: none */
    int64_t start; /* RANGE_RANK */
    int64_t stop;
    struct zset_score_range score;
    struct zset_lex_range lex;
};

static bool
range_parse_options(const struct command *command, struct range_request *r, struct reply *reply)
{
    r->limit = -1;
    for (size_t i = r->key + 3; i < command->arg_count; i++) {
        struct slice option = command->arg[i];
        if (!r->is_store && argument_is(option, "withscores")) {
            r->with_scores = true;
        } else if (argument_is(option, "limit") && command->arg_count - i > 2) {
            if (!argument_integer(command->arg[i + 1], &r->offset, reply) ||
                !argument_integer(command->arg[i + 2], &r->limit, reply)) {
                return false;
            }
            i += 2;
        } else if (r->direction == DIRECTION_ANY && argument_is(option, "rev")) {
            r->direction = DIRECTION_REVERSE;
        } else if (r->kind == RANGE_ANY && argument_is(option, "bylex")) {
            r->kind = RANGE_LEX;
        } else if (r->kind == RANGE_ANY && argument_is(option, "byscore")) {
            r->kind = RANGE_SCORE;
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    if (r->direction == DIRECTION_ANY) {
        r->direction = DIRECTION_FORWARD;
    }
    if (r->kind == RANGE_ANY) {
        r->kind = RANGE_RANK;
    }
    return true;
}

static bool range_parse_bounds(struct slice first,
                               struct slice second,
                               struct range_request *r,
                               struct reply *reply)
{
    bool is_reverse = r->direction == DIRECTION_REVERSE;
    struct slice min = is_reverse ? second : first;
    struct slice max = is_reverse ? first : second;
    switch (r->kind) {
    case RANGE_SCORE:
        return zset_parse_score_range(min, max, &r->score, reply);
    case RANGE_LEX:
        return zset_parse_lex_range(min, max, &r->lex, reply);
    case RANGE_ANY:
    case RANGE_RANK:
        break;
    }
    return argument_integer(first, &r->start, reply) && argument_integer(second, &r->stop, reply);
}

static bool range_parse(const struct command *command, struct range_request *r, struct reply *reply)
{
    if (!range_parse_options(command, r, reply)) {
        return false;
    }
    if (r->limit != -1 && r->kind == RANGE_RANK) {
        reply_error(reply, "ERR syntax error, LIMIT is only supported in combination with either "
                           "BYSCORE or BYLEX");
        return false;
    }
    if (r->with_scores && r->kind == RANGE_LEX) {
        reply_error(reply, "ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        return false;
    }
    return range_parse_bounds(command->arg[r->key + 1], command->arg[r->key + 2], r, reply);
}

/* LIMIT: counted from the end that the reply begins with. */
static struct zset_span range_cut(const struct range_request *r, struct zset_span span)
{
    bool is_reverse = r->direction == DIRECTION_REVERSE;
    if (r->offset < 0 || (uint64_t)r->offset >= span.count) {
        return (struct zset_span){span.first, 0};
    }
    uint64_t rest = span.count - (uint64_t)r->offset;
    uint64_t count = r->limit < 0 || (uint64_t)r->limit > rest ? rest : (uint64_t)r->limit;
    uint64_t first = is_reverse ? span.first + rest - count : span.first + (uint64_t)r->offset;
    return (struct zset_span){first, count};
}

static struct zset_span range_find(const struct value *z, const struct range_request *r)
{
    struct zset_span span = {0, 0};
    uint64_t count = zset_count(z);
    switch (r->kind) {
    case RANGE_SCORE:
        return range_cut(r, zset_span_by_score(z, &r->score));
    case RANGE_LEX:
        return range_cut(r,
                         zset_span_by_lex(z,
                                          &r->lex,
                                          r->direction == DIRECTION_REVERSE ? ZSET_LEX_FROM_END
                                                                            : ZSET_LEX_FROM_BEGIN));
    case RANGE_ANY:
    case RANGE_RANK:
        break;
    }
    if (!collection_range(r->start, r->stop, count, &span.first, &span.count)) {
        return (struct zset_span){0, 0};
    }
    if (r->direction == DIRECTION_REVERSE) {
        span.first = count - span.first - span.count;
    }
    return span;
}

/* --- reading --- */

static void range_command(struct command_run *run,
                          const struct command *command,
                          struct range_request r,
                          struct reply *reply)
{
    const struct value *z;
    if (!range_parse(command, &r, reply) ||
        !collection_get(run, command->arg[r.key], VALUE_ZSET, &z, reply)) {
        return;
    }
    if (!z) {
        reply_array(reply, 0);
        return;
    }
    struct zset_span span = range_find(z, &r);
    if (collection_may_reply(span.count, reply)) {
        zset_reply_span(run, z, span, r.direction == DIRECTION_REVERSE, r.with_scores, reply);
    }
}

#define RANGE_COMMAND(name, range_kind, range_direction)                                           \
    static const struct range_request name##_request = {                                           \
        .kind = (range_kind), .direction = (range_direction), .key = 1};                           \
    static bool name##_check(const struct command *command, struct reply *reply)                   \
    {                                                                                              \
        struct range_request r = name##_request;                                                   \
        return range_parse(command, &r, reply);                                                    \
    }                                                                                              \
    static void name##_run(struct command_run *run, const struct command *command,                 \
                           struct reply *reply)                                                    \
    {                                                                                              \
        range_command(run, command, name##_request, reply);                                        \
    }

RANGE_COMMAND(zrange, RANGE_ANY, DIRECTION_ANY)
RANGE_COMMAND(zrevrange, RANGE_RANK, DIRECTION_REVERSE)
RANGE_COMMAND(zrangebyscore, RANGE_SCORE, DIRECTION_FORWARD)
RANGE_COMMAND(zrevrangebyscore, RANGE_SCORE, DIRECTION_REVERSE)
RANGE_COMMAND(zrangebylex, RANGE_LEX, DIRECTION_FORWARD)
RANGE_COMMAND(zrevrangebylex, RANGE_LEX, DIRECTION_REVERSE)

/* --- ZRANGESTORE --- */

static const struct range_request zrangestore_request = {.is_store = true, .key = 2};

static bool zrangestore_check(const struct command *command, struct reply *reply)
{
    struct range_request r = zrangestore_request;
    return range_parse(command, &r, reply);
}

/* The members of a span as a set of their own. How many they are Redis knows before only of ranks: a
 * set of more than fit is large from the beginning then. Long members are copied. */
static struct value *range_copy(const struct value *z,
                                const struct zset_rules *rules,
                                struct zset_span span,
                                const struct range_request *r)
{
    bool is_large = r->kind == RANGE_RANK && span.count > rules->listpack_entries;
    bool is_reverse = r->direction == DIRECTION_REVERSE;
    struct tree_cursor c;
    struct tree_item item;
    struct value *made = NULL;
    tree_seek_rank(zset_order(z), is_reverse ? span.first + span.count - 1 : span.first, &c);
    for (uint64_t i = 0; i < span.count; i++) {
        ASSERT(tree_cursor_get(&c, &item));
        if (!made) {
            made = is_large ? zset_new_large() : zset_new(rules, item.bytes.n);
        }
        zset_add(&made, rules, item.bytes, zset_item_score(z, rules, &item));
        if (is_reverse) {
            tree_cursor_previous(&c);
        } else {
            tree_cursor_next(&c);
        }
    }
    return made;
}

static void
zrangestore_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct range_request r = zrangestore_request;
    const struct value *z;
    if (!range_parse(command, &r, reply) ||
        !collection_get(run, command->arg[2], VALUE_ZSET, &z, reply)) {
        return;
    }
    struct zset_span span = z ? range_find(z, &r) : (struct zset_span){0, 0};
    if (!collection_may_change(span.count, reply)) {
        return;
    }
    if (span.count == 0) {
        keyspace_delete(&run->view, command->arg[1], "del");
    } else {
        struct zset_rules rules = zset_rules_of(run);
        struct value *made = range_copy(z, &rules, span, &r);
        keyspace_set(&run->view, command->arg[1], made, false, "zrangestore");
    }
    reply_int(reply, (int64_t)span.count);
}

/* --- removing --- */

static void range_remove(struct command_run *run,
                         const struct command *command,
                         enum range_kind kind,
                         const char *event,
                         struct reply *reply)
{
    struct range_request r = {.kind = kind, .direction = DIRECTION_FORWARD, .key = 1, .limit = -1};
    const struct value *z;
    if (!range_parse_bounds(command->arg[2], command->arg[3], &r, reply) ||
        !collection_get(run, command->arg[1], VALUE_ZSET, &z, reply)) {
        return;
    }
    struct zset_span span = z ? range_find(z, &r) : (struct zset_span){0, 0};
    bool is_all = z && span.count == zset_count(z); /* dropped as a whole */
    if (!is_all && !collection_may_change(span.count, reply)) {
        return;
    }
    if (span.count > 0) {
        struct zset_edit edit;
        zset_begin(&edit, run, command->arg[1], 0);
        keyspace_bury(&run->view, zset_remove_range(edit.set, &edit.rules, span.first, span.count));
        zset_finish(&edit, run, command->arg[1], event);
    }
    reply_int(reply, (int64_t)span.count);
}

static bool
range_remove_check(const struct command *command, enum range_kind kind, struct reply *reply)
{
    struct range_request r = {.kind = kind, .direction = DIRECTION_FORWARD};
    return range_parse_bounds(command->arg[2], command->arg[3], &r, reply);
}

#define RANGE_REMOVE(name, range_kind)                                                             \
    static bool name##_check(const struct command *command, struct reply *reply)                   \
    {                                                                                              \
        return range_remove_check(command, range_kind, reply);                                     \
    }                                                                                              \
    static void name##_run(struct command_run *run, const struct command *command,                 \
                           struct reply *reply)                                                    \
    {                                                                                              \
        range_remove(run, command, range_kind, #name, reply);                                      \
    }

RANGE_REMOVE(zremrangebyrank, RANGE_RANK)
RANGE_REMOVE(zremrangebyscore, RANGE_SCORE)
RANGE_REMOVE(zremrangebylex, RANGE_LEX)

/* --- the rows --- */

static const struct command_row zset_range_row[] = {
    {
        .name = "zrange",
        COMMAND_NUMBERED(ZRANGE),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = zrange_check,
        .run = zrange_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Return a range of members in a sorted set",
        .since = "1.2.0",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements returned.",
        .arguments = "key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]",
        .key_flags = "RO access",
        .history = "6.2.0 Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options.",
    },
    {
        .name = "zrangebylex",
        COMMAND_NUMBERED(ZRANGEBYLEX),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = zrangebylex_check,
        .run = zrangebylex_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Return a range of members in a sorted set, by lexicographical range",
        .since = "2.8.9",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements being returned. If M is constant (e.g. always "
                      "asking for the first 10 elements with LIMIT), you can consider it "
                      "O(log(N)).",
        .arguments = "key min max [LIMIT offset count]",
        .key_flags = "RO access",
        /* doc_flags: ['deprecated'] */
        /* deprecated_since: 6.2.0 */
        /* replaced_by: `ZRANGE` with the `BYLEX` argument */
    },
    {
        .name = "zrangebyscore",
        COMMAND_NUMBERED(ZRANGEBYSCORE),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = zrangebyscore_check,
        .run = zrangebyscore_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Return a range of members in a sorted set, by score",
        .since = "1.0.5",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements being returned. If M is constant (e.g. always "
                      "asking for the first 10 elements with LIMIT), you can consider it "
                      "O(log(N)).",
        .arguments = "key min max [WITHSCORES] [LIMIT offset count]",
        .key_flags = "RO access",
        .history = "2.0.0 Added the `WITHSCORES` modifier.",
        /* doc_flags: ['deprecated'] */
        /* deprecated_since: 6.2.0 */
        /* replaced_by: `ZRANGE` with the `BYSCORE` argument */
    },
    {
        .name = "zrangestore",
        COMMAND_NUMBERED(ZRANGESTORE),
        .kind = COMMAND_DATA,
        .arity = -5,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 2, 1},
        .check = zrangestore_check,
        .run = zrangestore_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow",
        .summary = "Store a range of members from sorted set into another key",
        .since = "6.2.0",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements stored into the destination key.",
        .arguments = "dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]",
        .key_flags = "OW update;RO access",
    },
    {
        .name = "zremrangebylex",
        COMMAND_NUMBERED(ZREMRANGEBYLEX),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE,
        .keys = {1, 1, 1},
        .check = zremrangebylex_check,
        .run = zremrangebylex_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow",
        .summary = "Remove all members in a sorted set between the given lexicographical "
                   "range",
        .since = "2.8.9",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements removed by the operation.",
        .arguments = "key min max",
        .key_flags = "RW delete",
    },
    {
        .name = "zremrangebyrank",
        COMMAND_NUMBERED(ZREMRANGEBYRANK),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE,
        .keys = {1, 1, 1},
        .check = zremrangebyrank_check,
        .run = zremrangebyrank_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow",
        .summary = "Remove all members in a sorted set within the given indexes",
        .since = "2.0.0",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements removed by the operation.",
        .arguments = "key start stop",
        .key_flags = "RW delete",
    },
    {
        .name = "zremrangebyscore",
        COMMAND_NUMBERED(ZREMRANGEBYSCORE),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE,
        .keys = {1, 1, 1},
        .check = zremrangebyscore_check,
        .run = zremrangebyscore_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow",
        .summary = "Remove all members in a sorted set within the given scores",
        .since = "1.2.0",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements removed by the operation.",
        .arguments = "key min max",
        .key_flags = "RW delete",
    },
    {
        .name = "zrevrange",
        COMMAND_NUMBERED(ZREVRANGE),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = zrevrange_check,
        .run = zrevrange_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Return a range of members in a sorted set, by index, with scores ordered"
                   " from high to low",
        .since = "1.2.0",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements returned.",
        .arguments = "key start stop [WITHSCORES]",
        .key_flags = "RO access",
        /* doc_flags: ['deprecated'] */
        /* deprecated_since: 6.2.0 */
        /* replaced_by: `ZRANGE` with the `REV` argument */
    },
    {
        .name = "zrevrangebylex",
        COMMAND_NUMBERED(ZREVRANGEBYLEX),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = zrevrangebylex_check,
        .run = zrevrangebylex_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Return a range of members in a sorted set, by lexicographical range, "
                   "ordered from higher to lower strings.",
        .since = "2.8.9",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements being returned. If M is constant (e.g. always "
                      "asking for the first 10 elements with LIMIT), you can consider it "
                      "O(log(N)).",
        .arguments = "key max min [LIMIT offset count]",
        .key_flags = "RO access",
        /* doc_flags: ['deprecated'] */
        /* deprecated_since: 6.2.0 */
        /* replaced_by: `ZRANGE` with the `REV` and `BYLEX` arguments */
    },
    {
        .name = "zrevrangebyscore",
        COMMAND_NUMBERED(ZREVRANGEBYSCORE),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = zrevrangebyscore_check,
        .run = zrevrangebyscore_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Return a range of members in a sorted set, by score, with scores ordered"
                   " from high to low",
        .since = "2.2.0",
        .complexity = "O(log(N)+M) with N being the number of elements in the sorted set and M "
                      "the number of elements being returned. If M is constant (e.g. always "
                      "asking for the first 10 elements with LIMIT), you can consider it "
                      "O(log(N)).",
        .arguments = "key max min [WITHSCORES] [LIMIT offset count]",
        .key_flags = "RO access",
        .history = "2.1.6 `min` and `max` can be exclusive.",
        /* doc_flags: ['deprecated'] */
        /* deprecated_since: 6.2.0 */
        /* replaced_by: `ZRANGE` with the `REV` and `BYSCORE` arguments */
    },
};

const struct command_family commands_zset_range = {zset_range_row, sizeof zset_range_row /
                                                                       sizeof zset_range_row[0]};
