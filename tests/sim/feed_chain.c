#include "feed_chain.h"

#include "base/checksum.h"
#include "base/mem.h"

/* Open addressing by index and part; it only grows. */

struct link {
    struct feed_place at; /* index 0: free */
    struct feed_place next;
    uint32_t crc;         /* of its text */
};

struct feed_chain {
    struct world *world;
    struct link *slot;
    size_t count;
    size_t capacity;
};

static bool is_before(struct feed_place a, struct feed_place b) { return a.index < b.index || (a.index == b.index && a.part < b.part); }
static bool is_same(struct feed_place a, struct feed_place b) { return a.index == b.index && a.part == b.part; }

static struct link *find(struct feed_chain *c, struct feed_place at)
{
    size_t i = (size_t)((at.index * 0x9e3779b97f4a7c15u + at.part * 0xc2b2ae3d27d4eb4fu) >> 20) & (c->capacity - 1);
    while (c->slot[i].at.index != 0 && !is_same(c->slot[i].at, at))
        i = (i + 1) & (c->capacity - 1);
    return &c->slot[i];
}

static void grow(struct feed_chain *c)
{
    struct feed_chain old = *c;
    c->capacity = 2 * old.capacity;
    c->slot = mem_alloc_zero(c->capacity * sizeof *c->slot);
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.slot[i].at.index != 0)
            *find(c, old.slot[i].at) = old.slot[i];
    }
    mem_free(old.slot);
}

struct feed_chain *feed_chain_new(struct world *w)
{
    struct feed_chain *c = mem_alloc_zero(sizeof *c);
    c->world = w;
    c->capacity = 1024;
    c->slot = mem_alloc_zero(c->capacity * sizeof *c->slot);
    return c;
}

void feed_chain_free(struct feed_chain *c)
{
    if (c)
        mem_free(c->slot);
    mem_free(c);
}

void feed_chain_add(struct feed_chain *c, struct feed_place before, struct feed_place at, struct slice text)
{
    uint32_t crc = crc32c(0, text.p, text.n);
    if (2 * c->count >= c->capacity)
        grow(c);
    struct link *here = find(c, at);
    if (here->at.index == 0) {
        *here = (struct link){.at = at, .crc = crc};
        c->count++;
    }
    if (here->crc != crc)
        world_fail(c->world, "W1 two watchers were shown different changes %llu-%llu, one of them %.*s", (unsigned long long)at.index,
                   (unsigned long long)at.part, (int)(text.n < 120 ? text.n : 120), (const char *)text.p);
    if (before.index == 0)
        return;
    if (!is_before(before, at)) {
        world_fail(c->world, "W1 a watcher was shown %llu-%llu behind %llu-%llu", (unsigned long long)at.index, (unsigned long long)at.part,
                   (unsigned long long)before.index, (unsigned long long)before.part);
        return;
    }
    struct link *link = find(c, before);
    if (link->at.index != 0 && link->next.index == 0)
        link->next = at;
    else if (link->at.index != 0 && !is_same(link->next, at))
        world_fail(c->world, "W2 behind change %llu-%llu one watcher was shown %llu-%llu, and another %llu-%llu: one of them has a gap",
                   (unsigned long long)before.index, (unsigned long long)before.part, (unsigned long long)at.index, (unsigned long long)at.part,
                   (unsigned long long)link->next.index, (unsigned long long)link->next.part);
}
