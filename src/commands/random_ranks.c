#include "commands/random_ranks.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

static int random_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Knuth's algorithm S: each number is taken with the probability that is left for it. */
static void random_by_selection(struct prng *random, uint64_t n, uint64_t count, uint64_t *rank)
{
    uint64_t taken = 0;
    for (uint64_t i = 0; taken < count; i++) {
        if (prng_below(random, n - i) < count - taken) {
            rank[taken++] = i;
        }
    }
}

/* Draw what is missing, drop what was drawn twice, again. Half of them are missing at most, so each round has a chance of 1/2 for
 * each. */
static void random_by_rejection(struct prng *random, uint64_t n, uint64_t count, uint64_t *rank)
{
    uint64_t have = 0;
    while (have < count) {
        for (uint64_t i = have; i < count; i++) {
            rank[i] = prng_below(random, n);
        }
        qsort(rank, (size_t)count, sizeof *rank, random_compare);
        have = 1;
        for (uint64_t i = 1; i < count; i++) {
            if (rank[i] != rank[have - 1]) {
                rank[have++] = rank[i];
            }
        }
    }
}

uint64_t *random_ranks(struct prng *random, uint64_t n, uint64_t count)
{
    ASSERT(count <= n);
    uint64_t *rank = mem_alloc_array((size_t)count + 1, sizeof *rank);
    if (count > n / 2) {
        random_by_selection(random, n, count, rank);
    } else if (count > 0) {
        random_by_rejection(random, n, count, rank);
    }
    return rank;
}
