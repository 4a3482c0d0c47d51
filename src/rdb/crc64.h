#ifndef RDB_CRC64_H
#define RDB_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* Redis's checksum, chained: pass 0 or the value so far. */
uint64_t crc64(uint64_t crc, const void *p, size_t n);

#endif
