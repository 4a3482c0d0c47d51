#include "tests/bench/histogram.h"

#include <stddef.h>

static size_t histogram_bucket_of(uint64_t ns)
{
    if (ns < HISTOGRAM_SUB_COUNT) {
        return (size_t)ns;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
    return (size_t)(shift + 1) * HISTOGRAM_SUB_COUNT + (size_t)((ns >> shift) - HISTOGRAM_SUB_COUNT);
}

static uint64_t histogram_upper_edge(size_t bucket)
{
    if (bucket < HISTOGRAM_SUB_COUNT) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket / HISTOGRAM_SUB_COUNT) - 1;
    uint64_t low = ((uint64_t)(bucket % HISTOGRAM_SUB_COUNT) + HISTOGRAM_SUB_COUNT) << shift;
    return low + (((uint64_t)1 << shift) - 1);
}

void histogram_record(struct histogram *h, uint64_t ns)
{
    h->bucket[histogram_bucket_of(ns)]++;
    h->count++;
    h->sum += ns;
    if (ns > h->max) {
        h->max = ns;
    }
}

uint64_t histogram_quantile(const struct histogram *h, double fraction)
{
    uint64_t wanted = (uint64_t)(fraction * (double)h->count + 0.5);
    uint64_t seen = 0;
    if (wanted == 0) {
        wanted = 1;
    }
    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->bucket[i];
        if (seen >= wanted) {
            uint64_t edge = histogram_upper_edge(i);
            return edge < h->max ? edge : h->max;
        }
    }
    return h->max;
}
