#ifndef COMMANDS_SCAN_H
#define COMMANDS_SCAN_H

#include "commands/arguments.h"
#include "keyspace/tree.h"

/* What SCAN, HSCAN, SSCAN and ZSCAN share. Functions that can refuse write the error, worded as
 * Redis 7.0, and return false. */

/* As Redis's parseScanCursorOrReply: strtoul on a C string, with what that lets through. */
bool scan_parse_cursor(struct slice argument, uint64_t *cursor, struct reply *reply);
/* At least 1; what is beyond LIMIT_KEYS_PER_WALK counts as that many (COUNT is a hint). */
bool scan_parse_count(struct slice argument, size_t *count, struct reply *reply);

/* MATCH. All zero: everything matches. */
struct scan_pattern {
    struct slice text;
    bool is_given;
    bool is_hopeless; /* more stars than Redis's stringmatchlen follows: nothing matches */
};
void scan_set_pattern(struct scan_pattern *pattern, struct slice text);
bool scan_pattern_matches(const struct scan_pattern *pattern, struct slice text);

/* --- HSCAN, SSCAN, ZSCAN: "key cursor [MATCH pattern] [COUNT count]" --- */

struct scan_request {
    uint64_t cursor;
    size_t count;
    struct scan_pattern pattern;
    /* What was found: written as it is met, since nobody knows how many there will be. */
    struct buf body;
    struct reply found;
    size_t found_count; /* elements of the reply's array */
};
/* The cursor alone, which Redis looks at before the key. */
bool scan_check(const struct command *command, struct reply *reply);
/* Begins the request; scan_end must follow. */
bool scan_begin(struct scan_request *scan, const struct command *command, struct reply *reply);
/* Write to scan->found, and count in found_count, what scan_pattern_matches. */
typedef void (*scan_item_fn)(struct scan_request *scan, const struct tree_item *item);
/* The next items of a tree that is ordered by keyed hashes: at least `count`, where there are that
 * many, and then all that share the cursor of the last one. The cursor moves on. */
void scan_some(struct scan_request *scan, const struct value *tree, scan_item_fn fn);
/* All items of a small collection; the cursor becomes 0. */
void scan_all(struct scan_request *scan, const struct value *tree, scan_item_fn fn);
/* Answers, and frees. */
void scan_end(struct scan_request *scan, struct reply *reply);
/* The same for a key that is absent. */
void scan_reply_nothing(struct reply *reply);

#endif
