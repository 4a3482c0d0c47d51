#ifndef RDB_RDB_READER_H
#define RDB_RDB_READER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads an RDB file of Redis, versions 1 to 10 (Redis 7.0), key by key. Pure: the file's bytes are given whole (mapped, as
 * a rule) and borrowed. */

#define RDB_NO_EXPIRY INT64_MIN

struct rdb_key {
    uint64_t db;
    int64_t expiry_ms; /* Unix ms, or RDB_NO_EXPIRY */
    uint8_t type;      /* rdb/rdb_value.h */
    struct slice name; /* borrowed from the reader or the file until the next call */
    struct slice value; /* serialized; borrowed from the file */
};

struct rdb_reader {
    struct slice file; /* without the checksum at its end */
    struct slice rest;
    unsigned version;
    uint64_t db;
    struct buf name;
    uint64_t functions; /* left out so far: libraries of functions, modules' own records */
    uint64_t module_records;
};

/* Looks at the head, and checks the checksum over the whole file (O(bytes)) where there is one. On an error appends a
 * sentence to `why`: ERR_INVALID: no RDB file; ERR_FORMAT: of a version that is not read here; ERR_CORRUPT. The reader must
 * be deinitialised in any case. */
MUST_CHECK enum err rdb_reader_init(struct rdb_reader *r, struct slice file, struct buf *why);
void rdb_reader_deinit(struct rdb_reader *r);
/* Once more from the first key. */
void rdb_reader_rewind(struct rdb_reader *r);
/* The next key. ERR_NOT_FOUND: the end, and all was read. ERR_CORRUPT with a sentence that says where. */
MUST_CHECK enum err rdb_reader_next(struct rdb_reader *r, struct rdb_key *key, struct buf *why);
/* What RESTORE takes: type, value, version, checksum. Appends. */
void rdb_append_payload(const struct rdb_reader *r, const struct rdb_key *key, struct buf *out);

#endif
