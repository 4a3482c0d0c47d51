#ifndef RAFT_ENTRY_H
#define RAFT_ENTRY_H

#include "base/chunk.h"
#include "base/err.h"
#include "base/slice.h"
#include "raft/types.h"

/* An entry is the SAME bytes in memory, on the wire and on disk:
 *
 *   offset size  field (little-endian)
 *        0    4  size      of the whole entry, header included, in bytes
 *        4    4  crc       CRC32C of bytes [8, size); made once, by the leader that appended it
 *        8    8  index
 *       16    8  term      of the leader that appended it
 *       24    8  time      log time, Unix ms; 0 on entries that carry none (no-op, configuration)
 *       32    1  type      enum raft_entry_type
 *       33    1  version   RAFT_ENTRY_VERSION
 *       34    2  zero
 *       36    4  zero
 *       40    -  payload   opaque to raft/ (configuration entries: raft_conf_encode)
 *
 * Whoever proposes encodes payloads with ENTRY_HEADER_BYTES of room in front of each, fills size, type and time
 * (entry_begin / entry_end), and raft/ fills index, term and crc. */
#define ENTRY_HEADER_BYTES 40
#define RAFT_ENTRY_VERSION 1

enum raft_entry_type {
    RAFT_ENTRY_NOOP = 1,
    RAFT_ENTRY_CONF = 2,
    RAFT_ENTRY_COMMAND = 3,
};

/* A decoded view; `bytes` is the whole encoded entry, borrowed. */
struct raft_entry {
    raft_index index;
    raft_term term;
    int64_t time_ms;
    enum raft_entry_type type;
    struct slice bytes;
    struct slice payload;
    struct chunk *chunk; /* where `bytes` lives, so that a holder can take a reference; NULL outside the log */
};

/* Write a header for an entry of `payload_size` bytes at `at` (room for header and payload); index, term and crc are 0. */
void entry_begin(uint8_t *at, enum raft_entry_type type, int64_t time_ms, size_t payload_size);
/* Fill index and term and make the checksum. */
void entry_seal(uint8_t *at, raft_index index, raft_term term);
/* A view of the whole entry at `at`, which must be known to be sound (made here, or decoded before). */
void entry_view(const uint8_t *at, struct raft_entry *entry);
/* Decode the entry at the front of `bytes`. ERR_TOO_BIG when bytes hold only part of it, ERR_CORRUPT on a bad
 * size or checksum, ERR_FORMAT on an unknown version or type. */
MUST_CHECK enum err entry_decode(struct slice bytes, struct raft_entry *entry);

#endif
