#include "commands/collection.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/prng.h"

bool collection_get(struct command_run *run,
                    struct slice key,
                    enum value_type type,
                    const struct value **value,
                    struct reply *reply)
{
    *value = keyspace_get(&run->view, key);
    if (*value && value_get_type(*value) != type) {
        reply_error(reply, REPLY_WRONGTYPE);
        return false;
    }
    return true;
}

struct value **collection_edit(struct command_run *run, struct slice key)
{
    struct value **slot = keyspace_edit_slot(&run->view, key);
    ASSERT(slot);
    return slot;
}

void collection_edited(struct command_run *run, struct slice key, const char *event, bool is_empty)
{
    keyspace_changed(&run->view, key, event);
    if (is_empty) {
        keyspace_delete(&run->view, key, "del");
    }
}

bool collection_range(int64_t start, int64_t stop, uint64_t count, uint64_t *first, uint64_t *size)
{
    start = collection_index(start, count);
    stop = collection_index(stop, count);
    if (start < 0) {
        start = 0;
    }
    if (start > stop || start >= (int64_t)count) {
        return false;
    }
    if (stop >= (int64_t)count) {
        stop = (int64_t)count - 1;
    }
    *first = (uint64_t)start;
    *size = (uint64_t)(stop - start) + 1;
    return true;
}

bool argument_integer_between(struct slice argument,
                              int64_t min,
                              int64_t max,
                              const char *error,
                              int64_t *value,
                              struct reply *reply)
{
    if (!number_parse_i64(argument, value)) {
        reply_error(reply, error ? error : REPLY_NOT_INTEGER);
        return false;
    }
    if (*value >= min && *value <= max) {
        return true;
    }
    if (error) {
        reply_error(reply, error);
    } else {
        reply_errorf(reply,
                     "ERR value is out of range, value must between %" PRId64 " and %" PRId64, min,
                     max);
    }
    return false;
}

bool collection_parse_numkeys(
    const struct command *command, size_t at, int64_t *number, size_t *end, struct reply *reply)
{
    if (!argument_integer_between(command->arg[at], 1, INT64_MAX,
                                  "ERR numkeys should be greater than 0", number, reply)) {
        return false;
    }
    if ((uint64_t)*number >= command->arg_count - at - 1) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    *end = at + 1 + (size_t)*number;
    return true;
}

bool collection_parse_count_option(const struct command *command,
                                   size_t at,
                                   uint64_t *count,
                                   struct reply *reply)
{
    *count = 1;
    if (at == command->arg_count) {
        return true;
    }
    int64_t value;
    if (!argument_is(command->arg[at], "count") || at + 1 == command->arg_count) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    if (!argument_integer_between(command->arg[at + 1], 1, INT64_MAX,
                                  "ERR count should be greater than 0", &value, reply)) {
        return false;
    }
    if (at + 2 < command->arg_count) {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    *count = (uint64_t)value;
    return true;
}

/* A table of what was drawn, open addressing; 0 is free. */
static bool sample_insert(uint64_t *table, uint64_t mask, uint64_t number)
{
    uint64_t slot = number * UINT64_C(0x9e3779b97f4a7c15) >> 20 & mask;
    for (; table[slot]; slot = (slot + 1) & mask) {
        if (table[slot] == number + 1) {
            return false;
        }
    }
    table[slot] = number + 1;
    return true;
}

/* Floyd's: of the numbers up to `last` one more is chosen in each step; then they are shuffled. */
void collection_sample(struct prng *random, uint64_t size, uint64_t count, uint64_t *number)
{
    ASSERT(count <= size);
    uint64_t slots = 16;
    while (slots < 2 * count) {
        slots *= 2;
    }
    uint64_t *table = mem_alloc_zero((size_t)slots * sizeof *table);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t last = size - count + i;
        uint64_t drawn = prng_below(random, last + 1);
        number[i] = sample_insert(table, slots - 1, drawn) ? drawn : last;
        if (number[i] == last && drawn != last) {
            ASSERT(sample_insert(table, slots - 1, last));
        }
    }
    for (uint64_t i = count; i > 1; i--) {
        uint64_t other = prng_below(random, i);
        uint64_t held = number[i - 1];
        number[i - 1] = number[other];
        number[other] = held;
    }
    mem_free(table);
}

static bool collection_may(uint64_t items, uint64_t limit, const char *what, struct reply *reply)
{
    if (items <= limit) {
        return true;
    }
    reply_errorf(reply,
                 "ERR refused: %" PRIu64 " items would be %s by one command, the limit is %" PRIu64,
                 items, what, limit);
    return false;
}

bool collection_may_read(uint64_t items, struct reply *reply)
{
    return collection_may(items, LIMIT_ITEMS_READ, "read", reply);
}

bool collection_may_reply(uint64_t items, struct reply *reply)
{
    return collection_may(items, LIMIT_ITEMS_REPLIED, "answered", reply);
}

bool collection_may_change(uint64_t items, struct reply *reply)
{
    return collection_may(items, LIMIT_ITEMS_CHANGED, "changed", reply);
}
