#include "node/disk.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* Group commit (DESIGN §5): while one wal_append is under way, everything Raft wants durable is merged into `pending`; the
 * next append takes all of it. One job at a time keeps the order, so PERSISTED(highest token) speaks for all lower ones.
 *
 * D1  Work reaches the disk in the order Raft gave it: pending is appended to, or cut at its end by a truncation.
 * D2  The bytes of entries under way are pinned by chunk references until the append is done.
 * D3  A full disk changes nothing: the same work is tried again, and nothing behind it overtakes it (P12). New writes are refused
 *     from then on; but what Raft took already, and what it needs to elect and to confirm reads (hard state, no-ops), is
 *     written from the reserve. A follower that has a leader lets entries wait: the reserve is for electing the next.
 * D4  Any other error ends the node (P6). */

#define FETCH_LEAST_BYTES 4096u

static void work_pop(struct disk_work *w)
{
    w->entry_count--;
    chunk_unref(w->chunk[w->entry_count]);
}

/* Drops the references and leaves the arrays for the next use. */
static void work_clear(struct disk_work *w)
{
    while (w->entry_count > 0)
        work_pop(w);
    struct slice *entry = w->entry;
    struct chunk **chunk = w->chunk;
    uint32_t capacity = w->entry_capacity;
    mem_free(w->reset_conf);
    *w = (struct disk_work){.entry = entry, .chunk = chunk, .entry_capacity = capacity};
}

static void work_push(struct disk_work *w, struct slice bytes, struct chunk *chunk, struct chunk *previous)
{
    if (w->entry_count == w->entry_capacity) {
        w->entry_capacity = w->entry_capacity ? 2 * w->entry_capacity : 64;
        w->entry = mem_realloc_array(w->entry, w->entry_capacity, sizeof w->entry[0]);
        w->chunk = mem_realloc_array(w->chunk, w->entry_capacity, sizeof(struct chunk *));
    }
    ASSERT(chunk != NULL);
    w->entry[w->entry_count] = bytes;
    w->chunk[w->entry_count] = chunk == previous ? NULL : chunk_ref(chunk);
    w->entry_count++;
}

static void disk_run(struct disk_job *base)
{
    struct node_job *job = CONTAINER_OF(base, struct node_job, base);
    switch (job->kind) {
    case DISK_APPEND: {
        const struct disk_work *w = &job->work;
        struct wal_append append = {
            .identity = w->has_identity ? &w->identity : NULL,
            .state = w->has_state ? &w->state : NULL,
            .reset_index = w->reset_index,
            .reset_term = w->reset_term,
            .reset_conf = w->reset_conf,
            .reset_conf_index = w->reset_conf_index,
            .truncate_from = w->truncate_from,
            .entry = w->entry,
            .entry_count = w->entry_count,
            .clear_taint = w->clears_taint,
            .may_use_reserve = w->may_use_reserve,
        };
        job->result = wal_append(job->wal, &append);
        wal_get_stats(job->wal, &job->stats);
        break;
    }
    case DISK_READ_PEER:
    case DISK_READ_APPLY:
        job->result = wal_read(job->wal, job->first, job->max_bytes, &job->out, &job->count, &job->prev_term);
        break;
    case DISK_PREPARE:
        job->has_more = wal_prepare_ahead(job->wal);
        job->free_bytes = 0;
        job->result = job->vfs->call->free_bytes(job->vfs, &job->free_bytes);
        wal_get_stats(job->wal, &job->stats);
        break;
    case DISK_OTHER:
        job->run(job);
        break;
    }
}

void disk_submit(struct node *n, struct node_job *job)
{
    ASSERT(!job->is_submitted);
    job->is_submitted = true;
    job->started_us = n->now_us;
    job->wal = n->wal;
    job->vfs = n->env.vfs;
    job->base.run = disk_run;
    n->env.submit(n->env.ctx, &job->base);
}

/* Nothing but what the cluster needs for itself. */
static bool work_is_own(const struct disk_work *w)
{
    for (uint32_t i = 0; i < w->entry_count; i++) {
        struct raft_entry e;
        struct proposal p;
        entry_view(w->entry[i].p, &e);
        if (e.type == RAFT_ENTRY_COMMAND && (proposal_decode(e.payload, &p) != ERR_OK || p.number != PROPOSAL_CANCEL))
            return false;
    }
    return true;
}

