#include "rdb/rdb_writer.h"

#include <string.h>

#include "base/assert.h"
#include "rdb/crc64.h"
#include "rdb/rdb_codec.h"
#include "rdb/rdb_reader.h"
#include "rdb/rdb_value.h"

/* The format is in rdb_reader.c. */

enum { PAYLOAD_FOOTER_BYTES = 10, PAYLOAD_BYTES_MIN = 12, WRITER_KEEP_BYTES = 1 << 20 };

void rdb_writer_init(struct rdb_writer *w)
{
    *w = (struct rdb_writer){.sum = 0};
}

void rdb_writer_deinit(struct rdb_writer *w)
{
    buf_deinit(&w->out);
}

static void put_fact(struct rdb_writer *w, const char *name, const char *value)
{
    buf_append_byte(&w->out, 250);
    rdb_put_bytes(&w->out, slice_from_cstr(name));
    rdb_put_bytes(&w->out, slice_from_cstr(value));
}

void rdb_writer_begin(struct rdb_writer *w, const char *version, int64_t now_s)
{
    struct buf number = {0};

    buf_printf(&number, "%lld", (long long)now_s);
    buf_append_byte(&number, 0);
    buf_printf(&w->out, "REDIS%04d", (int)RDB_VERSION_MAX);
    put_fact(w, "redis-ver", version);
    put_fact(w, "redis-bits", "64");
    put_fact(w, "ctime", (const char *)buf_slice(&number).p);
    put_fact(w, "aof-base", "0");
    buf_deinit(&number);
}

void rdb_writer_select(struct rdb_writer *w, uint32_t db, uint64_t keys, uint64_t expiring)
{
    buf_append_byte(&w->out, 254);
    rdb_put_length(&w->out, db);
    buf_append_byte(&w->out, 251);
    rdb_put_length(&w->out, keys);
    rdb_put_length(&w->out, expiring);
}

bool rdb_writer_key(struct rdb_writer *w, struct slice name, int64_t expiry_ms, struct slice payload)
{
    if (payload.n < PAYLOAD_BYTES_MIN) {
        return false;
    }
    struct slice value = {payload.p + 1, payload.n - 1 - PAYLOAD_FOOTER_BYTES};
    struct slice checked = value;
    struct slice footer = slice_skip(payload, payload.n - PAYLOAD_FOOTER_BYTES);
    uint64_t version;
    uint64_t sum;
    if (!rdb_take_little(&footer, 2, &version) || version > RDB_VERSION_MAX || !rdb_take_little(&footer, 8, &sum) ||
        sum != crc64(0, payload.p, payload.n - 8) || !rdb_skip_value(&checked, payload.p[0]) || checked.n != 0) {
        return false;
    }
    if (expiry_ms != RDB_NO_EXPIRY) {
        buf_append_byte(&w->out, 252);
        rdb_put_little(&w->out, (uint64_t)expiry_ms, 8);
    }
    buf_append_byte(&w->out, payload.p[0]);
    rdb_put_bytes(&w->out, name);
    buf_append_slice(&w->out, value);
    return true;
}

static uint64_t sum_so_far(const struct rdb_writer *w)
{
    struct slice bytes = buf_slice(&w->out);

    return crc64(w->sum, bytes.p, bytes.n);
}

void rdb_writer_end(struct rdb_writer *w)
{
    buf_append_byte(&w->out, 255);
    rdb_put_little(&w->out, sum_so_far(w), 8);
}

void rdb_writer_written(struct rdb_writer *w)
{
    w->sum = sum_so_far(w);
    buf_clear(&w->out, WRITER_KEEP_BYTES);
}
