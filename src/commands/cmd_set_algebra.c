/* Set algebra: SINTER SUNION SDIFF, with STORE, and SINTERCARD, as Redis 7.0.15 t_set.c answers them.
 *
 * All sets that are not packed integers have the same order, by keyed hash: results come in it, and are built by appending.
 *
 *   intersection   the members of the smallest that all others have
 *   difference     the members of the first that no other has
 *   union          all sets merged, by a heap of cursors
 *
 * The encoding of what is stored is Redis's, which for SDIFFSTORE depends on the way Redis would have computed it. */

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "commands/collection.h"
#include "commands/counted_reply.h"
#include "commands/numbers.h"
#include "keyspace/set.h"
#include "keyspace/value.h"

enum { PROBE_COST = 4 }; /* looking for a member, in items read one after the other */

/* --- the operands --- */

struct operands {
    const struct value **set; /* NULL: absent */
    size_t count;
    size_t absent;
};

/* False: one is no set, an error was written and nothing is to be freed. */
static bool operands_init(
    struct operands *o, struct command_run *run, const struct slice *key, size_t count, struct reply *reply)
{
    *o = (struct operands){mem_alloc_array(count, sizeof *o->set), count, 0};
    for (size_t i = 0; i < count; i++) {
        if (!collection_get(run, key[i], VALUE_SET, &o->set[i], reply)) {
            mem_free(o->set);
            return false;
        }
        o->absent += !o->set[i];
    }
    return true;
}

static uint64_t operand_size(const struct operands *o, size_t i)
{
    return o->set[i] ? set_count(o->set[i]) : 0;
}

/* Some order of members of equal sets must be the same everywhere: the first of the smallest. */
static size_t operands_smallest(const struct operands *o)
{
    size_t smallest = 0;
    for (size_t i = 1; i < o->count; i++) {
        smallest = operand_size(o, i) < operand_size(o, smallest) ? i : smallest;
    }
    return smallest;
}

static uint64_t operands_total(const struct operands *o)
{
    uint64_t total = 0;
    for (size_t i = 0; i < o->count; i++) {
        total += operand_size(o, i);
    }
    return total;
}

/* --- where results go --- */

typedef void (*algebra_take_fn)(void *ctx, const struct tree_item *member);

static void take_reply(void *ctx, const struct tree_item *member)
{
    counted_bulk(ctx, member->bytes);
}

static void take_store(void *ctx, const struct tree_item *member)
{
    set_builder_add(ctx, member->key, member);
}

/* --- the operations --- */

/* Calls `fn` for the members of `base` that `want` says of all other operands, `limit` times at most (0: no limit). Returns how often;
 * *has_text: some member of `base` is no integer. */
static uint64_t algebra_filter(struct command_run *run,
                               const struct operands *o,
                               size_t base,
                               bool want,
                               uint64_t limit,
                               bool *has_text,
                               algebra_take_fn fn,
                               void *ctx)
{
    struct value *walked = set_as_ordered(&run->view, o->set[base]);
    struct tree_cursor c;
    struct tree_item item;
    uint64_t taken = 0;
    int64_t number;
    *has_text = false;
    for (tree_seek_rank(walked, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        size_t i = 0;
        *has_text = *has_text || !number_parse_i64(item.bytes, &number);
        while (i < o->count &&
               (i == base || (o->set[i] && set_contains(&run->view, o->set[i], item.bytes)) == want)) {
            i++;
        }
        if (i < o->count) {
            continue;
        }
        fn(ctx, &item);
        if (++taken == limit) {
            break;
        }
    }
    value_free(walked);
    return taken;
}

/* One set of a union, at its next member. */
struct merge_source {
    struct value *set;
    struct tree_cursor cursor;
    struct tree_item item;
};

static bool merge_is_before(const struct merge_source *a, const struct merge_source *b)
{
    if (a->item.key != b->item.key) {
        return a->item.key < b->item.key;
    }
    return slice_compare(a->item.bytes, b->item.bytes) < 0;
}

/* The heap's root may be too great: let it sink. */
static void merge_sink(struct merge_source **heap, size_t count, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            least = merge_is_before(heap[child], heap[least]) ? child : least;
        }
        if (least == at) {
            return;
        }
        struct merge_source *source = heap[at];
        heap[at] = heap[least];
        heap[least] = source;
        at = least;
    }
}