void disk_submit_append(struct node *n)
{
    struct disk *d = &n->disk;
    struct disk_work *w = &d->append.work;
    /* A node whose entries are not durable does not campaign, and knows its silent leader until then. */
    bool is_leader_silent = n->now_us - n->driver.status.leader_contact_us > node_election_timeout_us(n);
    w->may_use_reserve =
        work_is_own(w) ||
        (d->is_full && (node_is_leader(n) || is_leader_silent || w->has_state || d->pending.has_state));
    disk_submit(n, &d->append);
}

void disk_init(struct node *n, const struct wal_node_state *state, raft_index last_index)
{
    struct disk *d = &n->disk;
    *d = (struct disk){.state = *state, .last_index = last_index};
    d->durable_session = state->session_number;
    d->append.kind = DISK_APPEND;
    d->prepare.kind = DISK_PREPARE;
    list_init(&d->reads);
    wal_get_stats(n->wal, &d->stats);
}

static void job_free(struct node_job *job)
{
    list_remove(&job->in_node);
    buf_deinit(&job->out);
    mem_free(job);
}

void disk_deinit(struct node *n)
{
    struct disk *d = &n->disk;
    while (!list_empty(&d->reads))
        job_free(CONTAINER_OF(d->reads.next, struct node_job, in_node));
    work_clear(&d->pending);
    work_clear(&d->append.work);
    mem_free(d->pending.entry);
    mem_free(d->pending.chunk);
    mem_free(d->append.work.entry);
    mem_free(d->append.work.chunk);
}

/* Entries from `from` on are replaced. Those still pending just go; the log on disk is told only if it holds some. */
static void disk_truncate(struct disk *d, raft_index from)
{
    struct disk_work *w = &d->pending;
    while (w->entry_count > 0 && w->first + w->entry_count > from)
        work_pop(w);
    if (w->entry_count == 0 && (w->truncate_from == 0 || from < w->truncate_from))
        w->truncate_from = from;
    d->last_index = from - 1;
    w->has_work = true;
}

static void work_drop_log(struct disk_work *w)
{
    while (w->entry_count > 0)
        work_pop(w);
    w->truncate_from = 0;
}

/* What waits for room on a full disk is void once a snapshot takes the log's place, and until that is written the log may lose entries that
 * a truncation counts on (compact.c). The state in it is not; and what its token stands for the snapshot holds. */
static void disk_drop_void(struct disk *d)
{
    if (!d->append.is_submitted && d->pending.reset_index != 0)
        work_drop_log(&d->append.work);
}

/* The log goes on behind a snapshot that is durable. */
static void disk_reset(struct node *n, const struct raft_update *update)
{
    struct disk *d = &n->disk;
    struct disk_work *w = &d->pending;
    work_drop_log(w);
    w->reset_index = update->reset_index;
    w->reset_term = update->reset_term;
    mem_free(w->reset_conf);
    w->reset_conf = mem_alloc(sizeof *w->reset_conf);
    *w->reset_conf = n->snapshots.conf;
    w->reset_conf_index = n->snapshots.conf_index;
    d->last_index = update->reset_index;
    disk_drop_void(d);
}

void disk_add(struct node *n, const struct raft_update *update)
{
    struct disk *d = &n->disk;
    struct disk_work *w = &d->pending;
    ASSERT(update->token > d->last_token);
    d->last_token = update->token;
    w->token = update->token;
    w->has_work = true;
    if (update->has_hard_state) {
        ASSERT(update->hard_state.term >= d->state.hard.term);
        d->state.hard = update->hard_state;
        w->has_state = true;
        w->state = d->state;
    }
    if (update->reset_index != 0)
        disk_reset(n, update);
    if (update->truncate_from != 0)
        disk_truncate(d, update->truncate_from);
    for (uint32_t i = 0; i < update->entry_count; i++) {
        const struct raft_entry *e = &update->entry[i];
        ASSERT(e->index == d->last_index + 1);
        if (w->entry_count == 0)
            w->first = e->index;
        work_push(w, e->bytes, e->chunk, i > 0 ? update->entry[i - 1].chunk : NULL);
        d->last_index = e->index;
    }
}

