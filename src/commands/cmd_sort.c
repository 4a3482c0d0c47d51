/* SORT and SORT_RO, as Redis 7.0.15 sort.c answers them.
 *
 * What is sorted comes from a list, a set or a sorted set. BY replaces what is compared, GET what is answered, by the values of keys or
 * fields of hashes whose names are made of a pattern and an element.
 *
 * O1  The order is a total one: elements that compare equal stay as they were loaded, and that order is part of the state (the list's,
 *     the score's, that of the keyed hash). So what STORE writes is the same on every node.
 *
 * O2  BY without a star sorts nothing. What a set then stores is sorted by its members, as in Redis.
 *
 * Texts are compared byte by byte: the locale is C.
 *
 * DEVIATION: a number out of range is refused where it stands. Redis doesn't reset errno, so that one such number makes it refuse others
 * later, too. */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "commands/collection.h"
#include "commands/numbers.h"
#include "commands/string_common.h"
#include "keyspace/hash.h"
#include "keyspace/set.h"
#include "keyspace/value.h"
#include "keyspace/zset.h"

enum { SORT_NUMBER_BYTES = 8192 }; /* no longer text is read as a number */

struct sort_options {
    bool is_descending;
    bool is_alpha;
    bool is_unsorted; /* BY without a star */
    bool has_by;
    struct slice by;
    size_t get_count;
    bool has_store;
    struct slice store;
    int64_t start;
    int64_t count;
};

/* --- options --- */

static bool sort_has_star(struct slice pattern)
{
    const uint8_t *end = pattern.n ? memchr(pattern.p, 0, pattern.n) : NULL;
    size_t n = end ? (size_t)(end - pattern.p) : pattern.n;
    return n > 0 && memchr(pattern.p, '*', n);
}

static bool sort_parse_limit(const struct command *command, size_t i, struct sort_options *options, struct reply *reply)
{
    return argument_integer(command->arg[i + 1], &options->start, reply) &&
           argument_integer(command->arg[i + 2], &options->count, reply);
}

