#ifndef KEYSPACE_VALUE_H
#define KEYSPACE_VALUE_H

#include "base/buf.h"
#include "base/limits.h"
#include "base/slice.h"

struct siphash_key;

/* A typed value. Built of chunks of at most LIMIT_VALUE_CHUNK_BYTES, so that whoever walks, shares
 * or frees one (snapshots, replies, FLUSHALL) works in bounded units. How a value is laid out
 * is never visible in its pieces, its digest or a reply.
 *
 * A value has one owner or several (value_share). Owners see a value of their own: whoever is about
 * to change one makes its root its own first (value_unshare; keyspace_edit does it), and the
 * functions that change it copy each shared chunk they touch. All owners are on one thread. */
struct value;

/* The numbers are stored in snapshots: never changed. */
enum value_type {
    VALUE_STRING = 0,
    VALUE_LIST = 1,
    VALUE_SET = 2,
    VALUE_ZSET = 3,
    VALUE_HASH = 4,
    VALUE_STREAM = 5,
};

enum value_type value_get_type(const struct value *v);
const char *value_type_name(enum value_type type); /* as TYPE answers: "string", "zset", ... */
/* Bytes of memory, allocator overhead not counted, shared chunks counted for each owner. O(1). */
size_t value_memory(const struct value *v);

/* A second owner of the same content. O(1) for a value of more than a chunk, a copy of the bytes
 * for others. Returns owned. */
struct value *value_share(const struct value *v);
/* Whether value_share takes a count, not a copy. */
bool value_has_root(const struct value *v);
/* Takes `v`, returns a value whose root has one owner: `v` itself, or a copy of its root, O(chunks)
 * but without their content. */
struct value *value_unshare(struct value *v);

void value_free(struct value *v);
/* Free a piece: up to *budget chunks, each of which is taken off *budget. True when all of it is
 * gone; else call again. */
bool value_free_some(struct value *v, size_t *budget);
/* Whether freeing it at once would be long work. */
bool value_is_big(const struct value *v);

/* --- piece by piece: snapshots, digests --- */

/* Where a walk over a value is; all zero is its beginning. What the numbers mean is the type's
 * affair. The value must not change during the walk, so whoever walks across iterations holds a
 * share. */
struct value_cursor {
    uint64_t position;
    uint64_t offset;
};

/* No piece is longer. */
#define VALUE_PIECE_MAX (LIMIT_VALUE_CHUNK_BYTES + 64u)

/* Append the next piece to `out`: type, version, what of the value it is, and the bytes. A function
 * of the content alone. False when there was none left. Every value has at least one. */
bool value_write_piece(const struct value *v, struct value_cursor *cursor, struct buf *out);

/* Makes a value of its pieces, in order. The bytes are foreign: nonsense fails, whatever it is, and
 * never costs more memory than the pieces themselves. */
struct value_builder {
    struct value *value; /* so far; NULL before the first piece */
    uint64_t expected;   /* what the first piece promised, in the type's units */
    bool is_bad;
    /* An item of a collection that is longer than a piece, so far; size 0: there is none. */
    struct buf long_item;
    size_t long_size;
    uint64_t long_key;
    uint64_t long_extra;
};
void value_builder_init(struct value_builder *b);
void value_builder_deinit(struct value_builder *b);
/* False: it doesn't belong here. Then the whole value is lost. */
bool value_builder_add(struct value_builder *b, struct slice piece);
/* Returns owned, and leaves the builder as new; NULL when something is wrong or missing. */
struct value *value_builder_finish(struct value_builder *b);

/* A keyed hash of type and content, made in bounded steps: true while there is more to do, then
 * `hash` is it. All zero is the beginning. */
struct value_digest {
    struct value_cursor cursor;
    uint64_t hash;
};
bool value_digest_step(const struct value *v,
                       const struct siphash_key *key,
                       struct value_digest *digest);

/* A number that depends on the content alone and costs next to nothing: it differs for most values
 * that differ. */
uint64_t value_glance(const struct value *v);

/* --- strings, up to LIMIT_BULK_BYTES; longer ones are the caller's error --- */

struct value *value_new_string(struct slice bytes); /* returns owned */
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
/* Overwrites in place; offset + bytes.n <= size. `bytes` may not point into `v`. The root must have
 * one owner. */
void value_string_write(struct value *v, size_t offset, struct slice bytes);
/* Copies up to `n` bytes from `offset` on, returns how many there were. */
size_t value_string_read(const struct value *v, size_t offset, void *out, size_t n);
/* Whether it has room to grow, since it was appended to: a trace of history, not state. */
bool value_string_has_grown(const struct value *v);
/* A decimal integer in Redis's canonical form; false when it is none. */
bool value_string_integer(const struct value *v, int64_t *number);

#endif
