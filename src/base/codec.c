#include "base/codec.h"

#include "base/assert.h"
#include "base/buf.h"

struct reader reader_of(struct slice s)
{
    return (struct reader){.p = s.p, .n = s.n, .failed = false};
}

/* The next `n` bytes, or NULL after a failure (for n == 0 as well). */
static const uint8_t *reader_take(struct reader *r, size_t n)
{
    if (r->failed || r->n < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    if (n > 0) {
        r->p += n;
        r->n -= n;
    }
    return p;
}

uint8_t read_u8(struct reader *r)
{
    const uint8_t *p = reader_take(r, 1);
    return p ? p[0] : 0;
}

uint16_t read_u16(struct reader *r)
{
    const uint8_t *p = reader_take(r, 2);
    return p ? get_u16(p) : 0;
}

uint32_t read_u32(struct reader *r)
{
    const uint8_t *p = reader_take(r, 4);
    return p ? get_u32(p) : 0;
}

uint64_t read_u64(struct reader *r)
{
    const uint8_t *p = reader_take(r, 8);
    return p ? get_u64(p) : 0;
}

struct slice read_bytes(struct reader *r, size_t n)
{
    const uint8_t *p = reader_take(r, n);
    return p ? (struct slice){p, n} : (struct slice){NULL, 0};
}

struct slice read_blob(struct reader *r)
{
    uint32_t n = read_u32(r);
    return read_bytes(r, n);
}

bool reader_done(const struct reader *r)
{
    return !r->failed && r->n == 0;
}

void write_u8(struct buf *b, uint8_t v)
{
    buf_append_byte(b, v);
}

void write_u16(struct buf *b, uint16_t v)
{
    put_u16(buf_reserve(b, 2), v);
    buf_commit(b, 2);
}

void write_u32(struct buf *b, uint32_t v)
{
    put_u32(buf_reserve(b, 4), v);
    buf_commit(b, 4);
}

void write_u64(struct buf *b, uint64_t v)
{
    put_u64(buf_reserve(b, 8), v);
    buf_commit(b, 8);
}

void write_blob(struct buf *b, struct slice s)
{
    ASSERT(s.n <= UINT32_MAX);
    write_u32(b, (uint32_t)s.n);
    buf_append_slice(b, s);
}
