#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"
#include "node/snapshot.h"

/* A snapshot on its way from the leader to a member (raft/snapshot.c says when; here are the files).
 *
 * X1  The sender keeps its file open: a newer snapshot takes the name, not the bytes. The log behind it stays meanwhile (compact.c C2).
 *     Who needs one while somebody is in the middle of that file gets it too, or they would make each other begin anew with each new one.
 * X2  One chunk at a time to each receiver, on the bulk link, no faster than `snapshot-transfer-rate`: what the cluster needs to live
 *     goes on the control link, and entries for others on links of their own. It is not sent again before that link has brought it: on a
 *     slow one copies would pile up, and the entries behind them wait until the next snapshot is needed. Nobody waits for a disk between
 *     two chunks: the sender reads the next one while this one is under way (`ahead`), the receiver asks for it while this one is
 *     written (X3).
 * X3  The receiver writes to a file of another name. What it has of it it knows as long as it runs: a transfer goes on after the
 *     link broke, also with another chunk than the one expected, and begins anew after a restart. A chunk is accepted, and the next one
 *     asked for, when the one before it is written: one is being written, one waits, there is never a third. The last one is answered
 *     only when it is written. What could not be written is not there: the next chunk meets offset 0.
 * X4  All bytes there: they are loaded beside the old state (snapshot_load.c L1); then the file gets its name, durably; then state and
 *     log change places with what was there, in one step; and when the log is durable too, Raft says "installed" (I2). A file that
 *     can't be loaded is thrown away and the old state is as it was. */

#define SENDING_PINS_US 10000000
#define RECEIVE_RETRY_US 1000000
#define CHUNK_BYTES (LIMIT_FRAME_BYTES - 512u)

static struct snapshot_job *job_of(struct node_job *job)
{
    return CONTAINER_OF(job, struct snapshot_job, job);
}

static bool id_is_same(const struct raft_snapshot_id *a, const struct raft_snapshot_id *b)
{
    return a->index == b->index && a->term == b->term && a->crc == b->crc && a->size == b->size;
}

/* --- sending --- */

/* Opens the newest file if it isn't the one that is open, unless the one asked for is. */
static void run_serve(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    struct snapshot_file *f = job->file;
    job->result = ERR_OK;
    if (job->name) {
        snapshot_file_close(f);
        job->result = snapshot_file_open(f, base->vfs, job->name);
        uint64_t digest;
        struct buf head = {0};
        struct snapshot_meta meta;
        /* Another one may have taken the name since it was asked for: the file itself says which it is. */
        if (job->result == ERR_OK)
            job->result = snapshot_file_head(f, &head, &meta);
        if (job->result == ERR_OK)
            job->result = snapshot_file_tail(f, &job->id.crc, &digest);
        if (job->result == ERR_OK) {
            job->id.index = meta.index;
            job->id.term = meta.term;
            job->id.size = f->size;
        }
        buf_deinit(&head);
    }
    if (job->result == ERR_OK && id_is_same(&job->id, &job->request.id))
        job->offset = job->request.offset;
    else
        job->offset = 0; /* of another file: its beginning, in case it is the beginning that was asked for */
    if (job->result == ERR_OK)
        job->result = snapshot_file_read(f, job->offset, job->most, &job->bytes);
}

/* --- the next chunk, before it is asked for --- */

static void run_ahead(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    job->result = snapshot_file_read(job->file, job->offset, CHUNK_BYTES, &job->bytes);
}

static void on_ahead(struct node *n, struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    (void)n;
    if (job->result != ERR_OK)
        job->id.index = 0; /* Whoever asks for it finds out why. */
}

/* `f`, the open one, was read up to `offset`. No job that opens another is under way. */
static void sending_read_ahead(struct node *n, uint64_t offset)
{
    struct snapshot_sending *s = &n->snapshots.sending;
    if (s->running || s->ahead.job.is_submitted || s->id.index == 0 || offset >= s->id.size)
        return;
    buf_clear(&s->ahead.bytes, CHUNK_BYTES);
    s->ahead.file = &s->file;
    s->ahead.id = s->id;
    s->ahead.offset = offset;
    snapshot_submit(n, &s->ahead, run_ahead, on_ahead);
}

