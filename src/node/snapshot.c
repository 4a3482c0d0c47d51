#include "node/snapshot.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/state.h"
#include "node/node_internal.h"

/* Taking a snapshot without a pause (DESIGN §5):
 *
 *   IDLE --due or asked for--> CREATING --> WALKING --END block written--> WAITING --log durable--> PUBLISHING --> IDLE
 *                                  \            \                                                       |
 *                                   full disk, or a received one takes its place: given up, tried again later
 *
 * The loop walks the state in slices (keyspace/state_walk.c), puts what comes out into blocks, and hands buffers of them to the storage
 * thread, one job at a time. Nothing else of it runs there, so what the thread writes are copies.
 *
 * T1  The snapshot is the state after entry `index`, and nothing of a later one: the walk begins between two entries.
 * T2  It gets its name only when the log on this disk is durable up to its index (DESIGN §2): the entries it stands for were applied
 *     before that, and a node whose snapshot is ahead of its log could not say what it acknowledged.
 * T3  The walk takes a quarter of the loop at most, and a twentieth while entries are applied: after a slice it waits three or nineteen
 *     times as long as that took. All nodes are due at the same entry, and what they take is taken from all clients; so while entries are
 *     applied the slices are shorter, too: an entry may meet one on each of the nodes that it waits for.
 * T4  At most SNAPSHOT_BUFFER_BYTES are encoded and not written; the walk waits for the disk. What changes keep alive meanwhile is
 *     bounded by apply, which waits for the disk too (snapshot_holds_apply).
 * T5  One at a time; taking gives way to installing (S9). */

#ifdef CORACLE_HOSTILE
#define SNAPSHOT_BUFFER_BYTES 2048u
#else
#define SNAPSHOT_BUFFER_BYTES (512u * 1024u)
#endif
#define SNAPSHOT_RETRY_US 5000000
#define SLICE_STEPS 64
#define REST_IDLE 3
#define REST_BUSY 19
#define SLICE_BUSY_PART 5

void snapshot_submit(struct node *n, struct snapshot_job *job, void (*run)(struct node_job *), void (*done)(struct node *, struct node_job *))
{
    job->job.kind = DISK_OTHER;
    job->job.run = run;
    job->job.done = done;
    disk_submit(n, &job->job);
}

static struct snapshot_job *job_of(struct node_job *job)
{
    return CONTAINER_OF(job, struct snapshot_job, job);
}

/* --- on the storage thread --- */

static void run_create(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    job->result = snapshot_file_create(
        job->file, job->elsewhere ? job->elsewhere : base->vfs, job->name, job->expected, job->reserve);
}

static void run_append(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    job->result = snapshot_file_append(job->file, buf_slice(&job->bytes));
}

static void run_publish(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    job->result = snapshot_file_publish(job->file, job->name);
}

static void run_discard(struct node_job *base)
{
    snapshot_file_discard(job_of(base)->file);
}

/* --- the end of it --- */

static void taking_free(struct node *n)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    state_walk_free(t->walk);
    t->walk = NULL;
    buf_deinit(&t->blocks);
    buf_deinit(&t->job.bytes);
    t->phase = SNAPSHOT_IDLE;
    t->is_given_up = false;
}

static void on_discarded(struct node *n, struct node_job *base)
{
    (void)base;
    taking_free(n);
}

static void taking_discard(struct node *n)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    state_walk_free(t->walk);
    t->walk = NULL;
    buf_clear(&t->blocks, 0);
    snapshot_submit(n, &t->job, run_discard, on_discarded);
}

void snapshot_give_up(struct node *n)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    if (t->phase == SNAPSHOT_IDLE || t->is_given_up)
        return;
    COVER("snapshot: taking one is given up");
    t->is_given_up = true;
    state_walk_free(t->walk);
    t->walk = NULL;
    if (!t->job.job.is_submitted)
        taking_discard(n);
}

