#ifndef NET_BULK_MEMORY_H
#define NET_BULK_MEMORY_H

#include <stdbool.h>

/* What the allocator, where it can (jemalloc), does about page faults of the loop's thread: on a virtual machine a page that is touched for
 * the first time costs 10 to 50 us, now and then milliseconds, and a value of 30 MB has 7,500 of them wherever it is copied to. One thread
 * only. */

/* From now on this thread's memory grows by pieces that another thread has touched (ready_memory.h), and large pieces (8 MiB) are used again
 * when they are freed. Once. */
void bulk_memory_begin(void);
/* Between bulk_memory(true) and bulk_memory(false) new memory of the thread comes in large pages: a state of a million keys takes tens
 * of thousands of page faults to load, and most of the time of a start. While clients wait it does not: one fault of a large page takes 10
 * to 20 ms where the hypervisor has none at hand. Doing it twice does nothing. */
void bulk_memory(bool begins);

#endif
