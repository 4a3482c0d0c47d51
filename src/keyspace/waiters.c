/* Waiters.
 *
 *   all    every waiter, in log order
 *   table  (db, key) -> those that wait for it, in log order
 *   heap   those with a deadline
 *   ready  keys that changed since they were last looked at, in the order in which they did
 *
 * Q1  A waiter stands in the queue of each of its keys once.
 *
 * Q2  A queue is in the table as long as anybody stands in it, or until it leaves `ready`.
 *
 * Q3  Nothing here pops. The node does, after each entry (node/blocked.c), so that an EXEC is seen as
 *     a whole, and `ready` is empty between entries. */

#include "keyspace/waiters.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "keyspace/keyspace_internal.h"

/* --- the heap --- */

static bool waiter_is_before(const struct waiter *a, const struct waiter *b)
{
    return a->deadline_ms != b->deadline_ms ? a->deadline_ms < b->deadline_ms
                                            : a->order < b->order;
}

static void heap_put(struct waiters *ws, size_t at, struct waiter *w)
{
    ws->heap[at] = w;
    w->heap_at = at;
}

static void heap_up(struct waiters *ws, size_t at, struct waiter *w)
{
    while (at > 0 && waiter_is_before(w, ws->heap[(at - 1) / 2])) {
        heap_put(ws, at, ws->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(ws, at, w);
}

static void heap_down(struct waiters *ws, size_t at, struct waiter *w)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= ws->heap_count) {
            break;
        }
        if (child + 1 < ws->heap_count && waiter_is_before(ws->heap[child + 1], ws->heap[child])) {
            child++;
        }
        if (!waiter_is_before(ws->heap[child], w)) {
            break;
        }
        heap_put(ws, at, ws->heap[child]);
        at = child;
    }
    heap_put(ws, at, w);
}

static void heap_add(struct waiters *ws, struct waiter *w)
{
    if (w->deadline_ms == WAITER_NO_DEADLINE) {
        return;
    }
    if (ws->heap_count == ws->heap_room) {
        ws->heap_room = ws->heap_room ? 2 * ws->heap_room : 16;
        ws->heap = mem_realloc_array(ws->heap, ws->heap_room, sizeof(struct waiter *));
    }
    heap_up(ws, ws->heap_count++, w);
}

static void heap_remove(struct waiters *ws, struct waiter *w)
{
    if (w->deadline_ms == WAITER_NO_DEADLINE) {
        return;
    }
    size_t at = w->heap_at;
    ASSERT(ws->heap[at] == w);
    struct waiter *last = ws->heap[--ws->heap_count];
    if (last == w) {
        return;
    }
    if (at > 0 && waiter_is_before(last, ws->heap[(at - 1) / 2])) {
        heap_up(ws, at, last);
    } else {
        heap_down(ws, at, last);
    }
}

/* --- the table --- */

static uint64_t queue_hash(const struct keyspace *k, uint32_t db, struct slice key)
{
    return siphash64_fast(&k->seed, key.p, key.n) + db;
}

static struct waiter_queue **
queue_place(const struct waiters *ws, uint64_t hash, uint32_t db, struct slice key)
{
    struct waiter_queue **at = &ws->bucket[hash & (ws->bucket_count - 1)];
    while (*at && !((*at)->hash == hash && (*at)->db == db &&
                    slice_equal((struct slice){(*at)->key, (*at)->key_size}, key))) {
        at = &(*at)->next;
    }
    return at;
}

static struct waiter_queue *queue_find(const struct keyspace *k, uint32_t db, struct slice key)
{
    const struct waiters *ws = &k->waiters;
    return ws->queue_count ? *queue_place(ws, queue_hash(k, db, key), db, key) : NULL;
}