/* True when it goes on. */
static bool taking_may_go_on(struct node *n)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    enum err e = t->job.result;
    if (e == ERR_OK && !t->is_given_up)
        return true;
    if (t->reason == SNAPSHOT_FOR_BACKUP) { /* Another disk, or another place: no reason to end. */
        backup_failed(n, e == ERR_OK ? "a newer state took the place of this node's" : err_text(e));
        t->is_given_up = true;
        taking_discard(n);
        return false;
    }
    if (e != ERR_OK && e != ERR_FULL) {
        node_fatal(n, "Writing a snapshot failed: %s.", err_text(e));
        return false;
    }
    if (e == ERR_FULL) {
        COVER("snapshot: the disk is full");
        if (!n->snapshots.last_failed)
            log_line(&n->env.log,
                     LOG_WARNING,
                     "No snapshot was made: the disk has no room for it beside disk-reserve. The log grows until there is; it is "
                     "tried again all the time.");
        n->snapshots.retry_us = n->now_us + SNAPSHOT_RETRY_US;
        n->snapshots.is_wanted |= t->reason == SNAPSHOT_BY_COMMAND;
        n->snapshots.failed_total++;
        n->snapshots.last_failed = true;
    }
    t->is_given_up = true;
    taking_discard(n);
    return false;
}

/* --- publishing --- */

static void on_published(struct node *n, struct node_job *base)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_taking *t = &s->taking;
    (void)base;
    if (t->reason == SNAPSHOT_FOR_BACKUP) {
        if (t->job.result == ERR_OK) {
            t->phase = SNAPSHOT_CHECKING;
            backup_written(n);
        } else {
            backup_failed(n, err_text(t->job.result));
            t->is_given_up = true;
            taking_discard(n); /* what is left of it goes, and its descriptor */
        }
        return;
    }
    if (t->job.result != ERR_OK) {
        node_fatal(n, "A snapshot could not be made durable: %s.", err_text(t->job.result));
        return;
    }
    s->last_took_us = n->now_us - t->started_us;
    s->last_kept_bytes = t->kept_peak_bytes;
    s->last_failed = false;
    s->taken_total++;
    s->saved_wall_ms = n->env.wall_ms(n->env.ctx);
    if (t->meta.index > s->newest.index) {
        s->newest = (struct raft_snapshot_id){t->meta.index, t->meta.term, t->encoder.crc, t->encoder.file_bytes};
        s->newest_wall_ms = t->meta.wall_ms;
        s->newest_conf_index = t->meta.conf_index;
        s->log_bytes = t->log_bytes;
    }
    log_line(&n->env.log,
             LOG_NOTICE,
             "Snapshot of entry %llu: %llu bytes, %llu ms.",
             (unsigned long long)t->meta.index,
             (unsigned long long)t->encoder.file_bytes,
             (unsigned long long)(s->last_took_us / 1000));
    taking_free(n);
}

static void taking_publish(struct node *n)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    if (n->driver.status.durable_index < t->meta.index && !MUT(50))
        return; /* T2 */
    t->phase = SNAPSHOT_PUBLISHING;
    t->job.name = t->reason == SNAPSHOT_FOR_BACKUP ? n->snapshots.backup.name : SNAPSHOT_NAME;
    snapshot_submit(n, &t->job, run_publish, on_published);
}

/* --- walking --- */

uint64_t snapshot_kept_bytes(const struct snapshot_taking *t)
{
    return t->walk ? state_walk_preimages(t->walk) + buf_size(&t->blocks) : 0;
}

/* What the walk made becomes blocks. */
static void taking_encode(struct snapshot_taking *t, bool is_done)
{
    struct buf *out = state_walk_output(t->walk);
    while (buf_size(out) >= SNAPSHOT_BLOCK_BYTES || (is_done && buf_size(out) > 0)) {
        struct slice data = buf_slice(out);
        data.n = data.n < SNAPSHOT_BLOCK_BYTES ? data.n : SNAPSHOT_BLOCK_BYTES;
        snapshot_encode_data(&t->encoder, data, &t->blocks);
        buf_consume(out, data.n);
    }
    if (is_done) {
        snapshot_encode_end(&t->encoder, state_walk_digest(t->walk), &t->blocks);
        t->has_ended = true;
    }
}

static void on_appended(struct node *n, struct node_job *base)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    (void)base;
    buf_clear(&t->job.bytes, 2 * SNAPSHOT_BUFFER_BYTES);
    if (!taking_may_go_on(n))
        return;
    if (t->has_ended && buf_size(&t->blocks) == 0)
        t->phase = SNAPSHOT_WAITING;
}

