/* Sorted sets, several at once: ZUNION ZINTER ZDIFF, with STORE, and ZINTERCARD; as Redis 7.0.15
 * t_zset.c answers them. Sets take part with a score of 1.
 *
 * Sums of doubles depend on their order. Redis adds up in the order of cardinality, smallest set
 * first; here equal ones keep the order they were named in, so the result depends on the sets and
 * the command alone. */

#include <math.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "commands/numbers.h"
#include "commands/zset_common.h"
#include "keyspace/set.h"

enum combine_kind { COMBINE_UNION, COMBINE_INTER, COMBINE_DIFF };
enum combine_aggregate { AGGREGATE_SUM, AGGREGATE_MIN, AGGREGATE_MAX };

struct combine_source {
    const struct value *value; /* a sorted set or a set; NULL: absent */
    uint64_t count;
    double weight;
    size_t position; /* in the command */
};

struct combine {
    enum combine_kind kind;
    bool is_store;
    bool only_count;  /* ZINTERCARD */
    size_t number_at; /* argument of numkeys */
    size_t source_count;
    struct combine_source *source;
    enum combine_aggregate aggregate;
    bool with_scores;
    uint64_t limit; /* of ZINTERCARD; 0: none */
    const char *name;
    const struct keyspace_view *view;
};

/* --- arguments --- */

static bool
combine_parse_number(const struct command *command, struct combine *c, struct reply *reply)
{
    int64_t number;
    if (!argument_integer(command->arg[c->number_at], &number, reply)) {
        return false;
    }
    if (number < 1) {
        reply_errorf(reply, "ERR at least 1 input key is needed for '%s' command", c->name);
        return false;
    }
    if ((uint64_t)number > command->arg_count - c->number_at - 1) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    c->source_count = (size_t)number;
    return true;
}