/* `id` of index 0: nothing for now. */
static void sending_answer(struct node *n, const struct raft_chunk_request *request, const struct raft_snapshot_id *id, struct slice data)
{
    struct raft_event event = {.type = RAFT_EVENT_CHUNK};
    event.u.chunk.peer = request->peer;
    event.u.chunk.id = *id;
    event.u.chunk.offset = request->offset;
    event.u.chunk.data = data;
    if (driver_step(n, &event) != ERR_OK)
        log_line(&n->env.log, LOG_DEBUG, "A chunk of a snapshot was not wanted any more.");
}

static void sending_send(struct node *n, const struct raft_chunk_request *request, struct slice data)
{
    struct snapshot_sending *s = &n->snapshots.sending;
    uint64_t rate = (uint64_t)n->options->snapshot_transfer_rate;
    sending_answer(n, request, &s->id, data);
    struct peer *p = peers_find(n, request->peer);
    if (p)
        p->chunk = (struct peer_chunk){s->id.index, request->offset, p->bulk_sent, p->bulk_number};
    s->sent = request->offset + data.n;
    if (rate > 0)
        s->next_us = n->now_us + data.n * 1000000 / rate;
}

static void on_served(struct node *n, struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    struct snapshot_sending *s = &n->snapshots.sending;
    s->running = NULL;
    if (job->result == ERR_IO) {
        node_fatal(n, "A snapshot can't be read: %s.", err_text(job->result));
    } else {
        bool is_good = job->result == ERR_OK;
        s->id = is_good ? job->id : (struct raft_snapshot_id){.index = 0};
        sending_send(n, &job->request, buf_slice(&job->bytes));
        sending_read_ahead(n, job->offset + buf_size(&job->bytes));
    }
    buf_deinit(&job->bytes);
    mem_free(job);
}

/* Raft asks again for what takes long (a low snapshot-transfer-rate, a slow disk): one request of each member waits, the newest. */
void snapshot_serve(struct node *n, const struct raft_chunk_request *request)
{
    struct snapshot_sending *s = &n->snapshots.sending;
    const struct snapshot_job *running = s->running;
    if (running && running->request.peer == request->peer && running->request.offset == request->offset &&
        id_is_same(&running->request.id, &request->id))
        return;
    for (struct list *at = s->requests.next; at != &s->requests; at = at->next) {
        struct snapshot_job *waiting = job_of(CONTAINER_OF(at, struct node_job, in_node));
        if (waiting->request.peer == request->peer) {
            COVER("snapshot: a chunk is asked for while it waits");
            waiting->request = *request;
            return;
        }
    }
    struct snapshot_job *job = mem_alloc_zero(sizeof *job);
    job->request = *request;
    list_append(&s->requests, &job->job.in_node);
}

/* Was it read ahead? Then it goes out at once. */
static bool sending_serve_ahead(struct node *n, const struct raft_chunk_request *request)
{
    struct snapshot_sending *s = &n->snapshots.sending;
    struct snapshot_job *a = &s->ahead;
    if (a->job.is_submitted || a->id.index == 0 || !id_is_same(&a->id, &s->id) || !id_is_same(&a->id, &request->id) ||
        a->offset != request->offset || buf_size(&a->bytes) == 0)
        return false;
    COVER("snapshot: a chunk was read ahead");
    s->used_us = n->now_us;
    struct buf bytes = a->bytes;
    a->bytes = (struct buf){0};
    a->id.index = 0;
    sending_send(n, request, buf_slice(&bytes));
    uint64_t next = request->offset + buf_size(&bytes);
    a->bytes = bytes;
    sending_read_ahead(n, next);
    return true;
}

/* The file that is open will do: it is the one asked for, or somebody is in the middle of it and the log leads on from it. */
static bool sending_has_open(const struct node *n, const struct raft_snapshot_id *asked)
{
    const struct snapshot_sending *s = &n->snapshots.sending;
    if (s->id.index == 0 || id_is_same(&s->id, asked))
        return s->id.index != 0;
    return s->sent < s->id.size && snapshot_pinned(n) != 0 && s->id.index + 1 >= n->driver.status.first_index;
}

