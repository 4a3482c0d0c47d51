/* Walks: KEYS and SCAN, as Redis 7.0.15 db.c answers them.
 *
 * A SCAN cursor is a place in hash order (keyspace/dict.h): valid on every node, at any table size,
 * after a restart and a fail-over; below 2^53, since some clients keep it in a double. Keys that
 * share a cursor come in one reply.
 *
 * Both run to their end on the loop, so both are bounded: a KEYS on a database of more than
 * LIMIT_KEYS_PER_WALK keys is refused, a COUNT beyond it counts as that many (COUNT is a hint). */

#include <inttypes.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/number.h"
#include "commands/arguments.h"
#include "commands/numbers.h"
#include "commands/scan.h"
#include "keyspace/value.h"

enum { SCAN_DEFAULT_COUNT = 10 };

/* What a walk wants, and the keys it found: borrowed from the keyspace. */
struct scan_match {
    struct scan_pattern pattern;
    bool has_type;
    struct slice type;
    struct slice *key;
    size_t key_count;
    size_t key_capacity;
};

static void scan_take(void *ctx, struct slice key, const struct value *value)
{
    struct scan_match *match = ctx;
    if (!scan_pattern_matches(&match->pattern, key)) {
        return;
    }
    if (match->has_type && !argument_is(match->type, value_type_name(value_get_type(value)))) {
        return;
    }
    if (match->key_count == match->key_capacity) {
        match->key_capacity = match->key_capacity ? 2 * match->key_capacity : 16;
        match->key = mem_realloc_array(match->key, match->key_capacity, sizeof match->key[0]);
    }
    match->key[match->key_count++] = key;
}

static void scan_reply_keys(struct scan_match *match, struct reply *reply)
{
    reply_array(reply, match->key_count);
    for (size_t i = 0; i < match->key_count; i++) {
        reply_bulk(reply, match->key[i]);
    }
    mem_free(match->key);
}

/* --- KEYS --- */

static void keys_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    uint64_t count = keyspace_count(run->view.keyspace, run->view.db);
    if (count > LIMIT_KEYS_PER_WALK) {
        reply_errorf(reply,
                     "ERR KEYS is refused for a database of %" PRIu64
                     " keys, the limit is %u: use SCAN, which takes no longer and stops nobody",
                     count, LIMIT_KEYS_PER_WALK);
        return;
    }
    struct scan_match match = {.key = NULL};
    scan_set_pattern(&match.pattern, command->arg[1]);
    keyspace_scan(&run->view, 0, SIZE_MAX, scan_take, &match);
    scan_reply_keys(&match, reply);
}

/* --- SCAN --- */

struct scan_options {
    uint64_t cursor;
    size_t count;
    struct scan_match match;
};

static bool
scan_parse(const struct command *command, struct scan_options *options, struct reply *reply)
{
    *options = (struct scan_options){.count = SCAN_DEFAULT_COUNT};
    if (!scan_parse_cursor(command->arg[1], &options->cursor, reply)) {
        return false;
    }
    for (size_t i = 2; i < command->arg_count; i += 2) {
        struct slice name = command->arg[i];
        bool has_value = i + 1 < command->arg_count;
        if (has_value && argument_is(name, "count")) {
            if (!scan_parse_count(command->arg[i + 1], &options->count, reply)) {
                return false;
            }
        } else if (has_value && argument_is(name, "match")) {
            scan_set_pattern(&options->match.pattern, command->arg[i + 1]);
        } else if (has_value && argument_is(name, "type")) {
            options->match.has_type = true;
            options->match.type = command->arg[i + 1];
        } else {
            reply_error(reply, REPLY_SYNTAX);
            return false;
        }
    }
    return true;
}

static bool scan_keys_check(const struct command *command, struct reply *reply)
{
    struct scan_options options;
    return scan_parse(command, &options, reply);
}

static void scan_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct scan_options options;
    if (!scan_parse(command, &options, reply)) {
        return;
    }
    uint64_t cursor =
        keyspace_scan(&run->view, options.cursor, options.count, scan_take, &options.match);
    char text[NUMBER_TEXT_MAX];
    reply_array(reply, 2);
    size_t n = number_format_u64(cursor, text);
    reply_bulk(reply, (struct slice){(const uint8_t *)text, n});
    scan_reply_keys(&options.match, reply);
}

static const struct command_row scan_row[] = {
    {
        .name = "keys",
        COMMAND_NUMBERED(KEYS),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY,
        .run = keys_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @slow @dangerous",
        .summary = "Find all keys matching the given pattern",
        .since = "1.0.0",
        .complexity =
            "O(N) with N being the number of keys in the database, under the assumption that the "
            "key names in the database and the given pattern have limited length.",
        .arguments = "pattern",
        .tips = "request_policy:all_shards nondeterministic_output_order",
    },
    {
        .name = "scan",
        COMMAND_NUMBERED(SCAN),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_READONLY,
        .check = scan_keys_check,
        .run = scan_run,
        .group = "generic",
        .acl_categories = "@keyspace @read @slow",
        .summary = "Incrementally iterate the keys space",
        .since = "2.8.0",
        .complexity =
            "O(1) for every call. O(N) for a complete iteration, including enough command calls "
            "for the cursor to return back to 0. N is the number of elements inside the "
            "collection.",
        .arguments = "cursor [MATCH pattern] [COUNT count] [TYPE type]",
        .tips = "nondeterministic_output request_policy:special",
        .history = "6.0.0 Added the `TYPE` subcommand.",
    },
};

const struct command_family commands_scan = {scan_row, sizeof scan_row / sizeof scan_row[0]};
