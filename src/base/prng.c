#include "base/prng.h"

#include "base/assert.h"

/* xoshiro256** 1.0 and splitmix64 of D. Blackman and S. Vigna (public domain), prng.di.unimi.it. */

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate_left(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

void prng_seed(struct prng *p, uint64_t seed)
{
    /* splitmix64 yields each value once per period, so the four are never all zero. */
    for (int i = 0; i < 4; i++)
        p->s[i] = splitmix64(&seed);
}

uint64_t prng_next(struct prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t bound)
{
    ASSERT(bound > 0);
    /* 2^64 mod bound: values below it would make the small results more likely. */
    uint64_t skipped = (0 - bound) % bound;
    uint64_t x;
    do {
        x = prng_next(p);
    } while (x < skipped);
    return x % bound;
}

int prng_chance(struct prng *p, uint32_t millionths)
{
    return prng_below(p, 1000000) < millionths;
}
