#ifndef HTTP_SHA1_H
#define HTTP_SHA1_H

#include "base/slice.h"

/* SHA-1 (FIPS 180-4), which WebSocket's handshake asks for. Nothing is kept secret by it. */
void sha1(const void *p, size_t n, uint8_t out[20]);

#endif
