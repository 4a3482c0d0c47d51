#ifndef STORAGE_WAL_SEGMENT_H
#define STORAGE_WAL_SEGMENT_H

#include "storage/wal_format.h"

/* Segment files: their names, what is known of each in memory, and the sparse index into them. */

/* Entries from `index` on, up to the next point's index, are found by reading batches from `offset`
 * on. */
struct wal_point {
    raft_index index;
    uint64_t offset; /* of a batch */
};

struct wal_segment {
    uint64_t id;
    uint32_t key;
    raft_index start; /* its live entries are [start, end) */
    raft_index end;
    raft_term prev_term; /* of start - 1 */
    uint64_t tail;       /* where its last batch ends */
    uint64_t file_bytes;
    struct wal_point *point;
    uint32_t point_count;
    uint32_t point_capacity;
};

/* A point at least every so many bytes: the index needs 16 bytes of memory per 64 KiB of log. */
#define WAL_POINT_EVERY_BYTES (64u * 1024u)
#define WAL_ZERO_PIECE_BYTES (256u * 1024u)
#define WAL_NAME_BYTES 32

void wal_segment_name(uint64_t id, char name[WAL_NAME_BYTES]);
/* The number in a segment's file name; 0 when `name` isn't one. */
uint64_t wal_segment_id_of(const char *name);
struct wal_segment *
wal_segment_new(uint64_t id, uint32_t key, raft_index start, raft_term prev_term);
void wal_segment_free(struct wal_segment *s);
/* Entry `index` lies in the batch at `offset`. `force`: make a point even if the last one is near.
 */
void wal_segment_add_point(struct wal_segment *s, raft_index index, uint64_t offset, bool force);
/* Entries >= from are void. `prev_term`: of from - 1. */
void wal_segment_truncate(struct wal_segment *s, raft_index from, raft_term prev_term);
/* The last point at or before `index`, and where its range ends (UINT64_MAX: the last point). NULL
 * if none. */
const struct wal_point *
wal_segment_find(const struct wal_segment *s, raft_index index, raft_index *range_end);

/* Reads a whole file. */
MUST_CHECK enum err wal_file_load(struct vfs *v, const char *name, struct buf *out);
/* Overwrites [from, from + n) with zeros. */
MUST_CHECK enum err wal_file_zero(struct vfs *v, struct vfs_file *f, uint64_t from, uint64_t n);
bool wal_is_zero(const uint8_t *p, size_t n);

#endif
