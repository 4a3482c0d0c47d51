#ifndef COMMANDS_COLLECTION_H
#define COMMANDS_COLLECTION_H

#include "commands/arguments.h"
#include "keyspace/tree.h"

/* What the families that work on collections share. Functions that can refuse write the error,
 * worded as Redis 7.0 where Redis has it, and return false. */

/* The value at `key`, NULL when absent. False: it is of another type. */
bool collection_get(struct command_run *run,
                    struct slice key,
                    enum value_type type,
                    const struct value **value,
                    struct reply *reply);
/* To change the value at `key`, which is there: what tree_* functions take. */
struct value **collection_edit(struct command_run *run, struct slice key);
/* The end of an edit. A collection without items goes, with its key ("del"). */
void collection_edited(struct command_run *run, struct slice key, const char *event, bool is_empty);

/* An index from Redis's point of view, negative from the end, as a rank: below 0 or at `count` and
 * beyond it names nothing. */
static inline int64_t collection_index(int64_t index, uint64_t count)
{
    return index < 0 ? index + (int64_t)count : index;
}
/* The items from `start` to `stop`, both included, as Redis reads them. False: none. */
bool collection_range(
    int64_t start, int64_t stop, uint64_t count, uint64_t *first, uint64_t *size);

/* A number in [min, max]; anything else is answered with `error`, or where that is NULL in Redis's
 * words for the range. */
bool argument_integer_between(struct slice argument,
                              int64_t min,
                              int64_t max,
                              const char *error,
                              int64_t *value,
                              struct reply *reply);

/* "numkeys key [key ...] something", the number at argument `at`: *end is where something stands,
 * which is there. */
bool collection_parse_numkeys(const struct command *command,
                              size_t at,
                              int64_t *number,
                              size_t *end,
                              struct reply *reply);
/* "[COUNT count]" and nothing else from argument `at` on; 1 without it. */
bool collection_parse_count_option(const struct command *command,
                                   size_t at,
                                   uint64_t *count,
                                   struct reply *reply);

/* `count` <= size different numbers in [0, size), each choice as likely as any other. O(count). */
struct prng;
void collection_sample(struct prng *random, uint64_t size, uint64_t count, uint64_t *number);

/* Whether a command may do that to so many items at once (base/limits.h): it runs to its end on the
 * loop of every node. */
bool collection_may_read(uint64_t items, struct reply *reply);
bool collection_may_reply(uint64_t items, struct reply *reply);
bool collection_may_change(uint64_t items, struct reply *reply);

#endif
