#ifndef BASE_CHECKSUM_H
#define BASE_CHECKSUM_H

#include "base/slice.h"

/* CRC32C (Castagnoli), chained: pass 0 or the value so far. Uses SSE4.2 or ARMv8 instructions when
 * the processor has them (decided once, same values either way). */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

/* SipHash-2-4 (Aumasson, Bernstein 2012), a keyed PRF: 64- and 128-bit output. */
struct siphash_key {
    uint8_t bytes[16];
};
uint64_t siphash64(const struct siphash_key *key, const void *p, size_t n);
void siphash128(const struct siphash_key *key, const void *p, size_t n, uint8_t out[16]);
/* SipHash-1-3, for the dictionary: still a keyed PRF, about twice as fast. */
uint64_t siphash64_fast(const struct siphash_key *key, const void *p, size_t n);

/* SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104): peer handshake and key derivation. */
void sha256(const void *p, size_t n, uint8_t out[32]);
void hmac_sha256(struct slice key, struct slice message, uint8_t out[32]);
/* Equality in constant time. */
bool bytes_equal_constant_time(const void *a, const void *b, size_t n);

#endif
