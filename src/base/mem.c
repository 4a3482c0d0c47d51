#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"

/* How bytes are counted
 *
 * Each thread has a counter of its own that only it writes (no locked instruction on the hot path);
 * mem_used adds them up. A block may be freed by another thread than the one that allocated it:
 * then one counter falls below zero (wraps), and the sum is right nevertheless.
 *
 * A counter outlives its thread, because what that thread allocated may. They are few: coracle
 * starts its threads once. This list is the one piece of process-wide state in base/; the allocator
 * it counts is process-wide too. */
struct mem_counter {
    atomic_size_t used_bytes;
    struct mem_counter *next; /* never changes once published */
};

static _Atomic(struct mem_counter *) all_counters;
static _Thread_local struct mem_counter *own_counter;

static __attribute__((noreturn, cold)) void out_of_memory(size_t size)
{
    fprintf(stderr, "out of memory allocating %zu bytes\n", size);
    fflush(stderr);
    abort();
}

static __attribute__((cold, noinline)) struct mem_counter *counter_new(void)
{
    struct mem_counter *c = calloc(1, sizeof *c);
    if (!c)
        out_of_memory(sizeof *c);
    c->next = atomic_load(&all_counters);
    while (!atomic_compare_exchange_weak(&all_counters, &c->next, c)) {
    }
    own_counter = c;
    return c;
}

static void count(size_t added, size_t removed)
{
    struct mem_counter *c = own_counter ? own_counter : counter_new();
    size_t used = atomic_load_explicit(&c->used_bytes, memory_order_relaxed);
    atomic_store_explicit(&c->used_bytes, used + added - removed, memory_order_relaxed);
}

void *mem_alloc(size_t size)
{
    /* Zero bytes are a block too: NULL would be taken for "none" somewhere. */
    void *p = malloc(size > 0 ? size : 1);
    if (!p)
        out_of_memory(size);
    count(malloc_usable_size(p), 0);
    return p;
}

void *mem_alloc_zero(size_t size)
{
    void *p = calloc(1, size > 0 ? size : 1);
    if (!p)
        out_of_memory(size);
    count(malloc_usable_size(p), 0);
    return p;
}

void *mem_realloc(void *p, size_t size)
{
    size_t before = p ? malloc_usable_size(p) : 0;
    void *moved = realloc(p, size > 0 ? size : 1);
    if (!moved)
        out_of_memory(size);
    count(malloc_usable_size(moved), before);
    return moved;
}

static size_t array_size(size_t count_of, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count_of, size, &total))
        out_of_memory(SIZE_MAX);
    return total;
}

void *mem_alloc_array(size_t count_of, size_t size)
{
    return mem_alloc(array_size(count_of, size));
}

void *mem_realloc_array(void *p, size_t count_of, size_t size)
{
    return mem_realloc(p, array_size(count_of, size));
}

void mem_free(void *p)
{
    if (!p)
        return;
    count(0, malloc_usable_size(p));
    free(p);
}

void *mem_map(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        out_of_memory(size);
    return p;
}

void mem_unmap(void *p, size_t size)
{
    if (p)
        munmap(p, size);
}

char *mem_copy_string(const void *p, size_t n)
{
    ASSERT(n < SIZE_MAX);
    char *copy = mem_alloc(n + 1);
    if (n > 0)
        memcpy(copy, p, n);
    copy[n] = 0;
    return copy;
}

size_t mem_used(void)
{
    size_t sum = 0;
    for (struct mem_counter *c = atomic_load(&all_counters); c; c = c->next)
        sum += atomic_load_explicit(&c->used_bytes, memory_order_relaxed);
    /* Another thread may have freed here what it allocated after its counter was read. */
    return sum > SIZE_MAX / 2 ? 0 : sum;
}
