/* What the machine alone keeps a program waiting: one that only looks at the clock, and one that touches memory for the first time,
 * which is a page fault each, and on a virtual machine often one of its host too. No server's longest turn is shorter for long. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/load.h"

#define PAUSES_SECONDS 5u
#define PAGE_BYTES 4096u

static uint64_t pauses_of_the_clock(void)
{
    uint64_t longest = 0;
    uint64_t last = load_now_ns();
    const uint64_t end = last + PAUSES_SECONDS * UINT64_C(1000000000);
    while (last < end) {
        uint64_t now = load_now_ns();
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    return longest;
}

int pauses_run(size_t mib)
{
    const size_t bytes = mib << 20;
    uint64_t longest = 0;
    uint64_t clock_longest = pauses_of_the_clock();
    char *memory = malloc(bytes); /* so much is new from the system */
    volatile char *p = memory;
    if (memory == NULL) {
        load_die("--pauses");
    }
    const uint64_t begun = load_now_ns();
    uint64_t last = begun;
    for (size_t at = 0; at < bytes; at += PAGE_BYTES) {
        p[at] = 1;
        uint64_t now = load_now_ns();
        longest = now - last > longest ? now - last : longest;
        last = now;
    }
    free(memory);
    printf("clock_longest_us=%.0f touch_us=%.1f touch_longest_us=%.0f\n", (double)clock_longest / 1e3,
           (double)(last - begun) / 1e3 / (double)(bytes / PAGE_BYTES), (double)longest / 1e3);
    return 0;
}
