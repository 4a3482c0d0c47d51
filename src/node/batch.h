#ifndef NODE_BATCH_H
#define NODE_BATCH_H

#include "base/chunk.h"
#include "base/slice.h"
#include "raft/types.h"

/* The open chunk that entries are encoded into, and the leader's proposals of this iteration: runs of entries that lie side
 * by side, so that Raft gets them, and a follower or the disk reads them, from where they were encoded. */
struct batch_run {
    struct chunk *chunk; /* a reference */
    size_t offset;
    size_t end;
    uint32_t count;
};
struct batch {
    struct chunk *open;
    struct batch_run *run;
    uint32_t run_count;
    uint32_t run_capacity;
    /* Which writes share one write of the log: see batch.c. */
    uint32_t count;           /* entries in the runs */
    uint64_t since_us;        /* a flush first found them; 0: none */
    uint32_t group_count;     /* entries of the newest group that was proposed */
    raft_index group_last;    /* its last entry; 0: committed, or none */
    raft_index timed_last;    /* the same of the group that is timed, */
    uint64_t timed_us;        /* and when it was proposed */
    uint32_t expected;        /* entries that were under way or waiting then */
    uint64_t commit_us;       /* how long a group takes to be committed, smoothed */
};

struct node;
void batch_deinit(struct batch *b);
/* Room for an entry of `size` bytes (header included) in the open chunk. Returns its address; the chunk with a reference for
 * the caller. */
uint8_t *batch_reserve(struct batch *b, size_t size, struct chunk **chunk, size_t *offset);
/* Add an encoded entry to this iteration's proposals; takes its own reference. Bytes added here are never written again by the node. */
void batch_add(struct batch *b, struct chunk *chunk, size_t offset, size_t size);
/* Leader: stamp and propose what was added, unless it pays to wait for more. What Raft does not take for now (uncommitted bytes)
 * stays for later. */
void batch_flush(struct node *n);
/* When entries that wait for others will wait no longer (us); UINT64_MAX: none do. */
uint64_t batch_wake_us(const struct node *n);
/* Leadership is gone: what was not proposed will never be in the log. */
void batch_drop(struct batch *b);
/* Encodes a proposal that has no client (OPEN, CANCEL, TIME, ...) into the open chunk; returns its payload, valid while the
 * open chunk is, and adds it to the batch. */
struct proposal;
struct slice batch_add_proposal(struct batch *b, const struct proposal *head, const struct slice *arg, size_t arg_count);

#endif
