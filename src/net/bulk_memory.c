#define _GNU_SOURCE
#include "net/bulk_memory.h"

#ifdef HAVE_JEMALLOC

#include <jemalloc/jemalloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#include "net/ready_memory.h"

/* What the arena grows by: a piece that is ready, or, as it loads a bulk, many large pages. */
#define SMALL_STEP READY_PIECE
#define BULK_STEP ((size_t)64 << 20)
/* What mappings are aligned to. */
#define PAGE_BYTES ((size_t)4096)

/* jemalloc's own name for it. What is freed is used again, however large: as a rule it gives a piece of 8 MiB back at once, and the next
 * value of that size would pay for all its pages anew. What nobody uses again for ten seconds is given back by a thread of jemalloc's. */
const char *malloc_conf = "oversize_threshold:0,background_thread:true";

/* Regions of the arena that are a ready piece and nothing else, a bit each by their address. jemalloc trusts that what follows the first
 * extent of a region is the same arena's (it joins free neighbours without asking, where opt.retain is on): so a region goes back whole or
 * not at all. Was one cut, and another arena's region mapped in the hole, then a free extent of that one was joined with what followed, and the
 * two arenas' lists were spoilt. */
#define ADDRESS_BITS 47
static _Atomic uint64_t whole_piece[((uint64_t)1 << ADDRESS_BITS) / READY_PIECE / 64]; /* pages of it that nobody touches are not there */

/* NULL: not an address of a piece. */
static _Atomic uint64_t *piece_word(const void *at, uint64_t *bit)
{
    uint64_t slot = (uint64_t)(uintptr_t)at / READY_PIECE;

    *bit = (uint64_t)1 << slot % 64;
    return (uintptr_t)at % READY_PIECE == 0 && slot / 64 < sizeof whole_piece / sizeof whole_piece[0] ? &whole_piece[slot / 64] : NULL;
}

static void note_piece(const void *at)
{
    uint64_t bit;
    _Atomic uint64_t *word = piece_word(at, &bit);

    if (word) {
        (void)atomic_fetch_or(word, bit);
    }
}

/* True once. */
static bool forget_piece(const void *at)
{
    uint64_t bit;
    _Atomic uint64_t *word = piece_word(at, &bit);

    return word && (atomic_fetch_and(word, ~bit) & bit) != 0;
}

/* The arena of the loop's thread. Memory goes back to its arena whenever it is freed, so arena and hooks live as long as the process: the
 * only reason for what is static here. */
static struct {
    extent_hooks_t *plain; /* jemalloc's own; NULL: there is no arena */
    extent_hooks_t large;
    unsigned arena;
    atomic_bool is_on; /* another thread may grow what lies there */
} bulk;

static void *
bulk_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t alignment, bool *zero, bool *commit, unsigned arena)
{
    (void)hooks;
    bool is_on = atomic_load_explicit(&bulk.is_on, memory_order_relaxed);
    void *p = NULL;

    if (!is_on && !at && size == READY_PIECE && alignment <= PAGE_BYTES) {
        p = ready_memory_take();
    }
    if (p) {
        note_piece(p);
        *zero = true;
        *commit = true;
        return p;
    }
    p = bulk.plain->alloc(bulk.plain, at, size, alignment, zero, commit, arena);

    if (p && is_on) {
        (void)madvise(p, size, MADV_HUGEPAGE); /* without: small pages */
    }
    return p;
}

/* Memory that has been free for long. A piece goes back whole, so that what the data grow by next is ready again and not a hole whose
 * pages must be touched anew. Everything else stays mapped, without its pages: it may be a part of a region (above). */
static bool bulk_dalloc(extent_hooks_t *hooks, void *at, size_t size, bool committed, unsigned arena)
{
    (void)hooks;
    (void)committed;
    (void)arena;
    return size != READY_PIECE || !forget_piece(at) || munmap(at, size) != 0;
}

static void arena_grow_by(size_t step)
{
    char name[64];

    (void)snprintf(name, sizeof name, "arena.%u.retain_grow_limit", bulk.arena);
    (void)mallctl(name, NULL, NULL, &step, sizeof step);
}

void bulk_memory_begin(void)
{
    extent_hooks_t *hooks = &bulk.large;
    size_t size = sizeof bulk.plain;

    if (mallctl("arena.0.extent_hooks", &bulk.plain, &size, NULL, 0) != 0) {
        bulk.plain = NULL;
        return;
    }
    bulk.large = *bulk.plain;
    bulk.large.alloc = bulk_alloc;
    bulk.large.dalloc = bulk_dalloc;
    size = sizeof bulk.arena;
    if (mallctl("arenas.create", &bulk.arena, &size, &hooks, sizeof hooks) != 0) {
        bulk.plain = NULL;
        return;
    }
    (void)ready_memory_begin(); /* without: what the arena asks for is mapped as usual */
    arena_grow_by(SMALL_STEP);
    (void)mallctl("thread.arena", NULL, NULL, &bulk.arena, sizeof bulk.arena);
}

void bulk_memory(bool begins)
{
    bool was_on = atomic_exchange_explicit(&bulk.is_on, begins, memory_order_relaxed);

    if (bulk.plain && was_on != begins) {
        arena_grow_by(begins ? BULK_STEP : SMALL_STEP);
    }
}

#else

void bulk_memory_begin(void) {}

void bulk_memory(bool begins)
{
    (void)begins;
}

#endif
