/* Commands that wait: BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP BZPOPMIN BZPOPMAX BZMPOP, as
 * Redis 7.0.15 t_list.c and t_zset.c answer them. When there is something they do what their
 * sisters do; when not, and run->wait is there, the rest is node/blocked.c's. */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/number.h"
#include "commands/list.h"
#include "commands/numbers.h"
#include "commands/zset_common.h"

enum { TIMEOUT_TEXT_MAX = 512 };

/* Seconds, as Redis reads them: fractions, rounded up to milliseconds; 0 is for ever. */
static bool parse_timeout(struct slice argument, int64_t *timeout_ms, struct reply *reply)
{
    char text[TIMEOUT_TEXT_MAX];
    if (argument.n > 0 && argument.n < sizeof text) {
        memcpy(text, argument.p, argument.n);
        text[argument.n] = '\0';
        char *end;
        errno = 0;
        long double seconds = strtold(text, &end);
        bool is_blank = text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r');
        bool is_out = errno == ERANGE && (isinf(seconds) || seconds == 0);
        if (!is_blank && (size_t)(end - text) == argument.n && !is_out && !isnan(seconds)) {
            long double ms = ceill(seconds * 1000);
            if (ms >= 9.2e18L) {
                reply_error(reply, "ERR timeout is out of range");
                return false;
            }
            if (ms < 0) {
                reply_error(reply, "ERR timeout is negative");
                return false;
            }
            *timeout_ms = (int64_t)ms;
            return true;
        }
    }
    reply_error(reply, "ERR timeout is not a float or out of range");
    return false;
}

/* Nothing there. In a transaction that is the answer, `is_array` or not. */
static void wait_or_answer(struct command_run *run,
                           enum value_type type,
                           size_t first_key,
                           size_t key_count,
                           int64_t timeout_ms,
                           bool is_array,
                           struct reply *reply)
{
    if (!run->wait) {
        if (is_array) {
            reply_null_array(reply);
        } else {
            reply_null(reply);
        }
        return;
    }
    int64_t deadline_ms;
    if (timeout_ms == 0) {
        deadline_ms = INT64_MAX;
    } else if (!number_add_i64(argument_now_ms(run), timeout_ms, &deadline_ms)) {
        reply_error(reply, "ERR timeout is out of range");
        return;
    }
    *run->wait = (struct command_wait){.is_wanted = true,
                                       .type = (uint8_t)type,
                                       .first_key = (uint32_t)first_key,
                                       .key_count = (uint32_t)key_count,
                                       .deadline_ms = deadline_ms};
}

/* --- "key [key ...] timeout" --- */

/* The first key that has something, NULL value: none. False: an error was written. */
static bool first_ready(struct command_run *run,
                        const struct command *command,
                        enum value_type type,
                        size_t *at,
                        struct reply *reply)
{
    for (*at = 1; *at + 1 < command->arg_count; ++*at) {
        const struct value *value;
        if (!collection_get(run, command->arg[*at], type, &value, reply)) {
            return false;
        }
        if (value) {
            return true;
        }
    }
    *at = 0;
    return true;
}

static bool keys_check(const struct command *command, struct reply *reply)
{
    int64_t timeout_ms;
    return parse_timeout(command->arg[command->arg_count - 1], &timeout_ms, reply);
}

/* *at: the key to pop from; 0: nothing more to do. */
static void keys_begin(struct command_run *run,
                       const struct command *command,
                       enum value_type type,
                       size_t *at,
                       struct reply *reply)
{
    int64_t timeout_ms;
    *at = 0;
    if (!parse_timeout(command->arg[command->arg_count - 1], &timeout_ms, reply) ||
        !first_ready(run, command, type, at, reply)) {
        *at = 0;
        return;
    }
    if (*at == 0) {
        wait_or_answer(run, type, 1, command->arg_count - 2, timeout_ms, true, reply);
    }
}

static void pop_list(struct command_run *run,
                     const struct command *command,
                     enum list_end end,
                     struct reply *reply)
{
    size_t at;
    keys_begin(run, command, VALUE_LIST, &at, reply);
    if (at > 0) {
        reply_array(reply, 2);
        reply_bulk(reply, command->arg[at]);
        list_pop(run, command->arg[at], end, 1, reply);
    }
}

static void blpop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    pop_list(run, command, LIST_LEFT, reply);
}

static void brpop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    pop_list(run, command, LIST_RIGHT, reply);
}

static void
pop_zset(struct command_run *run, const struct command *command, bool from_max, struct reply *reply)
{
    size_t at;
    keys_begin(run, command, VALUE_ZSET, &at, reply);
    if (at > 0) {
        reply_array(reply, 3);
        reply_bulk(reply, command->arg[at]);
        zset_pop(run, command->arg[at], from_max, 1, false, reply);
    }
}

static void
bzpopmin_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    pop_zset(run, command, false, reply);
}

