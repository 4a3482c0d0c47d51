#ifndef NET_BULK_MEMORY_H
#define NET_BULK_MEMORY_H

#include <stdbool.h>

/* What the allocator, where it can (jemalloc), does about page faults of the loop's thread: on a virtual machine a page that is touched for
 * the first time may cost 10 to 50 us, and a value of 30 MB has 7,500 of them wherever it is copied to. One thread only. */

/* From now on this thread's large pieces of memory (4 MiB) come in large pages, and are used again when they are freed. Once. */
void bulk_memory_begin(void);
/* Between bulk_memory(true) and bulk_memory(false) all new memory of the thread comes in large pages: a state of a million keys takes tens
 * of thousands of page faults to load, and most of the time of a start. As data grow by and by large pages would waste memory. Doing it
 * twice does nothing. */
void bulk_memory(bool begins);

#endif
