#include "base/checksum.h"

#include "base/codec.h"

/* SipHash-c-d after the reference by J.-P. Aumasson and D. J. Bernstein ("SipHash: a fast short-input
 * PRF", 2012): c rounds per 8-byte word, d at the end; the 128-bit variant is the authors' later
 * extension. Words are little-endian, so every machine computes the same. */

struct siphash {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate_left(uint64_t x, unsigned k)
{
    return (x << k) | (x >> (64 - k));
}

static inline void siphash_rounds(struct siphash *h, int count)
{
    for (int i = 0; i < count; i++) {
        h->v0 += h->v1;
        h->v1 = rotate_left(h->v1, 13) ^ h->v0;
        h->v0 = rotate_left(h->v0, 32);
        h->v2 += h->v3;
        h->v3 = rotate_left(h->v3, 16) ^ h->v2;
        h->v0 += h->v3;
        h->v3 = rotate_left(h->v3, 21) ^ h->v0;
        h->v2 += h->v1;
        h->v1 = rotate_left(h->v1, 17) ^ h->v2;
        h->v2 = rotate_left(h->v2, 32);
    }
}

static inline void siphash_word(struct siphash *h, uint64_t word, int rounds)
{
    h->v3 ^= word;
    siphash_rounds(h, rounds);
    h->v0 ^= word;
}

/* Everything but the finalisation. */
static inline struct siphash
siphash_absorb(const struct siphash_key *key, const void *p, size_t n, int rounds, uint64_t wide)
{
    const uint8_t *at = p;
    uint64_t k0 = get_u64(key->bytes);
    uint64_t k1 = get_u64(key->bytes + 8);
    struct siphash h = {
        .v0 = k0 ^ 0x736f6d6570736575u,
        .v1 = k1 ^ 0x646f72616e646f6du ^ wide,
        .v2 = k0 ^ 0x6c7967656e657261u,
        .v3 = k1 ^ 0x7465646279746573u,
    };
    uint64_t last = (uint64_t)n << 56;
    for (; n >= 8; at += 8, n -= 8)
        siphash_word(&h, get_u64(at), rounds);
    for (unsigned i = 0; i < n; i++)
        last |= (uint64_t)at[i] << (8 * i);
    siphash_word(&h, last, rounds);
    return h;
}

static inline uint64_t siphash_fold(const struct siphash *h)
{
    return h->v0 ^ h->v1 ^ h->v2 ^ h->v3;
}

uint64_t siphash64(const struct siphash_key *key, const void *p, size_t n)
{
    struct siphash h = siphash_absorb(key, p, n, 2, 0);
    h.v2 ^= 0xff;
    siphash_rounds(&h, 4);
    return siphash_fold(&h);
}

uint64_t siphash64_fast(const struct siphash_key *key, const void *p, size_t n)
{
    struct siphash h = siphash_absorb(key, p, n, 1, 0);
    h.v2 ^= 0xff;
    siphash_rounds(&h, 3);
    return siphash_fold(&h);
}

void siphash128(const struct siphash_key *key, const void *p, size_t n, uint8_t out[16])
{
    struct siphash h = siphash_absorb(key, p, n, 2, 0xee);
    h.v2 ^= 0xee;
    siphash_rounds(&h, 4);
    put_u64(out, siphash_fold(&h));
    h.v1 ^= 0xdd;
    siphash_rounds(&h, 4);
    put_u64(out + 8, siphash_fold(&h));
}