static void algebra_merge(struct command_run *run, const struct operands *o, algebra_take_fn fn, void *ctx)
{
    struct merge_source *source = mem_alloc_array(o->count, sizeof *source);
    struct merge_source **heap = mem_alloc_array(o->count, sizeof *heap);
    size_t count = 0;
    for (size_t i = 0; i < o->count; i++) {
        if (o->set[i]) {
            struct merge_source *s = &source[count];
            s->set = set_as_ordered(&run->view, o->set[i]);
            tree_seek_rank(s->set, 0, &s->cursor);
            tree_cursor_get(&s->cursor, &s->item);
            heap[count++] = s;
        }
    }
    for (size_t i = count; i > 0; i--) {
        merge_sink(heap, count, i - 1);
    }
    for (size_t left = count; left > 0;) {
        struct merge_source *first = heap[0];
        struct tree_item item = first->item;
        fn(ctx, &item);
        /* All that are at this member go on. */
        while (left > 0 && heap[0]->item.key == item.key && slice_equal(heap[0]->item.bytes, item.bytes)) {
            tree_cursor_next(&heap[0]->cursor);
            if (!tree_cursor_get(&heap[0]->cursor, &heap[0]->item)) {
                heap[0] = heap[--left];
            }
            merge_sink(heap, left, 0);
        }
    }
    for (size_t i = 0; i < count; i++) {
        value_free(source[i].set);
    }
    mem_free(heap);
    mem_free(source);
}

/* --- commands --- */

enum algebra_kind { ALGEBRA_INTER, ALGEBRA_UNION, ALGEBRA_DIFF };

/* Whether Redis would put all members of the first set into the result before it takes others out of it: then what is left keeps the
 * encoding that they needed. */
static bool diff_begins_with_all(const struct operands *o)
{
    uint64_t one_by_one = operand_size(o, 0) * (o->count - o->absent) / 2;
    return one_by_one > operands_total(o);
}

static bool algebra_may_run(const struct operands *o, enum algebra_kind kind, struct reply *reply)
{
    switch (kind) {
    case ALGEBRA_INTER:
        return collection_may_read(operand_size(o, operands_smallest(o)) * (1 + (o->count - 1) * PROBE_COST), reply);
    case ALGEBRA_DIFF:
        return collection_may_read(operand_size(o, 0) * (1 + (o->count - 1) * PROBE_COST), reply);
    case ALGEBRA_UNION:
        return collection_may_read(operands_total(o), reply);
    }
    return false;
}

/* *is_hashtable: what comes out can't be stored as an intset. */
static void algebra_compute(struct command_run *run,
                            const struct operands *o,
                            enum algebra_kind kind,
                            bool *is_hashtable,
                            algebra_take_fn fn,
                            void *ctx)
{
    bool has_text;
    *is_hashtable = false;
    switch (kind) {
    case ALGEBRA_INTER:
        if (o->absent == 0) {
            algebra_filter(run, o, operands_smallest(o), true, 0, &has_text, fn, ctx);
        }
        break;
    case ALGEBRA_DIFF:
        if (o->set[0]) {
            algebra_filter(run, o, 0, false, 0, &has_text, fn, ctx);
            *is_hashtable = diff_begins_with_all(o) && (has_text || set_is_too_long_for_intset(&run->view, set_count(o->set[0])));
        }
        break;
    case ALGEBRA_UNION:
        algebra_merge(run, o, fn, ctx);
        break;
    }
}

static void algebra_reply(struct command_run *run, const struct command *command, enum algebra_kind kind, struct reply *reply)
{
    struct operands o;
    struct counted_reply out;
    bool is_hashtable;
    if (!operands_init(&o, run, command->arg + 1, command->arg_count - 1, reply)) {
        return;
    }
    if (algebra_may_run(&o, kind, reply)) {
        counted_begin(&out, reply);
        algebra_compute(run, &o, kind, &is_hashtable, take_reply, &out);
        counted_end_set(&out, reply);
    }
    mem_free(o.set);
}

static void algebra_store(
    struct command_run *run, const struct command *command, enum algebra_kind kind, const char *event, struct reply *reply)
{
    struct operands o;
    struct set_builder builder;
    bool is_hashtable;
    if (!operands_init(&o, run, command->arg + 2, command->arg_count - 2, reply)) {
        return;
    }
    if (algebra_may_run(&o, kind, reply)) {
        set_builder_init(&builder);
        algebra_compute(run, &o, kind, &is_hashtable, take_store, &builder);
        struct value *result = set_builder_finish(&run->view, &builder, is_hashtable);
        uint64_t size = set_count(result);
        if (size > 0) {
            keyspace_set(&run->view, command->arg[1], result, false, event);
        } else {
            value_free(result);
            keyspace_delete(&run->view, command->arg[1], "del");
        }
        reply_int(reply, (int64_t)size);
    }
    mem_free(o.set);
}

static void sinter_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    algebra_reply(run, command, ALGEBRA_INTER, reply);
}

static void sunion_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    algebra_reply(run, command, ALGEBRA_UNION, reply);
}

static void sdiff_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    algebra_reply(run, command, ALGEBRA_DIFF, reply);
}

static void sinterstore_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    algebra_store(run, command, ALGEBRA_INTER, "sinterstore", reply);
}

static void sunionstore_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    algebra_store(run, command, ALGEBRA_UNION, "sunionstore", reply);
}

static void sdiffstore_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    algebra_store(run, command, ALGEBRA_DIFF, "sdiffstore", reply);
}

/* --- SINTERCARD --- */

