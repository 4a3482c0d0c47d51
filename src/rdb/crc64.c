/* CRC-64 "Jones" as Redis uses it: polynomial 0xad93d23594c935a9, reflected, no inversion at either
 * end; the check value of "123456789" is 0xe9c6d914c4b8d9ca.
 *
 * Eight bytes at a time ("slicing by 8", Kounavis and Berry 2005): table[k][b] is what byte `b`
 * contributes when `k` more bytes follow. The tables are computed per call for long inputs and the
 * plain loop over bits serves short ones, so that no state is kept anywhere. */

#include "rdb/crc64.h"

#include <string.h>

#define CRC64_POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* reflected */

enum {
    CRC64_SLICES = 8,
    CRC64_SHORT_BYTES = 512, /* up to here making tables costs more than it saves */
};

static uint64_t crc64_byte(uint64_t crc)
{
    for (int bit = 0; bit < 8; bit++) {
        crc = (crc >> 1) ^ (crc & 1 ? CRC64_POLYNOMIAL : 0);
    }
    return crc;
}

static void crc64_make_tables(uint64_t table[CRC64_SLICES][256])
{
    for (unsigned b = 0; b < 256; b++) {
        table[0][b] = crc64_byte(b);
    }
    for (unsigned k = 1; k < CRC64_SLICES; k++) {
        for (unsigned b = 0; b < 256; b++) {
            uint64_t before = table[k - 1][b];
            table[k][b] = table[0][before & 0xff] ^ (before >> 8);
        }
    }
}

static uint64_t crc64_long(uint64_t crc, const uint8_t *p, size_t n)
{
    uint64_t table[CRC64_SLICES][256];
    crc64_make_tables(table);
    for (; n >= CRC64_SLICES; p += CRC64_SLICES, n -= CRC64_SLICES) {
        uint64_t next = 0;
        for (unsigned k = 0; k < CRC64_SLICES; k++) {
            next ^= table[CRC64_SLICES - 1 - k][(p[k] ^ (crc >> (8 * k))) & 0xff];
        }
        crc = next;
    }
    for (; n > 0; p++, n--) {
        crc = table[0][(crc ^ *p) & 0xff] ^ (crc >> 8);
    }
    return crc;
}

uint64_t crc64(uint64_t crc, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    if (n > CRC64_SHORT_BYTES) {
        return crc64_long(crc, bytes, n);
    }
    for (size_t i = 0; i < n; i++) {
        crc = crc64_byte((crc ^ bytes[i]) & 0xff) ^ (crc >> 8);
    }
    return crc;
}
