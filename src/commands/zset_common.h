#ifndef COMMANDS_ZSET_COMMON_H
#define COMMANDS_ZSET_COMMON_H

#include "commands/collection.h"
#include "keyspace/zset.h"

/* What the commands on sorted sets share. Functions that can refuse write the error, worded as
 * Redis 7.0, and return false. */

/* The options in force, and the seed. */
struct zset_rules zset_rules_of(const struct command_run *run);
struct zset_rules zset_rules_in(const struct keyspace *k);

/* A double as Redis reads it: no blanks, no NaN. */
bool zset_parse_score(struct slice bytes, double *value);
/* The same; else answered with `error`, or where that is NULL
 * "ERR value is not a valid float". */
bool argument_double(struct slice argument, const char *error, double *value, struct reply *reply);

/* A score as Redis's small form holds it: an integer where it is one. */
enum { ZSET_SCORE_TEXT_MAX = 32 };
void zset_format_stored(double score, char text[ZSET_SCORE_TEXT_MAX]);

/* A sorted set in the making: the slot of the one at the key, or a new one. */
struct zset_edit {
    struct zset_rules rules;
    struct value **set;
    struct value *created;
};
/* The key holds a sorted set or nothing. `member_size` decides the form of a new one. */
void zset_begin(struct zset_edit *edit,
                struct command_run *run,
                struct slice key,
                size_t member_size);
/* The end. An empty set goes, with its key; a new one that is empty never comes to be. */
void zset_finish(struct zset_edit *edit,
                 struct command_run *run,
                 struct slice key,
                 const char *event);

/* ZADD, whose words were checked: for commands that are it in other words. */
void zset_run_zadd(struct command_run *run, const struct command *command, struct reply *reply);

/* --- ranges --- */

/* Ranks [first, first + count) in the order of a set. */
struct zset_span {
    uint64_t first;
    uint64_t count;
};

struct zset_score_range {
    double min;
    double max;
    bool is_min_open; /* "(" */
    bool is_max_open;
};
/* "1.5", "(1.5", "-inf"; "ERR min or max is not a float". */
bool zset_parse_score_range(struct slice min,
                            struct slice max,
                            struct zset_score_range *range,
                            struct reply *reply);
struct zset_span zset_span_by_score(const struct value *z, const struct zset_score_range *range);

struct zset_lex_bound {
    struct slice member; /* unless it is one of the ends */
    int end;             /* -1: "-", 1: "+" */
    bool is_open;
};
struct zset_lex_range {
    struct zset_lex_bound min;
    struct zset_lex_bound max;
};
/* "[a", "(a", "-", "+"; "ERR min or max not valid string range item". */
bool zset_parse_lex_range(struct slice min,
                          struct slice max,
                          struct zset_lex_range *range,
                          struct reply *reply);
/* By binary search over ranks. Where scores differ, Redis's answer depends on the levels of its skip
 * list; this one depends on the set alone. A listpack is searched member by member, from the end at
 * which the answer begins, as there. */
enum zset_lex_from { ZSET_LEX_FROM_BEGIN, ZSET_LEX_FROM_END };
struct zset_span
zset_span_by_lex(const struct value *z, const struct zset_lex_range *range, enum zset_lex_from from);

/* --- replies --- */

/* A member, or member and score: two elements in RESP2, a pair of its own in RESP3. */
void zset_reply_item(struct slice member, double score, bool with_scores, struct reply *reply);
/* An array for `count` of them. */
void zset_reply_begin(uint64_t count, bool with_scores, struct reply *reply);
/* All of a span, from its other end if `is_reverse`. */
void zset_reply_span(const struct command_run *run,
                     const struct value *z,
                     struct zset_span span,
                     bool is_reverse,
                     bool with_scores,
                     struct reply *reply);

/* --- popping --- */

/* ZPOPMIN and the like: `count` >= 1 members, as many as there are, each removed and written as
 * (member, score), in arrays of their own if `is_nested`. The set is there. */
void zset_pop(struct command_run *run,
              struct slice key,
              bool from_max,
              uint64_t count,
              bool is_nested,
              struct reply *reply);
/* "numkeys key [key ...] MIN|MAX [COUNT count]", from argument `at` on. */
struct zset_mpop {
    size_t first_key;
    size_t key_count;
    bool from_max;
    uint64_t count;
};
bool zset_parse_mpop(const struct command *command,
                     size_t at,
                     struct zset_mpop *mpop,
                     struct reply *reply);
/* Pops from the first of the keys that has something. False: none has, and nothing was answered. */
bool zset_mpop(struct command_run *run,
               const struct command *command,
               const struct zset_mpop *mpop,
               struct reply *reply);

#endif
