/* Hashes: as a listpack of fields and values in turn, or as a count and so many pairs of strings. */

#include "commands/dump_internal.h"
#include "commands/listpack.h"
#include "keyspace/hash.h"

static void dump_write_listpack_hash(struct buf *out, const struct value *hash)
{
    struct buf bytes = {0};
    struct listpack_writer w;
    struct tree_cursor c;
    struct tree_item item;
    listpack_begin(&w, &bytes);
    for (tree_seek_rank(hash, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        struct hash_pair pair = hash_pair_of(&item);
        listpack_add(&w, pair.field);
        listpack_add(&w, pair.value);
    }
    listpack_end(&w);
    buf_append_byte(out, DUMP_TYPE_HASH_LISTPACK);
    dump_write_bytes(out, buf_slice(&bytes));
    buf_deinit(&bytes);
}

void dump_write_hash(struct buf *out, const struct value *hash)
{
    struct tree_cursor c;
    struct tree_item item;
    if (tree_get_encoding(hash) == TREE_ENCODING_LISTPACK) {
        dump_write_listpack_hash(out, hash);
        return;
    }
    buf_append_byte(out, DUMP_TYPE_HASH);
    dump_write_length(out, hash_count(hash));
    for (tree_seek_rank(hash, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        struct hash_pair pair = hash_pair_of(&item);
        dump_write_text(out, pair.field);
        dump_write_text(out, pair.value);
    }
}

static bool dump_read_pairs(const struct keyspace_view *view, struct slice *in, struct value **hash)
{
    uint64_t count;
    struct buf room[2] = {{0}, {0}};
    struct slice field;
    struct slice value;
    bool is_ok = dump_take_count(in, &count) && count > 0;
    for (uint64_t i = 0; i < count && is_ok; i++) {
        is_ok = dump_take_text(in, &room[0], &field) && dump_take_text(in, &room[1], &value) &&
                hash_set(view, hash, field, value); /* no field twice */
    }
    buf_deinit(&room[0]);
    buf_deinit(&room[1]);
    return is_ok;
}

static bool dump_read_listpack(const struct keyspace_view *view, struct slice bytes, struct value **hash)
{
    struct listpack_reader fields;
    struct slice field;
    struct slice value;
    if (!listpack_open(&fields, bytes)) {
        return false;
    }
    for (;;) {
        switch (listpack_next(&fields, &field)) {
        case LISTPACK_END:
            return hash_count(*hash) > 0;
        case LISTPACK_BAD:
            return false;
        case LISTPACK_ELEMENT:
            break;
        }
        struct listpack_reader values = fields; /* each has room for an integer of its own */
        if (listpack_next(&values, &value) != LISTPACK_ELEMENT || !hash_set(view, hash, field, value)) {
            return false;
        }
        fields.rest = values.rest;
    }
}

struct value *dump_read_hash(const struct keyspace_view *view, enum dump_type type, struct slice *in)
{
    struct value *hash = hash_new();
    struct buf room = {0};
    struct slice bytes;
    bool is_ok = type == DUMP_TYPE_HASH_LISTPACK
                     ? dump_take_text(in, &room, &bytes) && dump_read_listpack(view, bytes, &hash)
                     : dump_read_pairs(view, in, &hash);
    buf_deinit(&room);
    if (!is_ok) {
        value_free(hash);
        return NULL;
    }
    return hash;
}
