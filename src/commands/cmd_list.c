/* Lists: LPUSH RPUSH LPUSHX RPUSHX LPOP RPOP LLEN LINDEX LRANGE LSET LTRIM, as Redis 7.0.15
 * t_list.c answers them. A list is a tree by position (keyspace/tree.h). */

#include "base/assert.h"
#include "base/limits.h"
#include "commands/list.h"
#include "commands/numbers.h"
#include "commands/vain.h"

/* --- pushing --- */

static void list_push_command(struct command_run *run,
                              const struct command *command,
                              enum list_end end,
                              bool must_exist,
                              struct reply *reply)
{
    const struct value *list;
    if (!collection_get(run, command->arg[1], VALUE_LIST, &list, reply)) {
        return;
    }
    if (!list && must_exist) {
        reply_int(reply, 0);
        return;
    }
    uint64_t before = list ? tree_count(list) : 0;
    list_push(run, command->arg[1], end, command->arg + 2, command->arg_count - 2);
    reply_int(reply, (int64_t)(before + command->arg_count - 2));
}

static void lpush_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    list_push_command(run, command, LIST_LEFT, false, reply);
}

static void rpush_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    list_push_command(run, command, LIST_RIGHT, false, reply);
}

static void lpushx_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    list_push_command(run, command, LIST_LEFT, true, reply);
}

static void rpushx_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    list_push_command(run, command, LIST_RIGHT, true, reply);
}

/* --- popping --- */

static bool list_pop_check(const struct command *command, struct reply *reply)
{
    if (command->arg_count > 3) {
        char name[16];
        size_t n = command->arg[0].n < sizeof name - 1 ? command->arg[0].n : sizeof name - 1;
        for (size_t i = 0; i < n; i++) {
            name[i] = (char)(command->arg[0].p[i] | 0x20);
        }
        name[n] = '\0';
        argument_arity_error(reply, name);
        return false;
    }
    int64_t count;
    return command->arg_count < 3 ||
           argument_integer_between(command->arg[2], 0, INT64_MAX,
                                    "ERR value is out of range, must be positive", &count, reply);
}

static void list_pop_command(struct command_run *run,
                             const struct command *command,
                             enum list_end end,
                             struct reply *reply)
{
    const struct value *list;
    int64_t count = 1;
    bool has_count = command->arg_count > 2;
    if (!list_pop_check(command, reply) ||
        (has_count && !argument_integer(command->arg[2], &count, reply))) {
        return;
    }
    if (!collection_get(run, command->arg[1], VALUE_LIST, &list, reply)) {
        return;
    }
    if (!list) {
        if (has_count) {
            reply_null_array(reply);
        } else {
            reply_null(reply);
        }
        return;
    }
    uint64_t taken = tree_count(list) < (uint64_t)count ? tree_count(list) : (uint64_t)count;
    if (!collection_may_reply(taken, reply)) {
        return;
    }
    if (has_count) {
        reply_array(reply, taken);
    }
    if (taken > 0) {
        list_pop(run, command->arg[1], end, taken, reply);
    }
}

static void lpop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    list_pop_command(run, command, LIST_LEFT, reply);
}

static void rpop_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    list_pop_command(run, command, LIST_RIGHT, reply);
}

/* --- looking --- */

static void llen_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *list;
    if (collection_get(run, command->arg[1], VALUE_LIST, &list, reply)) {
        reply_int(reply, list ? (int64_t)tree_count(list) : 0);
    }
}

static void lindex_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *list;
    int64_t index;
    if (!collection_get(run, command->arg[1], VALUE_LIST, &list, reply)) {
        return;
    }
    if (!list) {
        reply_null(reply);
        return;
    }
    if (!argument_integer(command->arg[2], &index, reply)) {
        return;
    }
    index = collection_index(index, tree_count(list));
    struct tree_cursor c;
    struct tree_item item;
    if (index < 0 || (uint64_t)index >= tree_count(list)) {
        reply_null(reply);
        return;
    }
    tree_seek_rank(list, (uint64_t)index, &c);
    ASSERT(tree_cursor_get(&c, &item));
    reply_bulk(reply, item.bytes);
}

static bool
list_parse_range(const struct command *command, int64_t *start, int64_t *stop, struct reply *reply)
{
    return argument_integer(command->arg[2], start, reply) &&
           argument_integer(command->arg[3], stop, reply);
}

static bool list_range_check(const struct command *command, struct reply *reply)
{
    int64_t start;
    int64_t stop;
    return list_parse_range(command, &start, &stop, reply);
}

