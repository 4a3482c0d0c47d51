#include "base/assert.h"
#include "base/codec.h"
#include "storage/wal_internal.h"

/* Reading entries back: a cursor walks batches and records of the segments, entered through the
 * sparse index. It stays where it is between calls, so that a lagging follower's next piece costs
 * no search. Every byte is verified again on the way: it may have rotted since it was written. */

#define WINDOW_BYTES (64u * 1024u)

void wal_cursor_reset(struct wal *w)
{
    struct wal_cursor *c = &w->cursor;
    if (c->file) {
        w->vfs->call->close(c->file);
        c->file = NULL;
    }
    c->segment = 0;
    buf_clear(&c->window, 4u << 20);
}

static struct wal_segment *find_segment(struct wal *w, raft_index index)
{
    uint32_t i = w->segment_count;
    while (i > 0) {
        struct wal_segment *s = w->segment[--i];
        if (s->start <= index && index < s->end) {
            return s;
        }
    }
    return NULL;
}

/* Moves the cursor to a batch from which `index` will be met. */
static enum err cursor_seek(struct wal *w, struct wal_segment *s, raft_index index)
{
    struct wal_cursor *c = &w->cursor;
    const struct wal_point *point = wal_segment_find(s, index, &c->range_end);
    ASSERT(point);
    if (c->segment != s->id || !c->file) {
        char name[WAL_NAME_BYTES];
        wal_cursor_reset(w);
        wal_segment_name(s->id, name);
        enum err e = w->vfs->call->open(w->vfs, name, false, &c->file);
        if (e != ERR_OK) {
            return e == ERR_NOT_FOUND ? ERR_CORRUPT : e;
        }
        c->segment = s->id;
    }
    c->offset = point->offset;
    c->in_batch = false;
    return ERR_OK;
}

/* The n bytes at the cursor's offset, which lie before the segment's tail. */
static enum err
cursor_fetch(struct wal *w, const struct wal_segment *s, uint64_t n, struct slice *bytes)
{
    struct wal_cursor *c = &w->cursor;
    if (n > s->tail || c->offset > s->tail - n) {
        return ERR_CORRUPT;
    }
    const size_t have = buf_size(&c->window);
    if (c->offset < c->window_offset || c->offset + n > c->window_offset + have) {
        uint64_t want = n > WINDOW_BYTES ? n : WINDOW_BYTES;
        want = want < s->tail - c->offset ? want : s->tail - c->offset;
        buf_clear(&c->window, 4u << 20);
        size_t got;
        enum err e = w->vfs->call->read(c->file, c->offset, buf_reserve(&c->window, (size_t)want),
                                        (size_t)want, &got);
        if (e != ERR_OK) {
            return e;
        }
        buf_commit(&c->window, got);
        c->window_offset = c->offset;
        if (got < n) {
            return ERR_CORRUPT;
        }
    }
    *bytes = (struct slice){buf_slice(&c->window).p + (c->offset - c->window_offset), (size_t)n};
    return ERR_OK;
}

static enum err cursor_enter_batch(struct wal *w, const struct wal_segment *s)
{
    struct wal_cursor *c = &w->cursor;
    struct slice bytes;
    struct wal_batch_header header;
    enum err e = cursor_fetch(w, s, WAL_BATCH_HEADER_BYTES, &bytes);
    if (e != ERR_OK) {
        return e;
    }
    if (!wal_batch_header_decode(bytes, s->key, s->id, c->offset, &header)) {
        return ERR_CORRUPT;
    }
    c->batch_end = c->offset + wal_batch_bytes(header.body_bytes, header.sector_bytes);
    c->body_end = c->offset + header.body_bytes;
    c->offset += WAL_BATCH_HEADER_BYTES;
    c->chain = header.chain_before;
    c->in_batch = true;
    return ERR_OK;
}