/* What is asked for is what it was sent last, and that has not arrived. */
static bool chunk_is_under_way(struct node *n, const struct raft_chunk_request *request)
{
    const struct peer *p = peers_find(n, request->peer);
    return p && p->link[PEER_BULK].is_up && p->chunk.link == p->bulk_number && p->acked < p->chunk.sent &&
           p->chunk.offset == request->offset && (request->id.index == 0 || request->id.index == p->chunk.index);
}

/* At once, whatever the rate: while a request waits Raft takes no answer (snapshot_on_ack), and a chunk whose answer comes meanwhile would be
 * sent again, each time, on a link that is little faster than the rate. */
static bool sending_refuse(struct node *n)
{
    struct snapshot_sending *s = &n->snapshots.sending;
    for (struct list *at = s->requests.next; at != &s->requests; at = at->next) {
        struct snapshot_job *job = job_of(CONTAINER_OF(at, struct node_job, in_node));
        if (!chunk_is_under_way(n, &job->request))
            continue;
        COVER("snapshot: a chunk is asked for that is still under way");
        list_remove(at);
        s->used_us = n->now_us;
        sending_answer(n, &job->request, &(struct raft_snapshot_id){.index = 0}, (struct slice){0}); /* Raft asks again. */
        mem_free(job);
        return true; /* The list may be another now. */
    }
    return false;
}

static void sending_pump(struct node *n)
{
    struct snapshots *all = &n->snapshots;
    struct snapshot_sending *s = &all->sending;
    while (sending_refuse(n)) {
    }
    if (s->running || list_empty(&s->requests) || n->now_us < s->next_us)
        return;
    struct node_job *base = CONTAINER_OF(s->requests.next, struct node_job, in_node);
    struct snapshot_job *job = job_of(base);
    bool is_coming = s->ahead.job.is_submitted && id_is_same(&s->ahead.id, &job->request.id) && s->ahead.offset == job->request.offset;
    if (is_coming)
        return;
    list_remove(&base->in_node);
    if (sending_serve_ahead(n, &job->request)) {
        mem_free(job);
        return;
    }
    job->file = &s->file;
    job->id = s->id;
    job->most = CHUNK_BYTES;
    job->name = sending_has_open(n, &job->request.id) ? NULL : SNAPSHOT_NAME;
    s->running = job;
    s->used_us = n->now_us;
    COVER("snapshot: a chunk is sent");
    snapshot_submit(n, job, run_serve, on_served);
}

raft_index snapshot_pinned(const struct node *n)
{
    const struct snapshot_sending *s = &n->snapshots.sending;
    bool is_used = s->id.index != 0 && n->now_us - s->used_us < SENDING_PINS_US;
    return is_used && node_is_leader(n) ? s->id.index : 0;
}

/* --- receiving --- */

static void receiving_tell(struct node *n)
{
    struct snapshot_receiving *r = &n->snapshots.receiving;
    struct raft_event event = {.type = RAFT_EVENT_STORED};
    event.u.stored.id = r->id;
    event.u.stored.offset = r->accepted;
    enum err e = driver_step(n, &event);
    ASSERT(e == ERR_OK);
}

static void run_store(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    job->result = ERR_OK;
    if (job->offset == 0)
        job->result = snapshot_file_create(job->file, base->vfs, SNAPSHOT_RECEIVED_NAME, job->expected, job->reserve);
    if (job->result == ERR_OK)
        job->result = snapshot_file_append(job->file, buf_slice(&job->bytes));
}

static void run_drop(struct node_job *base)
{
    snapshot_file_discard(job_of(base)->file);
}

static void on_dropped(struct node *n, struct node_job *base)
{
    struct snapshot_receiving *r = &n->snapshots.receiving;
    (void)base;
    r->id.index = 0;
    r->offset = 0;
    r->accepted = 0;
    buf_clear(&r->waiting, 0); /* of chunks that came meanwhile: with one that waits no other would ever be taken */
}