static bool combine_parse_aggregate(struct slice text, struct combine *c, struct reply *reply)
{
    if (argument_is(text, "sum")) {
        c->aggregate = AGGREGATE_SUM;
    } else if (argument_is(text, "min")) {
        c->aggregate = AGGREGATE_MIN;
    } else if (argument_is(text, "max")) {
        c->aggregate = AGGREGATE_MAX;
    } else {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return true;
}

/* The option at *at, and past it. */
static bool combine_parse_option(const struct command *command,
                                 struct combine *c,
                                 size_t *at,
                                 struct reply *reply)
{
    bool is_plain = c->kind != COMBINE_DIFF && !c->only_count;
    size_t remaining = command->arg_count - *at;
    struct slice option = command->arg[(*at)++];
    if (is_plain && remaining >= c->source_count + 1 && argument_is(option, "weights")) {
        for (size_t i = 0; i < c->source_count; i++) {
            if (!argument_double(command->arg[(*at)++], "ERR weight value is not a float",
                                 &c->source[i].weight, reply)) {
                return false;
            }
        }
        return true;
    }
    if (is_plain && remaining >= 2 && argument_is(option, "aggregate")) {
        return combine_parse_aggregate(command->arg[(*at)++], c, reply);
    }
    if (!c->is_store && !c->only_count && argument_is(option, "withscores")) {
        c->with_scores = true;
        return true;
    }
    if (c->only_count && remaining >= 2 && argument_is(option, "limit")) {
        int64_t limit;
        if (!argument_integer_between(command->arg[(*at)++], 0, INT64_MAX,
                                      "ERR LIMIT can't be negative", &limit, reply)) {
            return false;
        }
        c->limit = (uint64_t)limit;
        return true;
    }
    reply_error(reply, REPLY_SYNTAX);
    return false;
}

/* Keys are looked up before the options are parsed: a wrong type is told first, as in Redis. */
static bool combine_begin(struct command_run *run,
                          const struct command *command,
                          struct combine *c,
                          struct reply *reply)
{
    if (!combine_parse_number(command, c, reply)) {
        return false;
    }
    c->source = mem_alloc_array(c->source_count, sizeof c->source[0]);
    for (size_t i = 0; i < c->source_count; i++) {
        const struct value *v = keyspace_get(&run->view, command->arg[c->number_at + 1 + i]);
        if (v && value_get_type(v) != VALUE_ZSET && value_get_type(v) != VALUE_SET) {
            reply_error(reply, REPLY_WRONGTYPE);
            return false;
        }
        uint64_t count = !v ? 0 : value_get_type(v) == VALUE_SET ? set_count(v) : zset_count(v);
        c->source[i] = (struct combine_source){v, count, 1, i};
    }
    for (size_t at = c->number_at + 1 + c->source_count; at < command->arg_count;) {
        if (!combine_parse_option(command, c, &at, reply)) {
            return false;
        }
    }
    return true;
}

/* --- sources --- */

static int combine_order(const void *a, const void *b)
{
    const struct combine_source *x = a;
    const struct combine_source *y = b;
    if (x->count != y->count) {
        return x->count < y->count ? -1 : 1;
    }
    return x->position < y->position ? -1 : 1;
}

/* A walk over the members of a source, with their scores. */
struct combine_walk {
    const struct combine_source *source;
    const struct zset_rules *rules;
    struct tree_cursor c;
    struct set_cursor in_set;
    struct slice member;
    double score;
};

static bool source_is_set(const struct combine_source *source)
{
    return value_get_type(source->value) == VALUE_SET;
}

static bool walk_get(struct combine_walk *w)
{
    if (source_is_set(w->source)) {
        w->score = 1;
        return set_next(&w->in_set, &w->member);
    }
    struct tree_item item;
    if (!tree_cursor_get(&w->c, &item)) {
        return false;
    }
    w->member = item.bytes;
    w->score = zset_item_score(w->source->value, w->rules, &item);
    return true;
}

/* False: there is none. */
static bool
walk_begin(struct combine_walk *w, const struct combine_source *source, const struct zset_rules *rules)
{
    w->source = source;
    w->rules = rules;
    if (source->count == 0) {
        return false;
    }
    if (source_is_set(source)) {
        set_seek(source->value, 0, &w->in_set);
    } else {
        tree_seek_rank(zset_order(source->value), 0, &w->c);
    }
    return walk_get(w);
}

static bool walk_next(struct combine_walk *w)
{
    return (source_is_set(w->source) || tree_cursor_next(&w->c)) && walk_get(w);
}

static bool source_find(const struct keyspace_view *view,
                        const struct combine_source *source,
                        const struct zset_rules *rules,
                        struct slice member,
                        double *score)
{
    if (source->count == 0) {
        return false;
    }
    if (source_is_set(source)) {
        *score = 1;
        return set_contains(view, source->value, member);
    }
    return zset_find(source->value, rules, member, score);
}

static double weigh(double weight, double score)
{
    double product = weight * score;
    return isnan(product) ? 0 : product;
}

static double aggregate(enum combine_aggregate how, double a, double b)
{
    switch (how) {
    case AGGREGATE_SUM:
        return isnan(a + b) ? 0 : a + b;
    case AGGREGATE_MIN:
        return b < a ? b : a;
    case AGGREGATE_MAX:
        return b > a ? b : a;
    }
    UNREACHABLE();
}

/* --- the three operations; `made` is the result --- */

static void
combine_add(struct value **made, const struct zset_rules *rules, struct slice member, double score)
{
    if (!*made) {
        *made = zset_new_large(); /* as in Redis: sums of -0 stay what they are until it is stored */
    }
    zset_add(made, rules, member, score);
}

static void
combine_union(const struct combine *c, const struct zset_rules *rules, struct value **made)
{
    for (size_t i = 0; i < c->source_count; i++) {
        struct combine_walk w;
        for (bool has = walk_begin(&w, &c->source[i], rules); has; has = walk_next(&w)) {
            double score = weigh(c->source[i].weight, w.score);
            double before;
            if (!*made || !zset_find(*made, rules, w.member, &before)) {
                combine_add(made, rules, w.member, score);
                continue;
            }
            score = aggregate(c->aggregate, before, score);
            if (score != before || signbit(score) != signbit(before)) {
                zset_move(made, rules, w.member, before, score);
            }
        }
    }
}

/* Returns how many there are, at most c->limit. */
static uint64_t
combine_inter(const struct combine *c, const struct zset_rules *rules, struct value **made)
{
    uint64_t count = 0;
    struct combine_walk w;
    for (bool has = walk_begin(&w, &c->source[0], rules); has; has = walk_next(&w)) {
        double score = weigh(c->source[0].weight, w.score);
        size_t i = 1;
        for (; i < c->source_count; i++) {
            double other;
            if (!source_find(c->view, &c->source[i], rules, w.member, &other)) {
                break;
            }
            /* In Redis a NaN is 0 only as the first term. */
            score = aggregate(c->aggregate, score, c->source[i].weight * other);
        }
        if (i < c->source_count) {
            continue;
        }
        count++;
        if (!c->only_count) {
            combine_add(made, rules, w.member, score);
        } else if (count == c->limit) {
            break;
        }
    }
    return count;
}

static void
combine_diff(const struct combine *c, const struct zset_rules *rules, struct value **made)
{
    struct combine_walk w;
    for (bool has = walk_begin(&w, &c->source[0], rules); has; has = walk_next(&w)) {
        double other;
        size_t i = 1;
        while (i < c->source_count &&
               !source_find(c->view, &c->source[i], rules, w.member, &other)) {
            i++;
        }
        if (i == c->source_count) {
            combine_add(made, rules, w.member, w.score);
        }
    }
}

/* How many members are looked at or looked up. */
static uint64_t combine_work(const struct combine *c)
{
    uint64_t work = 0;
    if (c->kind != COMBINE_UNION) {
        return c->source[0].count * c->source_count;
    }
    for (size_t i = 0; i < c->source_count; i++) {
        work += c->source[i].count;
    }
    return work;
}

/* False: it would be too much. */
static bool combine_make(struct command_run *run,
                         struct combine *c,
                         struct value **made,
                         uint64_t *count,
                         struct reply *reply)
{
    struct zset_rules rules = zset_rules_of(run);
    *made = NULL;
    *count = 0;
    if (c->kind != COMBINE_DIFF) {
        qsort(c->source, c->source_count, sizeof c->source[0], combine_order);
    }
    if (!collection_may_change(combine_work(c), reply)) {
        return false;
    }
    switch (c->kind) {
    case COMBINE_UNION:
        combine_union(c, &rules, made);
        break;
    case COMBINE_INTER:
        *count = combine_inter(c, &rules, made);
        break;
    case COMBINE_DIFF:
        combine_diff(c, &rules, made);
        break;
    }
    return true;
}

/* --- commands --- */

static void combine_store(struct command_run *run,
                          struct slice to,
                          struct value *made,
                          const char *event,
                          struct reply *reply)
{
    reply_int(reply, made ? (int64_t)zset_count(made) : 0);
    if (made) {
        struct zset_rules rules = zset_rules_of(run);
        zset_make_small(&made, &rules);
        keyspace_set(&run->view, to, made, false, event);
    } else {
        keyspace_delete(&run->view, to, "del");
    }
}

static void
combine_answer(const struct command_run *run, const struct combine *c, struct value *made, uint64_t count, struct reply *reply)
{
    if (c->only_count) {
        reply_int(reply, (int64_t)count);
    } else if (!made) {
        reply_array(reply, 0);
    } else {
        zset_reply_span(run, made, (struct zset_span){0, zset_count(made)}, false, c->with_scores, reply);
        value_free(made);
    }
}

static void combine_command(struct command_run *run,
                            const struct command *command,
                            struct combine c,
                            struct reply *reply)
{
    struct value *made;
    uint64_t count;
    c.view = &run->view;
    if (combine_begin(run, command, &c, reply) && combine_make(run, &c, &made, &count, reply)) {
        if (c.is_store) {
            combine_store(run, command->arg[1], made, c.name, reply);
        } else {
            combine_answer(run, &c, made, count, reply);
        }
    }
    mem_free(c.source);
}

static const struct combine zunion = {.kind = COMBINE_UNION, .number_at = 1, .name = "zunion"};
static const struct combine zinter = {.kind = COMBINE_INTER, .number_at = 1, .name = "zinter"};
static const struct combine zdiff = {.kind = COMBINE_DIFF, .number_at = 1, .name = "zdiff"};
static const struct combine zintercard = {
    .kind = COMBINE_INTER, .number_at = 1, .only_count = true, .name = "zintercard"};
static const struct combine zunionstore = {
    .kind = COMBINE_UNION, .number_at = 2, .is_store = true, .name = "zunionstore"};
static const struct combine zinterstore = {
    .kind = COMBINE_INTER, .number_at = 2, .is_store = true, .name = "zinterstore"};
static const struct combine zdiffstore = {
    .kind = COMBINE_DIFF, .number_at = 2, .is_store = true, .name = "zdiffstore"};

#define COMBINE_COMMAND(which)                                                                     \
    static void which##_run(struct command_run *run, const struct command *command,                \
                            struct reply *reply)                                                   \
    {                                                                                              \
        combine_command(run, command, which, reply);                                               \
    }

