#include "base/checksum.h"

#include <string.h>

/* SHA-256 (FIPS 180-4 §6.2) and HMAC (RFC 2104). Used a few times per peer connection and never per
 * request, hence written to be read. */

#define SHA256_BLOCK 64
#define SHA256_SIZE 32

struct sha256 {
    uint32_t state[8];
    uint64_t total_bytes;
    uint8_t block[SHA256_BLOCK];
    size_t block_used;
};

static const uint32_t sha256_constants[64] = {
    /* clang-format off */
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    /* clang-format on */
};

static uint32_t rotate_right(uint32_t x, unsigned k)
{
    return (x >> k) | (x << (32 - k));
}

static uint32_t get_big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

static void put_big_endian(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void sha256_schedule(const uint8_t *block, uint32_t w[64])
{
    for (unsigned i = 0; i < 16; i++)
        w[i] = get_big_endian(block + (size_t)4 * i);
    for (unsigned i = 16; i < 64; i++) {
        uint32_t a = w[i - 15];
        uint32_t b = w[i - 2];
        uint32_t s0 = rotate_right(a, 7) ^ rotate_right(a, 18) ^ (a >> 3);
        uint32_t s1 = rotate_right(b, 17) ^ rotate_right(b, 19) ^ (b >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
}

static void sha256_compress(uint32_t state[8], const uint8_t *block)
{
    uint32_t w[64];
    uint32_t v[8]; /* a to h of the standard */
    sha256_schedule(block, w);
    memcpy(v, state, sizeof v);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        uint32_t choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint32_t t1 = v[7] + s1 + choice + sha256_constants[i] + w[i];
        uint32_t s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        uint32_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(v + 1, v, 7 * sizeof v[0]);
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (unsigned i = 0; i < 8; i++)
        state[i] += v[i];
}

static void sha256_start(struct sha256 *h)
{
    *h = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
                                   0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

static void sha256_update(struct sha256 *h, const void *p, size_t n)
{
    const uint8_t *at = p;
    h->total_bytes += n;
    while (n > 0) {
        size_t room = SHA256_BLOCK - h->block_used;
        size_t take = n < room ? n : room;
        memcpy(h->block + h->block_used, at, take);
        h->block_used += take;
        at += take;
        n -= take;
        if (h->block_used == SHA256_BLOCK) {
            sha256_compress(h->state, h->block);
            h->block_used = 0;
        }
    }
}

static void sha256_finish(struct sha256 *h, uint8_t out[SHA256_SIZE])
{
    uint64_t bits = h->total_bytes * 8;
    sha256_update(h, "\x80", 1);
    while (h->block_used != SHA256_BLOCK - 8)
        sha256_update(h, "", 1);
    uint8_t length[8];
    put_big_endian(length, (uint32_t)(bits >> 32));
    put_big_endian(length + 4, (uint32_t)bits);
    sha256_update(h, length, sizeof length);
    for (unsigned i = 0; i < 8; i++)
        put_big_endian(out + (size_t)4 * i, h->state[i]);
}

void sha256(const void *p, size_t n, uint8_t out[SHA256_SIZE])
{
    struct sha256 h;
    sha256_start(&h);
    sha256_update(&h, p, n);
    sha256_finish(&h, out);
}

void hmac_sha256(struct slice key, struct slice message, uint8_t out[SHA256_SIZE])
{
    uint8_t pad[SHA256_BLOCK] = {0};
    if (key.n > SHA256_BLOCK)
        sha256(key.p, key.n, pad);
    else if (key.n > 0)
        memcpy(pad, key.p, key.n);

    struct sha256 h;
    uint8_t inner[SHA256_SIZE];
    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36;
    sha256_start(&h);
    sha256_update(&h, pad, sizeof pad);
    sha256_update(&h, message.p, message.n);
    sha256_finish(&h, inner);

    for (size_t i = 0; i < sizeof pad; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    sha256_start(&h);
    sha256_update(&h, pad, sizeof pad);
    sha256_update(&h, inner, sizeof inner);
    sha256_finish(&h, out);
}

bool bytes_equal_constant_time(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a;
    const uint8_t *y = b;
    /* volatile: the compiler may not learn that one difference decides. */
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < n; i++)
        difference = (uint8_t)(difference | (x[i] ^ y[i]));
    return difference == 0;
}