static void table_grow(struct waiters *ws)
{
    size_t before = ws->bucket_count;
    struct waiter_queue **old = ws->bucket;
    ws->bucket_count = before ? 2 * before : 16;
    ws->bucket = mem_alloc_zero(ws->bucket_count * sizeof(struct waiter_queue *));
    for (size_t i = 0; i < before; i++) {
        for (struct waiter_queue *q = old[i]; q;) {
            struct waiter_queue *next = q->next;
            struct waiter_queue **at = &ws->bucket[q->hash & (ws->bucket_count - 1)];
            q->next = *at;
            *at = q;
            q = next;
        }
    }
    mem_free(old);
}

static struct waiter_queue *queue_make(struct keyspace *k, uint32_t db, struct slice key)
{
    struct waiters *ws = &k->waiters;
    if (ws->queue_count >= ws->bucket_count) {
        table_grow(ws);
    }
    uint64_t hash = queue_hash(k, db, key);
    struct waiter_queue **at = queue_place(ws, hash, db, key);
    if (*at) {
        return *at;
    }
    struct waiter_queue *q = mem_alloc(sizeof *q + key.n);
    *q = (struct waiter_queue){.hash = hash, .db = db, .key_size = key.n};
    if (key.n) {
        memcpy(q->key, key.p, key.n);
    }
    list_init(&q->links);
    *at = q;
    ws->queue_count++;
    return q;
}

/* Q2. */
static void queue_release(struct waiters *ws, struct waiter_queue *q)
{
    if (!list_empty(&q->links) || q->is_ready) {
        return;
    }
    struct waiter_queue **at =
        queue_place(ws, q->hash, q->db, (struct slice){q->key, q->key_size});
    ASSERT(*at == q);
    *at = q->next;
    ws->queue_count--;
    mem_free(q);
}

/* --- adding and removing --- */

static void waiter_copy_args(struct waiter *w, const struct slice *arg)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < w->arg_count; i++) {
        bytes += arg[i].n;
    }
    w->arg = mem_alloc(w->arg_count * sizeof *w->arg + bytes);
    uint8_t *at = (uint8_t *)(w->arg + w->arg_count);
    for (uint32_t i = 0; i < w->arg_count; i++) {
        if (arg[i].n) {
            memcpy(at, arg[i].p, arg[i].n);
        }
        w->arg[i] = (struct slice){at, arg[i].n};
        at += arg[i].n;
    }
}

/* Q1. */
static void waiter_queue_up(struct keyspace *k, struct waiter *w)
{
    w->link = mem_alloc_array(w->key_count, sizeof *w->link);
    for (uint32_t i = 0; i < w->key_count; i++) {
        struct waiter_link *link = &w->link[i];
        *link = (struct waiter_link){.waiter = w};
        list_init(&link->in_queue);
        struct waiter_queue *q = queue_make(k, w->db, w->arg[w->first_key + i]);
        bool is_there = !list_empty(&q->links) &&
                        CONTAINER_OF(q->links.prev, struct waiter_link, in_queue)->waiter == w;
        if (!is_there) {
            link->queue = q;
            list_append(&q->links, &link->in_queue);
        }
    }
}

struct waiter *waiters_add(struct keyspace *k, const struct waiter *like, const struct slice *arg)
{
    struct waiters *ws = &k->waiters;
    ASSERT(like->first_key + like->key_count <= like->arg_count && like->key_count > 0);
    if (!ws->ready_end) {
        list_init(&ws->all);
        ws->ready_end = &ws->ready;
    }
    struct waiter *w = mem_alloc(sizeof *w);
    *w = *like;
    waiter_copy_args(w, arg);
    list_append(&ws->all, &w->in_all);
    waiter_queue_up(k, w);
    heap_add(ws, w);
    ws->count++;
    return w;
}

void waiters_remove(struct keyspace *k, struct waiter *w)
{
    struct waiters *ws = &k->waiters;
    for (uint32_t i = 0; i < w->key_count; i++) {
        if (w->link[i].queue) {
            list_remove(&w->link[i].in_queue);
            queue_release(ws, w->link[i].queue);
        }
    }
    heap_remove(ws, w);
    list_remove(&w->in_all);
    ws->count--;
    mem_free(w->link);
    mem_free(w->arg);
    mem_free(w);
}

