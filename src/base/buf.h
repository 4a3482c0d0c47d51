#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

/* An owned, growable byte buffer with a read position: bytes [start, end) are its content.
 * All-zero is a valid empty buffer. Growth doubles; pointers into it die at the next append. */
struct buf {
    uint8_t *data;
    size_t start;    /* first unread byte */
    size_t end;      /* one past the last byte */
    size_t capacity;
};

void buf_init(struct buf *b);
void buf_deinit(struct buf *b);
static inline size_t buf_size(const struct buf *b) { return b->end - b->start; }
static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->data ? b->data + b->start : NULL, b->end - b->start};
}
/* Make room for `n` more bytes (moves content to the front when that suffices) and return where
 * they go; buf_commit says how many were written there. */
uint8_t *buf_reserve(struct buf *b, size_t n);
void buf_commit(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_byte(struct buf *b, uint8_t byte);
/* printf into the buffer (C locale). */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Drop `n` bytes from the front (n <= size). */
void buf_consume(struct buf *b, size_t n);
/* Cut the content to its first `n` bytes (n <= size). */
void buf_truncate(struct buf *b, size_t n);
/* Empty; gives memory back to the allocator when capacity exceeds `keep` bytes. */
void buf_clear(struct buf *b, size_t keep);

#endif
