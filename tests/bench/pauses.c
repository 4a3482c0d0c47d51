/* What the machine alone keeps a program waiting: loops that only look at the clock, one on each processor, and one that touches memory for
 * the first time, which is a page fault each, and on a virtual machine often one of its host too. No server's longest turn is shorter for
 * long. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/load.h"

#define PAUSES_SECONDS 20u
#define PAUSES_PROCESSORS_MAX 64
#define PAUSES_LONG_NS UINT64_C(5000000)
#define PAGE_BYTES 4096u

struct watcher {
    pthread_t thread;
    uint64_t longest_ns;
    unsigned long_pauses;
};

static void *watch_the_clock(void *arg)
{
    struct watcher *w = arg;
    uint64_t last = load_now_ns();
    const uint64_t end = last + PAUSES_SECONDS * UINT64_C(1000000000);
    while (last < end) {
        uint64_t now = load_now_ns();
        uint64_t pause = now - last;
        w->longest_ns = pause > w->longest_ns ? pause : w->longest_ns;
        w->long_pauses += pause > PAUSES_LONG_NS;
        last = now;
    }
    return NULL;
}

/* Of all together. */
static struct watcher watch_on_each_processor(void)
{
    struct watcher watcher[PAUSES_PROCESSORS_MAX] = {0};
    struct watcher all = {0};
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    count = count < 1 ? 1 : count > PAUSES_PROCESSORS_MAX ? PAUSES_PROCESSORS_MAX : count;
    for (long i = 0; i < count; i++) {
        if (pthread_create(&watcher[i].thread, NULL, watch_the_clock, &watcher[i]) != 0) {
            load_die("--pauses");
        }
    }
    for (long i = 0; i < count; i++) {
        (void)pthread_join(watcher[i].thread, NULL);
        all.longest_ns = watcher[i].longest_ns > all.longest_ns ? watcher[i].longest_ns : all.longest_ns;
        all.long_pauses += watcher[i].long_pauses;
    }
    return all;
}

int pauses_run(size_t mib)
{
    const size_t bytes = mib << 20;
    uint64_t longest = 0;
    struct watcher clock = watch_on_each_processor();
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
    printf("seconds=%u clock_longest_us=%.0f clock_over_5ms=%u touch_us=%.1f touch_longest_us=%.0f\n", PAUSES_SECONDS,
           (double)clock.longest_ns / 1e3, clock.long_pauses, (double)(last - begun) / 1e3 / (double)(bytes / PAGE_BYTES),
           (double)longest / 1e3);
    return 0;
}
