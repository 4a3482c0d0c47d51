#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "base/buf.h"

/* A body in chunks (RFC 9112 §7.1), decoded as its bytes come. Strict: sizes are hexadecimal digits and nothing else, lines end in
 * CR LF, every chunk is followed by one. Extensions and trailers are checked for length and left out. All-zero is the
 * beginning. */
struct http_chunks {
    enum http_chunk_state { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER } state;
    uint64_t left;       /* of the chunk under way */
    size_t total;        /* decoded so far */
    size_t trailer_size; /* bytes of trailer lines so far */
};

enum http_body_result { BODY_NEED_MORE, BODY_OK, BODY_TOO_BIG, BODY_BAD };

/* Takes what it can of `input`: *consumed bytes are done with, data is appended to `out` (NULL: thrown away).
 * BODY_TOO_BIG: more than `max` bytes. BODY_OK: the last chunk and its trailer are in. */
enum http_body_result http_chunks_take(struct http_chunks *c, struct slice input, size_t max, struct buf *out, size_t *consumed);

#endif
