#ifndef BASE_CHUNK_H
#define BASE_CHUNK_H

#include <stddef.h>
#include <stdint.h>

/* A reference-counted block of bytes that is filled from the front and never moves. Log entries live in
 * chunks from the moment they are encoded until nobody needs them: the same bytes are sent, written and applied.
 * Counts are not atomic: references are taken and dropped on the loop's thread only (the fsync thread
 * reads bytes that a job holds a reference to). */
struct chunk {
    uint32_t ref_count;
    size_t used;       /* bytes [0, used) are immutable once published */
    size_t capacity;
    uint8_t data[];
};

/* A chunk with one reference and room for `capacity` bytes; returns owned. */
struct chunk *chunk_new(size_t capacity);
struct chunk *chunk_ref(struct chunk *c);
/* Drops one reference, frees at zero. NULL is allowed. */
void chunk_unref(struct chunk *c);
static inline size_t chunk_room(const struct chunk *c) { return c ? c->capacity - c->used : 0; }

#endif
