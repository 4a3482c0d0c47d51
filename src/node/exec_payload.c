#include "node/exec_payload.h"

#include "base/codec.h"

/* Smallest encodings, so that a foreign count can't promise more than the bytes hold. */
#define WATCH_MIN_BYTES 13u
#define ARG_MIN_BYTES 4u

void exec_watch_begin(struct buf *out, uint32_t count)
{
    write_u32(out, count);
}

void exec_watch_append(struct buf *out, const struct exec_watch *watch)
{
    write_u8(out, watch->db);
    write_u64(out, watch->index);
    write_blob(out, watch->key);
}

void exec_item_append(struct buf *out, uint16_t number, uint8_t version, uint8_t db, const struct command *command)
{
    size_t arg_count = number == 0 ? 0 : command->arg_count - 1;

    write_u16(out, number);
    write_u8(out, version);
    write_u8(out, db);
    write_u32(out, (uint32_t)arg_count);
    for (size_t i = 0; i < arg_count; i++) {
        write_blob(out, command->arg[i + 1]);
    }
}

enum err exec_watch_open(struct slice list, uint32_t *count, struct slice *rest)
{
    struct reader r = reader_of(list);

    *count = read_u32(&r);
    if (r.failed || r.n / WATCH_MIN_BYTES < *count || (*count == 0 && r.n != 0)) {
        return ERR_CORRUPT;
    }
    *rest = (struct slice){r.p, r.n};
    return ERR_OK;
}

enum err exec_watch_next(struct slice *rest, struct exec_watch *watch)
{
    struct reader r = reader_of(*rest);

    watch->db = read_u8(&r);
    watch->index = read_u64(&r);
    watch->key = read_blob(&r);
    if (r.failed) {
        return ERR_CORRUPT;
    }
    *rest = (struct slice){r.p, r.n};
    return ERR_OK;
}

enum err exec_item_decode(struct slice bytes, struct exec_item *item)
{
    struct reader r = reader_of(bytes);

    item->number = read_u16(&r);
    item->version = read_u8(&r);
    item->db = read_u8(&r);
    uint32_t arg_count = read_u32(&r);
    if (r.failed || r.n / ARG_MIN_BYTES < arg_count) {
        return ERR_CORRUPT;
    }
    item->arg_count = (size_t)arg_count + 1;
    item->args = (struct slice){r.p, r.n};
    return ERR_OK;
}

enum err exec_item_args(const struct exec_item *item, struct slice *arg)
{
    struct reader r = reader_of(item->args);

    for (size_t i = 1; i < item->arg_count; i++) {
        arg[i] = read_blob(&r);
    }
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}
