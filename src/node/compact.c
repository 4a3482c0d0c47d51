#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"
#include "node/snapshot.h"

/* What the log may lose (dissertation §5.1; checklist S5, S8).
 *
 * A snapshot is due when the log has grown by `snapshot-log-size` bytes since the last one began, and by `snapshot-log-ratio` percent of
 * what the data take: so a small database is snapshotted often (it costs nothing) and a big one seldom (it costs as much as writing
 * it out), and the disk holds a bounded multiple of the data.
 * A node at rest, which has applied nothing for a while, tidies up earlier: the load that ended leaves less behind, and it starts faster.
 *
 * C1  The log never loses an entry behind the newest durable snapshot.
 * C2  A member that lags keeps what it needs, as far as `log-retention` bytes go; beyond, it gets the snapshot. What follows a
 *     snapshot that is being sent stays until it was received, within the same bound counted from there and the snapshot's own size:
 *     else a slow follower would find what it needs next gone each time, for ever.
 * C3  Raft forgets first, then the disk: nobody is told of entries that are being removed. */

#define COMPACT_EVERY_US 1000000
/* At rest: so long without an entry, a quarter of snapshot-log-size and half of snapshot-log-ratio suffice. */
#define REST_US 2000000
#define REST_SIZE_PART 4
#define REST_RATIO_PART 2

static struct snapshot_job *job_of(struct node_job *job)
{
    return CONTAINER_OF(job, struct snapshot_job, job);
}

/* Nothing was applied for REST_US. */
static bool compact_rests(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    if (s->rest_applied != n->apply.applied) {
        s->rest_applied = n->apply.applied;
        s->rest_us = n->now_us;
    }
    return n->now_us - s->rest_us >= REST_US;
}

bool compact_is_due(struct node *n)
{
    const struct options *o = n->options;
    uint64_t size = (uint64_t)o->snapshot_log_size;
    uint64_t ratio = (uint64_t)o->snapshot_log_ratio;
    if (compact_rests(n)) {
        size /= REST_SIZE_PART;
        ratio /= REST_RATIO_PART;
    }
    uint64_t grown = n->disk.stats.append_bytes - n->snapshots.log_bytes;
    /* Nothing is known of what an earlier process wrote: all of the log counts. */
    if (n->snapshots.log_bytes == 0)
        grown = n->disk.stats.record_bytes;
    uint64_t data = keyspace_memory(n->keyspace);
    return grown >= size && grown >= data / 100 * ratio;
}

/* The lowest index that some member is known to have; UINT64_MAX: all members are there. */
static raft_index compact_slowest(const struct node *n)
{
    raft_index slowest = UINT64_MAX;
    for (uint32_t i = 0; i < n->peers.count; i++) {
        const struct peer *p = &n->peers.peer[i];
        if (p->is_member && p->match < slowest)
            slowest = p->match;
    }
    return slowest;
}

static void run_compact(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    raft_index kept = job->first_kept;
    raft_index by_size = wal_front_for_bytes(base->wal, job->keep_bytes);
    if (by_size > kept)
        kept = by_size < job->id.index + 1 ? by_size : job->id.index + 1;
    job->result = wal_drop_front(base->wal, kept);
    wal_get_stats(base->wal, &base->stats);
}

static void on_compacted(struct node *n, struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    if (job->result != ERR_OK) {
        node_fatal(n, "Old files of the log could not be removed: %s.", err_text(job->result));
        return;
    }
    n->disk.stats.record_bytes = base->stats.record_bytes;
    n->disk.stats.file_bytes = base->stats.file_bytes;
    n->disk.stats.first_index = base->stats.first_index;
    /* By size the disk may have lost more than Raft was told. */
    if (base->stats.first_index > n->driver.status.first_index) {
        struct raft_event event = {.type = RAFT_EVENT_COMPACTED, .u.first_index = base->stats.first_index};
        enum err e = driver_step(n, &event);
        ASSERT(e == ERR_OK);
    }
}

void compact_pump(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    raft_index index = s->newest.index; /* C1 */
    if (!n->raft || index == 0 || s->compact.job.is_submitted || s->loading.is_active || n->driver.status.durable_index < index ||
        n->apply.applied < index || n->disk.stats.is_tainted)
        return;
    raft_index kept = index + 1;
    uint64_t keep_bytes = (uint64_t)n->options->log_retention;
    raft_index slowest = compact_slowest(n);
    if (slowest < index)
        kept = slowest + 1;
    raft_index pinned = snapshot_pinned(n);
    if (pinned != 0 && pinned + 1 < kept)
        kept = pinned + 1;
    if (pinned != 0)
        keep_bytes += s->newest.size + s->sending.id.size;
    /* By entries, for those who think in them (the simulator): at most so many for those that lag. */
    uint64_t most = (uint64_t)n->options->log_retention_entries;
    if (most != 0 && pinned == 0 && kept + most < index + 1)
        kept = index + 1 - most;
    /* What members acknowledge lets go of a little more all the time: looked at once a second. */
    if (s->compacted_for == index && (kept <= s->compacted_to || n->now_us - s->compacted_us < COMPACT_EVERY_US))
        return;
    s->compacted_us = n->now_us;
    s->compacted_to = kept;
    s->compacted_for = index;
    COVER("snapshot: the log is compacted");
    if (MUT(52))
        kept++; /* off by one at the boundary */
    s->compact.first_kept = kept;
    s->compact.keep_bytes = keep_bytes;
    s->compact.id = s->newest;
    if (kept > n->driver.status.first_index) {
        struct raft_event event = {.type = RAFT_EVENT_COMPACTED, .u.first_index = kept}; /* C3 */
        if (driver_step(n, &event) != ERR_OK)
            return;
    }
    snapshot_submit(n, &s->compact, run_compact, on_compacted);
}
