#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/sessions.h"
#include "keyspace/state.h"
#include "node/node_internal.h"
#include "node/snapshot.h"

/* From a file to the state: at start, and in place of a state that lags.
 *
 *   file --storage thread, 1 MiB at a time--> bytes --slices of the loop--> blocks --> records --> a keyspace of its own
 *                                                                                        \--> takes the place of the node's
 *
 * L1  The node's state is replaced only by one that was loaded to its end and found whole (S1); a received one also has the digest that
 *     its file says. Until then nothing of the old state has changed.
 * L2  At start Raft runs meanwhile: the node votes and takes entries. Its clients' data commands are answered LOADING.
 * L3  A damaged file at start ends the process, in words: what it held is lost on this node, and the log goes on behind it. */

#define LOAD_READ_BYTES (1u << 20)
#define LOAD_SLICE_US 4000
#define LOAD_REST_US 1000
#define LOAD_PROGRESS_US 1000000
#define LOAD_STEPS 256

static struct snapshot_job *job_of(struct node_job *job)
{
    return CONTAINER_OF(job, struct snapshot_job, job);
}

void snapshot_load_stop(struct node *n)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    state_walk_free(l->check);
    l->check = NULL;
    state_reader_free(l->reader);
    l->reader = NULL;
    keyspace_free(l->keyspace);
    l->keyspace = NULL;
    buf_deinit(&l->bytes);
    if (l->at_start)
        snapshot_file_close(&l->file);
    if (l->is_active)
        node_bulk_memory(n, false);
    l->is_active = false;
}

static void load_fail(struct node *n, const char *why)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    if (l->at_start) {
        node_fatal(n,
                   "The snapshot of entry %llu can't be loaded (%s): this node's data are lost. Put its data directory away and "
                   "let it join anew, or start it from a backup.",
                   (unsigned long long)n->snapshots.newest.index,
                   why);
        return;
    }
    if (MUT(30) && l->keyspace && l->meta.index > n->apply.applied) {
        snapshot_install(n); /* as far as it was loaded */
        return;
    }
    snapshot_load_stop(n);
    snapshot_received_failed(n, why);
}

/* --- the node's state is the snapshot's from here on --- */

/* Own writes that were on their way: what of them the snapshot holds is not known (DESIGN §2). */
static void load_settle_session(struct node *n)
{
    struct session *s = &n->session;
    const struct session_state *state = sessions_find(n->keyspace, n->identity.node_id);
    if (s->phase != SESSION_OPEN && s->phase != SESSION_ENDED && s->phase != SESSION_OPENING)
        return;
    bool is_there = state && state->number == s->number;
    if (!is_there && s->phase == SESSION_OPENING)
        return; /* Its OPEN comes later. */
    uint64_t last = is_there ? state->last : UINT64_MAX;
    if (is_there && state->is_open && s->phase == SESSION_OPENING)
        session_on_opened(n, s->number);
    while (!list_empty(&s->window)) {
        struct request *r = CONTAINER_OF(s->window.next, struct request, in_node);
        if (r->seq > last)
            break;
        COVER("snapshot: an own write was inside an installed one");
        if (r->client)
            reads_refuse_before(n, r, "TRYAGAIN this node was brought up to date by a snapshot, try again");
        if (r->state != REQUEST_GIVEN_UP)
            session_give_up(n, r);
        session_decided(n, r);
        request_free(r);
    }
    if (is_there && last > s->last_seq)
        s->last_seq = last;
    if (!is_there || !state->is_open)
        session_on_closed(n, s->number, is_there ? last : s->next_seq - 1);
}

static void load_take_over(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_loading *l = &s->loading;
    verify_stop(n);
    keyspace_take_over(n->keyspace, l->keyspace);
    l->keyspace = NULL;
    s->conf = l->meta.conf;
    s->conf_index = l->meta.conf_index;
    s->keys_loaded = keyspace_count_all(n->keyspace);
    n->apply.applied = l->meta.index;
    n->apply.told = l->meta.index;
    buf_clear(&n->apply.fetched, 0);
    log_time_seen(n, l->meta.time_ms);
}

