#ifndef KEYSPACE_VALUE_INTERNAL_H
#define KEYSPACE_VALUE_INTERNAL_H

#include "base/checksum.h"
#include "keyspace/value.h"

/* The layout, for the files of this room that implement a type, and for tests. */
enum value_encoding {
    VALUE_INLINE,       /* bytes right behind the header, allocated exactly */
    VALUE_INLINE_GROWN, /* the same with room to append: value_inline_room(size) bytes */
    VALUE_CHUNKED,      /* struct value_chunked */
    VALUE_LEAF,         /* a collection in one allocation: struct tree_lone */
    VALUE_TREE,         /* struct tree_root */
    VALUE_PAIR,         /* a sorted set with an index: struct zset_pair */
};

/* Four bytes: 100-byte strings are the common case and this header is paid for each. */
struct value {
    uint8_t type;     /* enum value_type */
    uint8_t encoding; /* enum value_encoding */
    uint16_t size;    /* bytes, when inline */
};

/* What every value that isn't inline begins with. */
struct value_root {
    struct value head;
    uint32_t owners; /* >= 1 */
};

/* A part of a string. With its count it is a chunk, and a size that allocators have a class for. */
struct value_chunk {
    uint32_t owners; /* roots that point here, >= 1 */
    uint8_t bytes[];
};

/* All parts but the last are full. */
struct value_chunked {
    struct value_root root;
    uint32_t chunk_count;
    uint32_t chunk_room;    /* of the array */
    uint32_t last_capacity; /* bytes allocated for the last part */
    uint64_t size;
    struct value_chunk **chunk;
};

#define VALUE_PART_BYTES (LIMIT_VALUE_CHUNK_BYTES - 8u)
#define VALUE_INLINE_MAX (LIMIT_VALUE_CHUNK_BYTES - (unsigned)sizeof(struct value))

enum { VALUE_BIG_CHUNKS = 16 }; /* 1 MiB: freed in pieces from here on */

/* One allocation, and no count of owners. */
static inline bool value_is_inline(const struct value *v)
{
    return v->encoding == VALUE_INLINE || v->encoding == VALUE_INLINE_GROWN ||
           v->encoding == VALUE_LEAF;
}
/* Bytes behind the header, and nothing else. */
static inline bool value_is_plain(const struct value *v)
{
    return v->encoding == VALUE_INLINE || v->encoding == VALUE_INLINE_GROWN;
}
static inline struct value_root *value_root_of(struct value *v)
{
    return (struct value_root *)(void *)v;
}
static inline const struct value_root *value_root_of_const(const struct value *v)
{
    return (const struct value_root *)(const void *)v;
}
/* Whether the root may be changed in place. */
static inline bool value_is_sole(const struct value *v)
{
    return value_is_inline(v) || value_root_of_const(v)->owners == 1;
}

/* Of an inline value of any type, its header included. */
size_t value_inline_memory(const struct value *v);

/* What value.c and value_piece.c need of a type; each a case of their switches. Of a value that
 * isn't inline. */
/* strings: value_string.c */
size_t value_string_memory(const struct value *v);
bool value_string_is_big(const struct value *v);
bool value_string_free_some(struct value *v, size_t *budget); /* the root has no owner left */
struct value *value_string_copy_root(struct value *v);        /* its parts get one more owner */
bool value_string_write_piece(const struct value *v, struct value_cursor *cursor, struct buf *out);
bool value_string_add_piece(struct value_builder *b, struct slice payload);
bool value_string_is_complete(const struct value_builder *b);
bool value_string_digest_step(const struct value *v,
                              const struct siphash_key *key,
                              struct value_digest *digest);

/* A hash of two words, for chaining the hashes of parts. */
uint64_t value_digest_words(const struct siphash_key *key, uint64_t a, uint64_t b);

#endif