size_t waiters_count(const struct keyspace *k)
{
    return k->waiters.count;
}

struct waiter *waiters_next(const struct keyspace *k, const struct waiter *after)
{
    const struct waiters *ws = &k->waiters;
    if (ws->count == 0) {
        return NULL;
    }
    struct list *next = after ? after->in_all.next : ws->all.next;
    return next == &ws->all ? NULL : CONTAINER_OF(next, struct waiter, in_all);
}

struct waiter *
waiters_find(const struct keyspace *k, raft_id member, uint64_t session, uint64_t seq)
{
    struct waiter *w = waiters_next(k, NULL);
    while (w && !(w->member == member && w->session == session && w->seq == seq)) {
        w = waiters_next(k, w);
    }
    return w;
}

bool waiters_has_session(const struct keyspace *k, raft_id member, uint64_t session)
{
    for (struct waiter *w = waiters_next(k, NULL); w; w = waiters_next(k, w)) {
        if (w->member == member && w->session == session) {
            return true;
        }
    }
    return false;
}

struct waiter *waiters_first_due(const struct keyspace *k)
{
    return k->waiters.heap_count ? k->waiters.heap[0] : NULL;
}

/* --- keys that got something --- */

static void queue_note(struct waiters *ws, struct waiter_queue *q)
{
    if (!q->is_ready) {
        q->is_ready = true;
        q->next_ready = NULL;
        *ws->ready_end = q;
        ws->ready_end = &q->next_ready;
    }
}

void waiters_note(struct keyspace *k, uint32_t db, struct slice key)
{
    struct waiter_queue *q = queue_find(k, db, key);
    if (q) {
        queue_note(&k->waiters, q);
    }
}

/* In log order of the waiters, which is the same everywhere; the table's is not. */
static void note_waiter(struct waiters *ws, const struct waiter *w)
{
    for (uint32_t i = 0; i < w->key_count; i++) {
        if (w->link[i].queue) {
            queue_note(ws, w->link[i].queue);
        }
    }
}

void waiters_note_db(struct keyspace *k, uint32_t db)
{
    for (struct waiter *w = waiters_next(k, NULL); w; w = waiters_next(k, w)) {
        if (w->db == db) {
            note_waiter(&k->waiters, w);
        }
    }
}

void waiters_note_session(struct keyspace *k, raft_id member, uint64_t session)
{
    for (struct waiter *w = waiters_next(k, NULL); w; w = waiters_next(k, w)) {
        if (w->member == member && w->session == session) {
            note_waiter(&k->waiters, w);
        }
    }
}

bool waiters_take_ready(struct keyspace *k, uint32_t *db, struct slice *key)
{
    struct waiters *ws = &k->waiters;
    struct waiter_queue *q;
    while ((q = ws->ready) != NULL) {
        ws->ready = q->next_ready;
        if (!ws->ready) {
            ws->ready_end = &ws->ready;
        }
        q->is_ready = false;
        if (!list_empty(&q->links)) {
            *db = q->db;
            *key = (struct slice){q->key, q->key_size};
            return true;
        }
        queue_release(ws, q);
    }
    return false;
}

struct waiter *
waiters_first_for(const struct keyspace *k, uint32_t db, struct slice key, enum value_type type)
{
    struct waiter_queue *q = queue_find(k, db, key);
    for (struct list *at = q ? q->links.next : NULL; at && at != &q->links; at = at->next) {
        struct waiter *w = CONTAINER_OF(at, struct waiter_link, in_queue)->waiter;
        const struct session_state *s = sessions_find(k, w->member);
        if (w->type == type && s && !s->is_suspended) {
            return w;
        }
    }
    return NULL;
}

/* --- the whole --- */

