#ifndef KEYSPACE_VALUE_H
#define KEYSPACE_VALUE_H

#include "base/limits.h"
#include "base/slice.h"

/* A typed value. Built of chunks of at most LIMIT_VALUE_CHUNK_BYTES, so that whoever walks, copies
 * or frees one (snapshots, replies, FLUSHALL) works in bounded units. How a value is laid out
 * depends on its content alone, never on its history. */
struct value;

enum value_type {
    VALUE_STRING,
    VALUE_LIST,
    VALUE_SET,
    VALUE_ZSET,
    VALUE_HASH,
    VALUE_STREAM,
};

enum value_type value_get_type(const struct value *v);
const char *value_type_name(enum value_type type); /* as TYPE answers: "string", "zset", ... */
/* Bytes of memory, allocator overhead not counted. O(1). */
size_t value_memory(const struct value *v);

void value_free(struct value *v);
/* Free a piece: up to *budget chunks, each of which is taken off *budget. True when all of it is
 * gone; else call again. */
bool value_free_some(struct value *v, size_t *budget);
/* Whether freeing it at once would be long work. */
bool value_is_big(const struct value *v);

/* Strings, up to LIMIT_BULK_BYTES; longer ones are the caller's error. */
struct value *value_new_string(struct slice bytes); /* returns owned */
/* A copy of its own, of any type. Returns owned. O(bytes). */
struct value *value_copy(const struct value *v);
size_t value_string_size(const struct value *v);
/* The contiguous bytes from `offset` (< size) to the end of the chunk that holds it; empty at the
 * end. */
struct slice value_string_part(const struct value *v, size_t offset);
/* Both take `v` and return it or what replaces it. Assign reuses the memory when the new bytes fit
 * it well. `bytes` may not point into `v`. Append costs O(bytes.n) amortised. */
struct value *value_string_assign(struct value *v, struct slice bytes);
struct value *value_string_append(struct value *v, struct slice bytes);
/* Lengthens to `size` (>= what it is) with zero bytes. Takes `v`, returns it or what replaces it. */
struct value *value_string_extend(struct value *v, size_t size);
/* Overwrites in place; offset + bytes.n <= size. `bytes` may not point into `v`. */
void value_string_write(struct value *v, size_t offset, struct slice bytes);
/* Copies up to `n` bytes from `offset` on, returns how many there were. */
size_t value_string_read(const struct value *v, size_t offset, void *out, size_t n);
/* Whether it has room to grow, since it was appended to: a trace of history, not state. */
bool value_string_has_grown(const struct value *v);
/* A decimal integer in Redis's canonical form; false when it is none. */
bool value_string_integer(const struct value *v, int64_t *number);

#endif
