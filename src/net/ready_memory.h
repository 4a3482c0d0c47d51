#ifndef NET_READY_MEMORY_H
#define NET_READY_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* New memory whose pages are there already. The first touch of a page enters the kernel, and on a virtual machine often the hypervisor
 * too: tens of microseconds as a rule, milliseconds now and then (`coracle-load --pauses` tells), for which a loop stands still with all
 * its clients. So a thread of its own touches a few pieces ahead; it begins when a piece has been asked for, and gives back what nobody has
 * taken for a second. One per process, and as long-lived, since what it serves is the allocator. */

/* Bytes of a piece, and what it is aligned to. */
#define READY_PIECE ((size_t)1 << 20)

/* Starts the thread. Once, before the first ready_memory_take. False: there is none, and never a piece. */
bool ready_memory_begin(void);
/* A piece of zeros, the caller's as if by mmap; NULL: none is ready, the caller maps its own. Allocates nothing and waits for nobody's I/O;
 * any thread. */
void *ready_memory_take(void);

#endif
