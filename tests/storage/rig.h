#ifndef TESTS_STORAGE_RIG_H
#define TESTS_STORAGE_RIG_H

#include "tests/storage/model.h"

/* A log on a simulated disk beside its model. `now`: what was reported durable; `next`: what an
 * append that failed may have made of it. */
struct rig {
    struct sim_disk *disk;
    struct wal *wal;
    struct wal_recovery recovery;
    uint64_t segment_bytes;
    struct prng prng;
    struct model now;
    struct model next;
    raft_index dropping; /* a wal_drop_front(dropping) is under way; 0: none */
    struct model_append append;
};

/* Not opened yet. */
struct rig *rig_make(uint64_t seed, uint32_t sector_bytes, uint64_t segment_bytes);
/* Opened. */
struct rig *rig_new(uint64_t seed, uint32_t sector_bytes, uint64_t segment_bytes);
void rig_free(struct rig *g);
/* A random append; the model follows when it succeeds. */
enum err rig_append(struct rig *g, const struct model_shape *shape);
/* An append, or now and then preparing ahead or dropping the front. */
enum err rig_step(struct rig *g, const struct model_shape *shape);
/* After sim_disk_crash or sim_disk_power_loss: opens again. */
enum err rig_reopen(struct rig *g);
/* The log holds `now` or `next` (which then is `now`); reports a failed check if neither. */
bool rig_check(struct rig *g);
/* The log holds `now` and nothing else. */
bool rig_check_now(struct rig *g);

extern const struct model_shape rig_ordinary;

#endif