static void load_done_at_start(struct node *n)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    load_take_over(n);
    log_line(&n->env.log,
             LOG_NOTICE,
             "Loaded the snapshot of entry %llu: %llu bytes in %llu ms.",
             (unsigned long long)l->meta.index,
             (unsigned long long)l->decoder.file_bytes,
             (unsigned long long)((n->env.now_us(n->env.ctx) - l->begun_us) / 1000));
    snapshot_load_stop(n);
}

/* snapshot_transfer.c: the file has its name. */
void snapshot_install(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_loading *l = &s->loading;
    struct raft_event event = {.type = RAFT_EVENT_INSTALLED};
    event.u.installed.id = s->receiving.id;
    event.u.installed.conf = &l->meta.conf;
    event.u.installed.conf_index = l->meta.conf_index;
    COVER("snapshot: one is installed");
    blocked_hold(n);
    /* The state first: what the step brings about looks at it. */
    load_take_over(n);
    enum err e = driver_step(n, &event);
    ASSERT(e == ERR_OK);
    load_settle_session(n);
    blocked_settle(n);
    changes_replaced(&n->changes);
    node_take_birth(n, buf_slice(&l->birth));
    log_line(&n->env.log,
             LOG_NOTICE,
             "Took the state of entry %llu from %s: %llu bytes in %llu ms.",
             (unsigned long long)l->meta.index,
             node_member_name(n, s->receiving.from),
             (unsigned long long)s->receiving.id.size,
             (unsigned long long)((n->now_us - s->receiving.begun_us) / 1000));
    snapshot_load_stop(n);
}

/* --- reading --- */

static void run_read(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    job->result = snapshot_file_read(job->file, job->offset, LOAD_READ_BYTES, &job->bytes);
}

static void on_read(struct node *n, struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    struct snapshot_loading *l = &n->snapshots.loading;
    if (!l->is_active) {
        buf_clear(&job->bytes, 0);
        return;
    }
    if (job->result == ERR_IO) {
        node_fatal(n, "A snapshot can't be read: %s.", err_text(job->result));
        return;
    }
    if (job->result != ERR_OK) {
        load_fail(n, err_text(job->result));
        return;
    }
    l->offset += buf_size(&job->bytes);
    if (buf_size(&l->bytes) == 0) {
        struct buf empty = l->bytes;
        l->bytes = job->bytes;
        job->bytes = empty;
    } else {
        buf_append_slice(&l->bytes, buf_slice(&job->bytes));
    }
    buf_clear(&job->bytes, LOAD_READ_BYTES);
}

static enum err load_head(struct node *n, const struct snapshot_block *block)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    l->meta = block->meta;
    buf_clear(&l->birth, 65536);
    buf_append_slice(&l->birth, block->meta.birth);
    l->meta.birth = (struct slice){NULL, 0};
    if (block->meta.cluster_id != n->identity.cluster_id || block->meta.hash_seed[0] != n->identity.hash_seed[0] ||
        block->meta.hash_seed[1] != n->identity.hash_seed[1])
        return ERR_MISMATCH;
    const struct raft_snapshot_id *id = &n->snapshots.receiving.id;
    if (!l->at_start && (block->meta.index != id->index || block->meta.term != id->term))
        return ERR_MISMATCH;
    return ERR_OK;
}

static enum err load_end(struct node *n, const struct snapshot_block *block)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    const struct raft_snapshot_id *id = l->at_start ? &n->snapshots.newest : &n->snapshots.receiving.id;
    l->digest = block->digest;
    if (buf_size(&l->bytes) > 0 || l->offset != l->from->size || l->decoder.file_bytes != id->size || l->decoder.crc != id->crc)
        return ERR_CORRUPT;
    enum err e = state_reader_finish(l->reader);
    return e == ERR_OK && keyspace_index(l->keyspace) != l->meta.index ? ERR_CORRUPT : e;
}

