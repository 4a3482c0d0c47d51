#ifndef NODE_DISK_H
#define NODE_DISK_H

#include "base/buf.h"
#include "node/env.h"
#include "raft/raft.h"
#include "storage/wal.h"

/* All work for the storage thread: group commits, reads of old entries, preparing segments. disk.c holds the essay. */

/* What waits for the next group commit, or is under way in one. */
struct disk_work {
    bool has_work;
    bool has_identity;
    bool has_state;
    bool clears_taint;
    struct wal_identity identity;
    struct wal_node_state state;
    /* A snapshot takes the place of the log: before truncation and entries. 0: no. */
    raft_index reset_index;
    raft_term reset_term;
    struct raft_conf *reset_conf;  /* owned */
    raft_index reset_conf_index;
    raft_index truncate_from;
    raft_index first;          /* index of entry[0] */
    struct slice *entry;
    struct chunk **chunk;      /* a reference for each run of entries in one chunk; parallel to entry, NULL where the one before holds it */
    uint32_t entry_count;
    uint32_t entry_capacity;
    uint64_t token;            /* highest of Raft's; 0: none */
    bool may_use_reserve;      /* as of the present try */
};

enum disk_job_kind { DISK_APPEND, DISK_READ_PEER, DISK_READ_APPLY, DISK_PREPARE, DISK_OTHER };

struct node;
struct node_job {
    struct disk_job base;
    struct list in_node;
    enum disk_job_kind kind;
    struct wal *wal;
    struct vfs *vfs;
    bool is_submitted;
    enum err result;
    struct wal_stats stats;    /* appends: after it */
    /* appends */
    struct disk_work work;
    uint64_t started_us;
    /* reads */
    raft_id peer;
    raft_index first;
    size_t max_bytes;
    struct buf out;
    uint32_t count;
    raft_term prev_term;
    /* of other rooms: both on an object of theirs that holds this one */
    void (*run)(struct node_job *job);
    void (*done)(struct node *n, struct node_job *job);
    bool has_more;             /* prepare */
    uint64_t free_bytes;       /* prepare: of the file system, after it; 0: not known */
};

struct disk {
    struct wal_node_state state;   /* newest, durable or not */
    uint64_t durable_session;      /* highest session number known durable */
    raft_index last_index;         /* of the newest entry handed over */
    struct disk_work pending;
    struct node_job append;
    struct node_job prepare;
    struct list reads;             /* struct node_job, owned */
    bool is_full;
    bool is_tainted;               /* found damaged at start, not healed yet (P9) */
    uint64_t retry_us;             /* is_full: when the append is tried again; 0: not waiting */
    uint64_t look_us;              /* is_full: when room is looked for */
    uint64_t bytes_until_prepare;
    uint64_t prepared_bytes;
    struct wal_stats stats;
    uint64_t append_us;            /* what an append takes, smoothed; 0: none yet */
    uint64_t last_token;
    uint64_t handed_over_us;       /* is_full: when leadership was last offered to another */
};

struct node;
void disk_init(struct node *n, const struct wal_node_state *state, raft_index last_index);
void disk_deinit(struct node *n);
/* Adds an update's durable part. */
void disk_add(struct node *n, const struct raft_update *update);
/* Draws the session number: durable with the next commit. */
void disk_set_session_number(struct node *n, uint64_t number);
/* Leaving BLANK: identity, state and the first entries in one record set. `entry` and their chunk are referenced. */
void disk_add_formation(struct node *n,
                        const struct wal_identity *identity,
                        const struct raft_hard_state *hard,
                        struct chunk *chunk,
                        const struct slice *entry,
                        uint32_t entry_count);
/* A damaged log has caught up with a committed entry of the leader's term: remember that for the next start. */
void disk_heal(struct node *n);
void disk_fetch_for_peer(struct node *n, raft_id peer, raft_index first, size_t max_bytes);
void disk_fetch_for_apply(struct node *n, raft_index first, size_t max_bytes);
/* Starts whatever can start. Once per iteration. */
void disk_flush(struct node *n);
/* For disk_watch.c. */
#define DISK_RETRY_US 100000
void disk_submit(struct node *n, struct node_job *job);
void disk_submit_append(struct node *n);
/* disk_watch.c: retries on a full disk, the watchdog; returns when to be called again. */
uint64_t disk_tick(struct node *n);

#endif