static void taking_write(struct node *n)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    if (t->job.job.is_submitted || buf_size(&t->blocks) == 0)
        return;
    /* Small writes would only keep the log's thread from the log. */
    if (!t->has_ended && buf_size(&t->blocks) < SNAPSHOT_BUFFER_BYTES / 4)
        return;
    struct buf empty = t->job.bytes;
    t->job.bytes = t->blocks;
    t->blocks = empty;
    snapshot_submit(n, &t->job, run_append, on_appended);
}

static void taking_walk(struct node *n)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    bool is_busy = n->apply.applied != t->slice_applied;
    uint64_t limit_us = (uint64_t)n->options->snapshot_slice / (is_busy ? SLICE_BUSY_PART : 1);
    bool has_more = !t->has_ended;
    bool is_held = snapshot_holds_apply(n); /* then it is what everybody waits for */
    uint64_t kept_bytes = snapshot_kept_bytes(t);
    t->kept_peak_bytes = kept_bytes > t->kept_peak_bytes ? kept_bytes : t->kept_peak_bytes;
    if (has_more && (n->now_us >= t->slice_us || is_held)) {
        uint64_t begun_us = n->env.now_us(n->env.ctx);
        uint64_t now_us = begun_us;
        for (int i = 0; has_more && i < SLICE_STEPS && buf_size(&t->blocks) < SNAPSHOT_BUFFER_BYTES; i++) {
            has_more = state_walk_step(t->walk);
            taking_encode(t, !has_more);
            now_us = n->env.now_us(n->env.ctx);
            if (now_us - begun_us >= limit_us)
                break;
        }
        uint64_t rest = is_busy ? REST_BUSY : REST_IDLE; /* T3 */
        t->slice_us = now_us + rest * (now_us - begun_us);
        t->slice_applied = n->apply.applied;
    }
    taking_write(n);
}

static void on_created(struct node *n, struct node_job *base)
{
    struct snapshot_taking *t = &n->snapshots.taking;
    (void)base;
    if (taking_may_go_on(n))
        t->phase = SNAPSHOT_WALKING;
}

/* --- beginning --- */

static void taking_begin(struct node *n, enum snapshot_reason reason)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_taking *t = &s->taking;
    const struct formation *f = &n->formation;
    ASSERT(t->phase == SNAPSHOT_IDLE && !t->walk);
    COVER("snapshot: one is begun");
    raft_index index = n->apply.applied;
    ASSERT(index == keyspace_index(n->keyspace)); /* T1 */
    if (MUT(51))
        index--; /* off by one: the state is a later entry's */
    struct buf birth = {0};
    buf_append_slice(&birth, f->entry[0]);
    buf_append_slice(&birth, f->entry[1]);
    t->meta = (struct snapshot_meta){
        .index = index,
        .term = raft_get_term(n->raft, index),
        .cluster_id = n->identity.cluster_id,
        .hash_seed = {n->identity.hash_seed[0], n->identity.hash_seed[1]},
        .wall_ms = n->env.wall_ms(n->env.ctx),
        .time_ms = keyspace_time_ms(n->keyspace),
        .conf_index = s->conf_index,
        .conf = s->conf,
        .birth = buf_slice(&birth),
    };
    ASSERT(t->meta.term != 0);
    t->reason = reason;
    t->has_ended = false;
    t->is_given_up = false;
    t->started_us = n->now_us;
    t->slice_us = 0;
    t->slice_applied = 0;
    t->log_bytes = n->disk.stats.append_bytes;
    t->kept_peak_bytes = 0;
    t->keys_total = keyspace_count_all(n->keyspace);
    t->walk = state_walk_new(n->keyspace, STATE_SNAPSHOT);
    snapshot_encode_head(&t->encoder, &t->meta, &t->blocks);
    t->meta.birth = (struct slice){NULL, 0};
    buf_deinit(&birth);
    t->phase = SNAPSHOT_CREATING;
    t->job.file = &t->file;
    t->job.name = reason == SNAPSHOT_FOR_BACKUP ? s->backup.part : SNAPSHOT_OWN_NAME;
    t->job.elsewhere = reason == SNAPSHOT_FOR_BACKUP ? s->backup.vfs : NULL;
    t->job.expected = s->newest.size;
    t->job.reserve = (uint64_t)n->options->disk_reserve;
    snapshot_submit(n, &t->job, run_create, on_created);
    s->is_wanted = s->is_wanted && reason == SNAPSHOT_FOR_BACKUP;
}