static void lrange_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t start;
    int64_t stop;
    const struct value *list;
    if (!list_parse_range(command, &start, &stop, reply) ||
        !collection_get(run, command->arg[1], VALUE_LIST, &list, reply)) {
        return;
    }
    uint64_t first;
    uint64_t size;
    if (!list || !collection_range(start, stop, tree_count(list), &first, &size)) {
        reply_array(reply, 0);
        return;
    }
    if (!collection_may_reply(size, reply)) {
        return;
    }
    struct tree_cursor c;
    struct tree_item item;
    reply_array(reply, size);
    tree_seek_rank(list, first, &c);
    for (uint64_t i = 0; i < size; i++) {
        ASSERT(tree_cursor_get(&c, &item));
        reply_bulk(reply, item.bytes);
        tree_cursor_next(&c);
    }
}

/* --- changing --- */

static void lset_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    const struct value *found;
    int64_t index;
    if (!collection_get(run, command->arg[1], VALUE_LIST, &found, reply)) {
        return;
    }
    if (!found) {
        reply_error(reply, "ERR no such key");
        return;
    }
    if (!argument_integer(command->arg[2], &index, reply)) {
        return;
    }
    index = collection_index(index, tree_count(found));
    if (index < 0 || (uint64_t)index >= tree_count(found)) {
        reply_error(reply, "ERR index out of range");
        return;
    }
    struct value **list = collection_edit(run, command->arg[1]);
    struct tree_cursor c;
    struct tree_put put = tree_put_bytes(command->arg[3]);
    tree_seek_rank(*list, (uint64_t)index, &c);
    tree_replace(list, &c, &put);
    collection_edited(run, command->arg[1], "lset", false);
    reply_simple(reply, "OK");
}

/* Cuts off both ends; what is cut is freed in pieces. */
static void ltrim_run(struct command_run *run, const struct command *command, struct reply *reply)
{
    int64_t start;
    int64_t stop;
    const struct value *found;
    if (!list_parse_range(command, &start, &stop, reply) ||
        !collection_get(run, command->arg[1], VALUE_LIST, &found, reply)) {
        return;
    }
    reply_simple(reply, "OK");
    if (!found) {
        return;
    }
    uint64_t first;
    uint64_t size;
    if (!collection_range(start, stop, tree_count(found), &first, &size)) {
        first = 0;
        size = 0;
    }
    struct value **list = collection_edit(run, command->arg[1]);
    uint64_t behind = tree_count(*list) - first - size;
    keyspace_bury(&run->view, tree_remove_range(list, first + size, behind));
    keyspace_bury(&run->view, tree_remove_range(list, 0, first));
    collection_edited(run, command->arg[1], "ltrim", tree_count(*list) == 0);
}

/* --- the rows --- */