void waiters_deinit(struct keyspace *k)
{
    struct waiters *ws = &k->waiters;
    while (ws->ready) {
        struct waiter_queue *q = ws->ready;
        ws->ready = q->next_ready;
        q->is_ready = false;
        queue_release(ws, q);
    }
    while (ws->count > 0) {
        waiters_remove(k, waiters_next(k, NULL));
    }
    mem_free(ws->bucket);
    mem_free(ws->heap);
    *ws = (struct waiters){.count = 0};
}

void waiters_take_over(struct keyspace *k, struct keyspace *from)
{
    waiters_deinit(k);
    for (struct waiter *w = waiters_next(from, NULL); w; w = waiters_next(from, w)) {
        struct waiter like = *w;
        waiters_add(k, &like, w->arg);
    }
}

uint64_t waiters_digest(const struct keyspace *k)
{
    uint64_t sum = 0;
    struct buf bytes;
    buf_init(&bytes);
    if (k->waiters.count > 0) {
        waiters_encode(k, &bytes);
        struct slice all = buf_slice(&bytes);
        sum = siphash64_fast(&k->seed, all.p, all.n);
    }
    buf_deinit(&bytes);
    return sum;
}

/* u32 count, for each in log order: u64 order, member, session, seq, u32 db, u16 number, u8 version,
 * u8 type, u64 deadline, u32 first key, u32 keys, u32 arguments, each but the name a blob. */
void waiters_encode(const struct keyspace *k, struct buf *out)
{
    write_u32(out, (uint32_t)k->waiters.count);
    for (struct waiter *w = waiters_next(k, NULL); w; w = waiters_next(k, w)) {
        write_u64(out, w->order);
        write_u64(out, w->member);
        write_u64(out, w->session);
        write_u64(out, w->seq);
        write_u32(out, w->db);
        write_u16(out, w->number);
        write_u8(out, w->version);
        write_u8(out, w->type);
        write_u64(out, (uint64_t)w->deadline_ms);
        write_u32(out, w->first_key);
        write_u32(out, w->key_count);
        write_u32(out, w->arg_count);
        for (uint32_t i = 1; i < w->arg_count; i++) {
            write_blob(out, w->arg[i]);
        }
    }
}

static bool waiter_decode(struct keyspace *k, struct reader *r, uint64_t *order)
{
    struct waiter w = {.origin = NULL};
    w.order = read_u64(r);
    w.member = read_u64(r);
    w.session = read_u64(r);
    w.seq = read_u64(r);
    w.db = read_u32(r);
    w.number = read_u16(r);
    w.version = read_u8(r);
    w.type = read_u8(r);
    w.deadline_ms = (int64_t)read_u64(r);
    w.first_key = read_u32(r);
    w.key_count = read_u32(r);
    w.arg_count = read_u32(r);
    if (r->failed || w.order <= *order || w.db >= LIMIT_DATABASES || w.first_key == 0 ||
        w.key_count == 0 || w.arg_count > r->n / 4 + 1 || w.first_key >= w.arg_count ||
        w.key_count > w.arg_count - w.first_key) {
        return false;
    }
    *order = w.order;
    w.arg = mem_alloc_array(w.arg_count, sizeof *w.arg);
    w.arg[0] = (struct slice){NULL, 0};
    for (uint32_t i = 1; i < w.arg_count; i++) {
        w.arg[i] = read_blob(r);
    }
    if (!r->failed) {
        waiters_add(k, &w, w.arg);
    }
    mem_free(w.arg);
    return !r->failed;
}

enum err waiters_decode(struct keyspace *k, struct slice bytes)
{
    struct reader r = reader_of(bytes);
    uint32_t count = read_u32(&r);
    uint64_t order = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!waiter_decode(k, &r, &order)) {
            return ERR_CORRUPT;
        }
    }
    return reader_done(&r) ? ERR_OK : ERR_CORRUPT;
}
