#define _GNU_SOURCE
#include "net/bulk_memory.h"

#ifdef HAVE_JEMALLOC

#include <jemalloc/jemalloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>

/* An arena whose new memory asks for large pages while a bulk is loaded, and not afterwards. The thread moves to it with the first bulk
 * and stays: from another one the gaps that overwritten values leave would never be filled again. Memory goes back to its arena whenever
 * it is freed, so arena and hooks live as long as the process: the only reason for what is static here. */
static struct {
    extent_hooks_t *plain; /* jemalloc's own; NULL: there is no arena yet */
    extent_hooks_t large;
    atomic_bool is_on; /* another thread may grow what lies there */
} bulk;

static void *
bulk_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t alignment, bool *zero, bool *commit, unsigned arena)
{
    (void)hooks;
    void *p = bulk.plain->alloc(bulk.plain, at, size, alignment, zero, commit, arena);

    if (p && atomic_load_explicit(&bulk.is_on, memory_order_relaxed)) {
        (void)madvise(p, size, MADV_HUGEPAGE); /* without: small pages */
    }
    return p;
}

static void bulk_move_thread(void)
{
    extent_hooks_t *plain;
    extent_hooks_t *hooks = &bulk.large;
    unsigned arena;
    size_t size = sizeof plain;

    if (mallctl("arena.0.extent_hooks", &plain, &size, NULL, 0) != 0) {
        return;
    }
    bulk.plain = plain;
    bulk.large = *plain;
    bulk.large.alloc = bulk_alloc;
    size = sizeof arena;
    if (mallctl("arenas.create", &arena, &size, &hooks, sizeof hooks) == 0) {
        (void)mallctl("thread.arena", NULL, NULL, &arena, sizeof arena);
    }
}

void bulk_memory(bool begins)
{
    atomic_store_explicit(&bulk.is_on, begins, memory_order_relaxed);
    if (begins && !bulk.plain) {
        bulk_move_thread();
    }
}

#else

void bulk_memory(bool begins)
{
    (void)begins;
}

#endif