static const struct command_row list_row[] = {
    {
        .name = "lindex",
        COMMAND_NUMBERED(LINDEX),
        .kind = COMMAND_DATA,
        .arity = 3,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .run = lindex_run,
        .group = "list",
        .acl_categories = "@read @list @slow",
        .summary = "Get an element from a list by its index",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of elements to traverse to get to the element"
                      " at index. This makes asking for the first or the last element of the "
                      "list O(1).",
        .arguments = "key index",
        .key_flags = "RO access",
    },
    {
        .name = "llen",
        COMMAND_NUMBERED(LLEN),
        .kind = COMMAND_DATA,
        .arity = 2,
        .flags = COMMAND_READONLY | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = llen_run,
        .group = "list",
        .acl_categories = "@read @list @fast",
        .summary = "Get the length of a list",
        .since = "1.0.0",
        .complexity = "O(1)",
        .arguments = "key",
        .key_flags = "RO",
    },
    {
        .name = "lpop",
        COMMAND_NUMBERED(LPOP),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = list_pop_check,
        .is_vain = vain_without_key,
        .run = lpop_run,
        .group = "list",
        .acl_categories = "@write @list @fast",
        .summary = "Remove and get the first elements in a list",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of elements returned",
        .arguments = "key [count]",
        .key_flags = "RW access delete",
        .history = "6.2.0 Added the `count` argument.",
    },
    {
        .name = "lpush",
        COMMAND_NUMBERED(LPUSH),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = lpush_run,
        .group = "list",
        .acl_categories = "@write @list @fast",
        .summary = "Prepend one or multiple elements to a list",
        .since = "1.0.0",
        .complexity = "O(1) for each element added, so O(N) to add N elements when the command "
                      "is called with multiple arguments.",
        .arguments = "key element [element ...]",
        .key_flags = "RW insert",
        .history = "2.4.0 Accepts multiple `element` arguments.",
    },
    {
        .name = "lpushx",
        COMMAND_NUMBERED(LPUSHX),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = vain_without_key,
        .run = lpushx_run,
        .group = "list",
        .acl_categories = "@write @list @fast",
        .summary = "Prepend an element to a list, only if the list exists",
        .since = "2.2.0",
        .complexity = "O(1) for each element added, so O(N) to add N elements when the command "
                      "is called with multiple arguments.",
        .arguments = "key element [element ...]",
        .key_flags = "RW insert",
        .history = "4.0.0 Accepts multiple `element` arguments.",
    },
    {
        .name = "lrange",
        COMMAND_NUMBERED(LRANGE),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_READONLY,
        .keys = {1, 1, 1},
        .check = list_range_check,
        .run = lrange_run,
        .group = "list",
        .acl_categories = "@read @list @slow",
        .summary = "Get a range of elements from a list",
        .since = "1.0.0",
        .complexity = "O(S+N) where S is the distance of start offset from HEAD for small "
                      "lists, from nearest end (HEAD or TAIL) for large lists; and N is the "
                      "number of elements in the specified range.",
        .arguments = "key start stop",
        .key_flags = "RO access",
    },
    {
        .name = "lset",
        COMMAND_NUMBERED(LSET),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM,
        .keys = {1, 1, 1},
        .run = lset_run,
        .group = "list",
        .acl_categories = "@write @list @slow",
        .summary = "Set the value of an element in a list by its index",
        .since = "1.0.0",
        .complexity = "O(N) where N is the length of the list. Setting either the first or the "
                      "last element of the list is O(1).",
        .arguments = "key index element",
        .key_flags = "RW update",
    },
    {
        .name = "ltrim",
        COMMAND_NUMBERED(LTRIM),
        .kind = COMMAND_DATA,
        .arity = 4,
        .flags = COMMAND_WRITE,
        .keys = {1, 1, 1},
        .check = list_range_check,
        .run = ltrim_run,
        .group = "list",
        .acl_categories = "@write @list @slow",
        .summary = "Trim a list to the specified range",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of elements to be removed by the operation.",
        .arguments = "key start stop",
        .key_flags = "RW delete",
    },
    {
        .name = "rpop",
        COMMAND_NUMBERED(RPOP),
        .kind = COMMAND_DATA,
        .arity = -2,
        .flags = COMMAND_WRITE | COMMAND_FAST,
        .keys = {1, 1, 1},
        .check = list_pop_check,
        .is_vain = vain_without_key,
        .run = rpop_run,
        .group = "list",
        .acl_categories = "@write @list @fast",
        .summary = "Remove and get the last elements in a list",
        .since = "1.0.0",
        .complexity = "O(N) where N is the number of elements returned",
        .arguments = "key [count]",
        .key_flags = "RW access delete",
        .history = "6.2.0 Added the `count` argument.",
    },
    {
        .name = "rpush",
        COMMAND_NUMBERED(RPUSH),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .run = rpush_run,
        .group = "list",
        .acl_categories = "@write @list @fast",
        .summary = "Append one or multiple elements to a list",
        .since = "1.0.0",
        .complexity = "O(1) for each element added, so O(N) to add N elements when the command "
                      "is called with multiple arguments.",
        .arguments = "key element [element ...]",
        .key_flags = "RW insert",
        .history = "2.4.0 Accepts multiple `element` arguments.",
    },
    {
        .name = "rpushx",
        COMMAND_NUMBERED(RPUSHX),
        .kind = COMMAND_DATA,
        .arity = -3,
        .flags = COMMAND_WRITE | COMMAND_DENYOOM | COMMAND_FAST,
        .keys = {1, 1, 1},
        .is_vain = vain_without_key,
        .run = rpushx_run,
        .group = "list",
        .acl_categories = "@write @list @fast",
        .summary = "Append an element to a list, only if the list exists",
        .since = "2.2.0",
        .complexity = "O(1) for each element added, so O(N) to add N elements when the command "
                      "is called with multiple arguments.",
        .arguments = "key element [element ...]",
        .key_flags = "RW insert",
        .history = "4.0.0 Accepts multiple `element` arguments.",
    },
};

const struct command_family commands_list = {list_row, sizeof list_row / sizeof list_row[0]};