/* One option at *i, which goes to its last word. */
static bool sort_parse_one(
    const struct command *command, size_t *i, bool may_store, struct sort_options *options, struct reply *reply)
{
    struct slice word = command->arg[*i];
    size_t left = command->arg_count - *i - 1;
    if (argument_is(word, "asc") || argument_is(word, "desc")) {
        options->is_descending = argument_is(word, "desc");
    } else if (argument_is(word, "alpha")) {
        options->is_alpha = true;
    } else if (argument_is(word, "limit") && left >= 2) {
        if (!sort_parse_limit(command, *i, options, reply)) {
            return false;
        }
        *i += 2;
    } else if (may_store && argument_is(word, "store") && left >= 1) {
        options->has_store = true;
        options->store = command->arg[++*i];
    } else if (argument_is(word, "by") && left >= 1) {
        options->has_by = true;
        options->by = command->arg[++*i];
        options->is_unsorted |= !sort_has_star(options->by); /* a later BY doesn't take it back, as in Redis */
    } else if (argument_is(word, "get") && left >= 1) {
        options->get_count++;
        ++*i;
    } else {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return true;
}

static bool sort_parse(const struct command *command, bool may_store, struct sort_options *options, struct reply *reply)
{
    *options = (struct sort_options){.count = -1};
    for (size_t i = 2; i < command->arg_count; i++) {
        if (!sort_parse_one(command, &i, may_store, options, reply)) {
            return false;
        }
    }
    return true;
}

static bool sort_check(const struct command *command, struct reply *reply)
{
    struct sort_options options;
    return sort_parse(command, true, &options, reply);
}

static bool sort_ro_check(const struct command *command, struct reply *reply)
{
    struct sort_options options;
    return sort_parse(command, false, &options, reply);
}

/* --- patterns --- */

/* What a pattern leads to. */
struct sort_found {
    bool is_there;
    const struct value *string; /* a string key, or NULL: */
    struct slice bytes;         /* the element, or a field's value */
};

/* "->field" behind the star; absent when it has no name. */
static bool sort_field(struct slice behind, size_t *arrow)
{
    for (size_t i = 0; i + 2 < behind.n; i++) {
        if (behind.p[i] == 0) {
            return false; /* the end of the string, for Redis */
        }
        if (behind.p[i] == '-' && behind.p[i + 1] == '>') {
            *arrow = i;
            return behind.p[i + 2] != 0;
        }
    }
    return false;
}

static struct sort_found sort_lookup(struct command_run *run, struct slice pattern, struct slice element, struct buf *name)
{
    struct sort_found found = {.is_there = false};
    struct hash_pair pair;
    if (pattern.n > 0 && pattern.p[0] == '#' && (pattern.n == 1 || pattern.p[1] == 0)) {
        return (struct sort_found){.is_there = true, .bytes = element};
    }
    if (!sort_has_star(pattern)) {
        return found;
    }
    size_t star = (size_t)((const uint8_t *)memchr(pattern.p, '*', pattern.n) - pattern.p);
    struct slice behind = slice_skip(pattern, star + 1);
    size_t arrow = behind.n;
    bool has_field = sort_field(behind, &arrow);
    buf_clear(name, SIZE_MAX);
    buf_append(name, pattern.p, star);
    buf_append_slice(name, element);
    buf_append(name, behind.p, has_field ? arrow : behind.n);
    const struct value *value = keyspace_get(&run->view, buf_slice(name));
    if (value && !has_field && value_get_type(value) == VALUE_STRING) {
        found = (struct sort_found){.is_there = true, .string = value};
    } else if (value && has_field && value_get_type(value) == VALUE_HASH &&
               hash_find(&run->view, value, slice_skip(behind, arrow + 2), &pair)) {
        found = (struct sort_found){.is_there = true, .bytes = pair.value};
    }
    return found;
}

/* The bytes in one piece; those of a string in chunks are gathered in `room`. */
static struct slice sort_bytes(const struct sort_found *found, struct buf *room)
{
    if (!found->string) {
        return found->bytes;
    }
    size_t size = value_string_size(found->string);
    struct slice part = value_string_part(found->string, 0);
    if (part.n == size) {
        return part;
    }
    buf_clear(room, SIZE_MAX);
    for (size_t at = 0; at < size; at += part.n) {
        part = value_string_part(found->string, at);
        buf_append_slice(room, part);
    }
    return buf_slice(room);
}

/* --- the elements --- */

struct sort_item {
    struct slice element; /* borrowed from the value, or in `texts` */
    double score;
    struct slice by;      /* what is compared (ALPHA) */
    uint8_t *owned;       /* that `by` is in; NULL: borrowed */
    size_t place;         /* O1 */
    bool has_by;
};

struct sort_job {
    const struct sort_options *options;
    struct sort_item *item;
    size_t count;
    struct buf texts; /* of packed integers */
};

static void sort_load_set(struct sort_job *job, const struct value *set)
{
    struct set_cursor c;
    struct slice member;
    set_seek(set, 0, &c);
    for (size_t i = 0; set_next(&c, &member); i++) {
        job->item[i] = (struct sort_item){.element = member, .place = i};
        if (!set_is_ordered(set)) { /* its text is the cursor's */
            job->item[i].place = buf_size(&job->texts);
            buf_append_slice(&job->texts, member);
        }
    }
    for (size_t i = 0; i < job->count && !set_is_ordered(set); i++) {
        job->item[i].element.p = buf_slice(&job->texts).p + job->item[i].place;
        job->item[i].place = i;
    }
}

/* `count` items of a list or sorted set from `rank` on, backwards from it if `is_back`. */
static void sort_load_range(struct sort_job *job, const struct value *value, uint64_t rank, bool is_back)
{
    struct tree_cursor c;
    struct tree_item item = {.key = 0};
    if (job->count == 0) {
        return;
    }
    tree_seek_rank(value, rank, &c);
    for (size_t i = 0; i < job->count; i++) {
        tree_cursor_get(&c, &item);
        job->item[i] = (struct sort_item){.element = item.bytes, .place = i};
        if (is_back) {
            tree_cursor_previous(&c);
        } else {
            tree_cursor_next(&c);
        }
    }
}

static int sort_compare_bytes(const struct sort_item *a, const struct sort_item *b, bool has_by)
{
    if (!has_by) {
        return slice_compare(a->element, b->element);
    }
    if (!a->has_by || !b->has_by) {
        return a->has_by - b->has_by;
    }
    return slice_compare(a->by, b->by);
}

static int sort_compare_scores(const struct sort_item *a, const struct sort_item *b)
{
    if (a->score != b->score) {
        return a->score > b->score ? 1 : -1;
    }
    return slice_compare(a->element, b->element);
}

#define SORT_ORDER(name, comparison, sign)                                                                             \
    static int name(const void *x, const void *y)                                                                      \
    {                                                                                                                  \
        const struct sort_item *a = x;                                                                                 \
        const struct sort_item *b = y;                                                                                 \
        int order = comparison;                                                                                        \
        return order != 0 ? sign order : (a->place > b->place) - (a->place < b->place);                                \
    }
SORT_ORDER(sort_by_score, sort_compare_scores(a, b), +)
SORT_ORDER(sort_by_score_down, sort_compare_scores(a, b), -)
SORT_ORDER(sort_by_element, sort_compare_bytes(a, b, false), +)
SORT_ORDER(sort_by_element_down, sort_compare_bytes(a, b, false), -)
SORT_ORDER(sort_by_other, sort_compare_bytes(a, b, true), +)
SORT_ORDER(sort_by_other_down, sort_compare_bytes(a, b, true), -)

/* As strtod on a C string reads it. False: it is no number. */
static bool sort_score(struct slice bytes, double *score)
{
    char text[SORT_NUMBER_BYTES];
    char *end;
    if (bytes.n >= sizeof text) {
        return false;
    }
    if (bytes.n > 0) {
        memcpy(text, bytes.p, bytes.n);
    }
    text[bytes.n] = 0;
    errno = 0;
    *score = strtod(text, &end);
    return *end == 0 && errno != ERANGE && !isnan(*score);
}

/* What the item is compared by. False: it is no number. */
static bool sort_weigh(struct command_run *run, const struct sort_options *options, struct sort_item *item, struct buf room[2])
{
    struct sort_found found = {.is_there = true, .bytes = item->element};
    if (options->has_by) {
        found = sort_lookup(run, options->by, item->element, &room[0]);
    }
    if (!found.is_there) {
        return true;
    }
    struct slice bytes = sort_bytes(&found, &room[1]);
    if (!options->is_alpha) {
        return sort_score(bytes, &item->score);
    }
    if (options->has_by) {
        item->has_by = true;
        item->by = bytes;
        if (bytes.p == buf_slice(&room[1]).p && bytes.n > 0) {
            item->owned = (uint8_t *)mem_copy_string(bytes.p, bytes.n);
            item->by.p = item->owned;
        }
    }
    return true;
}

/* False: an error was written. */
static bool sort_order(struct command_run *run, struct sort_job *job, struct reply *reply)
{
    const struct sort_options *o = job->options;
    struct buf room[2] = {{0}, {0}};
    bool is_ok = true;
    for (size_t i = 0; i < job->count; i++) {
        is_ok = sort_weigh(run, o, &job->item[i], room) && is_ok;
    }
    buf_deinit(&room[0]);
    buf_deinit(&room[1]);
    if (!is_ok) {
        reply_error(reply, "ERR One or more scores can't be converted into double");
        return false;
    }
    if (!o->is_alpha) {
        qsort(job->item, job->count, sizeof *job->item, o->is_descending ? sort_by_score_down : sort_by_score);
    } else if (o->has_by) {
        qsort(job->item, job->count, sizeof *job->item, o->is_descending ? sort_by_other_down : sort_by_other);
    } else {
        qsort(job->item, job->count, sizeof *job->item, o->is_descending ? sort_by_element_down : sort_by_element);
    }
    return true;
}

/* --- answers --- */

/* Calls `fn` for each GET of an item. */
static bool sort_next_get(const struct command *command, size_t *at, struct slice *pattern)
{
    for (size_t i = *at; i + 1 < command->arg_count; i++) {
        if (argument_is(command->arg[i], "get")) {
            *pattern = command->arg[i + 1];
            *at = i + 2;
            return true;
        }
        if (argument_is(command->arg[i], "limit")) {
            i += 2;
        } else if (argument_is(command->arg[i], "by") || argument_is(command->arg[i], "store")) {
            i++;
        }
    }
    return false;
}

static void sort_reply_item(
    struct command_run *run, const struct command *command, const struct sort_item *item, struct buf *name, struct reply *reply)
{
    struct slice pattern;
    for (size_t at = 2; sort_next_get(command, &at, &pattern);) {
        struct sort_found found = sort_lookup(run, pattern, item->element, name);
        if (!found.is_there) {
            reply_null(reply);
        } else if (found.string) {
            string_reply(found.string, reply);
        } else {
            reply_bulk(reply, found.bytes);
        }
    }
}

static void sort_store_item(
    struct command_run *run, const struct command *command, const struct sort_item *item, struct buf room[2], struct value **list)
{
    struct slice pattern;
    for (size_t at = 2; sort_next_get(command, &at, &pattern);) {
        struct sort_found found = sort_lookup(run, pattern, item->element, &room[0]);
        struct tree_put put = tree_put_bytes(found.is_there ? sort_bytes(&found, &room[1]) : (struct slice){NULL, 0});
        tree_append(list, &put);
    }
}

static void sort_answer(
    struct command_run *run, const struct command *command, const struct sort_job *job, size_t first, size_t count, struct reply *reply)
{
    size_t gets = job->options->get_count;
    struct buf name = {0};
    reply_array(reply, gets ? gets * count : count);
    for (size_t i = first; i < first + count; i++) {
        if (gets) {
            sort_reply_item(run, command, &job->item[i], &name, reply);
        } else {
            reply_bulk(reply, job->item[i].element);
        }
    }
    buf_deinit(&name);
}

static void sort_store(
    struct command_run *run, const struct command *command, const struct sort_job *job, size_t first, size_t count, struct reply *reply)
{
    struct slice key = job->options->store;
    struct value *list = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
    struct buf room[2] = {{0}, {0}};
    for (size_t i = first; i < first + count; i++) {
        if (job->options->get_count) {
            sort_store_item(run, command, &job->item[i], room, &list);
        } else {
            struct tree_put put = tree_put_bytes(job->item[i].element);
            tree_append(&list, &put);
        }
    }
    uint64_t stored = tree_count(list);
    if (stored > 0) {
        keyspace_set(&run->view, key, list, false, "sortstore");
    } else {
        value_free(list);
        keyspace_delete(&run->view, key, "del");
    }
    buf_deinit(&room[0]);
    buf_deinit(&room[1]);
    reply_int(reply, (int64_t)stored);
}

/* --- the command --- */

/* LIMIT, cut to `size` elements. */
static void sort_range(const struct sort_options *o, uint64_t size, uint64_t *first, uint64_t *count)
{
    *first = o->start < 0 ? 0 : (uint64_t)o->start < size ? (uint64_t)o->start : size;
    uint64_t left = size - *first;
    *count = o->count < 0 || (uint64_t)o->count > left ? left : (uint64_t)o->count;
}

static uint64_t sort_size(const struct value *value)
{
    if (!value) {
        return 0;
    }
    return value_get_type(value) == VALUE_SET ? set_count(value) : tree_count(value);
}

/* Whether it may take so long. */
static bool sort_may_run(const struct sort_options *o, uint64_t loaded, uint64_t count, struct reply *reply)
{
    uint64_t answers = count * (o->get_count ? o->get_count : 1);
    return (o->is_unsorted || collection_may_change(loaded, reply)) && collection_may_reply(loaded, reply) &&
           (o->has_store ? collection_may_change(answers, reply) : collection_may_reply(answers, reply));
}

static void sort_value(struct command_run *run,
                       const struct command *command,
                       const struct value *value,
                       const struct sort_options *o,
                       struct reply *reply)
{
    uint64_t size = sort_size(value);
    uint64_t first;
    uint64_t count;
    bool is_set = value && value_get_type(value) == VALUE_SET;
    sort_range(o, size, &first, &count);
    bool is_range = o->is_unsorted && !is_set; /* only what is asked for is loaded, in its order */
    struct sort_job job = {.options = o, .count = (size_t)(is_range ? count : size)};
    if (!sort_may_run(o, job.count, count, reply)) {
        return;
    }
    job.item = mem_alloc_array(job.count + 1, sizeof *job.item);
    if (is_set) {
        sort_load_set(&job, value);
    } else if (is_range) {
        sort_load_range(&job, value, o->is_descending && size > 0 ? size - 1 - (first < size ? first : size - 1) : first,
                        o->is_descending);
        first = 0;
    } else {
        sort_load_range(&job, value, 0, false);
    }
    if (o->is_unsorted || sort_order(run, &job, reply)) {
        if (o->has_store) {
            sort_store(run, command, &job, (size_t)first, (size_t)count, reply);
        } else {
            sort_answer(run, command, &job, (size_t)first, (size_t)count, reply);
        }
    }
    for (size_t i = 0; i < job.count; i++) {
        mem_free(job.item[i].owned);
    }
    mem_free(job.item);
    buf_deinit(&job.texts);
}

static void sort_any(struct command_run *run, const struct command *command, bool may_store, struct reply *reply)
{
    struct sort_options options;
    if (!sort_parse(command, may_store, &options, reply)) {
        return;
    }
    const struct value *value = keyspace_get(&run->view, command->arg[1]);
    enum value_type type = value ? value_get_type(value) : VALUE_LIST;
    if (type != VALUE_LIST && type != VALUE_SET && type != VALUE_ZSET) {
        reply_error(reply, REPLY_WRONGTYPE);
        return;
    }
    if (type == VALUE_ZSET) {
        value = zset_order(value);
    }
    if (options.is_unsorted && type == VALUE_SET && options.has_store) { /* O2 */
        options.is_unsorted = false;
        options.is_alpha = true;
        options.has_by = false;
    }
    sort_value(run, command, value, &options, reply);
}

static void sort_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    sort_any(run, command, true, reply);
}