/* One block. ERR_TOO_BIG: more must be read first. */
static enum err load_block(struct node *n)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    struct snapshot_block block;
    size_t taken;
    enum err e = snapshot_decode(&l->decoder, buf_slice(&l->bytes), &block, &taken);
    if (e != ERR_OK)
        return e;
    switch (block.kind) {
    case SNAPSHOT_HEAD:
        e = load_head(n, &block);
        break;
    case SNAPSHOT_DATA:
        e = state_reader_feed(l->reader, block.data);
        break;
    case SNAPSHOT_END:
        break;
    }
    buf_consume(&l->bytes, taken);
    return e == ERR_OK && block.kind == SNAPSHOT_END ? load_end(n, &block) : e;
}

static void load_progress(struct node *n, uint64_t now_us)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    uint64_t done = l->decoder.file_bytes;
    if (now_us - l->told_us < LOAD_PROGRESS_US || done == 0)
        return;
    l->told_us = now_us;
    uint64_t seconds = (now_us - l->begun_us) / 1000 * (l->from->size - done) / done / 1000;
    log_line(&n->env.log,
             LOG_NOTICE,
             "Loading the snapshot of entry %llu: %llu %%, about %llu s left.",
             (unsigned long long)l->meta.index,
             (unsigned long long)(done * 100 / l->from->size),
             (unsigned long long)seconds);
}

static void load_whole(struct node *n)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    if (l->at_start) {
        load_done_at_start(n);
    } else if (!l->check) {
        l->check = state_walk_new(l->keyspace, STATE_DIGEST); /* L1 */
    }
}

/* L1: the digest of what was loaded. */
static void load_check(struct node *n, uint64_t end_us)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    for (int i = 0; i < LOAD_STEPS; i++) {
        if (!state_walk_step(l->check)) {
            bool is_equal = state_walk_digest(l->check) == l->digest;
            state_walk_free(l->check);
            l->check = NULL;
            if (is_equal)
                snapshot_received_loaded(n);
            else
                load_fail(n, "its digest is another one than its file says");
            return;
        }
        if (n->env.now_us(n->env.ctx) >= end_us)
            return;
    }
}

void snapshot_load_pump(struct node *n)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    if (!l->is_active || n->now_us < l->slice_us || n->snapshots.receiving.is_publishing)
        return;
    uint64_t end_us = n->env.now_us(n->env.ctx) + LOAD_SLICE_US;
    /* At start nothing else has much to do; a running node serves its clients from the old state, and hears its leader. */
    l->slice_us = l->at_start ? 0 : end_us + LOAD_REST_US;
    if (l->check) {
        load_check(n, end_us);
        return;
    }
    enum err e = ERR_OK;
    for (int i = 0; i < LOAD_STEPS && e == ERR_OK && !l->decoder.has_ended; i++) {
        e = load_block(n);
        if (n->env.now_us(n->env.ctx) >= end_us)
            break;
    }
    load_progress(n, end_us);
    if (e != ERR_OK && (e != ERR_TOO_BIG || (l->offset == l->from->size && !l->job.job.is_submitted))) {
        load_fail(n, err_text(e == ERR_TOO_BIG ? ERR_CORRUPT : e));
        return;
    }
    if (l->decoder.has_ended && e == ERR_OK) {
        load_whole(n);
        return;
    }
    if (!l->job.job.is_submitted && l->offset < l->from->size && buf_size(&l->bytes) < 2 * LOAD_READ_BYTES) {
        l->job.file = l->from;
        l->job.offset = l->offset;
        snapshot_submit(n, &l->job, run_read, on_read);
    }
}

