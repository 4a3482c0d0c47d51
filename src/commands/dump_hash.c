/* Hashes: packed, fields and values in turn, or as a count and so many pairs of strings. */

#include "commands/dump_internal.h"
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
    buf_append_byte(out, RDB_HASH_LISTPACK);
    rdb_put_bytes(out, buf_slice(&bytes));
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
    buf_append_byte(out, RDB_HASH);
    rdb_put_length(out, hash_count(hash));
    for (tree_seek_rank(hash, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        struct hash_pair pair = hash_pair_of(&item);
        rdb_put_text(out, pair.field);
        rdb_put_text(out, pair.value);
    }
}

static bool dump_read_pairs(const struct keyspace_view *view, struct slice *in, struct value **hash)
{
    uint64_t count;
    struct buf room[2] = {{0}, {0}};
    struct slice field;
    struct slice value;
    bool is_ok = rdb_take_length(in, &count) && count > 0;
    for (uint64_t i = 0; i < count && is_ok; i++) {
        is_ok = rdb_take_text(in, &room[0], &field) && rdb_take_text(in, &room[1], &value) &&
                hash_set(view, hash, field, value); /* no field twice */
    }
    buf_deinit(&room[0]);
    buf_deinit(&room[1]);
    return is_ok;
}

static bool dump_read_packed_hash(const struct keyspace_view *view,
                                  enum rdb_type type,
                                  struct slice bytes,
                                  struct value **hash)
{
    struct packed_reader r;
    struct buf room = {0};
    struct slice field;
    struct slice value;
    enum packed_step step = PACKED_BAD;
    if (packed_open(&r, dump_packed_kind(type), bytes)) {
        do {
            step = dump_take_pair(&r, &room, &field, &value);
        } while (step == PACKED_ELEMENT && hash_set(view, hash, field, value)); /* no field twice */
    }
    buf_deinit(&room);
    return step == PACKED_END && hash_count(*hash) > 0;
}

struct value *dump_read_hash(const struct keyspace_view *view, enum rdb_type type, struct slice *in)
{
    struct value *hash = hash_new();
    struct buf room = {0};
    struct slice bytes;
    bool is_ok = type == RDB_HASH ? dump_read_pairs(view, in, &hash)
                                  : rdb_take_text(in, &room, &bytes) &&
                                        dump_read_packed_hash(view, type, bytes, &hash);
    buf_deinit(&room);
    if (!is_ok) {
        value_free(hash);
        return NULL;
    }
    return hash;
}