void disk_set_session_number(struct node *n, uint64_t number)
{
    struct disk *d = &n->disk;
    ASSERT(number > d->state.session_number);
    d->state.session_number = number;
    d->pending.has_work = true;
    d->pending.has_state = true;
    d->pending.state = d->state;
}

void disk_add_formation(struct node *n,
                        const struct wal_identity *identity,
                        const struct raft_hard_state *hard,
                        struct chunk *chunk,
                        const struct slice *entry,
                        uint32_t entry_count)
{
    struct disk *d = &n->disk;
    struct disk_work *w = &d->pending;
    ASSERT(n->identity.cluster_id == 0 && identity->cluster_id != 0); /* For ever one cluster. */
    ASSERT(!w->has_work && d->last_index == 0);
    w->has_work = true;
    w->has_identity = true;
    w->identity = *identity;
    d->state.hard = *hard;
    w->has_state = true;
    w->state = d->state;
    w->first = 1;
    for (uint32_t i = 0; i < entry_count; i++)
        work_push(w, entry[i], chunk, NULL);
    d->last_index = entry_count;
}

void disk_heal(struct node *n)
{
    struct disk *d = &n->disk;
    if (!d->is_tainted || n->driver.status.is_tainted)
        return;
    COVER("disk: a damaged log is healed");
    log_line(&n->env.log, LOG_NOTICE, "The damaged log has caught up; this node votes again.");
    d->is_tainted = false;
    d->pending.has_work = true;
    d->pending.clears_taint = true;
}

static void disk_fetch(struct node *n, enum disk_job_kind kind, raft_id peer, raft_index first, size_t max_bytes)
{
    struct node_job *job = mem_alloc_zero(sizeof *job);
    job->kind = kind;
    job->peer = peer;
    job->first = first;
    job->max_bytes = max_bytes;
    list_append(&n->disk.reads, &job->in_node);
    disk_submit(n, job);
}

void disk_fetch_for_peer(struct node *n, raft_id peer, raft_index first, size_t max_bytes)
{
    /* One read per small append would let a lagging peer wait for the disk at every entry. */
    disk_fetch(n, DISK_READ_PEER, peer, first, max_bytes > FETCH_LEAST_BYTES ? max_bytes : FETCH_LEAST_BYTES);
}

void disk_fetch_for_apply(struct node *n, raft_index first, size_t max_bytes)
{
    disk_fetch(n, DISK_READ_APPLY, 0, first, max_bytes);
}

void disk_flush(struct node *n)
{
    struct disk *d = &n->disk;
    if (d->append.is_submitted || d->retry_us != 0)
        return;
    if (d->pending.has_work) {
        struct disk_work empty = d->append.work;
        d->append.work = d->pending;
        d->pending = empty;
        disk_submit_append(n);
        return;
    }
    if (d->bytes_until_prepare == 0 && !d->prepare.is_submitted && list_empty(&d->reads))
        disk_submit(n, &d->prepare);
}

static void disk_note_stats(struct node *n, const struct wal_stats *stats)
{
    struct disk *d = &n->disk;
    uint64_t written = stats->append_bytes - d->stats.append_bytes;
    d->stats = *stats;
    d->bytes_until_prepare -= written < d->bytes_until_prepare ? written : d->bytes_until_prepare;
}

static void disk_note_time(struct node *n, uint64_t us)
{
    struct disk *d = &n->disk;
    stage_add(&n->stages, STAGE_FSYNC, us);
    d->append_us = d->append_us == 0 ? us : (7 * d->append_us + us) / 8;
}

static void disk_has_room(struct node *n)
{
    if (n->disk.is_full)
        log_line(&n->env.log, LOG_NOTICE, "The disk has room again: %s.", node_is_leader(n) ? "writes are accepted" : "this node catches up");
    n->disk.is_full = false;
}

