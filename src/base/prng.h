#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdint.h>

/* xoshiro256**, seeded through splitmix64: same seed, same sequence, everywhere. Not for secrets. */
struct prng {
    uint64_t s[4];
};
void prng_seed(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
/* Uniform in [0, bound), bound > 0. */
uint64_t prng_below(struct prng *p, uint64_t bound);
/* True with probability `millionths` / 1,000,000. */
int prng_chance(struct prng *p, uint32_t millionths);

#endif
