#ifndef TESTS_FUZZ_ARENA_H
#define TESTS_FUZZ_ARENA_H

#include <stdbool.h>

/* The memory of one execution. Between arena_begin and arena_end what base/mem.h gives out comes from one piece of memory that goes back to
 * how it was before the next input: no execution sees what another one left, and nothing is allocated, mapped or made twice that is the
 * same for all of them. See arena.c.
 *
 * FUZZ_ARENA=no in the environment takes every block from malloc instead, for a report that says who allocated a block; then
 * arena_is_new is true for every input. */

/* Begins an execution: the arena holds what it held at arena_keep, or nothing. */
void arena_begin(void);
/* Must the caller make what all executions begin with, and call arena_keep? Only the first one must. */
bool arena_is_new(void);
/* Every execution from now on begins with what the arena holds now. */
void arena_keep(void);
/* Ends an execution: all that it has allocated must have been freed, and so must what was kept. */
void arena_end(void);

#endif