static void disk_on_appended(struct node *n, struct node_job *job)
{
    struct disk *d = &n->disk;
    if (job->result == ERR_FULL) {
        if (!d->is_full)
            log_line(&n->env.log,
                     LOG_WARNING,
                     "The disk is full: %s until there is room.",
                     node_is_leader(n) ? "writes are refused" : "this node, a follower, falls behind");
        COVER("disk: full");
        d->retry_us = n->now_us + (d->is_full ? DISK_RETRY_US : 0);
        d->is_full = true;
        d->look_us = n->now_us + DISK_RETRY_US;
        disk_drop_void(d);
        return;
    }
    if (job->result != ERR_OK) {
        node_fatal(n, "Writing the log failed: %s.", err_text(job->result));
        return;
    }
    if (!job->work.may_use_reserve)
        disk_has_room(n);
    disk_note_stats(n, &job->stats);
    if (job->work.has_state)
        d->durable_session = job->work.state.session_number;
    uint64_t token = job->work.token;
    bool has_identity = job->work.has_identity;
    if (has_identity)
        n->identity = job->work.identity;
    work_clear(&job->work);
    if (has_identity)
        formation_done(n);
    if (token != 0)
        driver_persisted(n, token);
}

/* Decodes what was read back; the entries borrow job->out. Returns how many. */
static uint32_t disk_decode(struct node *n, struct node_job *job, struct raft_entry **entries)
{
    struct slice rest = buf_slice(&job->out);
    struct raft_entry *entry = mem_alloc_array(job->count + 1, sizeof *entry);
    uint32_t count = 0;
    while (rest.n > 0 && count < job->count) {
        if (entry_decode(rest, &entry[count]) != ERR_OK || entry[count].index != job->first + count) {
            node_fatal(n, "The log is damaged at entry %llu.", (unsigned long long)(job->first + count));
            break;
        }
        rest = slice_skip(rest, entry[count].bytes.n);
        count++;
    }
    *entries = entry;
    return count;
}

static void disk_on_read_for_peer(struct node *n, struct node_job *job)
{
    struct raft_entry *entry = NULL;
    uint32_t count = job->result == ERR_OK ? disk_decode(n, job, &entry) : 0;
    struct raft_event event = {.type = RAFT_EVENT_FETCHED};
    event.u.fetched.peer = job->peer;
    event.u.fetched.prev_index = job->first - 1;
    event.u.fetched.prev_term = job->prev_term;
    event.u.fetched.entry = entry;
    event.u.fetched.entry_count = count;
    COVER("disk: entries fetched for a lagging peer");
    if (!n->is_dead && driver_step(n, &event) != ERR_OK)
        log_line(&n->env.log, LOG_DEBUG, "Entries read for a peer were not wanted any more.");
    mem_free(entry);
}

static void disk_on_read(struct node *n, struct node_job *job)
{
    if (job->result != ERR_OK && job->result != ERR_NOT_FOUND && job->result != ERR_COMPACTED)
        node_fatal(n, "Reading entry %llu of the log failed: %s.", (unsigned long long)job->first, err_text(job->result));
    else if (job->kind == DISK_READ_PEER)
        disk_on_read_for_peer(n, job);
    else
        apply_fetched(n, job->first, &job->out);
    job_free(job);
}

void node_disk_done(struct node *n, struct disk_job *base)
{
    struct node_job *job = CONTAINER_OF(base, struct node_job, base);
    node_enter(n);
    ASSERT(job->is_submitted);
    job->is_submitted = false;
    if (n->is_dead)
        return;
    switch (job->kind) {
    case DISK_APPEND:
        if (job->result == ERR_OK)
            disk_note_time(n, n->now_us > job->started_us ? n->now_us - job->started_us : 0);
        disk_on_appended(n, job);
        break;
    case DISK_READ_PEER:
    case DISK_READ_APPLY:
        disk_on_read(n, job);
        break;
    case DISK_PREPARE:
        n->disk.stats.file_bytes = job->stats.file_bytes;
        /* Look again when half of it was written over. */
        n->disk.bytes_until_prepare = job->has_more ? 0 : wal_ahead_bytes((uint64_t)n->options->log_segment_size) / 2;
        if (n->disk.retry_us == 0 && job->result == ERR_OK && job->free_bytes > (uint64_t)n->options->disk_reserve)
            disk_has_room(n);
        break;
    case DISK_OTHER:
        job->done(n, job);
        break;
    }
}
