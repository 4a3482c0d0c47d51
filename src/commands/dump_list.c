/* Lists: written as quicklists of listpacks ("quicklist 2"), as Redis 7.0 does. Read besides:
 * quicklists of ziplists, one ziplist, and a count and so many strings. */

#include "commands/dump_internal.h"
#include "keyspace/tree.h"

/* A node's elements, as Redis fills them by default (list-max-listpack-size -2); a longer element
 * has one of its own. */
enum { DUMP_NODE_BYTES = 8192, DUMP_ELEMENT_OVERHEAD = 11 };

/* --- writing --- */

struct node_writer {
    struct buf bytes;
    struct listpack_writer listpack;
    uint64_t nodes;
};

static void node_end(struct node_writer *w, struct buf *out)
{
    if (w->listpack.count > 0) {
        listpack_end(&w->listpack);
        rdb_put_length(out, RDB_QUICKLIST_PACKED);
        rdb_put_bytes(out, buf_slice(&w->bytes));
        w->nodes++;
    }
    buf_clear(&w->bytes, DUMP_NODE_BYTES * 2);
    listpack_begin(&w->listpack, &w->bytes);
}

static void node_add(struct node_writer *w, struct buf *out, struct slice element)
{
    if (buf_size(&w->bytes) + element.n + DUMP_ELEMENT_OVERHEAD > DUMP_NODE_BYTES) {
        node_end(w, out);
    }
    listpack_add(&w->listpack, element);
}

/* The count of nodes, known at the end, stands in front of them: in 32 bits, whatever it is. */
void dump_write_list(struct buf *out, const struct value *list)
{
    static const uint8_t room[5] = {0x80};
    struct node_writer w = {.nodes = 0};
    struct tree_cursor c;
    struct tree_item item;
    buf_append_byte(out, RDB_LIST_QUICKLIST_2);
    size_t at = buf_size(out);
    buf_append(out, room, sizeof room);
    listpack_begin(&w.listpack, &w.bytes);
    for (tree_seek_rank(list, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        node_add(&w, out, item.bytes);
    }
    node_end(&w, out);
    for (size_t i = 1; i < sizeof room; i++) {
        out->data[out->start + at + i] = (uint8_t)(w.nodes >> (8 * (sizeof room - 1 - i)));
    }
    buf_deinit(&w.bytes);
}

/* --- reading --- */

static void list_add(struct value **list, struct slice element)
{
    struct tree_put put = tree_put_bytes(element);
    tree_append(list, &put);
}

/* One string that packs many. An empty one is well, as it is to Redis. */
static bool list_add_packed(struct value **list, enum packed_kind kind, struct slice bytes)
{
    struct packed_reader r;
    struct slice element;
    if (!packed_open(&r, kind, bytes)) {
        return false;
    }
    for (;;) {
        switch (packed_next(&r, &element)) {
        case PACKED_ELEMENT:
            list_add(list, element);
            break;
        case PACKED_END:
            return true;
        case PACKED_BAD:
            return false;
        }
    }
}

/* What a string of the list holds: an element, or a node. */
static bool
list_add_string(struct value **list, enum rdb_type type, struct slice *in, struct buf *room)
{
    uint64_t container = type == RDB_LIST ? RDB_QUICKLIST_PLAIN : RDB_QUICKLIST_PACKED;
    struct slice bytes;
    if (type == RDB_LIST_QUICKLIST_2 && !rdb_take_length(in, &container)) {
        return false;
    }
    if (!rdb_take_text(in, room, &bytes)) {
        return false;
    }
    if (container == RDB_QUICKLIST_PLAIN) {
        list_add(list, bytes);
        return true;
    }
    return container == RDB_QUICKLIST_PACKED &&
           list_add_packed(list, dump_packed_kind(type), bytes);
}

struct value *dump_read_list(enum rdb_type type, struct slice *in)
{
    struct value *list = tree_new(VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION);
    struct buf room = {0};
    uint64_t count = 1;
    bool is_ok = type == RDB_LIST_ZIPLIST || rdb_take_length(in, &count);
    for (uint64_t i = 0; i < count && is_ok; i++) { /* each takes a byte at least */
        is_ok = list_add_string(&list, type, in, &room);
    }
    buf_deinit(&room);
    if (!is_ok || tree_count(list) == 0) {
        value_free(list);
        return NULL;
    }
    return list;
}
