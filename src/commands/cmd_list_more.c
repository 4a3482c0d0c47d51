/* Lists, where elements are looked for: LINSERT LREM LPOS; and two at once: LMOVE RPOPLPUSH LMPOP.
 * As Redis 7.0.15 t_list.c answers them.
 * DEVIATION: a RANK of -2^63 is refused, as by later versions; in 7.0 its opposite overflows.
 * Looking is bounded by LIMIT_ITEMS_READ, before anything is
 * changed. */

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "commands/list.h"
#include "commands/numbers.h"
#include "commands/vain.h"

/* --- looking for elements --- */

/* A walk over a list, from either end. */
struct list_walk {
    struct tree_cursor c;
    struct tree_item item;
    uint64_t rank; /* of the item */
    bool is_back;
    bool has_item;
};

static void walk_begin(struct list_walk *walk, const struct value *list, bool is_back)
{
    walk->is_back = is_back;
    walk->rank = is_back ? tree_count(list) - 1 : 0;
    tree_seek_rank(list, walk->rank, &walk->c);
    walk->has_item = tree_cursor_get(&walk->c, &walk->item);
}

static void walk_next(struct list_walk *walk)
{
    walk->has_item = walk->is_back ? tree_cursor_previous(&walk->c) : tree_cursor_next(&walk->c);
    if (walk->has_item) {
        walk->rank += walk->is_back ? UINT64_MAX : 1; /* one less, or one more */
        tree_cursor_get(&walk->c, &walk->item);
    }
}

/* Goes on until `element` is met or the list ends. False: it was too far, with an error. */
static bool
walk_find(struct list_walk *walk, struct slice element, uint64_t *may_read, struct reply *reply)
{
    for (; walk->has_item && !slice_equal(walk->item.bytes, element); walk_next(walk)) {
        if ((*may_read)-- == 0) {
            return collection_may_read(tree_count(walk->c.tree), reply);
        }
    }
    return true;
}

/* --- LINSERT --- */

static bool linsert_parse(const struct command *command, bool *is_after, struct reply *reply)
{
    *is_after = argument_is(command->arg[2], "after");
    if (!*is_after && !argument_is(command->arg[2], "before")) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return true;
}

static bool linsert_check(const struct command *command, struct reply *reply)
{
    bool is_after;
    return linsert_parse(command, &is_after, reply);
}

static void linsert_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    bool is_after;
    const struct value *found;
    if (!linsert_parse(command, &is_after, reply) ||
        !collection_get(run, command->arg[1], VALUE_LIST, &found, reply)) {
        return;
    }
    if (!found) {
        reply_int(reply, 0);
        return;
    }
    struct list_walk walk;
    uint64_t may_read = LIMIT_ITEMS_READ;
    walk_begin(&walk, found, false);
    if (!walk_find(&walk, command->arg[3], &may_read, reply)) {
        return;
    }
    if (!walk.has_item) {
        reply_int(reply, -1);
        return;
    }
    uint64_t rank = walk.rank + (is_after ? 1 : 0);
    struct value **list = collection_edit(run, command->arg[1]);
    struct tree_cursor c;
    struct tree_put put = tree_put_bytes(command->arg[4]);
    tree_seek_rank(*list, rank, &c);
    tree_insert(list, &c, &put);
    collection_edited(run, command->arg[1], "linsert", false);
    reply_int(reply, (int64_t)tree_count(*list));
}

/* --- LREM --- */

/* Ranks in a row that go together, as they were met. */
struct list_run {
    uint64_t rank; /* the lowest */
    uint64_t count;
};
struct list_runs {
    struct list_run *run;
    size_t count;
    size_t room;
};

static void runs_add(struct list_runs *runs, uint64_t rank)
{
    struct list_run *last = runs->count ? &runs->run[runs->count - 1] : NULL;
    if (last && (rank == last->rank + last->count || rank + 1 == last->rank)) {
        last->rank = rank < last->rank ? rank : last->rank;
        last->count++;
        return;
    }
    if (runs->count == runs->room) {
        runs->room = runs->room ? 2 * runs->room : 16;
        runs->run = mem_realloc_array(runs->run, runs->room, sizeof runs->run[0]);
    }
    runs->run[runs->count++] = (struct list_run){rank, 1};
}

