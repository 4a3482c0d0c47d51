#ifndef NODE_STAGES_H
#define NODE_STAGES_H

#include <stdint.h>

#include "base/buf.h"
#include "raft/types.h"

/* How long a write spends where, on the leader: waiting to be proposed, on the own disk, until a majority has it, until it is applied.
 * The disk is measured at every group commit; of the rest one write at a time is followed, so that it costs nothing. Not state. */
enum stage { STAGE_QUEUE, STAGE_FSYNC, STAGE_REPLICATION, STAGE_APPLY, STAGES };
const char *stage_name(enum stage stage);

#define STAGE_BUCKETS 16 /* upper bounds in µs: stage_bound_us; the last one has none */
uint64_t stage_bound_us(unsigned bucket);

struct stage_histogram {
    uint64_t bucket[STAGE_BUCKETS];
    uint64_t count;
    uint64_t sum_us;
};
struct stages {
    struct stage_histogram histogram[STAGES];
    enum { SAMPLE_NONE, SAMPLE_QUEUED, SAMPLE_PROPOSED, SAMPLE_COMMITTED } sample;
    uint64_t since_us;
    raft_index index;
};

void stage_add(struct stages *s, enum stage stage, uint64_t us);
/* The sampled write's way; each does nothing when it is not its turn. */
void stages_submitted(struct stages *s, uint64_t now_us);
void stages_proposed(struct stages *s, raft_index first, uint64_t now_us);
void stages_committed(struct stages *s, raft_index commit, uint64_t now_us);
void stages_applied(struct stages *s, raft_index applied, uint64_t now_us);
void stages_forget(struct stages *s);

#endif
