#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Allocation that never fails: out of memory aborts, because a half-applied step is worse than
 * a restart. Sizes that come from clients are bounded by limits before they reach these. */
void *mem_alloc(size_t size);
void *mem_alloc_zero(size_t size);
void *mem_realloc(void *p, size_t size);
/* Overflow-checked array forms. */
void *mem_alloc_array(size_t count, size_t size);
void *mem_realloc_array(void *p, size_t count, size_t size);
void mem_free(void *p);
/* Address space for a vector that may grow large: zeros, memory only where it is touched. Not in mem_used, which would count all of it. */
void *mem_map(size_t size);
void mem_unmap(void *p, size_t size); /* NULL is nothing */
/* A NUL-terminated copy of `n` bytes; returns owned. */
char *mem_copy_string(const void *p, size_t n);

/* Bytes now allocated through this module, in usable sizes (malloc_usable_size); for INFO and limits.
 * Counted per thread and summed, exact on the loop's thread. */
size_t mem_used(void);

/* The struct that holds `member`, through void * so that -Wcast-align is content. */
#define CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