/* All places where `element` stands, at most `count`. False: too many, or too far, with an error.
 */
static bool lrem_find(const struct value *list,
                      struct slice element,
                      bool is_back,
                      uint64_t count,
                      struct list_runs *runs,
                      struct reply *reply)
{
    struct list_walk walk;
    uint64_t may_read = LIMIT_ITEMS_READ;
    for (walk_begin(&walk, list, is_back); count > 0; count--, walk_next(&walk)) {
        if (!walk_find(&walk, element, &may_read, reply)) {
            return false;
        }
        if (!walk.has_item) {
            return true;
        }
        runs_add(runs, walk.rank);
        if (!collection_may_change(runs->count, reply)) {
            return false;
        }
        if (may_read > 0) {
            may_read--;
        } else {
            return collection_may_read(tree_count(list), reply);
        }
    }
    return true;
}

/* From the highest rank down, so that the others stay what they are. */
static uint64_t
lrem_remove(struct command_run *run, struct slice key, bool is_back, const struct list_runs *runs)
{
    struct value **list = collection_edit(run, key);
    uint64_t removed = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const struct list_run *r = &runs->run[is_back ? i : runs->count - 1 - i];
        keyspace_bury(&run->view, tree_remove_range(list, r->rank, r->count));
        removed += r->count;
    }
    collection_edited(run, key, "lrem", tree_count(*list) == 0);
    return removed;
}

static bool lrem_check(const struct command *command, struct reply *reply)
{
    int64_t count;
    return argument_integer(command->arg[2], &count, reply);
}

static void lrem_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *list;
    int64_t count;
    if (!argument_integer(command->arg[2], &count, reply) ||
        !collection_get(run, command->arg[1], VALUE_LIST, &list, reply)) {
        return;
    }
    if (!list) {
        reply_int(reply, 0);
        return;
    }
    struct list_runs runs = {.run = NULL};
    bool is_back = count < 0;
    uint64_t most = count == 0                        ? UINT64_MAX
                    : count > 0 || count == INT64_MIN ? (uint64_t)count
                                                      : (uint64_t)-count;
    if (lrem_find(list, command->arg[3], is_back, most, &runs, reply)) {
        uint64_t removed = 0;
        if (runs.count > 0) {
            removed = lrem_remove(run, command->arg[1], is_back, &runs);
        }
        reply_int(reply, (int64_t)removed);
    }
    mem_free(runs.run);
}

/* --- LPOS --- */

struct lpos_options {
    int64_t rank;
    int64_t count; /* -1: not given, the first one as an integer */
    int64_t max_length;
};

