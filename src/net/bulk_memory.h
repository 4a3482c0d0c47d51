#ifndef NET_BULK_MEMORY_H
#define NET_BULK_MEMORY_H

#include <stdbool.h>

/* Between bulk_memory(true) and bulk_memory(false) the calling thread gets new memory in large pages, where the allocator and the
 * system can do that: a state of a million keys takes tens of thousands of page faults to load, and most of the time of a start. As
 * data grow by and by the faults don't matter, and what large pages waste would. Doing it twice does nothing. One thread only. */
void bulk_memory(bool begins);

#endif