/* The next entry record from the cursor on; `entry` is borrowed until the next call. */
static enum err cursor_next_entry(struct wal *w, const struct wal_segment *s, struct slice *entry)
{
    struct wal_cursor *c = &w->cursor;
    for (;;) {
        struct slice bytes;
        struct wal_record record;
        enum err e;
        if (c->in_batch && c->offset >= c->body_end) {
            c->offset = c->batch_end;
            c->in_batch = false;
        }
        if (!c->in_batch) {
            e = cursor_enter_batch(w, s);
            if (e != ERR_OK) {
                return e;
            }
            continue;
        }
        e = cursor_fetch(w, s, WAL_RECORD_HEADER_BYTES, &bytes);
        if (e == ERR_OK) {
            e = cursor_fetch(w, s, WAL_RECORD_HEADER_BYTES + (uint64_t)get_u32(bytes.p), &bytes);
        }
        if (e != ERR_OK) {
            return e;
        }
        if (!wal_record_decode(bytes, s->key, c->chain, &record)) {
            return ERR_CORRUPT;
        }
        c->offset += bytes.n;
        c->chain = record.chain;
        if (record.type == WAL_RECORD_ENTRY && record.payload.n >= ENTRY_HEADER_BYTES) {
            *entry = record.payload;
            return ERR_OK;
        }
    }
}

/* Entry `index`, which is live. */
static enum err read_one(struct wal *w, raft_index index, struct slice *entry)
{
    struct wal_cursor *c = &w->cursor;
    struct wal_segment *s = find_segment(w, index);
    ASSERT(s);
    if (c->segment != s->id || c->next != index || index >= c->range_end) {
        enum err e = cursor_seek(w, s, index);
        if (e != ERR_OK) {
            return e;
        }
    }
    raft_index got = 0;
    while (got < index) {
        enum err e = cursor_next_entry(w, s, entry);
        if (e != ERR_OK) {
            wal_cursor_reset(w);
            return e;
        }
        got = get_u64(entry->p + 8);
    }
    if (got != index) {
        wal_cursor_reset(w);
        return ERR_CORRUPT;
    }
    c->next = index + 1;
    c->term = get_u64(entry->p + 16);
    return ERR_OK;
}

enum err wal_term_at(struct wal *w, raft_index index, raft_term *term)
{
    struct slice entry;
    if (index == w->last_index) {
        *term = w->last_term;
        return ERR_OK;
    }
    if (index + 1 == w->segment[0]->start) {
        *term = w->segment[0]->prev_term;
        return ERR_OK;
    }
    if (w->cursor.segment != 0 && w->cursor.next == index + 1) {
        *term = w->cursor.term;
        return ERR_OK;
    }
    enum err e = read_one(w, index, &entry);
    *term = w->cursor.term;
    return e;
}

/* To where it was before an entry that doesn't fit. */
static void cursor_step_back(struct wal *w, const struct wal_cursor *before)
{
    struct wal_cursor *c = &w->cursor;
    if (c->segment != before->segment) {
        wal_cursor_reset(w); /* The file was closed meanwhile. */
        return;
    }
    struct buf window = c->window;
    uint64_t window_offset = c->window_offset;
    *c = *before;
    c->window = window;
    c->window_offset = window_offset;
}

enum err wal_read(struct wal *w,
                  raft_index first,
                  size_t max_bytes,
                  struct buf *out,
                  uint32_t *count,
                  raft_term *prev_term)
{
    *count = 0;
    *prev_term = 0;
    if (w->failed != ERR_OK) {
        return w->failed;
    }
    if (first < w->segment[0]->start || first == 0) {
        return ERR_COMPACTED;
    }
    if (first > w->last_index) {
        return ERR_NOT_FOUND;
    }
    enum err e = wal_term_at(w, first - 1, prev_term);
    size_t size = 0;
    for (raft_index i = first; e == ERR_OK && i <= w->last_index; i++) {
        struct slice entry;
        const struct wal_cursor before = w->cursor;
        e = read_one(w, i, &entry);
        if (e != ERR_OK) {
            break;
        }
        if (*count > 0 && size + entry.n > max_bytes) {
            cursor_step_back(w, &before);
            break;
        }
        buf_append_slice(out, entry);
        size += entry.n;
        (*count)++;
    }
    return e;
}