COMBINE_COMMAND(zunion)
COMBINE_COMMAND(zinter)
COMBINE_COMMAND(zdiff)
COMBINE_COMMAND(zintercard)
COMBINE_COMMAND(zunionstore)
COMBINE_COMMAND(zinterstore)
COMBINE_COMMAND(zdiffstore)

/* --- the rows --- */

static const struct command_row zset_combine_row[] = {
    {
        .name = "zdiff",
        COMMAND_NUMBERED(ZDIFF),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
        .key_number = 1,
        .run = zdiff_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Subtract multiple sorted sets",
        .since = "6.2.0",
        .complexity = "O(L + (N-K)log(N)) worst case where L is the total number of elements in"
                      " all the sets, N is the size of the first set, and K is the size of the "
                      "result set.",
        .arguments = "numkeys key [key ...] [WITHSCORES]",
        .key_flags = "RO access",
    },
    {
        .name = "zdiffstore",
        COMMAND_NUMBERED(ZDIFFSTORE),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
        .keys = {1, 1, 1},
        .key_number = 2,
        .run = zdiffstore_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow",
        .summary = "Subtract multiple sorted sets and store the resulting sorted set in a "
                   "new key",
        .since = "6.2.0",
        .complexity = "O(L + (N-K)log(N)) worst case where L is the total number of elements in"
                      " all the sets, N is the size of the first set, and K is the size of the "
                      "result set.",
        .arguments = "destination numkeys key [key ...]",
        .key_flags = "OW update;RO access",
    },
    {
        .name = "zinter",
        COMMAND_NUMBERED(ZINTER),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
        .key_number = 1,
        .run = zinter_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Intersect multiple sorted sets",
        .since = "6.2.0",
        .complexity = "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted "
                      "set, K being the number of input sorted sets and M being the number of "
                      "elements in the resulting sorted set.",
        .arguments = "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN"
                     " | MAX] [WITHSCORES]",
        .key_flags = "RO access",
    },
    {
        .name = "zintercard",
        COMMAND_NUMBERED(ZINTERCARD),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
        .key_number = 1,
        .run = zintercard_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Intersect multiple sorted sets and return the cardinality of the result",
        .since = "7.0.0",
        .complexity = "O(N*K) worst case with N being the smallest input sorted set, K being "
                      "the number of input sorted sets.",
        .arguments = "numkeys key [key ...] [LIMIT limit]",
        .key_flags = "RO access",
    },
    {
        .name = "zinterstore",
        COMMAND_NUMBERED(ZINTERSTORE),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
        .keys = {1, 1, 1},
        .key_number = 2,
        .run = zinterstore_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow",
        .summary = "Intersect multiple sorted sets and store the resulting sorted set in a "
                   "new key",
        .since = "2.0.0",
        .complexity = "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted "
                      "set, K being the number of input sorted sets and M being the number of "
                      "elements in the resulting sorted set.",
        .arguments = "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] "
                     "[AGGREGATE SUM | MIN | MAX]",
        .key_flags = "OW update;RO access",
    },
    {
        .name = "zunion",
        COMMAND_NUMBERED(ZUNION),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
        .key_number = 1,
        .run = zunion_run,
        .group = "sorted-set",
        .acl_categories = "@read @sortedset @slow",
        .summary = "Add multiple sorted sets",
        .since = "6.2.0",
        .complexity = "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted "
                      "sets, and M being the number of elements in the resulting sorted set.",
        .arguments = "numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN"
                     " | MAX] [WITHSCORES]",
        .key_flags = "RO access",
    },
    {
        .name = "zunionstore",
        COMMAND_NUMBERED(ZUNIONSTORE),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
        .keys = {1, 1, 1},
        .key_number = 2,
        .run = zunionstore_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow",
        .summary = "Add multiple sorted sets and store the resulting sorted set in a new key",
        .since = "2.0.0",
        .complexity = "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted "
                      "sets, and M being the number of elements in the resulting sorted set.",
        .arguments = "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] "
                     "[AGGREGATE SUM | MIN | MAX]",
        .key_flags = "OW update;RO access",
    },
};

const struct command_family commands_zset_combine = {
    zset_combine_row, sizeof zset_combine_row / sizeof zset_combine_row[0]};