void snapshot_load_begin(struct node *n, bool at_start)
{
    struct snapshot_loading *l = &n->snapshots.loading;
    struct siphash_key seed;
    ASSERT(!l->is_active && !l->keyspace && !l->reader);
    memcpy(seed.bytes, n->identity.hash_seed, sizeof seed.bytes);
    node_bulk_memory(n, true);
    l->is_active = true;
    l->at_start = at_start;
    l->from = at_start ? &l->file : &n->snapshots.receiving.file;
    l->offset = 0;
    l->slice_us = 0;
    l->decoder = (struct snapshot_decoder){0};
    l->keyspace = keyspace_new(&seed, NULL);
    l->reader = state_reader_new(l->keyspace, l->from->size);
    l->begun_us = n->env.now_us(n->env.ctx); /* at start the log was read since this turn began */
    l->told_us = l->begun_us;
}

const char *snapshot_loading_text(struct node *n)
{
    const struct snapshot_loading *l = &n->snapshots.loading;
    if (!l->is_active || !l->at_start)
        return NULL;
    snprintf(n->reason,
             sizeof n->reason,
             "LOADING the node is loading its data: %u %%",
             l->from->size ? (unsigned)(l->decoder.file_bytes * 100 / l->from->size) : 0);
    return n->reason;
}

/* --- at start: what is there --- */

static bool log_has(const struct raft_start *start, const struct snapshot_meta *meta)
{
    if (meta->index + 1 == start->first_index)
        return start->prev_term == meta->term;
    if (meta->index < start->first_index || meta->index > start->last_index)
        return false;
    raft_term term = 0;
    for (uint32_t i = 0; i < start->term_run_count && start->term_run[i].first <= meta->index; i++)
        term = start->term_run[i].term;
    return term == meta->term;
}

/* A crash came between the snapshot's name and the log's: the snapshot is the truth (raft/snapshot.c I2, I3). */
static enum err reset_log(struct node *n, const struct snapshot_meta *meta, struct raft_start *start)
{
    struct wal_append append = {
        .reset_index = meta->index,
        .reset_term = meta->term,
        .reset_conf = &meta->conf,
        .reset_conf_index = meta->conf_index,
        .may_use_reserve = true,
    };
    /* Its term may be one that was heard and not durable yet: no vote of it has got out (V2). */
    if (start->hard_state.term < meta->term) {
        start->hard_state = (struct raft_hard_state){.term = meta->term};
        n->disk.state.hard = start->hard_state;
        append.state = &n->disk.state;
    }
    COVER("snapshot: the log is begun anew behind one at start");
    enum err e = wal_append(n->wal, &append);
    start->first_index = meta->index + 1;
    start->prev_term = meta->term;
    start->last_index = meta->index;
    start->last_term = meta->term;
    start->entry_count = 0;
    start->term_run_count = 0;
    start->conf_count = 0;
    n->disk.last_index = meta->index;
    wal_get_stats(n->wal, &n->disk.stats);
    return e;
}

static enum err snapshot_open_file(struct node *n, struct snapshot_meta *meta)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_loading *l = &s->loading;
    uint64_t digest;
    struct buf head = {0};
    enum err e = snapshot_file_open(&l->file, n->env.vfs, SNAPSHOT_NAME);
    if (e != ERR_OK)
        return e;
    /* Whether a process that was killed made the name durable isn't known, and what comes next may rely on it. */
    if (n->env.vfs->call->sync_names(n->env.vfs) != ERR_OK) {
        snapshot_file_close(&l->file);
        return ERR_IO;
    }
    e = snapshot_file_head(&l->file, &head, meta);
    if (e == ERR_OK)
        e = snapshot_file_tail(&l->file, &s->newest.crc, &digest);
    if (e == ERR_OK && (meta->cluster_id != n->identity.cluster_id || meta->hash_seed[0] != n->identity.hash_seed[0] ||
                        meta->hash_seed[1] != n->identity.hash_seed[1]))
        e = ERR_MISMATCH;
    if (e == ERR_OK) {
        s->newest.index = meta->index;
        s->newest.term = meta->term;
        s->newest.size = l->file.size;
        s->newest_wall_ms = meta->wall_ms;
        s->newest_conf_index = meta->conf_index;
        node_take_birth(n, meta->birth);
        log_time_seen(n, meta->time_ms);
    } else {
        snapshot_file_close(&l->file);
    }
    buf_deinit(&head);
    return e;
}

