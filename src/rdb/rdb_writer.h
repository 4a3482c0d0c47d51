#ifndef RDB_RDB_WRITER_H
#define RDB_RDB_WRITER_H

#include <stdbool.h>

#include "base/buf.h"

/* Makes an RDB file of version 10 (Redis 7.0), in order: begin; per database select, then its keys; end. Pure: bytes are
 * appended to `out`; whoever has written all of it somewhere says so with rdb_writer_written, which empties it. */
struct rdb_writer {
    struct buf out;
    uint64_t sum; /* CRC-64 of what was written */
};

void rdb_writer_init(struct rdb_writer *w);
void rdb_writer_deinit(struct rdb_writer *w);
/* Head and the facts about the writer: `version` of the server, Unix seconds. */
void rdb_writer_begin(struct rdb_writer *w, const char *version, int64_t now_s);
/* `keys` and `expiring` are hints for the reader's tables. */
void rdb_writer_select(struct rdb_writer *w, uint32_t db, uint64_t keys, uint64_t expiring);
/* A key with what DUMP answered for it; expiry_ms RDB_NO_EXPIRY (rdb_reader.h) for none. False: the payload is none that
 * fits this file's version, and nothing was appended. */
bool rdb_writer_key(struct rdb_writer *w, struct slice name, int64_t expiry_ms, struct slice payload);
void rdb_writer_end(struct rdb_writer *w);
void rdb_writer_written(struct rdb_writer *w);

#endif