/* Back to nothing; the next chunk begins anew. */
static void receiving_drop(struct node *n)
{
    struct snapshot_receiving *r = &n->snapshots.receiving;
    r->is_loading = false;
    r->is_publishing = false;
    buf_clear(&r->waiting, 0);
    r->accepted = r->offset;
    if (r->file.file || r->offset > 0)
        snapshot_submit(n, &r->job, run_drop, on_dropped);
    else
        r->id.index = 0;
}

void snapshot_received_failed(struct node *n, const char *why)
{
    COVER("snapshot: a received one is of no use");
    log_line(&n->env.log, LOG_WARNING, "The snapshot received from the leader is of no use: %s. It is asked for again.", why);
    receiving_drop(n);
}

static void on_stored(struct node *n, struct node_job *base);

/* The chunk in job.bytes is written behind what is there. */
static void receiving_store(struct node *n)
{
    struct snapshot_receiving *r = &n->snapshots.receiving;
    r->job.file = &r->file;
    r->job.offset = r->offset;
    r->job.expected = r->id.size;
    r->job.reserve = (uint64_t)n->options->disk_reserve;
    snapshot_submit(n, &r->job, run_store, on_stored);
}

static void on_stored(struct node *n, struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    struct snapshot_receiving *r = &n->snapshots.receiving;
    size_t size = buf_size(&job->bytes);
    buf_clear(&job->bytes, CHUNK_BYTES);
    if (job->result == ERR_FULL) {
        COVER("snapshot: no room to receive one");
        if (r->no_room_for != r->id.index)
            log_line(&n->env.log,
                     LOG_WARNING,
                     "There is no room for the leader's snapshot, %llu bytes beside disk-reserve: this node stays behind until there is.",
                     (unsigned long long)r->id.size);
        r->no_room_for = r->id.index;
        r->retry_us = n->now_us + RECEIVE_RETRY_US;
        receiving_drop(n);
        return;
    }
    if (job->result != ERR_OK) {
        node_fatal(n, "Writing a received snapshot failed: %s.", err_text(job->result));
        return;
    }
    r->offset += size;
    if (buf_size(&r->waiting) > 0) {
        struct buf empty = job->bytes;
        job->bytes = r->waiting;
        r->waiting = empty;
        receiving_store(n);
        if (r->accepted < r->id.size)
            receiving_tell(n);
        return;
    }
    if (r->offset == r->id.size)
        receiving_tell(n); /* the others were answered when they were accepted */
    if (r->offset == r->id.size && r->id.index != 0) {
        r->is_loading = true;
        snapshot_load_begin(n, false);
    }
}

void snapshot_receive(struct node *n, const struct raft_message *m)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_receiving *r = &s->receiving;
    const struct raft_snapshot_id *id = &m->u.snapshot.id;
    bool is_other = !id_is_same(&r->id, id);
    if ((r->job.job.is_submitted && is_other) || r->is_publishing || (s->loading.is_active && s->loading.at_start))
        return; /* The leader asks again. */
    if (r->id.index == 0 && n->now_us < r->retry_us)
        return;
    if (r->id.index != 0 && is_other) {
        COVER("snapshot: another one is received from now on");
        if (r->is_loading) {
            if (s->loading.job.job.is_submitted)
                return;
            snapshot_load_stop(n);
        }
        receiving_drop(n);
        return;
    }
    if (r->id.index == 0) {
        COVER("snapshot: one is received");
        r->id = *id;
        r->from = m->from;
        r->offset = 0;
        r->accepted = 0;
        r->begun_us = n->now_us;
        if (r->no_room_for != id->index)
            log_line(&n->env.log,
                     LOG_NOTICE,
                     "Receiving the snapshot of entry %llu from %s: %llu bytes.",
                     (unsigned long long)id->index,
                     node_member_name(n, m->from),
                     (unsigned long long)id->size);
    }
    if (buf_size(&r->waiting) > 0)
        return; /* Asked for twice. */
    if (r->is_loading || m->u.snapshot.offset != r->accepted || m->u.snapshot.data.n == 0) {
        s->receiving_owes_answer = true; /* Not from within the step that brought it. */
        return;
    }
    r->accepted += m->u.snapshot.data.n;
    if (r->job.job.is_submitted) {
        COVER("snapshot: a chunk waits for the one before it");
        buf_append_slice(&r->waiting, m->u.snapshot.data);
        return;
    }
    buf_append_slice(&r->job.bytes, m->u.snapshot.data);
    receiving_store(n);
    s->receiving_owes_answer = r->accepted < r->id.size;
}