void snapshot_begin_backup(struct node *n)
{
    taking_begin(n, SNAPSHOT_FOR_BACKUP);
}

void snapshot_backup_ended(struct node *n)
{
    taking_free(n);
}

bool node_snapshot(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    if (!n->raft || s->taking.phase != SNAPSHOT_IDLE || s->loading.is_active)
        return false;
    s->is_wanted = true;
    s->retry_us = 0;
    n->wake_us = n->now_us;
    return true;
}

static bool taking_is_possible(const struct node *n)
{
    const struct snapshots *s = &n->snapshots;
    return n->raft && !s->loading.is_active && s->receiving.id.index == 0 && s->conf_index != 0 &&
           n->apply.applied > s->newest.index && n->now_us >= s->retry_us && !n->is_closing;
}

void snapshots_pump(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    if (n->is_dead)
        return;
    snapshot_load_pump(n);
    snapshot_transfer_pump(n);
    switch (s->taking.phase) {
    case SNAPSHOT_IDLE:
        if (s->is_wanted && n->raft && n->apply.applied == s->newest.index) {
            s->is_wanted = false; /* Nothing has happened since: it is true still. */
            s->saved_wall_ms = n->env.wall_ms(n->env.ctx);
        }
        if (taking_is_possible(n) && (s->is_wanted || compact_is_due(n)))
            taking_begin(n, s->is_wanted ? SNAPSHOT_BY_COMMAND : SNAPSHOT_FOR_LOG);
        break;
    case SNAPSHOT_CREATING:
    case SNAPSHOT_PUBLISHING:
    case SNAPSHOT_CHECKING:
        break;
    case SNAPSHOT_WALKING:
        if (!s->taking.is_given_up)
            taking_walk(n);
        break;
    case SNAPSHOT_WAITING:
        if (!s->taking.is_given_up && !s->taking.job.job.is_submitted)
            taking_publish(n);
        break;
    }
    compact_pump(n);
}

uint64_t snapshots_tick(struct node *n)
{
    const struct snapshots *s = &n->snapshots;
    uint64_t next = NODE_NEVER;
    const struct snapshot_taking *t = &s->taking;
    if (t->phase == SNAPSHOT_WALKING && !t->has_ended && buf_size(&t->blocks) < SNAPSHOT_BUFFER_BYTES)
        next = t->slice_us > n->now_us ? t->slice_us : n->now_us;
    if (s->loading.is_active && !s->loading.job.job.is_submitted)
        next = earlier_us(next, s->loading.slice_us > n->now_us ? s->loading.slice_us : n->now_us);
    if (s->retry_us > n->now_us)
        next = earlier_us(next, s->retry_us);
    if (!list_empty(&s->sending.requests) && !s->sending.running && !s->sending.ahead.job.is_submitted)
        next = earlier_us(next, s->sending.next_us);
    return next;
}

bool snapshot_holds_apply(const struct node *n)
{
    const struct snapshot_taking *t = &n->snapshots.taking;
    return t->walk && state_walk_preimages(t->walk) + buf_size(&t->blocks) > STATE_PREIMAGE_BYTES;
}

void snapshots_init(struct node *n)
{
    list_init(&n->snapshots.sending.requests);
    n->snapshots.saved_wall_ms = n->env.wall_ms(n->env.ctx);
}

void snapshots_deinit(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    if (s->taking.phase != SNAPSHOT_IDLE) {
        taking_free(n);
        snapshot_file_close(&s->taking.file);
    }
    snapshot_load_stop(n);
    snapshot_transfer_deinit(n);
    buf_deinit(&s->backup.rest);
    if (s->backup.vfs)
        n->env.close_directory(n->env.ctx, s->backup.vfs);
    buf_deinit(&s->loading.birth);
}
