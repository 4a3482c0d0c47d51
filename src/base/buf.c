#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

#define BUF_CAPACITY_MIN 64

void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

void buf_deinit(struct buf *b)
{
    mem_free(b->data);
    *b = (struct buf){0};
}

static void buf_grow(struct buf *b, size_t n)
{
    size_t size = buf_size(b);
    ASSERT(n <= SIZE_MAX / 2 - size);
    size_t capacity = b->capacity > BUF_CAPACITY_MIN ? b->capacity : BUF_CAPACITY_MIN;
    while (capacity < size + n)
        capacity *= 2;
    if (b->start == 0) {
        b->data = mem_realloc(b->data, capacity);
    } else {
        /* Not realloc, which would copy the consumed bytes too. */
        ASSERT(b->data);
        uint8_t *data = mem_alloc(capacity);
        memcpy(data, b->data + b->start, size);
        mem_free(b->data);
        b->data = data;
    }
    b->start = 0;
    b->end = size;
    b->capacity = capacity;
}

uint8_t *buf_reserve(struct buf *b, size_t n)
{
    ASSERT(b->start <= b->end && b->end <= b->capacity);
    if (b->data && b->capacity - b->end >= n)
        return b->data + b->end;
    size_t size = buf_size(b);
    /* A move is paid for by the consumed bytes it wins back: with at least a quarter of the content
     * consumed, n bytes through the buffer cost O(n); without that rule a nearly full buffer would
     * move everything for each byte. */
    if (b->data && b->capacity - size >= n && b->start >= size / 4) {
        memmove(b->data, b->data + b->start, size);
        b->start = 0;
        b->end = size;
    } else {
        buf_grow(b, n);
    }
    return b->data + b->end;
}

void buf_commit(struct buf *b, size_t n)
{
    ASSERT(n <= b->capacity - b->end);
    b->end += n;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    memcpy(buf_reserve(b, n), p, n);
    b->end += n;
}

void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.p, s.n);
}

void buf_append_byte(struct buf *b, uint8_t byte)
{
    *buf_reserve(b, 1) = byte;
    b->end++;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    size_t room = 128;
    for (;;) {
        /* One byte of the room is for vsnprintf's NUL, which is not content. */
        uint8_t *at = buf_reserve(b, room);
        va_list args;
        va_start(args, format);
        int written = vsnprintf((char *)at, room, format, args);
        va_end(args);
        ASSERT(written >= 0);
        if ((size_t)written < room) {
            b->end += (size_t)written;
            return;
        }
        room = (size_t)written + 1;
    }
}

void buf_consume(struct buf *b, size_t n)
{
    ASSERT(n <= buf_size(b));
    b->start += n;
    if (b->start == b->end)
        b->start = b->end = 0;
}

void buf_truncate(struct buf *b, size_t n)
{
    ASSERT(n <= buf_size(b));
    b->end = b->start + n;
}

void buf_clear(struct buf *b, size_t keep)
{
    if (b->capacity > keep)
        buf_deinit(b);
    b->start = b->end = 0;
}
