#include "commands/zset_common.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "keyspace/settings.h"

enum { ZSET_SMALL_MAX = 1024 };
#define ZSET_INTEGER_MAX 4611686018427387903.0 /* as double2ll: LLONG_MAX / 2 */
enum { SCORE_TEXT_MAX = 512 }; /* as a C string; none that is longer is read */

/* A member of the small form is found by looking at all: however great the setting, it doesn't grow beyond ZSET_SMALL_MAX. */
struct zset_rules zset_rules_in(const struct keyspace *k)
{
    uint64_t entries = (uint64_t)keyspace_setting(k, SETTING_ZSET_MAX_LISTPACK_ENTRIES);
    uint64_t value = (uint64_t)keyspace_setting(k, SETTING_ZSET_MAX_LISTPACK_VALUE);
    return (struct zset_rules){keyspace_seed(k), entries < ZSET_SMALL_MAX ? entries : ZSET_SMALL_MAX, value};
}

struct zset_rules zset_rules_of(const struct command_run *run)
{
    return zset_rules_in(run->view.keyspace);
}

/* --- numbers --- */

/* False: it is too long. Redis's C strings end at the first NUL. */
static bool score_text(struct slice argument, char text[SCORE_TEXT_MAX])
{
    if (argument.n >= SCORE_TEXT_MAX) {
        return false;
    }
    if (argument.n) {
        memcpy(text, argument.p, argument.n);
    }
    text[argument.n] = '\0';
    return true;
}

static bool score_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool zset_parse_score(struct slice bytes, double *value)
{
    char text[SCORE_TEXT_MAX];
    char *end;
    if (bytes.n == 0 || !score_text(bytes, text) || score_is_blank(text[0])) {
        return false;
    }
    errno = 0;
    *value = strtod(text, &end);
    bool is_out_of_range = errno == ERANGE && (isinf(*value) || *value == 0);
    return (size_t)(end - text) == bytes.n && !is_out_of_range && !isnan(*value);
}

bool argument_double(struct slice argument, const char *error, double *value, struct reply *reply)
{
    if (!zset_parse_score(argument, value)) {
        reply_error(reply, error ? error : "ERR value is not a valid float");
        return false;
    }
    return true;
}

void zset_format_stored(double score, char text[ZSET_SCORE_TEXT_MAX])
{
    if (score >= -ZSET_INTEGER_MAX && score <= ZSET_INTEGER_MAX && (double)(int64_t)score == score) {
        (void)snprintf(text, ZSET_SCORE_TEXT_MAX, "%" PRId64, (int64_t)score);
    } else {
        (void)snprintf(text, ZSET_SCORE_TEXT_MAX, "%.17g", score);
    }
}

/* --- editing --- */

void zset_begin(struct zset_edit *edit,
                struct command_run *run,
                struct slice key,
                size_t member_size)
{
    edit->rules = zset_rules_of(run);
    edit->created = NULL;
    edit->set = keyspace_edit_slot(&run->view, key);
    if (!edit->set) {
        edit->created = zset_new(&edit->rules, member_size);
        edit->set = &edit->created;
    }
}

void zset_finish(struct zset_edit *edit,
                 struct command_run *run,
                 struct slice key,
                 const char *event)
{
    bool is_empty = zset_count(*edit->set) == 0;
    if (!edit->created) {
        collection_edited(run, key, event, is_empty);
    } else if (is_empty) {
        value_free(edit->created);
    } else {
        keyspace_set(&run->view, key, edit->created, false, event);
    }
}

/* --- ranges by score --- */

static bool parse_score_bound(struct slice text, double *score, bool *is_open)
{
    char copy[SCORE_TEXT_MAX];
    *is_open = text.n > 0 && text.p[0] == '(';
    if (!score_text(slice_skip(text, *is_open ? 1 : 0), copy)) {
        return false;
    }
    char *end;
    *score = strtod(copy, &end); /* an empty text is 0, as in Redis */
    return *end == '\0' && !isnan(*score);
}

bool zset_parse_score_range(struct slice min,
                            struct slice max,
                            struct zset_score_range *range,
                            struct reply *reply)
{
    if (parse_score_bound(min, &range->min, &range->is_min_open) &&
        parse_score_bound(max, &range->max, &range->is_max_open)) {
        return true;
    }
    reply_error(reply, "ERR min or max is not a float");
    return false;
}

/* Members whose score's key is below `key`; `or_equal`: or is it. */
static uint64_t rank_of_key(const struct value *order, uint64_t key, bool or_equal)
{
    struct tree_cursor c;
    tree_seek_key(order, or_equal ? key + 1 : key, NULL, NULL, &c); /* no key is UINT64_MAX */
    return tree_cursor_rank(&c);
}

