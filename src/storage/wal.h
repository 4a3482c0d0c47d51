#ifndef STORAGE_WAL_H
#define STORAGE_WAL_H

#include "base/log.h"
#include "raft/entry.h"
#include "raft/conf.h"
#include "storage/vfs.h"

/* The write-ahead log: entries, hard state, configurations and the node's identity in one sequence
 * of segments (DESIGN §5, checklist P1-P18). wal.c holds the format essay. After wal_open all calls
 * are made from one thread at a time (the storage thread, or the simulator's disk). */

/* Who this data directory belongs to. BLANK until cluster_id is set, for ever one cluster
 * afterwards. */
struct wal_identity {
    uint64_t cluster_id;   /* 0: BLANK */
    raft_id node_id;       /* drawn by the caller when the directory was made */
    uint64_t incarnation;  /* grows with every open, durable before wal_open returns */
    uint64_t hash_seed[2]; /* of the cluster, drawn at formation; 0,0 while BLANK */
};

/* State of the node beside Raft's that must be durable with the log (one record, same fdatasync).
 */
struct wal_node_state {
    struct raft_hard_state hard;
    uint64_t session_number; /* highest number this member ever drew for its session (DESIGN §2) */
};

/* How the log's end was found at start (P9 and its amendment). */
enum wal_health {
    WAL_CLEAN,   /* or a torn tail, cut: nothing durable was lost */
    WAL_SUSPECT, /* footer valid, body bad, nothing later: votes only above suspect_term */
    WAL_CORRUPT, /* a later batch says that the damaged one was durable: no vote, refetch */
};

struct wal_recovery {
    struct wal_identity identity;
    struct wal_node_state state;
    enum wal_health health;
    raft_term suspect_term; /* WAL_SUSPECT: the footer's term, also taken as the node's own term */
    raft_index suspect_last_index; /* WAL_SUSPECT: what the log held by the footer: votes only for a
                                      candidate */
    raft_term suspect_last_term;   /*   whose (lastTerm, lastIndex) is not below these (P9) */
    raft_index first_index;        /* 1 unless segments were dropped */
    raft_index last_index;         /* 0: empty */
    raft_term last_term;
    raft_term prev_term;    /* of first_index - 1 */
    uint32_t conf_count;    /* all configurations in force at or after first_index, oldest first */
    struct raft_conf *conf; /* owned by the caller: mem_free */
    raft_index *conf_index; /* owned by the caller: mem_free */
    uint32_t term_run_count; /* runs of equal terms over [first_index, last_index], oldest first */
    struct raft_term_run *term_run; /* owned by the caller: mem_free */
    uint64_t file_bytes;
    uint64_t record_bytes;
    bool was_blank_directory; /* nothing was there before this open */
};

struct wal_options {
    uint64_t segment_bytes; /* default 16 MiB (simulator: down to 4 KiB) */
    bool accept_damage; /* one-node cluster and the operator's explicit flag: take SUSPECT/CORRUPT
                           as cut (P9, n=1) */
    uint64_t reserve_bytes; /* kept free for hard state, no-ops, CANCEL: beyond it WAL appends
                               report ERR_FULL early */
};

struct wal;

/* Opens or creates the log in `vfs`, takes the directory's lock, recovers. `node_id_if_new`: used
 * when the directory is new. ERR_LOCKED, ERR_FORMAT, ERR_MISMATCH (files of different nodes mixed),
 * ERR_IO, ERR_FULL; a damaged one-node log: ERR_CORRUPT. */
MUST_CHECK enum err wal_open(struct vfs *vfs,
                             const struct wal_options *options,
                             raft_id node_id_if_new,
                             const struct log_sink *log,
                             struct wal **wal,
                             struct wal_recovery *recovery);
void wal_close(struct wal *w);

/* One group commit: everything below is durable, in this order, when wal_append returns ERR_OK: one
 * write, one fdatasync. On ERR_FULL nothing of it took effect and the log is as before (P7, P12).
 * Any other error: the process must end. */
struct wal_append {
    const struct wal_identity
        *identity; /* leaving BLANK: written in the same record set; NULL otherwise */
    const struct wal_node_state *state; /* NULL: unchanged */
    /* The log is emptied and goes on behind this entry, under this configuration: a snapshot took
     * the place of what was there, and is durable. 0: no. Before truncation and entries. */
    raft_index reset_index;
    raft_term reset_term;
    const struct raft_conf *reset_conf;
    raft_index reset_conf_index;
    raft_index
        truncate_from; /* entries >= it are replaced by what follows; 0: none (P13: logical) */
    const struct slice *entry; /* encoded entries (raft/entry.h), contiguous indices */
    uint32_t entry_count;
    bool clear_taint; /* the damage found at start is healed (P9: caught up to a committed entry) */
    bool may_use_reserve; /* entries that options.reserve_bytes is kept for: no-ops, CANCEL */
};
MUST_CHECK enum err wal_append(struct wal *w, const struct wal_append *append);

/* Reads entries from `first` on, at least one and at most max_bytes, into `out` (encoded, back to
 * back); *count of them; *prev_term = term of first - 1. ERR_COMPACTED below first_index,
 * ERR_NOT_FOUND past the end, ERR_CORRUPT. */
struct buf;
MUST_CHECK enum err wal_read(struct wal *w,
                             raft_index first,
                             size_t max_bytes,
                             struct buf *out,
                             uint32_t *count,
                             raft_term *prev_term);

/* Zeros are written ahead of the log's end, in this segment and the next, up to so many bytes: what is written there needs no new
 * block of the file system. More would be disk taken for nothing by a log that rests. */
#define WAL_AHEAD_BYTES (8u << 20)
uint64_t wal_ahead_bytes(uint64_t segment_bytes); /* half of a small segment */
/* Does a bounded piece of that; true when there is more to do. Called when idle. */
bool wal_prepare_ahead(struct wal *w);
/* Drops whole segments whose entries are all below `first_kept` (f); none while the log is tainted. */
MUST_CHECK enum err wal_drop_front(struct wal *w, raft_index first_kept);

/* The lowest index so that the segments from its own on take at most `bytes`. */
raft_index wal_front_for_bytes(const struct wal *w, uint64_t bytes);

struct wal_stats {
    uint64_t sync_count;   /* fdatasyncs of appends */
    uint64_t append_bytes; /* bytes written by appends, padding included */
    uint64_t append_bytes_512;  /* what the same appends write on 512-byte sectors; for comparisons */
    uint64_t append_bytes_4096; /* and on 4-KiB sectors */
    uint64_t record_bytes; /* live record bytes */
    uint64_t file_bytes;   /* bytes of all segment files */
    raft_index first_index;
    raft_index last_index;
    uint64_t free_bytes; /* of the file system, as of the last look */
    bool is_tainted; /* SUSPECT or CORRUPT; survives restarts until an append says clear_taint */
};
void wal_get_stats(const struct wal *w, struct wal_stats *stats);

#endif