static bool sintercard_parse(const struct command *command, size_t *key_count, int64_t *limit, struct reply *reply)
{
    int64_t count;
    *limit = 0;
    if (!argument_integer_between(command->arg[1], 1, INT64_MAX, "ERR numkeys should be greater than 0", &count, reply)) {
        return false;
    }
    if ((uint64_t)count > command->arg_count - 2) {
        reply_error(reply, "ERR Number of keys can't be greater than number of args");
        return false;
    }
    *key_count = (size_t)count;
    for (size_t i = 2 + *key_count; i < command->arg_count; i += 2) {
        if (!argument_is(command->arg[i], "limit") || i + 1 == command->arg_count) {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
        if (!argument_integer_between(command->arg[i + 1], 0, INT64_MAX, "ERR LIMIT can't be negative", limit, reply)) {
            return false;
        }
    }
    return true;
}

static bool sintercard_check(const struct command *command, struct reply *reply)
{
    size_t count;
    int64_t limit;
    return sintercard_parse(command, &count, &limit, reply);
}

static void take_nothing(void *ctx, const struct tree_item *member)
{
    (void)ctx;
    (void)member;
}

static void sintercard_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct operands o;
    size_t key_count;
    int64_t limit;
    bool has_text;
    if (!sintercard_parse(command, &key_count, &limit, reply) ||
        !operands_init(&o, run, command->arg + 2, key_count, reply)) {
        return;
    }
    if (o.absent > 0) {
        reply_int(reply, 0);
    } else if (algebra_may_run(&o, ALGEBRA_INTER, reply)) {
        reply_int(reply, (int64_t)algebra_filter(run, &o, operands_smallest(&o), true, (uint64_t)limit, &has_text,
                                                 take_nothing, NULL));
    }
    mem_free(o.set);
}

/* --- the rows --- */

static const struct command_row set_algebra_row[] = {
    {
        .name = "sdiff",
        COMMAND_NUMBERED(SDIFF),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, -1, 1},
        .run = sdiff_run,
        .group = "set",
        .acl_categories = "@read @set @slow",
        .summary = "Subtract multiple sets",
        .since = "1.0.0",
        .complexity = "O(N) where N is the total number of elements in all given sets.",
        .arguments = "key [key ...]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output_order",
    },
    {
        .name = "sdiffstore",
        COMMAND_NUMBERED(SDIFFSTORE),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, -1, 1},
        .run = sdiffstore_run,
        .group = "set",
        .acl_categories = "@write @set @slow",
        .summary = "Subtract multiple sets and store the resulting set in a key",
        .since = "1.0.0",
        .complexity = "O(N) where N is the total number of elements in all given sets.",
        .arguments = "destination key [key ...]",
        .key_flags = "OW update;RO access",
    },
    {
        .name = "sinter",
        COMMAND_NUMBERED(SINTER),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, -1, 1},
        .run = sinter_run,
        .group = "set",
        .acl_categories = "@read @set @slow",
        .summary = "Intersect multiple sets",
        .since = "1.0.0",
        .complexity = "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of "
                      "sets.",
        .arguments = "key [key ...]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output_order",
    },
    {
        .name = "sintercard",
        .key_number = 1,
        COMMAND_NUMBERED(SINTERCARD),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
        .check = sintercard_check,
        .run = sintercard_run,
        .group = "set",
        .acl_categories = "@read @set @slow",
        .summary = "Intersect multiple sets and return the cardinality of the result",
        .since = "7.0.0",
        .complexity = "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of "
                      "sets.",
        .arguments = "numkeys key [key ...] [LIMIT limit]",
        .key_flags = "RO access",
    },
    {
        .name = "sinterstore",
        COMMAND_NUMBERED(SINTERSTORE),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, -1, 1},
        .run = sinterstore_run,
        .group = "set",
        .acl_categories = "@write @set @slow",
        .summary = "Intersect multiple sets and store the resulting set in a key",
        .since = "1.0.0",
        .complexity = "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of "
                      "sets.",
        .arguments = "destination key [key ...]",
        .key_flags = "RW update;RO access",
    },
    {
        .name = "sunion",
        COMMAND_NUMBERED(SUNION),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .keys = {1, -1, 1},
        .run = sunion_run,
        .group = "set",
        .acl_categories = "@read @set @slow",
        .summary = "Add multiple sets",
        .since = "1.0.0",
        .complexity = "O(N) where N is the total number of elements in all given sets.",
        .arguments = "key [key ...]",
        .key_flags = "RO access",
        .tips = "nondeterministic_output_order",
    },
    {
        .name = "sunionstore",
        COMMAND_NUMBERED(SUNIONSTORE),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, -1, 1},
        .run = sunionstore_run,
        .group = "set",
        .acl_categories = "@write @set @slow",
        .summary = "Add multiple sets and store the resulting set in a key",
        .since = "1.0.0",
        .complexity = "O(N) where N is the total number of elements in all given sets.",
        .arguments = "destination key [key ...]",
        .key_flags = "OW update;RO access",
    },
};

const struct command_family commands_set_algebra = {set_algebra_row,
                                                    sizeof set_algebra_row / sizeof set_algebra_row[0]};
