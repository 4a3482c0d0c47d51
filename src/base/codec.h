#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "base/slice.h"

/* Fixed-width little-endian integers in byte arrays, and a bounded reader. Written with shifts, so that
 * neither the machine's byte order nor alignment matters; compilers make single loads and stores of
 * them. */
static inline void put_u16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void put_u32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}

static inline void put_u64(uint8_t *p, uint64_t v)
{
    put_u32(p, (uint32_t)v);
    put_u32(p + 4, (uint32_t)(v >> 32));
}

static inline uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (unsigned)p[1] << 8);
}

static inline uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_u64(const uint8_t *p)
{
    return (uint64_t)get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

/* A cursor over foreign bytes. Reading past the end sets `failed` and yields 0 or an empty slice;
 * check once, at the end. */
struct reader {
    const uint8_t *p;
    size_t n;
    bool failed;
};
struct reader reader_of(struct slice s);
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
struct slice read_bytes(struct reader *r, size_t n);
/* A u32 length, then that many bytes. */
struct slice read_blob(struct reader *r);
/* True when nothing failed and nothing is left. */
bool reader_done(const struct reader *r);

struct buf;
void write_u8(struct buf *b, uint8_t v);
void write_u16(struct buf *b, uint16_t v);
void write_u32(struct buf *b, uint32_t v);
void write_u64(struct buf *b, uint64_t v);
void write_blob(struct buf *b, struct slice s);

#endif