static void sort_ro_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    sort_any(run, command, false, reply);
}

/* --- the rows --- */

#define SORT_BY_GET_KEYS                                                                                               \
    "RO access|For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the "         \
    "content of the key we sort"

static const struct command_row sort_row[] = {
    {
        .name = "sort",
        COMMAND_NUMBERED(SORT),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_MOVABLE_KEYS,
        .keys = {1, 1, 1},
        .key_word = "STORE",
        .check = sort_check,
        .run = sort_run,
        .group = "generic",
        .acl_categories = "@write @set @sortedset @list @slow @dangerous",
        .summary = "Sort the elements in a list, set or sorted set",
        .since = "1.0.0",
        .complexity = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the "
                      "number of returned elements. When the elements are not sorted, complexity is O(N).",
        .arguments = "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] "
                     "[ALPHA] [STORE destination]",
        .key_flags = "RO access",
        .key_unknown = SORT_BY_GET_KEYS
            "\nOW update|For the optional STORE keyword. It is marked 'unknown' because the keyword can appear "
            "anywhere in the argument array",
    },
    {
        .name = "sort_ro",
        COMMAND_NUMBERED(SORT_RO),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY | COMMAND_MOVABLE_KEYS,
        .keys = {1, 1, 1},
        .check = sort_ro_check,
        .run = sort_ro_run,
        .group = "generic",
        .acl_categories = "@read @set @sortedset @list @slow @dangerous",
        .summary = "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
        .since = "7.0.0",
        .complexity = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the "
                      "number of returned elements. When the elements are not sorted, complexity is O(N).",
        .arguments = "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] "
                     "[ALPHA]",
        .key_flags = "RO access",
        .key_unknown = SORT_BY_GET_KEYS,
    },
};

const struct command_family commands_sort = {sort_row, sizeof sort_row / sizeof sort_row[0]};