static bool lpos_parse(const struct command *command, struct lpos_options *o, struct reply *reply)
{
    *o = (struct lpos_options){.rank = 1, .count = -1};
    for (size_t i = 3; i < command->arg_count; i += 2) {
        struct slice name = command->arg[i];
        if (i + 1 == command->arg_count) {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
        struct slice value = command->arg[i + 1];
        if (argument_is(name, "rank")) {
            if (!argument_integer_between(value, -INT64_MAX, INT64_MAX, NULL, &o->rank, reply)) {
                return false;
            }
            if (o->rank == 0) {
                reply_error(reply,
                            "ERR RANK can't be zero: use 1 to start from the first match, 2 from "
                            "the second ... or use negative to start from the end of the list");
                return false;
            }
        } else if (argument_is(name, "count")) {
            if (!argument_integer_between(value, 0, INT64_MAX, "ERR COUNT can't be negative",
                                          &o->count, reply)) {
                return false;
            }
        } else if (argument_is(name, "maxlen")) {
            if (!argument_integer_between(value, 0, INT64_MAX, "ERR MAXLEN can't be negative",
                                          &o->max_length, reply)) {
                return false;
            }
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool lpos_check(const struct command *command, struct reply *reply)
{
    struct lpos_options options;
    return lpos_parse(command, &options, reply);
}

/* The places of `element` that the options ask for, at most `most` of them. */
static bool lpos_find(const struct value *list,
                      struct slice element,
                      const struct lpos_options *o,
                      uint64_t most,
                      struct list_runs *found,
                      struct reply *reply)
{
    uint64_t skip = (uint64_t)(o->rank < 0 ? -o->rank : o->rank) - 1;
    uint64_t limit = o->max_length ? (uint64_t)o->max_length : UINT64_MAX;
    struct list_walk walk;
    walk_begin(&walk, list, o->rank < 0);
    for (uint64_t read = 0; walk.has_item && read < limit && found->count < most; read++) {
        if (read == LIMIT_ITEMS_READ) {
            return collection_may_read(tree_count(list), reply);
        }
        if (slice_equal(walk.item.bytes, element) && (skip == 0 || skip-- == 0)) {
            if (found->count == found->room) {
                found->room = found->room ? 2 * found->room : 16;
                found->run = mem_realloc_array(found->run, found->room, sizeof found->run[0]);
            }
            found->run[found->count++] = (struct list_run){walk.rank, 1};
            if (!collection_may_reply(found->count, reply)) {
                return false;
            }
        }
        walk_next(&walk);
    }
    return true;
}

static void lpos_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct lpos_options options;
    const struct value *list;
    if (!lpos_parse(command, &options, reply) ||
        !collection_get(run, command->arg[1], VALUE_LIST, &list, reply)) {
        return;
    }
    struct list_runs found = {.run = NULL};
    uint64_t most = options.count < 0    ? 1
                    : options.count == 0 ? UINT64_MAX
                                         : (uint64_t)options.count;
    if (list && !lpos_find(list, command->arg[2], &options, most, &found, reply)) {
        mem_free(found.run);
        return;
    }
    if (options.count >= 0) {
        reply_array(reply, found.count);
        for (size_t i = 0; i < found.count; i++) {
            reply_int(reply, (int64_t)found.run[i].rank);
        }
    } else if (found.count > 0) {
        reply_int(reply, (int64_t)found.run[0].rank);
    } else {
        reply_null(reply);
    }
    mem_free(found.run);
}

/* --- LMOVE and RPOPLPUSH --- */

static void list_move_command(struct command_run *run,
                              const struct command *command,
                              enum list_end from_end,
                              enum list_end to_end,
                              struct reply *reply)
{
    const struct value *from;
    const struct value *to;
    if (!collection_get(run, command->arg[1], VALUE_LIST, &from, reply)) {
        return;
    }
    if (!from) {
        reply_null(reply);
        return;
    }
    if (collection_get(run, command->arg[2], VALUE_LIST, &to, reply)) {
        list_move(run, command->arg[1], command->arg[2], from_end, to_end, reply);
    }
}

static bool lmove_parse(const struct command *command,
                        enum list_end *from_end,
                        enum list_end *to_end,
                        struct reply *reply)
{
    return list_parse_end(command->arg[3], from_end, reply) &&
           list_parse_end(command->arg[4], to_end, reply);
}

static bool lmove_check(const struct command *command, struct reply *reply)
{
    enum list_end from_end;
    enum list_end to_end;
    return lmove_parse(command, &from_end, &to_end, reply);
}

static void lmove_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    enum list_end from_end;
    enum list_end to_end;
    if (lmove_parse(command, &from_end, &to_end, reply)) {
        list_move_command(run, command, from_end, to_end, reply);
    }
}

static void
rpoplpush_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    list_move_command(run, command, LIST_RIGHT, LIST_LEFT, reply);
}

/* --- LMPOP --- */

static bool lmpop_check(const struct command *command, struct reply *reply)
{
    struct list_mpop mpop;
    return list_parse_mpop(command, 1, &mpop, reply);
}

static void lmpop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct list_mpop mpop;
    if (list_parse_mpop(command, 1, &mpop, reply) && !list_mpop(run, command, &mpop, reply)) {
        reply_null_array(reply);
    }
}

