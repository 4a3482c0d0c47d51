#ifndef RAFT_TYPES_H
#define RAFT_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

/* 1-based position in the log; 0 means "none" or "before the first entry". */
typedef uint64_t raft_index;
/* Election term; 0 only before the first election. */
typedef uint64_t raft_term;
/* A node's identity: random, non-zero, made with its data directory, never used again. */
typedef uint64_t raft_id;

/* What must survive a crash besides the log itself; one durable record (checklist P1). */
struct raft_hard_state {
    raft_term term;
    raft_id vote; /* 0: none in this term. Cleared only when term grows (P2). */
};

/* Names a snapshot file among all of a cluster: the state after entry `index` of `term`; crc and size
 * are the file's. index 0: none. */
struct raft_snapshot_id {
    raft_index index;
    raft_term term;
    uint32_t crc;
    uint64_t size;
};

/* Where a run of entries of one term begins; it ends before the next run. Terms never decrease along a log, so
 * a whole log's terms are a handful of these. */
struct raft_term_run {
    raft_index first;
    raft_term term;
};

#endif
