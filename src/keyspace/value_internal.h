#ifndef KEYSPACE_VALUE_INTERNAL_H
#define KEYSPACE_VALUE_INTERNAL_H

#include "keyspace/value.h"

/* The layout, for value.c and tests. */
enum value_encoding {
    VALUE_INLINE,       /* bytes right behind the header, allocated exactly */
    VALUE_INLINE_GROWN, /* the same with room to append: value_inline_room(size) bytes */
    VALUE_CHUNKED,      /* struct value_chunked */
};

/* Four bytes: 100-byte strings are the common case and this header is paid for each. */
struct value {
    uint8_t type;     /* enum value_type */
    uint8_t encoding; /* enum value_encoding */
    uint16_t size;    /* bytes, when inline */
};

/* All chunks but the last are full. */
struct value_chunked {
    struct value head;
    uint32_t chunk_count;
    uint32_t chunk_room;    /* of the array */
    uint32_t last_capacity; /* bytes allocated for the last chunk */
    uint64_t size;
    uint8_t **chunk;
};

#define VALUE_INLINE_MAX (LIMIT_VALUE_CHUNK_BYTES - (unsigned)sizeof(struct value))

#endif
