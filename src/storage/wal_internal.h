#ifndef STORAGE_WAL_INTERNAL_H
#define STORAGE_WAL_INTERNAL_H

#include "storage/wal_segment.h"

/* What wal.c, wal_read.c and wal_recover.c share. The essay is in wal.c. */

/* One configuration of the stack, encoded. */
struct wal_conf_item {
    raft_index index;
    struct buf encoded;
};

/* Where reading stands: the next record to look at. */
struct wal_cursor {
    uint64_t segment; /* 0: nowhere */
    raft_index next;  /* the next entry from here on */
    raft_term term;   /* of next - 1 */
    raft_index range_end;
    uint64_t offset;    /* of a batch, or of a record when in_batch */
    uint64_t body_end;  /* in_batch */
    uint64_t batch_end; /* in_batch */
    uint32_t chain;     /* in_batch */
    bool in_batch;
    struct vfs_file *file;
    struct buf window; /* bytes of the file from window_offset on, all before the segment's tail */
    uint64_t window_offset;
};

struct wal {
    struct vfs *vfs;
    const struct log_sink *log;
    struct wal_options options;
    struct wal_identity identity;
    struct wal_node_state state;
    struct wal_taint taint;
    struct wal_segment **segment; /* oldest first; the last one is appended to */
    uint32_t segment_count;
    uint32_t segment_capacity;
    struct vfs_file *file; /* of the last segment; NULL while recovering */
    uint32_t chain;        /* after the last batch */
    uint64_t last_id;      /* highest segment number ever used */
    raft_index last_index;
    raft_term last_term;
    bool must_add_point; /* the entries of the last point's range were truncated */
    struct wal_conf_item *conf;
    uint32_t conf_count;
    uint32_t conf_capacity;
    uint64_t next_id; /* the segment being prepared; 0: none */
    struct vfs_file *next_file;
    uint64_t next_bytes; /* zero-filled so far */
    uint64_t *garbage;   /* segments that the log doesn't lead through, kept while tainted */
    uint32_t garbage_count;
    struct buf out;
    struct wal_cursor cursor;
    uint64_t sync_count;
    uint64_t append_bytes;
    uint64_t append_bytes_512;
    uint64_t append_bytes_4096;
    uint64_t free_bytes;
    enum err failed; /* the first error after which nothing can be trusted */
};

/* What one batch is to hold, and the state after it. */
struct wal_batch {
    struct wal_identity identity;
    struct wal_node_state state;
    struct wal_taint taint;
    bool has_state;
    bool rolls; /* begin a new segment in any case */
    bool may_use_reserve;
    raft_index reset_index;   /* 0: none */
    raft_term reset_term;
    raft_index reset_conf_index;
    struct slice reset_conf;  /* encoded */
    raft_index truncate_from; /* 0: none */
    raft_term truncate_prev_term;
    const struct slice *entry;
    uint32_t entry_count;
};
MUST_CHECK enum err wal_commit_batch(struct wal *w, const struct wal_batch *batch);

static inline struct wal_segment *wal_current(const struct wal *w)
{
    return w->segment_count > 0 ? w->segment[w->segment_count - 1] : NULL;
}
/* Term of a live entry, or of the one before the first. */
MUST_CHECK enum err wal_term_at(struct wal *w, raft_index index, raft_term *term);

/* Bookkeeping, the same for appends and for replay. */
void wal_note_segment(struct wal *w, struct wal_segment *s);
void wal_note_truncate(struct wal *w, raft_index from, raft_term prev_term);
void wal_note_entry(struct wal *w, struct slice entry, uint64_t batch_offset);
void wal_note_conf(struct wal *w, raft_index index, struct slice encoded);

/* Remembers the error (ERR_FULL apart) and returns it. */
enum err wal_fail(struct wal *w, enum err e);
void wal_cursor_reset(struct wal *w);

/* Finds the log in the files there are, writes the head of a new segment that goes on from the last
 * batch known to be durable, with the batch behind that copied. As wal_open. */
MUST_CHECK enum err
wal_recover(struct wal *w, raft_id node_id_if_new, struct wal_recovery *recovery);

#endif