static void
bzpopmax_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    pop_zset(run, command, true, reply);
}

/* --- "timeout numkeys key [key ...] where [COUNT count]" --- */

static bool blmpop_parse(const struct command *command,
                         struct list_mpop *mpop,
                         int64_t *timeout_ms,
                         struct reply *reply)
{
    return list_parse_mpop(command, 2, mpop, reply) &&
           parse_timeout(command->arg[1], timeout_ms, reply);
}

static bool blmpop_check(const struct command *command, struct reply *reply)
{
    struct list_mpop mpop;
    int64_t timeout_ms;
    return blmpop_parse(command, &mpop, &timeout_ms, reply);
}

static void blmpop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct list_mpop mpop;
    int64_t timeout_ms;
    if (blmpop_parse(command, &mpop, &timeout_ms, reply) &&
        !list_mpop(run, command, &mpop, reply)) {
        wait_or_answer(run, VALUE_LIST, mpop.first_key, mpop.key_count, timeout_ms, true, reply);
    }
}

static bool bzmpop_parse(const struct command *command,
                         struct zset_mpop *mpop,
                         int64_t *timeout_ms,
                         struct reply *reply)
{
    return zset_parse_mpop(command, 2, mpop, reply) &&
           parse_timeout(command->arg[1], timeout_ms, reply);
}

static bool bzmpop_check(const struct command *command, struct reply *reply)
{
    struct zset_mpop mpop;
    int64_t timeout_ms;
    return bzmpop_parse(command, &mpop, &timeout_ms, reply);
}

static void bzmpop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    struct zset_mpop mpop;
    int64_t timeout_ms;
    if (bzmpop_parse(command, &mpop, &timeout_ms, reply) &&
        !zset_mpop(run, command, &mpop, reply)) {
        wait_or_answer(run, VALUE_ZSET, mpop.first_key, mpop.key_count, timeout_ms, true, reply);
    }
}

/* --- BLMOVE and BRPOPLPUSH --- */

static void move_or_wait(struct command_run *run,
                         const struct command *command,
                         enum list_end from_end,
                         enum list_end to_end,
                         int64_t timeout_ms,
                         struct reply *reply)
{
    const struct value *from;
    const struct value *to;
    if (!collection_get(run, command->arg[1], VALUE_LIST, &from, reply)) {
        return;
    }
    if (!from) {
        wait_or_answer(run, VALUE_LIST, 1, 1, timeout_ms, false, reply);
    } else if (collection_get(run, command->arg[2], VALUE_LIST, &to, reply)) {
        list_move(run, command->arg[1], command->arg[2], from_end, to_end, reply);
    }
}

static bool blmove_parse(const struct command *command,
                         enum list_end *from_end,
                         enum list_end *to_end,
                         int64_t *timeout_ms,
                         struct reply *reply)
{
    return list_parse_end(command->arg[3], from_end, reply) &&
           list_parse_end(command->arg[4], to_end, reply) &&
           parse_timeout(command->arg[5], timeout_ms, reply);
}

static bool blmove_check(const struct command *command, struct reply *reply)
{
    enum list_end from_end;
    enum list_end to_end;
    int64_t timeout_ms;
    return blmove_parse(command, &from_end, &to_end, &timeout_ms, reply);
}

static void blmove_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    enum list_end from_end;
    enum list_end to_end;
    int64_t timeout_ms;
    if (blmove_parse(command, &from_end, &to_end, &timeout_ms, reply)) {
        move_or_wait(run, command, from_end, to_end, timeout_ms, reply);
    }
}

static void
brpoplpush_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t timeout_ms;
    if (parse_timeout(command->arg[3], &timeout_ms, reply)) {
        move_or_wait(run, command, LIST_RIGHT, LIST_LEFT, timeout_ms, reply);
    }
}

/* --- the rows --- */

