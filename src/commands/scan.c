#include "commands/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/glob.h"
#include "base/limits.h"
#include "base/number.h"

enum {
    SCAN_DEFAULT_COUNT = 10,
    SCAN_CURSOR_BYTES = 64,
    SCAN_MAX_STARS = 1000, /* as Redis's stringmatchlen: beyond it a pattern matches nothing */
    SCAN_HASH_SHIFT = 12,  /* a cursor is the top 52 bits of a hash, plus 1 */
};

/* --- arguments --- */

bool scan_parse_cursor(struct slice argument, uint64_t *cursor, struct reply *reply)
{
    char text[SCAN_CURSOR_BYTES];
    size_t n = argument.n < sizeof text ? argument.n : sizeof text - 1;
    if (n) {
        memcpy(text, argument.p, n);
    }
    text[n] = '\0';
    bool begins_with_blank = text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r');
    char *end;
    errno = 0;
    *cursor = strtoul(text, &end, 10);
    if (begins_with_blank || *end != '\0' || errno == ERANGE || strlen(text) == sizeof text - 1) {
        reply_error(reply, "ERR invalid cursor");
        return false;
    }
    return true;
}

bool scan_parse_count(struct slice argument, size_t *count, struct reply *reply)
{
    int64_t value;
    if (!argument_integer(argument, &value, reply)) {
        return false;
    }
    if (value < 1) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    *count = value < (int64_t)LIMIT_KEYS_PER_WALK ? (size_t)value : LIMIT_KEYS_PER_WALK;
    return true;
}

void scan_set_pattern(struct scan_pattern *pattern, struct slice text)
{
    pattern->text = text;
    pattern->is_given = !(text.n == 1 && text.p[0] == '*');
    size_t stars = 0; /* runs of them; the last byte of the pattern costs nothing */
    for (size_t i = 0; i + 1 < text.n; i++) {
        stars += text.p[i] == '*' && text.p[i + 1] != '*';
    }
    pattern->is_hopeless = stars > SCAN_MAX_STARS;
}

bool scan_pattern_matches(const struct scan_pattern *pattern, struct slice text)
{
    if (pattern->is_hopeless) {
        return false;
    }
    if (!pattern->is_given) {
        return true;
    }
    /* In Redis the empty text matches the empty pattern only, and no number of stars. */
    return text.n == 0 ? pattern->text.n == 0 : glob_match(pattern->text, text, false);
}

/* --- collections --- */

bool scan_check(const struct command *command, struct reply *reply)
{
    uint64_t cursor;
    return scan_parse_cursor(command->arg[2], &cursor, reply);
}

bool scan_begin(struct scan_request *scan, const struct command *command, struct reply *reply)
{
    *scan = (struct scan_request){.count = SCAN_DEFAULT_COUNT};
    if (!scan_parse_cursor(command->arg[2], &scan->cursor, reply)) {
        return false;
    }
    for (size_t i = 3; i < command->arg_count; i += 2) {
        struct slice name = command->arg[i];
        bool has_value = i + 1 < command->arg_count;
        if (has_value && argument_is(name, "count")) {
            if (!scan_parse_count(command->arg[i + 1], &scan->count, reply)) {
                return false;
            }
        } else if (has_value && argument_is(name, "match")) {
            scan_set_pattern(&scan->pattern, command->arg[i + 1]);
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    buf_init(&scan->body);
    scan->found = (struct reply){.out = &scan->body, .protocol = reply->protocol};
    if (reply->protocol == REPLY_DISCARD) {
        scan->found.out = NULL;
    }
    return true;
}

void scan_some(struct scan_request *scan, const struct value *tree, scan_item_fn fn)
{
    uint64_t last_cursor = 0;
    uint64_t most = (UINT64_MAX >> SCAN_HASH_SHIFT) + 1;
    uint64_t first = scan->cursor ? scan->cursor - 1 : 0;
    size_t seen = 0;
    struct tree_cursor c;
    struct tree_item item;
    if (first >= most) {
        scan->cursor = 0;
        return;
    }
    tree_seek_key(tree, first << SCAN_HASH_SHIFT, NULL, NULL, &c);
    for (scan->cursor = 0; tree_cursor_get(&c, &item); tree_cursor_next(&c), seen++) {
        uint64_t cursor = (item.key >> SCAN_HASH_SHIFT) + 1;
        if (seen >= scan->count && cursor != last_cursor) {
            scan->cursor = cursor;
            return;
        }
        fn(scan, &item);
        last_cursor = cursor;
    }
}

void scan_all(struct scan_request *scan, const struct value *tree, scan_item_fn fn)
{
    struct tree_cursor c;
    struct tree_item item;
    scan->cursor = 0;
    for (tree_seek_rank(tree, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        fn(scan, &item);
    }
}

void scan_end(struct scan_request *scan, struct reply *reply)
{
    char text[NUMBER_TEXT_MAX];
    size_t n = number_format_u64(scan->cursor, text);
    reply_array(reply, 2);
    reply_bulk(reply, (struct slice){(const uint8_t *)text, n});
    reply_array(reply, scan->found_count);
    if (reply->protocol != REPLY_DISCARD) {
        buf_append_slice(reply->out, buf_slice(&scan->body));
    }
    buf_deinit(&scan->body);
}

void scan_reply_nothing(struct reply *reply)
{
    reply_array(reply, 2);
    reply_bulk_cstr(reply, "0");
    reply_array(reply, 0);
}