/* --- the rows --- */

static const struct command_row list_more_row[] = {
    {
        .name = "linsert",
        COMMAND_NUMBERED(LINSERT),
        .kind = COMMAND_DATA,
        .arity = 5,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .check = linsert_check,
        .run = linsert_run,
        .group = "list",
        .acl_categories = "@write @list @slow",
        .summary = "Insert an element before or after another element in a list",
        .since = "2.2.0",
        .complexity = "O(N) where N is the number of elements to traverse before seeing the "
                      "value pivot. This means that inserting somewhere on the left end on the "
                      "list (head) can be considered O(1) and inserting somewhere on the right "
                      "end (tail) is O(N).",
        .arguments = "key <BEFORE | AFTER> pivot element",
        .key_flags = "RW insert",
    },
    {
        .name = "lmove",
        COMMAND_NUMBERED(LMOVE),
        .kind = COMMAND_DATA,
        .arity = 5,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 2, 1},
        .check = lmove_check,
        .is_vain = vain_without_key,
        .run = lmove_run,
        .group = "list",
        .acl_categories = "@write @list @slow",
        .summary = "Pop an element from a list, push it to another list and return it",
        .since = "6.2.0",
        .complexity = "O(1)",
        .arguments = "source destination <LEFT | RIGHT> <LEFT | RIGHT>",
        .key_flags = "RW access delete;RW insert",
    },
    {
        .name = "lmpop",
        COMMAND_NUMBERED(LMPOP),
        .kind = COMMAND_DATA,
        .arity = -4,
        .flags = COMMAND_WRITE | COMMAND_MOVABLE_KEYS,
        .key_number = 1,
        .check = lmpop_check,
        .is_vain = vain_without_keys,
        .run = lmpop_run,
        .group = "list",
        .acl_categories = "@write @list @slow",
        .summary = "Pop elements from a list",
        .since = "7.0.0",
        .complexity = "O(N+M) where N is the number of provided keys and M is the number of "
                      "elements returned.",
        .arguments = "numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        .key_flags = "RW access delete",
    },
    {
        .name = "lpos",
        COMMAND_NUMBERED(LPOS),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = lpos_check,
        .run = lpos_run,
        .group = "list",
        .acl_categories = "@read @list @slow",
        .summary = "Return the index of matching elements on a list",
        .since = "6.0.6",
        .complexity = "O(N) where N is the number of elements in the list, for the average "
                      "case. When searching for elements near the head or the tail of the list,"
                      " or when the MAXLEN option is provided, the command may run in constant "
                      "time.",
        .arguments = "key element [RANK rank] [COUNT num-matches] [MAXLEN len]",
        .key_flags = "RO access",
    },
    {
        .name = "lrem",
        COMMAND_NUMBERED(LREM),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE,
        .keys = {1, 1, 1},
        .check = lrem_check,
        .is_vain = vain_without_key,
        .run = lrem_run,
        .group = "list",
        .acl_categories = "@write @list @slow",
        .summary = "Remove elements from a list",
        .since = "1.0.0",
        .complexity = "O(N+M) where N is the length of the list and M is the number of elements"
                      " removed.",
        .arguments = "key count element",
        .key_flags = "RW delete",
    },
    {
        .name = "rpoplpush",
        COMMAND_NUMBERED(RPOPLPUSH),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 2, 1},
        .is_vain = vain_without_key,
        .run = rpoplpush_run,
        .group = "list",
        .acl_categories = "@write @list @slow",
        .summary = "Remove the last element in a list, prepend it to another list and return"
                   " it",
        .since = "1.2.0",
        .complexity = "O(1)",
        .arguments = "source destination",
        .key_flags = "RW access delete;RW insert",
        /* doc_flags: ['deprecated'] */
        /* deprecated_since: 6.2.0 */
        /* replaced_by: `LMOVE` with the `RIGHT` and `LEFT` arguments */
    },
};

const struct command_family commands_list_more = {list_more_row,
                                                  sizeof list_more_row / sizeof list_more_row[0]};
