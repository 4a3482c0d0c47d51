#include "commands/list.h"

#include "base/assert.h"

bool list_parse_end(struct slice argument, enum list_end *end, struct reply *reply)
{
    if (argument_is(argument, "left")) {
        *end = LIST_LEFT;
    } else if (argument_is(argument, "right")) {
        *end = LIST_RIGHT;
    } else {
        reply_error(reply, REPLY_SYNTAX);
        return false;
    }
    return true;
}

static void list_add(struct value **list, enum list_end end, const struct tree_put *element)
{
    if (end == LIST_RIGHT) {
        tree_append(list, element);
    } else {
        struct tree_cursor first;
        tree_seek_rank(*list, 0, &first);
        tree_insert(list, &first, element);
    }
}

/* A list in the making: the slot of the one that is there, or a new one. */
struct list_edit {
    struct value **list;
    struct value *created;
};

static void list_begin(struct list_edit *edit, struct command_run *run, struct slice key)
{
    edit->created = NULL;
    edit->list = keyspace_edit_slot(&run->view, key);
    if (!edit->list) {
        edit->created = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
        edit->list = &edit->created;
    }
}

static void
list_finish(struct list_edit *edit, struct command_run *run, struct slice key, enum list_end end)
{
    const char *event = end == LIST_LEFT ? "lpush" : "rpush";
    if (edit->created) {
        keyspace_set(&run->view, key, edit->created, false, event);
    } else {
        keyspace_changed(&run->view, key, event);
    }
}

void list_push(struct command_run *run,
               struct slice key,
               enum list_end end,
               const struct slice *element,
               size_t count)
{
    struct list_edit edit;
    list_begin(&edit, run, key);
    for (size_t i = 0; i < count; i++) {
        struct tree_put put = tree_put_bytes(element[i]);
        list_add(edit.list, end, &put);
    }
    list_finish(&edit, run, key, end);
}

static void list_reply(const struct value *list,
                       enum list_end end,
                       uint64_t first,
                       uint64_t count,
                       struct reply *reply)
{
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(list, end == LIST_LEFT ? first : first + count - 1, &c);
    for (uint64_t i = 0; i < count; i++) {
        ASSERT(tree_cursor_get(&c, &item));
        reply_bulk(reply, item.bytes);
        if (end == LIST_LEFT) {
            tree_cursor_next(&c);
        } else {
            tree_cursor_previous(&c);
        }
    }
}

void list_pop(struct command_run *run,
              struct slice key,
              enum list_end end,
              uint64_t count,
              struct reply *reply)
{
    struct value **list = collection_edit(run, key);
    uint64_t size = tree_count(*list);
    count = count < size ? count : size;
    uint64_t first = end == LIST_LEFT ? 0 : size - count;
    list_reply(*list, end, first, count, reply);
    if (count == 1) {
        struct tree_cursor c;
        tree_seek_rank(*list, first, &c);
        tree_remove(list, &c);
    } else {
        keyspace_bury(&run->view, tree_remove_range(list, first, count));
    }
    collection_edited(run, key, end == LIST_LEFT ? "lpop" : "rpop", tree_count(*list) == 0);
}

/* The element at an end, in a list of its own: it outlives changes of the one that it comes from.
 */
static struct value *list_carry(const struct tree_item *item)
{
    struct value *carried = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
    struct tree_put put = tree_put_item(item);
    tree_append(&carried, &put);
    return carried;
}

/* Pushes before it removes, as Redis does: who listens hears of it in this order. */
void list_move(struct command_run *run,
               struct slice from,
               struct slice to,
               enum list_end from_end,
               enum list_end to_end,
               struct reply *reply)
{
    const struct value *source = keyspace_get(&run->view, from);
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(source, from_end == LIST_LEFT ? 0 : tree_count(source) - 1, &c);
    ASSERT(tree_cursor_get(&c, &item));
    reply_bulk(reply, item.bytes);
    struct value *carried = NULL;
    if (slice_equal(from, to)) {
        carried = list_carry(&item);
        tree_seek_rank(carried, 0, &c);
        ASSERT(tree_cursor_get(&c, &item));
    }
    struct tree_put put = tree_put_item(&item);
    struct list_edit edit;
    list_begin(&edit, run, to);
    list_add(edit.list, to_end, &put);
    list_finish(&edit, run, to, to_end);
    value_free(carried);
    struct value **list = collection_edit(run, from);
    tree_seek_rank(*list, from_end == LIST_LEFT ? 0 : tree_count(*list) - 1, &c);
    tree_remove(list, &c);
    collection_edited(run, from, from_end == LIST_LEFT ? "lpop" : "rpop", tree_count(*list) == 0);
}

bool list_parse_mpop(const struct command *command,
                     size_t at,
                     struct list_mpop *mpop,
                     struct reply *reply)
{
    int64_t number;
    size_t end;
    if (!collection_parse_numkeys(command, at, &number, &end, reply) ||
        !list_parse_end(command->arg[end], &mpop->end, reply)) {
        return false;
    }
    mpop->first_key = at + 1;
    mpop->key_count = (size_t)number;
    return collection_parse_count_option(command, end + 1, &mpop->count, reply);
}

bool list_mpop(struct command_run *run,
               const struct command *command,
               const struct list_mpop *mpop,
               struct reply *reply)
{
    for (size_t i = mpop->first_key; i < mpop->first_key + mpop->key_count; i++) {
        const struct value *list;
        if (!collection_get(run, command->arg[i], VALUE_LIST, &list, reply)) {
            return true;
        }
        if (!list) {
            continue;
        }
        uint64_t count = tree_count(list) < mpop->count ? tree_count(list) : mpop->count;
        if (collection_may_reply(count, reply)) {
            reply_array(reply, 2);
            reply_bulk(reply, command->arg[i]);
            reply_array(reply, count);
            list_pop(run, command->arg[i], mpop->end, count, reply);
        }
        return true;
    }
    return false;
}
