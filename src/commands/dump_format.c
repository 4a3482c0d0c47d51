/* A serialized value:
 *
 *   type (1) | the value | RDB version (2, little endian) | CRC-64 of all before it (8, little
 * endian)
 *
 * D1  A version newer than RDB_VERSION_MAX is refused, an older one is read.
 *
 * D2  Whatever follows the value, before the footer, is ignored, as Redis does.
 *
 * D3  Written are the encodings of Redis 7.0; read are all that a version up to 7.0 wrote, but
 * streams and modules' types. Lengths and strings are rdb/rdb_codec.c's, packed collections
 * rdb/packed.h's.
 *
 * D4  A collection that holds a member or a field twice is damaged. */

#include "commands/dump_format.h"

#include "commands/dump_internal.h"
#include "rdb/crc64.h"

enum { DUMP_FOOTER_BYTES = 10 };

/* --- writing --- */

static void dump_write_string(struct buf *out, const struct value *value)
{
    size_t size = value_string_size(value);
    int64_t number;
    buf_append_byte(out, RDB_STRING);
    if (value_string_integer(value, &number) && rdb_put_integer(out, number)) {
        return;
    }
    rdb_put_length(out, size);
    for (size_t done = 0; done < size;) {
        struct slice part = value_string_part(value, done);
        buf_append_slice(out, part);
        done += part.n;
    }
}

static bool dump_write_value(struct buf *out, const struct keyspace_view *view, const struct value *value)
{
    switch (value_get_type(value)) {
    case VALUE_STRING:
        dump_write_string(out, value);
        return true;
    case VALUE_SET:
        dump_write_set(out, value);
        return true;
    case VALUE_HASH:
        dump_write_hash(out, value);
        return true;
    case VALUE_LIST:
        dump_write_list(out, value);
        return true;
    case VALUE_ZSET:
        dump_write_zset(out, view, value);
        return true;
    case VALUE_STREAM:
        break;
    }
    return false;
}

bool dump_write(struct buf *out, const struct keyspace_view *view, const struct value *value)
{
    size_t start = buf_size(out);
    if (!dump_write_value(out, view, value)) {
        return false;
    }
    rdb_put_little(out, RDB_VERSION_MAX, 2);
    struct slice all = slice_skip(buf_slice(out), start);
    rdb_put_little(out, crc64(0, all.p, all.n), 8);
    return true;
}

/* --- reading --- */

enum packed_kind dump_packed_kind(enum rdb_type type)
{
    return type == RDB_HASH_ZIPMAP ? PACKED_ZIPMAP
           : type == RDB_LIST_ZIPLIST || type == RDB_LIST_QUICKLIST || type == RDB_ZSET_ZIPLIST ||
                   type == RDB_HASH_ZIPLIST
               ? PACKED_ZIPLIST
               : PACKED_LISTPACK;
}

enum packed_step
dump_take_pair(struct packed_reader *r, struct buf *room, struct slice *first, struct slice *second)
{
    enum packed_step step = packed_next(r, first);
    if (step != PACKED_ELEMENT) {
        return step;
    }
    buf_clear(room, SIZE_MAX); /* an integer's text is the reader's, and goes with the next step */
    buf_append_slice(room, *first);
    *first = buf_slice(room);
    return packed_next(r, second) == PACKED_ELEMENT ? PACKED_ELEMENT : PACKED_BAD;
}

static struct value *dump_read_string(struct slice *in)
{
    struct buf room = {0};
    struct slice bytes;
    struct value *value = rdb_take_text(in, &room, &bytes) ? value_new_string(bytes) : NULL;
    buf_deinit(&room);
    return value;
}

/* NULL: damaged, or with *is_unsupported a type that is not read. */
static struct value *dump_read_value(const struct keyspace_view *view,
                                     enum rdb_type type,
                                     struct slice *in,
                                     bool *is_unsupported)
{
    *is_unsupported = false;
    switch (type) {
    case RDB_STRING:
        return dump_read_string(in);
    case RDB_LIST:
    case RDB_LIST_ZIPLIST:
    case RDB_LIST_QUICKLIST:
    case RDB_LIST_QUICKLIST_2:
        return dump_read_list(type, in);
    case RDB_SET:
    case RDB_SET_INTSET:
        return dump_read_set(view, type, in);
    case RDB_ZSET:
    case RDB_ZSET_2:
    case RDB_ZSET_ZIPLIST:
    case RDB_ZSET_LISTPACK:
        return dump_read_zset(view, type, in);
    case RDB_HASH:
    case RDB_HASH_ZIPMAP:
    case RDB_HASH_ZIPLIST:
    case RDB_HASH_LISTPACK:
        return dump_read_hash(view, type, in);
    case RDB_MODULE_2:
    case RDB_STREAM_LISTPACKS:
    case RDB_STREAM_LISTPACKS_2:
        break;
    }
    *is_unsupported = true;
    return NULL;
}

enum dump_verdict
dump_read(const struct keyspace_view *view, struct slice payload, struct value **value)
{
    uint64_t version;
    uint64_t sum;
    uint8_t type;
    bool is_unsupported;
    *value = NULL;
    if (payload.n < DUMP_FOOTER_BYTES) {
        return DUMP_BAD_FOOTER;
    }
    struct slice body = {payload.p, payload.n - DUMP_FOOTER_BYTES};
    struct slice footer = slice_skip(payload, body.n);
    if (!rdb_take_little(&footer, 2, &version) || version > RDB_VERSION_MAX || /* D1 */
        !rdb_take_little(&footer, 8, &sum) || sum != crc64(0, payload.p, payload.n - 8)) {
        return DUMP_BAD_FOOTER;
    }
    if (!rdb_take_byte(&body, &type) || !rdb_type_name(type)) {
        return DUMP_BAD_FORMAT;
    }
    *value = dump_read_value(view, (enum rdb_type)type, &body, &is_unsupported);
    return is_unsupported ? DUMP_UNSUPPORTED : *value ? DUMP_OK : DUMP_BAD_FORMAT;
}