struct zset_span zset_span_by_score(const struct value *z, const struct zset_score_range *range)
{
    const struct value *order = zset_order(z);
    uint64_t first = rank_of_key(order, zset_key(range->min), range->is_min_open);
    uint64_t end = rank_of_key(order, zset_key(range->max), !range->is_max_open);
    return (struct zset_span){first, end > first ? end - first : 0};
}

/* --- ranges by member --- */

static bool parse_lex_bound(struct slice text, struct zset_lex_bound *bound)
{
    char kind = text.n ? (char)text.p[0] : '\0';
    *bound = (struct zset_lex_bound){.end = 0};
    if (kind == '+' || kind == '-') {
        bound->end = kind == '+' ? 1 : -1;
        bound->is_open = true;
        return text.n == 1 || text.p[1] == '\0';
    }
    bound->is_open = kind == '(';
    bound->member = slice_skip(text, text.n ? 1 : 0);
    return kind == '(' || kind == '[';
}

bool zset_parse_lex_range(struct slice min,
                          struct slice max,
                          struct zset_lex_range *range,
                          struct reply *reply)
{
    if (parse_lex_bound(min, &range->min) && parse_lex_bound(max, &range->max)) {
        return true;
    }
    reply_error(reply, "ERR min or max not valid string range item");
    return false;
}

/* Whether `member` is beyond the bound, seen from below. */
static bool lex_is_after(struct slice member, const struct zset_lex_bound *bound)
{
    if (bound->end) {
        return bound->end < 0;
    }
    int order = slice_compare(member, bound->member);
    return bound->is_open ? order > 0 : order >= 0;
}

static bool lex_is_before(struct slice member, const struct zset_lex_bound *bound)
{
    if (bound->end) {
        return bound->end > 0;
    }
    int order = slice_compare(member, bound->member);
    return bound->is_open ? order < 0 : order <= 0;
}

static bool lex_is_empty(const struct zset_lex_range *range)
{
    const struct zset_lex_bound *min = &range->min;
    const struct zset_lex_bound *max = &range->max;
    if (min->end == 0 && max->end == 0) {
        int order = slice_compare(min->member, max->member);
        return order > 0 || (order == 0 && (min->is_open || max->is_open));
    }
    return min->end > 0 || max->end < 0;
}