/* --- the last steps of X4 --- */

static void run_publish(struct node_job *base)
{
    struct snapshot_job *job = job_of(base);
    job->result = snapshot_file_publish(job->file, SNAPSHOT_NAME);
}

static void on_published(struct node *n, struct node_job *base)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_receiving *r = &s->receiving;
    if (job_of(base)->result != ERR_OK) {
        node_fatal(n, "A received snapshot could not be made durable: %s.", err_text(job_of(base)->result));
        return;
    }
    if (r->id.index > s->newest.index) {
        s->newest = r->id;
        s->newest_wall_ms = s->loading.meta.wall_ms;
        s->newest_conf_index = s->loading.meta.conf_index;
        s->log_bytes = n->disk.stats.append_bytes;
    }
    if (r->id.index > n->driver.status.commit) {
        snapshot_install(n);
    } else {
        COVER("snapshot: the log was faster than the snapshot");
        snapshot_load_stop(n); /* S3 */
    }
    r->id.index = 0;
    r->offset = 0;
    r->accepted = 0;
    r->is_loading = false;
    r->is_publishing = false;
}

void snapshot_received_loaded(struct node *n)
{
    struct snapshot_receiving *r = &n->snapshots.receiving;
    if (r->id.index <= n->driver.status.commit || r->id.index <= n->snapshots.newest.index) {
        snapshot_load_stop(n);
        receiving_drop(n);
        return;
    }
    /* Nothing of the old state is taken any more (S9). */
    snapshot_give_up(n);
    r->is_publishing = true;
}

static void receiving_publish(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    struct snapshot_receiving *r = &s->receiving;
    if (r->is_publishing && !r->job.job.is_submitted && s->taking.phase == SNAPSHOT_IDLE && !s->loading.job.job.is_submitted) {
        r->job.file = &r->file;
        snapshot_submit(n, &r->job, run_publish, on_published);
    }
}

/* The log brought meanwhile what it was for, from another leader: nobody sends the rest, and no own one is taken while it waits. */
static void receiving_forget(struct node *n)
{
    struct snapshot_receiving *r = &n->snapshots.receiving;
    if (r->id.index == 0 || r->id.index > n->driver.status.commit || r->is_loading || r->is_publishing || r->job.job.is_submitted)
        return;
    COVER("snapshot: the log was faster than the rest of one");
    receiving_drop(n);
}

void snapshot_transfer_pump(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    sending_pump(n);
    receiving_publish(n);
    receiving_forget(n);
    if (s->receiving_owes_answer && buf_size(&s->receiving.waiting) == 0) {
        const struct snapshot_receiving *r = &s->receiving;
        s->receiving_owes_answer = false;
        if (r->id.index != 0 && n->raft && (r->accepted < r->id.size || r->offset == r->id.size))
            receiving_tell(n);
    }
}

void snapshot_transfer_deinit(struct node *n)
{
    struct snapshots *s = &n->snapshots;
    while (!list_empty(&s->sending.requests)) {
        struct node_job *base = CONTAINER_OF(s->sending.requests.next, struct node_job, in_node);
        list_remove(&base->in_node);
        mem_free(job_of(base));
    }
    if (s->sending.running) {
        buf_deinit(&s->sending.running->bytes);
        mem_free(s->sending.running);
    }
    snapshot_file_close(&s->sending.file);
    snapshot_file_close(&s->receiving.file);
    buf_deinit(&s->sending.ahead.bytes);
    buf_deinit(&s->receiving.waiting);
    buf_deinit(&s->receiving.job.bytes);
    buf_deinit(&s->loading.job.bytes);
}