/* Configurations that `start` lacks: the one in force at the snapshot. */
static void add_conf(struct raft_start *start, const struct snapshot_meta *meta, struct raft_conf *conf, raft_index *conf_index)
{
    if (start->conf_count > 0 && start->conf_index[0] <= meta->conf_index)
        return;
    conf[0] = meta->conf;
    conf_index[0] = meta->conf_index;
    for (uint32_t i = 0; i < start->conf_count; i++) {
        conf[i + 1] = start->conf[i];
        conf_index[i + 1] = start->conf_index[i];
    }
    start->conf = conf;
    start->conf_index = conf_index;
    start->conf_count++;
}

bool snapshot_is_there(struct node *n, const char *name)
{
    struct vfs_file *file;
    if (n->env.vfs->call->open(n->env.vfs, name, false, &file) != ERR_OK)
        return false;
    n->env.vfs->call->close(file);
    return true;
}

bool snapshot_is_left_alone(struct node *n)
{
    static const char *const name[] = {SNAPSHOT_NAME, SNAPSHOT_OWN_NAME};
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        if (!snapshot_is_there(n, name[i]))
            continue;
        log_line(&n->env.log,
                 LOG_WARNING,
                 "The data directory belongs to no cluster, but holds a file \"%s\": a restore did not get to its end. Run coracle "
                 "restore again, or empty the directory. Not starting.",
                 name[i]);
        return true;
    }
    return false;
}

enum err snapshot_open(struct node *n, struct raft_start *start, struct raft_conf *conf, raft_index *conf_index)
{
    struct snapshot_meta meta;
    /* Leftovers (snapshot_file.h N2). */
    (void)n->env.vfs->call->remove(n->env.vfs, SNAPSHOT_OWN_NAME);
    (void)n->env.vfs->call->remove(n->env.vfs, SNAPSHOT_RECEIVED_NAME);
    enum err e = snapshot_open_file(n, &meta);
    if (e == ERR_NOT_FOUND && start->first_index == 1)
        return ERR_OK;
    if (e != ERR_OK) {
        if (e == ERR_NOT_FOUND)
            log_line(&n->env.log,
                     LOG_WARNING,
                     "The log begins at entry %llu and there is no snapshot: files are missing, entries 1 to %llu are lost on this "
                     "node. Not starting.",
                     (unsigned long long)start->first_index,
                     (unsigned long long)start->first_index - 1);
        else
            log_line(&n->env.log, LOG_WARNING, "The snapshot can't be used: %s. Not starting.", err_text(e));
        return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
    }
    if (start->first_index > meta.index + 1) {
        log_line(&n->env.log,
                 LOG_WARNING,
                 "The snapshot ends at entry %llu and the log begins at entry %llu: what lies between is lost on this node. Not "
                 "starting.",
                 (unsigned long long)meta.index,
                 (unsigned long long)start->first_index);
        snapshot_file_close(&n->snapshots.loading.file);
        return ERR_CORRUPT;
    }
    if (!log_has(start, &meta)) {
        e = reset_log(n, &meta, start);
        if (e != ERR_OK) {
            log_line(&n->env.log, LOG_WARNING, "The log can't be begun anew behind the snapshot: %s.", err_text(e));
            snapshot_file_close(&n->snapshots.loading.file);
            return e;
        }
    }
    add_conf(start, &meta, conf, conf_index);
    start->commit = meta.index;
    n->snapshots.loading.meta = meta;
    snapshot_load_begin(n, true);
    return ERR_OK;
}