/* The first rank for which `is_found`, or the count: by halves, whether or not that is sound. */
static uint64_t
lex_search(const struct value *order, const struct zset_lex_bound *bound, bool for_min)
{
    uint64_t low = 0;
    uint64_t high = tree_count(order);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct tree_cursor c;
        struct tree_item item;
        tree_seek_rank(order, middle, &c);
        ASSERT(tree_cursor_get(&c, &item));
        bool is_beyond =
            for_min ? lex_is_after(item.bytes, bound) : !lex_is_before(item.bytes, bound);
        if (is_beyond) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Whether the first and the last member leave room for the range. */
static bool lex_may_hold(const struct value *order, const struct zset_lex_range *range)
{
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(order, 0, &c);
    if (!tree_cursor_get(&c, &item) || !lex_is_before(item.bytes, &range->max)) {
        return false;
    }
    tree_seek_rank(order, tree_count(order) - 1, &c);
    return tree_cursor_get(&c, &item) && lex_is_after(item.bytes, &range->min);
}

/* From the first member that is behind the range's begin, as long as they are in it. */
static struct zset_span lex_walk(const struct value *order, const struct zset_lex_range *range)
{
    struct zset_span span = {0, 0};
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(order, 0, &c);
    while (tree_cursor_get(&c, &item) && !lex_is_after(item.bytes, &range->min)) {
        tree_cursor_next(&c);
    }
    span.first = tree_cursor_rank(&c);
    while (tree_cursor_get(&c, &item) && lex_is_before(item.bytes, &range->max)) {
        tree_cursor_next(&c);
    }
    span.count = tree_cursor_rank(&c) - span.first;
    return span;
}

/* From the last member that is before the range's end, backwards. */
static struct zset_span lex_walk_back(const struct value *order, const struct zset_lex_range *range)
{
    struct tree_cursor c;
    struct tree_item item;
    uint64_t end = tree_count(order);
    tree_seek_rank(order, end - 1, &c);
    while (end > 0 && tree_cursor_get(&c, &item) && !lex_is_before(item.bytes, &range->max)) {
        end--;
        tree_cursor_previous(&c);
    }
    uint64_t first = end;
    while (first > 0 && tree_cursor_get(&c, &item) && lex_is_after(item.bytes, &range->min)) {
        first--;
        tree_cursor_previous(&c);
    }
    return (struct zset_span){first, end - first};
}

struct zset_span zset_span_by_lex(const struct value *z, const struct zset_lex_range *range, enum zset_lex_from from)
{
    const struct value *order = zset_order(z);
    if (lex_is_empty(range) || !lex_may_hold(order, range)) {
        return (struct zset_span){0, 0};
    }
    if (!zset_index(z)) {
        return from == ZSET_LEX_FROM_END ? lex_walk_back(order, range) : lex_walk(order, range);
    }
    uint64_t first = lex_search(order, &range->min, true);
    uint64_t end = lex_search(order, &range->max, false);
    return (struct zset_span){first, end > first ? end - first : 0};
}

/* --- replies --- */

void zset_reply_item(struct slice member, double score, bool with_scores, struct reply *reply)
{
    if (with_scores && reply->protocol == REPLY_RESP3) {
        reply_array(reply, 2);
    }
    reply_bulk(reply, member);
    if (with_scores) {
        reply_double(reply, score);
    }
}

void zset_reply_begin(uint64_t count, bool with_scores, struct reply *reply)
{
    bool is_flat = with_scores && reply->protocol != REPLY_RESP3;
    reply_array(reply, is_flat ? 2 * count : count);
}

void zset_reply_span(const struct command_run *run,
                     const struct value *z,
                     struct zset_span span,
                     bool is_reverse,
                     bool with_scores,
                     struct reply *reply)
{
    struct zset_rules rules = zset_rules_of(run);
    struct tree_cursor c;
    struct tree_item item;
    zset_reply_begin(span.count, with_scores, reply);
    if (span.count == 0) {
        return;
    }
    tree_seek_rank(zset_order(z), is_reverse ? span.first + span.count - 1 : span.first, &c);
    for (uint64_t i = 0; i < span.count; i++) {
        ASSERT(tree_cursor_get(&c, &item));
        zset_reply_item(item.bytes, zset_item_score(z, &rules, &item), with_scores, reply);
        if (is_reverse) {
            tree_cursor_previous(&c);
        } else {
            tree_cursor_next(&c);
        }
    }
}

/* --- popping --- */

void zset_pop(struct command_run *run,
              struct slice key,
              bool from_max,
              uint64_t count,
              bool is_nested,
              struct reply *reply)
{
    struct zset_edit edit;
    zset_begin(&edit, run, key, 0);
    uint64_t size = zset_count(*edit.set);
    struct zset_span span = {from_max ? size - count : 0, count};
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(zset_order(*edit.set), from_max ? size - 1 : 0, &c);
    for (uint64_t i = 0; i < count; i++) {
        ASSERT(tree_cursor_get(&c, &item));
        if (is_nested) {
            reply_array(reply, 2);
        }
        reply_bulk(reply, item.bytes);
        reply_double(reply, zset_item_score(*edit.set, &edit.rules, &item));
        if (from_max) {
            tree_cursor_previous(&c);
        } else {
            tree_cursor_next(&c);
        }
    }
    keyspace_bury(&run->view, zset_remove_range(edit.set, &edit.rules, span.first, span.count));
    zset_finish(&edit, run, key, from_max ? "zpopmax" : "zpopmin");
}

bool zset_parse_mpop(const struct command *command,
                     size_t at,
                     struct zset_mpop *mpop,
                     struct reply *reply)
{
    int64_t number;
    size_t end;
    if (!collection_parse_numkeys(command, at, &number, &end, reply)) {
        return false;
    }
    mpop->from_max = argument_is(command->arg[end], "max");
    if (!mpop->from_max && !argument_is(command->arg[end], "min")) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    mpop->first_key = at + 1;
    mpop->key_count = (size_t)number;
    return collection_parse_count_option(command, end + 1, &mpop->count, reply);
}

bool zset_mpop(struct command_run *run,
               const struct command *command,
               const struct zset_mpop *mpop,
               struct reply *reply)
{
    for (size_t i = mpop->first_key; i < mpop->first_key + mpop->key_count; i++) {
        const struct value *z;
        if (!collection_get(run, command->arg[i], VALUE_ZSET, &z, reply)) {
            return true;
        }
        if (!z) {
            continue;
        }
        uint64_t count = zset_count(z) < mpop->count ? zset_count(z) : mpop->count;
        if (collection_may_change(count, reply)) {
            reply_array(reply, 2);
            reply_bulk(reply, command->arg[i]);
            reply_array(reply, count);
            zset_pop(run, command->arg[i], mpop->from_max, count, true, reply);
        }
        return true;
    }
    return false;
}
