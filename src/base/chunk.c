#include "base/chunk.h"

#include "base/assert.h"
#include "base/mem.h"

struct chunk *chunk_new(size_t capacity)
{
    ASSERT(capacity <= SIZE_MAX - sizeof(struct chunk));
    struct chunk *c = mem_alloc(sizeof *c + capacity);
    c->ref_count = 1;
    c->used = 0;
    c->capacity = capacity;
    return c;
}

struct chunk *chunk_ref(struct chunk *c)
{
    ASSERT(c->ref_count > 0 && c->ref_count < UINT32_MAX);
    c->ref_count++;
    return c;
}

void chunk_unref(struct chunk *c)
{
    if (!c)
        return;
    ASSERT(c->ref_count > 0);
    ASSERT(c->used <= c->capacity);
    if (--c->ref_count == 0)
        mem_free(c);
}
