#ifndef BASE_CHECKSUM_INTERNAL_H
#define BASE_CHECKSUM_INTERNAL_H

/* For tests: the two ways of crc32c, so that one can be checked against the other. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool crc32c_has_hardware(void);
uint32_t crc32c_software(uint32_t crc, const void *p, size_t n);
/* Only where crc32c_has_hardware(). */
uint32_t crc32c_hardware(uint32_t crc, const void *p, size_t n);

#endif
