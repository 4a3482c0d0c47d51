#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

/* Latencies in nanoseconds with a relative error below 1/64: each power of two is split into 64 equal
 * buckets (the layout of HdrHistogram). Recording costs one shift and one increment. Value type of
 * 29 KiB; zeroed memory is an empty histogram. */
enum { HISTOGRAM_SUB_BITS = 6, HISTOGRAM_SUB_COUNT = 1 << HISTOGRAM_SUB_BITS };
enum { HISTOGRAM_BUCKETS = (64 - HISTOGRAM_SUB_BITS + 1) * HISTOGRAM_SUB_COUNT };

struct histogram {
    uint64_t count;
    uint64_t max;
    uint64_t sum;
    uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram_record(struct histogram *h, uint64_t ns);
/* The smallest recorded value (upper edge of its bucket, never above the maximum) that `fraction` (0..1] of all
 * values do not exceed; 0 when nothing was recorded. O(buckets). */
uint64_t histogram_quantile(const struct histogram *h, double fraction);

#endif
