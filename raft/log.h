#ifndef RAFT_LOG_H
#define RAFT_LOG_H

#include "raft/raft.h"

/* The log as this node knows it: what is on disk, of which a bounded newest part (the tail) is also
 * in memory, the terms of all of it, the configurations in it, and how much of it is durable. The
 * essay is in log.c. */

struct raft_conf_record {
    raft_index index;
    struct raft_conf conf;
};

/* Work handed to the disk under `token`: once it is done, entries up to `last` are durable. */
struct raft_persist_record {
    uint64_t token;
    raft_index last;
};

struct raft_log {
    raft_index first_index;   /* on disk */
    raft_index last_index;    /* first_index - 1 when empty */
    raft_index durable_index; /* on this node's disk, in its present version */

    struct raft_entry
        *slot; /* the tail: slot[slot_start .. slot_start + slot_count), ends at last_index */
    size_t slot_start;
    size_t slot_count;
    size_t slot_capacity;
    uint64_t tail_bytes; /* of the tail's entries, slots included */

    struct raft_term_run *run; /* run[0] may be the boundary entry before first_index */
    size_t run_count;
    size_t run_capacity;

    struct raft_conf_record *conf; /* stack: newest last (J1) */
    size_t conf_count;
    size_t conf_capacity;

    struct raft_persist_record *pending; /* pending[pending_start ..], oldest first */
    size_t pending_start;
    size_t pending_count;
    size_t pending_capacity;

    struct chunk *fill; /* where entries made or received here are copied to */
};

/* Copies `start`'s entries (or takes references where they name a chunk), terms and configurations.
 */
void raft_log_init(struct raft_log *log, const struct raft_start *start);
void raft_log_deinit(struct raft_log *log);
/* Address space for the slots of a tail of `memory_bytes`, however small its entries: so the vector stays
 * where it is. A tail that is longer, since it waits for the disk or for being applied, still grows, which takes
 * tens of milliseconds (measured). */
void raft_log_reserve(struct raft_log *log, uint64_t memory_bytes);

/* Index of the oldest entry in memory; last_index + 1 when there is none. */
raft_index raft_log_memory_first(const struct raft_log *log);
/* The entry at `index`, memory_first <= index <= last_index, and those that follow it, contiguous.
 * Borrowed until the next append or trim. */
const struct raft_entry *raft_log_entry(const struct raft_log *log, raft_index index);

/* Term of entry `index`, 0 for index 0, beyond the log, before the boundary. O(log runs). */
raft_term raft_log_term(const struct raft_log *log, raft_index index);
static inline raft_term raft_log_last_term(const struct raft_log *log)
{
    return raft_log_term(log, log->last_index);
}
/* The highest i <= index whose term is at most `term`; 0 if none (R3). */
raft_index raft_log_last_at_most(const struct raft_log *log, raft_index index, raft_term term);

/* Room for `size` bytes in the log's own chunk, for an entry to be made there and appended next. */
uint8_t *raft_log_room(struct raft_log *log, size_t size);
/* Append the sealed entry at `at`, which lives in `chunk` (a reference is taken); the log's own
 * chunk, filled through raft_log_room, if NULL. Its index must be last_index + 1. */
void raft_log_append(struct raft_log *log, const uint8_t *at, struct chunk *chunk);
/* Append a copy of a received entry. */
void raft_log_append_copy(struct raft_log *log, const struct raft_entry *entry);
/* Drop entries >= from (from > first_index - 1), their configurations, and what their pending
 * writes would have made durable (P15). */
void raft_log_truncate(struct raft_log *log, raft_index from);
/* Forget entries from memory, oldest first, while the tail is above `memory_bytes` and they are <=
 * upto and durable. */
void raft_log_trim(struct raft_log *log, raft_index upto, uint64_t memory_bytes);

/* The log on disk begins at `first_index` now (> the present one, <= last_index + 1, and all before it
 * durable): the term of the entry before is kept (S8). */
void raft_log_compact(struct raft_log *log, raft_index first_index);
/* The log is empty and goes on behind entry `index` of `term`, under this configuration. */
void raft_log_reset(struct raft_log *log,
                    raft_index index,
                    raft_term term,
                    const struct raft_conf *conf,
                    raft_index conf_index);

/* Everything up to last_index was handed to the disk under `token`. */
void raft_log_persisting(struct raft_log *log, uint64_t token);
/* The disk reports all tokens up to `token`. */
void raft_log_persisted(struct raft_log *log, uint64_t token);
/* The token whose completion makes `index` durable: 0 if it is, UINT64_MAX if it wasn't handed out
 * yet. */
uint64_t raft_log_token_of(const struct raft_log *log, raft_index index);

/* The newest configuration at or below `limit`; NULL if there is none. */
const struct raft_conf_record *raft_log_conf_at(const struct raft_log *log, raft_index limit);
/* Forget configurations older than the newest one at or below `commit`: they can't come back. */
void raft_log_conf_prune(struct raft_log *log, raft_index commit);

#endif