static const struct command_row blocking_row[] = {
    {
        .name = "blmove",
        COMMAND_NUMBERED(BLMOVE),
        .kind = COMMAND_DATA,
        .arity = 6,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_NOSCRIPT | COMMAND_BLOCKING,
        .keys = {1, 2, 1},
        .check = blmove_check,
        .run = blmove_run,
        .group = "list",
        .acl_categories = "@write @list @slow @blocking",
        .summary = "Pop an element from a list, push it to another list and return it; or "
                   "block until one is available",
        .since = "6.2.0",
        .complexity = "O(1)",
        .arguments = "source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout",
        .key_flags = "RW access delete;RW insert",
    },
    {
        .name = "blmpop",
        COMMAND_NUMBERED(BLMPOP),
        .kind = COMMAND_DATA,
        .arity = -5,
        .flags = COMMAND_WRITE | COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS,
        .key_number = 2,
        .check = blmpop_check,
        .run = blmpop_run,
        .group = "list",
        .acl_categories = "@write @list @slow @blocking",
        .summary = "Pop elements from a list, or block until one is available",
        .since = "7.0.0",
        .complexity = "O(N+M) where N is the number of provided keys and M is the number of "
                      "elements returned.",
        .arguments = "timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]",
        .key_flags = "RW access delete",
    },
    {
        .name = "blpop",
        COMMAND_NUMBERED(BLPOP),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_NOSCRIPT | COMMAND_BLOCKING,
        .keys = {1, -2, 1},
        .check = keys_check,
        .run = blpop_run,
        .group = "list",
        .acl_categories = "@write @list @slow @blocking",
        .summary = "Remove and get the first element in a list, or block until one is "
                   "available",
        .since = "2.0.0",
        .complexity = "O(N) where N is the number of provided keys.",
        .arguments = "key [key ...] timeout",
        .key_flags = "RW access delete",
        .history = "6.0.0 `timeout` is interpreted as a double instead of an integer.",
    },
    {
        .name = "brpop",
        COMMAND_NUMBERED(BRPOP),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_NOSCRIPT | COMMAND_BLOCKING,
        .keys = {1, -2, 1},
        .check = keys_check,
        .run = brpop_run,
        .group = "list",
        .acl_categories = "@write @list @slow @blocking",
        .summary = "Remove and get the last element in a list, or block until one is "
                   "available",
        .since = "2.0.0",
        .complexity = "O(N) where N is the number of provided keys.",
        .arguments = "key [key ...] timeout",
        .key_flags = "RW access delete",
        .history = "6.0.0 `timeout` is interpreted as a double instead of an integer.",
    },
    {
        .name = "brpoplpush",
        COMMAND_NUMBERED(BRPOPLPUSH),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_NOSCRIPT | COMMAND_BLOCKING,
        .keys = {1, 2, 1},
        .check = keys_check,
        .run = brpoplpush_run,
        .group = "list",
        .acl_categories = "@write @list @slow @blocking",
        .summary = "Pop an element from a list, push it to another list and return it; or "
                   "block until one is available",
        .since = "2.2.0",
        .complexity = "O(1)",
        .arguments = "source destination timeout",
        .key_flags = "RW access delete;RW insert",
        .history = "6.0.0 `timeout` is interpreted as a double instead of an integer.",
        /* doc_flags: ['deprecated'] */
        /* deprecated_since: 6.2.0 */
        /* replaced_by: `BLMOVE` with the `RIGHT` and `LEFT` arguments */
    },
    {
        .name = "bzmpop",
        COMMAND_NUMBERED(BZMPOP),
        .kind = COMMAND_DATA,
        .arity = -5,
        .flags = COMMAND_WRITE | COMMAND_BLOCKING | COMMAND_MOVABLE_KEYS,
        .key_number = 2,
        .check = bzmpop_check,
        .run = bzmpop_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @slow @blocking",
        .summary = "Remove and return members with scores in a sorted set or block until one"
                   " is available",
        .since = "7.0.0",
        .complexity = "O(K) + O(M*log(N)) where K is the number of provided keys, N being the "
                      "number of elements in the sorted set, and M being the number of elements"
                      " popped.",
        .arguments = "timeout numkeys key [key ...] <MIN | MAX> [COUNT count]",
        .key_flags = "RW access delete",
    },
    {
        .name = "bzpopmax",
        COMMAND_NUMBERED(BZPOPMAX),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_NOSCRIPT | COMMAND_BLOCKING | COMMAND_FAST,
        .keys = {1, -2, 1},
        .check = keys_check,
        .run = bzpopmax_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @fast @blocking",
        .summary = "Remove and return the member with the highest score from one or more "
                   "sorted sets, or block until one is available",
        .since = "5.0.0",
        .complexity = "O(log(N)) with N being the number of elements in the sorted set.",
        .arguments = "key [key ...] timeout",
        .key_flags = "RW access delete",
        .history = "6.0.0 `timeout` is interpreted as a double instead of an integer.",
    },
    {
        .name = "bzpopmin",
        COMMAND_NUMBERED(BZPOPMIN),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_NOSCRIPT | COMMAND_BLOCKING | COMMAND_FAST,
        .keys = {1, -2, 1},
        .check = keys_check,
        .run = bzpopmin_run,
        .group = "sorted-set",
        .acl_categories = "@write @sortedset @fast @blocking",
        .summary = "Remove and return the member with the lowest score from one or more "
                   "sorted sets, or block until one is available",
        .since = "5.0.0",
        .complexity = "O(log(N)) with N being the number of elements in the sorted set.",
        .arguments = "key [key ...] timeout",
        .key_flags = "RW access delete",
        .history = "6.0.0 `timeout` is interpreted as a double instead of an integer.",
    },
};

const struct command_family commands_blocking = {blocking_row,
                                                 sizeof blocking_row / sizeof blocking_row[0]};
