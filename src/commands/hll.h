#ifndef COMMANDS_HLL_H
#define COMMANDS_HLL_H

#include "base/slice.h"

/* HyperLogLogs: the bytes of Redis 7.0's strings, exactly, so that GET, DUMP and files from there agree. Pure; hll.c describes the
 * two forms. */
enum {
    HLL_REGISTERS = 16384,
    HLL_HEADER_BYTES = 16,
    HLL_DENSE_BYTES = HLL_HEADER_BYTES + HLL_REGISTERS * 6 / 8,
    HLL_SPARSE_BYTES_MAX = HLL_HEADER_BYTES + 2 * HLL_REGISTERS, /* more opcodes don't fit the registers */
    HLL_ENCODING_AT = 4, /* byte of the header: 0 dense, 1 sparse */
    HLL_CACHE_AT = 8,    /* the last result of PFCOUNT, 8 bytes little-endian ... */
    HLL_CACHE_FLAG_AT = 15, /* ... void while the top bit of this one is set */
};

/* A working copy of one. bytes[size] is 0. */
struct hll {
    size_t size;
    uint8_t bytes[HLL_SPARSE_BYTES_MAX + 8];
};

void hll_init(struct hll *h); /* empty, sparse */
/* The first bytes of a string of `size` bytes: whether it may be one (WRONGTYPE otherwise). */
bool hll_header_ok(const uint8_t header[HLL_HEADER_BYTES], size_t size);
static inline bool hll_is_dense(const struct hll *h)
{
    return h->bytes[HLL_ENCODING_AT] == 0;
}

/* Which register an element belongs to, and the count it asks for: 1 to 51. */
void hll_hash(struct slice element, uint32_t *index, uint8_t *count);

enum hll_result { HLL_SAME, HLL_CHANGED, HLL_CORRUPT };
/* Raise a register to `count`, if it is lower. A sparse one that would get longer than `sparse_max` bytes, or a count beyond 32,
 * makes it dense. */
enum hll_result hll_set(struct hll *h, uint32_t index, uint8_t count, int64_t sparse_max);
/* False: corrupt, nothing is changed. */
bool hll_to_dense(struct hll *h);
uint8_t hll_dense_get(const uint8_t *registers, uint32_t index);
void hll_dense_set(uint8_t *registers, uint32_t index, uint8_t count);
/* Every register of `max` becomes the greater of the two. False: corrupt. */
bool hll_merge(const struct hll *h, uint8_t max[HLL_REGISTERS]);
/* The estimate, by Ertl's method, as Redis. False: corrupt. */
bool hll_count(const struct hll *h, uint64_t *count);
uint64_t hll_count_registers(const uint8_t registers[HLL_REGISTERS]);

static inline void hll_void_cache(struct hll *h)
{
    h->bytes[HLL_CACHE_FLAG_AT] |= 0x80;
}

/* One run of registers of a sparse one. */
struct hll_run {
    uint32_t length; /* registers */
    uint8_t value;   /* 0: ZERO or XZERO */
    uint8_t bytes;   /* of the opcode */
};
/* The opcode at `at` (< h->size). */
struct hll_run hll_run_at(const struct hll *h, size_t at);

#endif
