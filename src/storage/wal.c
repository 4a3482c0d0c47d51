#include "storage/wal.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "storage/wal_internal.h"

/* The write-ahead log.
 *
 *   wal-…01.log                wal-…02.log               wal-…03.log
 *   [head batch][batch]…[batch][head batch][batch]…      [zeros: prepared ahead]
 *        ^ identity, state, configurations,     ^ previous = (1, end of its last batch)
 *          and the first ordinary records
 *
 * The unit of durability is the batch (bytes: wal_format.h): one write, one fdatasync, all or
 * nothing. Segments form a chain by the `previous` of their heads; the log is what the chain leads
 * through from its oldest segment to its newest.
 *
 *  W1  A batch is written only after the fdatasync of the one before returned without an error.
 *      So the presence of a batch proves everything before it to be durable, and it says so
 *      (durable LSN).
 *  W2  Bytes before a segment's tail are never written again. Bytes behind it are zeros (or behind
 *      the end of the file) before a batch is written there; segments are never recycled, their
 *      numbers never used twice.
 *  W3  Each start begins a new segment (wal_recover). Its head goes on from where the last batch
 *      found begins, and holds a copy of that batch: it is the only one that may have been in the
 *      page cache alone (W1; a crash between write and fdatasync, or an fdatasync that failed,
 *      P6). What lies behind `previous` is superseded: a torn tail is cut by that head, in one
 *      durable step, and no byte is ever appended behind garbage (P9).
 *  W4  Nothing an append reported as durable is missed by recovery with health CLEAN, unless what
 *      is left can't be told from a batch that was never written completely. That takes damage in
 *      the last batch before the stop, and nothing anywhere after it, and either (a) a damaged
 *      unit of its body AND a damaged footer, or (b) all damaged units of its body reading as
 *      zeros; or, of the newest segment, (c) every header and footer from some batch on gone, in
 *      particular (d) its file cut short at a batch, or deleted.
 *  W5  A batch whose body verifies is taken, footer or not: an append that was never reported may
 *      appear, as a whole. An append that was reported as ERR_FULL never does: it was cut off,
 *      durably, before it was reported (P7).
 *  W6  Term, vote and session number in force stand in each segment's head and each footer; a
 *      truncation touches entries only (M32).
 *  W7  Truncation is logical: a TRUNCATE record voids the entries from an index on that stand
 *      before it (P13). Files lose only whole segments from the front (and unused zeros from the
 *      end), the oldest first, each removal durable before the next, so that a gap in the chain is
 *      damage.
 *  W8  Identity changes once, from BLANK to a cluster, in the head of a new segment, together with
 *      what is appended beside it: one batch, so both or neither.
 *  W9  Names of segments are durable before anything in them is reported as durable (P10, M20).
 *  W10 Damage is a state of the log: `taint` stands in the head that recovery writes and in each
 *      later state record, until an append clears it. Until then all files are kept: if that head
 *      is damaged in its turn, they tell of the first damage again.
 *  W11 A reset (a snapshot takes the place of the log) is the head of a new segment without a
 *      predecessor: the chain begins there, and older files are garbage from the moment it is
 *      durable. What it says instead of them (index, term, configuration) is the snapshot's.
 *
 * Errors: ERR_FULL from a write leaves the log as it was. Any other error, and any error of
 * fdatasync, is remembered: all later calls fail, the process must end (P6, P12).
 *
 * Cost: a batch of one entry of up to 400 bytes is two sectors; at 512 bytes, a footer sector
 * covers 48 KiB of body. */

/* Configurations copied into a segment's head. Only the newest can be uncommitted (a leader appends
 * one only when the one before is committed), so truncation below the head needs two; the rest is
 * margin. */
#define HEAD_CONF_COUNT 8

enum err wal_fail(struct wal *w, enum err e)
{
    if (e != ERR_OK && e != ERR_FULL && w->failed == ERR_OK) {
        w->failed = e;
    }
    return e;
}

/* fdatasync: whatever it reports, the page cache can't be trusted any more (P6), also not after
 * ENOSPC. */
static enum err sync_file(struct wal *w, struct vfs_file *f)
{
    enum err e = w->vfs->call->sync(f);
    if (e == ERR_OK || MUT(21)) {
        return ERR_OK;
    }
    log_line(w->log, LOG_WARNING, "The log could not be made durable (%s).", err_text(e));
    return wal_fail(w, ERR_IO);
}

static enum err sync_names(struct wal *w)
{
    if (MUT(20)) {
        return ERR_OK;
    }
    return w->vfs->call->sync_names(w->vfs) == ERR_OK ? ERR_OK : wal_fail(w, ERR_IO);
}

void wal_note_segment(struct wal *w, struct wal_segment *s)
{
    if (w->segment_count == w->segment_capacity) {
        w->segment_capacity = w->segment_capacity ? w->segment_capacity * 2 : 8;
        w->segment =
            mem_realloc_array(w->segment, w->segment_capacity, sizeof(struct wal_segment *));
    }
    w->segment[w->segment_count++] = s;
}

void wal_note_conf(struct wal *w, raft_index index, struct slice encoded)
{
    if (w->conf_count == w->conf_capacity) {
        w->conf_capacity = w->conf_capacity ? w->conf_capacity * 2 : 8;
        w->conf = mem_realloc_array(w->conf, w->conf_capacity, sizeof(*w->conf));
    }
    struct wal_conf_item *item = &w->conf[w->conf_count++];
    item->index = index;
    buf_init(&item->encoded);
    buf_append_slice(&item->encoded, encoded);
}

void wal_note_truncate(struct wal *w, raft_index from, raft_term prev_term)
{
    for (uint32_t i = 0; i < w->segment_count; i++) {
        wal_segment_truncate(w->segment[i], from, prev_term);
    }
    while (w->conf_count > 0 && w->conf[w->conf_count - 1].index >= from) {
        buf_deinit(&w->conf[--w->conf_count].encoded);
    }
    w->last_index = from - 1;
    w->last_term = prev_term;
    w->must_add_point = true;
    wal_cursor_reset(w);
}

void wal_note_entry(struct wal *w, struct slice entry, uint64_t batch_offset)
{
    struct wal_segment *s = wal_current(w);
    raft_index index = get_u64(entry.p + 8);
    ASSERT(index == w->last_index + 1);
    wal_segment_add_point(s, index, batch_offset, w->must_add_point);
    w->must_add_point = false;
    s->end = index + 1;
    w->last_index = index;
    w->last_term = get_u64(entry.p + 16);
    if (entry.p[32] == RAFT_ENTRY_CONF) {
        wal_note_conf(w, index, slice_skip(entry, ENTRY_HEADER_BYTES));
    }
}

/* ---- Appending ---- */

static uint64_t records_bytes(const struct wal_batch *b)
{
    uint64_t n = b->has_state ? WAL_RECORD_HEADER_BYTES + 56u : 0;
    n += b->truncate_from ? WAL_RECORD_HEADER_BYTES + 16u : 0;
    for (uint32_t i = 0; i < b->entry_count; i++) {
        n += WAL_RECORD_HEADER_BYTES + b->entry[i].n;
    }
    return n;
}

/* Takes the prepared segment, or makes a new one; its name is durable afterwards (W9). */
static enum err take_segment(struct wal *w)
{
    if (w->next_id != 0) {
        return ERR_OK;
    }
    char name[WAL_NAME_BYTES];
    uint64_t id = w->last_id + 1;
    wal_segment_name(id, name);
    w->next_bytes = 0;
    enum err e = w->vfs->call->open(w->vfs, name, true, &w->next_file);
    if (e != ERR_OK) {
        return wal_fail(w, e);
    }
    w->next_id = id;
    w->last_id = id;
    return sync_names(w);
}

/* Gives the prepared segment up after ERR_FULL: whatever is in it is gone before anybody hears of
 * the failure (W5). */
static enum err discard_next(struct wal *w)
{
    char name[WAL_NAME_BYTES];
    wal_segment_name(w->next_id, name);
    w->vfs->call->close(w->next_file);
    w->next_file = NULL;
    w->next_id = 0;
    w->next_bytes = 0;
    if (w->vfs->call->remove(w->vfs, name) != ERR_OK) {
        return wal_fail(w, ERR_IO);
    }
    return sync_names(w);
}

static void
add_head_records(struct wal *w, const struct wal_batch *b, struct wal_batch_builder *builder)
{
    const bool resets = b->reset_index != 0;
    const struct wal_head head = {
        .previous = builder->header.durable,
        .first_index = (resets ? b->reset_index : w->last_index) + 1,
        .prev_term = resets ? b->reset_term : w->last_term,
        .identity = b->identity,
    };
    wal_batch_add_head(builder, &head);
    wal_batch_add_state(builder, &b->state, &b->taint);
    if (resets) {
        wal_batch_add_conf(builder, b->reset_conf_index, b->reset_conf);
        return;
    }
    uint32_t i = w->conf_count > HEAD_CONF_COUNT ? w->conf_count - HEAD_CONF_COUNT : 0;
    for (; i < w->conf_count; i++) {
        wal_batch_add_conf(builder, w->conf[i].index, buf_slice(&w->conf[i].encoded));
    }
}

/* The batch's bytes into w->out. */
static void build_batch(struct wal *w,
                        const struct wal_batch *b,
                        const struct wal_batch_header *header,
                        uint32_t key,
                        uint32_t *chain)
{
    struct wal_batch_builder builder;
    wal_batch_begin(&builder, &w->out, header, key);
    if (b->rolls) {
        add_head_records(w, b, &builder);
    } else if (b->has_state) {
        wal_batch_add_state(&builder, &b->state, &b->taint);
    }
    struct wal_footer footer = {
        .state = b->state,
        .last_index = b->reset_index ? b->reset_index : w->last_index,
        .last_term = b->reset_index ? b->reset_term : w->last_term,
        .identity = b->identity,
    };
    if (b->truncate_from) {
        wal_batch_add_truncate(&builder, b->truncate_from, b->truncate_prev_term);
        footer.last_index = b->truncate_from - 1;
        footer.last_term = b->truncate_prev_term;
    }
    for (uint32_t i = 0; i < b->entry_count; i++) {
        wal_batch_add(&builder, WAL_RECORD_ENTRY, b->entry[i], (struct slice){NULL, 0});
    }
    if (b->entry_count > 0) {
        const uint8_t *last = b->entry[b->entry_count - 1].p;
        footer.last_index = get_u64(last + 8);
        footer.last_term = get_u64(last + 16);
    }
    wal_batch_end(&builder, &footer);
    *chain = builder.chain;
}

/* Refuses early what would eat into the reserve. Room is looked at only when the file must grow, or
 * when a prepared segment would be begun: while no other could be made, it is part of the reserve.
 */
static enum err check_reserve(struct wal *w, const struct wal_batch *b, uint64_t end, uint64_t have)
{
    if (w->options.reserve_bytes == 0 || b->may_use_reserve || b->entry_count == 0 ||
        (end <= have && !b->rolls)) {
        return ERR_OK;
    }
    enum err e = w->vfs->call->free_bytes(w->vfs, &w->free_bytes);
    if (e != ERR_OK) {
        return wal_fail(w, e);
    }
    return w->free_bytes < (end > have ? end - have : 0) + w->options.reserve_bytes ? ERR_FULL
                                                                                    : ERR_OK;
}

/* Writes w->out to the current segment. After ERR_FULL the file ends, durably, where it ended
 * before (W5). */
static enum err write_current(struct wal *w, bool needs_sync)
{
    struct wal_segment *s = wal_current(w);
    const uint64_t n = buf_size(&w->out);
    enum err e = w->vfs->call->write(w->file, s->tail, buf_slice(&w->out).p, n);
    if (e == ERR_FULL) {
        COVER("wal append full");
        if (w->vfs->call->truncate(w->file, s->tail) != ERR_OK) {
            return wal_fail(w, ERR_IO);
        }
        s->file_bytes = s->tail;
        return sync_file(w, w->file) == ERR_OK ? ERR_FULL : ERR_IO;
    }
    if (e != ERR_OK) {
        return wal_fail(w, e);
    }
    if (s->file_bytes < s->tail + n) {
        s->file_bytes = s->tail + n;
    }
    return needs_sync ? sync_file(w, w->file) : ERR_OK;
}

/* Writes w->out as the head batch of the segment taken, which then becomes the current one. */
static enum err write_rolled(struct wal *w, const struct wal_batch *b, uint32_t key)
{
    const uint64_t n = buf_size(&w->out);
    enum err e = w->vfs->call->write(w->next_file, 0, buf_slice(&w->out).p, n);
    if (e == ERR_FULL) {
        COVER("wal roll full");
        e = discard_next(w);
        return e == ERR_OK ? ERR_FULL : e;
    }
    if (e != ERR_OK) {
        return wal_fail(w, e);
    }
    e = sync_file(w, w->next_file);
    if (e != ERR_OK) {
        return e;
    }
    const bool resets = b->reset_index != 0;
    struct wal_segment *s =
        wal_segment_new(w->next_id, key, (resets ? b->reset_index : w->last_index) + 1,
                        resets ? b->reset_term : w->last_term);
    s->file_bytes = w->next_bytes > n ? w->next_bytes : n;
    if (w->file) {
        w->vfs->call->close(w->file);
    }
    w->file = w->next_file;
    w->next_file = NULL;
    w->next_id = 0;
    w->next_bytes = 0;
    wal_note_segment(w, s);
    return ERR_OK;
}

/* All segments but the new one are garbage (W11). */
static void note_reset(struct wal *w, const struct wal_batch *b)
{
    w->garbage =
        mem_realloc_array(w->garbage, w->garbage_count + w->segment_count, sizeof(uint64_t));
    for (uint32_t i = 0; i + 1 < w->segment_count; i++) {
        w->garbage[w->garbage_count++] = w->segment[i]->id;
        wal_segment_free(w->segment[i]);
    }
    w->segment[0] = w->segment[w->segment_count - 1];
    w->segment_count = 1;
    w->last_index = b->reset_index;
    w->last_term = b->reset_term;
    while (w->conf_count > 0) {
        buf_deinit(&w->conf[--w->conf_count].encoded);
    }
    wal_note_conf(w, b->reset_conf_index, b->reset_conf);
    w->must_add_point = true;
    wal_cursor_reset(w);
}

static void note_batch(struct wal *w, const struct wal_batch *b, uint32_t chain)
{
    struct wal_segment *s = wal_current(w);
    if (b->reset_index) {
        note_reset(w, b);
    }
    if (b->truncate_from) {
        wal_note_truncate(w, b->truncate_from, b->truncate_prev_term);
    }
    for (uint32_t i = 0; i < b->entry_count; i++) {
        wal_note_entry(w, b->entry[i], s->tail);
    }
    s->tail += buf_size(&w->out);
    w->chain = chain;
    w->identity = b->identity;
    w->state = b->state;
    w->taint = b->taint;
    w->sync_count++;
    w->append_bytes += buf_size(&w->out);
    w->append_bytes_512 += wal_batch_bytes(WAL_BATCH_HEADER_BYTES + records_bytes(b), 512);
    w->append_bytes_4096 += wal_batch_bytes(WAL_BATCH_HEADER_BYTES + records_bytes(b), 4096);
    buf_clear(&w->out, 4u << 20);
}

enum err wal_commit_batch(struct wal *w, const struct wal_batch *batch)
{
    struct wal_batch b = *batch;
    const struct wal_segment *s = wal_current(w);
    const uint64_t tail = s ? s->tail : 0;
    const uint64_t size =
        wal_batch_bytes(WAL_BATCH_HEADER_BYTES + records_bytes(&b), w->vfs->sector_bytes);
    b.rolls = b.rolls || b.reset_index != 0 || !s || !w->file || tail + size > w->options.segment_bytes;

    enum err e = ERR_OK;
    if (b.rolls) {
        e = check_reserve(w, &b, size, w->next_id ? w->next_bytes : 0);
    } else {
        e = check_reserve(w, &b, tail + size, s->file_bytes);
    }
    if (e == ERR_OK && b.rolls) {
        e = take_segment(w);
    }
    if (e != ERR_OK) {
        return e;
    }
    const uint64_t id = b.rolls || !s ? w->next_id : s->id;
    const uint32_t key = b.rolls || !s ? wal_key(&b.identity, id) : s->key;
    const struct wal_batch_header header = {
        .sector_bytes = w->vfs->sector_bytes,
        .segment = id,
        .offset = b.rolls ? 0 : tail,
        .durable = s && b.reset_index == 0 ? wal_lsn_at(s->id, tail) : 0, /* W11 */
        .chain_before = b.rolls ? key : w->chain,
        .node_id = b.identity.node_id,
    };
    uint32_t chain;
    build_batch(w, &b, &header, key, &chain);
    const bool needs_sync =
        !(MUT(1) && b.has_state && b.entry_count == 0) && !(MUT(2) && b.entry_count > 0);
    e = b.rolls ? write_rolled(w, &b, key) : write_current(w, needs_sync);
    if (e == ERR_OK) {
        note_batch(w, &b, chain);
    }
    return e;
}

/* Checked before it is written, so that recovery never meets what it would refuse. */
static void check_entry(struct slice bytes, raft_index index)
{
    struct raft_conf conf;
    ASSERT(bytes.n >= ENTRY_HEADER_BYTES && get_u32(bytes.p) == bytes.n);
    ASSERT(get_u64(bytes.p + 8) == index);
    ASSERT(bytes.p[32] != RAFT_ENTRY_CONF ||
           raft_conf_decode(slice_skip(bytes, ENTRY_HEADER_BYTES), &conf) == ERR_OK);
}

static enum err remove_segment_file(struct wal *w, uint64_t id)
{
    char name[WAL_NAME_BYTES];
    wal_segment_name(id, name);
    enum err e = w->vfs->call->remove(w->vfs, name);
    return e == ERR_OK || e == ERR_NOT_FOUND ? sync_names(w) : wal_fail(w, ERR_IO);
}

/* Files that the chain doesn't lead through, the oldest first (W7). */
static enum err remove_garbage(struct wal *w)
{
    enum err e = ERR_OK;
    for (uint32_t i = 0; i < w->garbage_count && e == ERR_OK; i++) {
        e = remove_segment_file(w, w->garbage[i]);
    }
    w->garbage_count = 0; /* After an error nothing else is done with this log. */
    return e;
}

enum err wal_append(struct wal *w, const struct wal_append *a)
{
    if (w->failed != ERR_OK) {
        return w->failed;
    }
    struct wal_batch b = {
        .identity = w->identity,
        .state = a->state ? *a->state : w->state,
        .taint = w->taint,
        .has_state = a->state || a->clear_taint,
        .may_use_reserve = a->may_use_reserve,
        .entry = a->entry,
        .entry_count = a->entry_count,
    };
    if (a->clear_taint) {
        b.taint = (struct wal_taint){.health = WAL_CLEAN};
    }
    if (a->identity) {
        ASSERT(w->identity.cluster_id == 0 && a->identity->cluster_id != 0);
        ASSERT(a->identity->node_id == w->identity.node_id);
        b.identity.cluster_id = a->identity->cluster_id;
        b.identity.hash_seed[0] = a->identity->hash_seed[0];
        b.identity.hash_seed[1] = a->identity->hash_seed[1];
        b.rolls = true; /* W8 */
    }
    ASSERT(b.state.hard.term >= w->state.hard.term);
    ASSERT(b.state.session_number >= w->state.session_number);
    raft_index next = w->last_index + 1;
    struct buf conf = {0};
    if (a->reset_index != 0) {
        COVER("wal reset");
        raft_conf_encode(a->reset_conf, &conf);
        b.reset_index = a->reset_index;
        b.reset_term = a->reset_term;
        b.reset_conf_index = a->reset_conf_index;
        b.reset_conf = buf_slice(&conf);
        next = a->reset_index + 1;
    } else if (a->truncate_from != 0 && a->truncate_from <= w->last_index) {
        ASSERT(a->truncate_from >= w->segment[0]->start);
        b.truncate_from = a->truncate_from;
        next = a->truncate_from;
        enum err e = wal_term_at(w, a->truncate_from - 1, &b.truncate_prev_term);
        if (e != ERR_OK) {
            return wal_fail(w, e);
        }
    }
    if (!b.has_state && !b.rolls && b.reset_index == 0 && b.truncate_from == 0 &&
        b.entry_count == 0) {
        return ERR_OK; /* Everything there is is durable already. */
    }
    for (uint32_t i = 0; i < a->entry_count; i++) {
        check_entry(a->entry[i], next + i);
    }
    enum err e = wal_commit_batch(w, &b);
    buf_deinit(&conf);
    if (e == ERR_OK && b.reset_index != 0 && w->taint.health == WAL_CLEAN) {
        e = remove_garbage(w);
    }
    return e;
}

/* ---- Preparing and dropping ---- */

static bool prepare_failed(struct wal *w, enum err e)
{
    /* A full disk is tried again when the caller is idle again; other errors show at the next
     * append. */
    (void)wal_fail(w, e);
    return false;
}

uint64_t wal_ahead_bytes(uint64_t segment_bytes)
{
    return segment_bytes / 2 < WAL_AHEAD_BYTES ? segment_bytes / 2 : WAL_AHEAD_BYTES;
}

bool wal_prepare_ahead(struct wal *w)
{
    struct wal_segment *s = wal_current(w);
    if (w->failed != ERR_OK) {
        return false;
    }
    const uint64_t wanted = wal_ahead_bytes(w->options.segment_bytes);
    const uint64_t ahead = s->file_bytes - s->tail + w->next_bytes;
    if (ahead >= wanted) {
        return false;
    }
    const bool fills_current = s->file_bytes < w->options.segment_bytes;
    enum err e = w->vfs->call->free_bytes(w->vfs, &w->free_bytes);
    if (e != ERR_OK || w->free_bytes < WAL_ZERO_PIECE_BYTES + w->options.reserve_bytes) {
        return prepare_failed(w, e);
    }
    if (!fills_current) {
        e = take_segment(w);
        if (e != ERR_OK) {
            return prepare_failed(w, e);
        }
    }
    struct vfs_file *f = fills_current ? w->file : w->next_file;
    uint64_t *filled = fills_current ? &s->file_bytes : &w->next_bytes;
    uint64_t n = w->options.segment_bytes - *filled;
    n = n < WAL_ZERO_PIECE_BYTES ? n : WAL_ZERO_PIECE_BYTES;
    e = wal_file_zero(w->vfs, f, *filled, n);
    if (e == ERR_FULL && w->vfs->call->truncate(f, *filled) != ERR_OK) {
        e = ERR_IO; /* What little was got is given back, and even that failed. */
    }
    if (e == ERR_OK) {
        e = sync_file(w, f);
    }
    if (e != ERR_OK) {
        return prepare_failed(w, e);
    }
    *filled += n;
    return ahead + n < wanted;
}

enum err wal_drop_front(struct wal *w, raft_index first_kept)
{
    if (w->failed != ERR_OK) {
        return w->failed;
    }
    if (w->taint.health != WAL_CLEAN) {
        return ERR_OK; /* What a lost head would be judged by stays (W10). */
    }
    uint32_t drop_count = 0;
    while (drop_count + 1 < w->segment_count && w->segment[drop_count]->end <= first_kept) {
        drop_count++;
    }
    if (drop_count == 0) {
        return ERR_OK;
    }
    wal_cursor_reset(w);
    /* Files that the chain doesn't lead through go first: an older file than the chain's first
     * means a gap (W7). */
    enum err e = remove_garbage(w);
    for (uint32_t i = 0; i < drop_count && e == ERR_OK; i++) {
        e = remove_segment_file(w, w->segment[0]->id);
        if (e != ERR_OK) {
            break;
        }
        wal_segment_free(w->segment[0]);
        w->segment_count--;
        memmove(w->segment, w->segment + 1, w->segment_count * sizeof(struct wal_segment *));
    }
    /* Of the configurations before the first entry left, only the newest is in force. */
    while (w->conf_count > 1 && w->conf[1].index < w->segment[0]->start) {
        buf_deinit(&w->conf[0].encoded);
        w->conf_count--;
        memmove(w->conf, w->conf + 1, w->conf_count * sizeof(*w->conf));
    }
    return e;
}

raft_index wal_front_for_bytes(const struct wal *w, uint64_t bytes)
{
    uint32_t i = w->segment_count - 1;
    uint64_t sum = w->segment[i]->tail;
    while (i > 0 && sum + w->segment[i - 1]->tail <= bytes) {
        sum += w->segment[--i]->tail;
    }
    return w->segment[i]->start;
}

/* ---- Opening, closing, figures ---- */

enum err wal_open(struct vfs *vfs,
                  const struct wal_options *options,
                  raft_id node_id_if_new,
                  const struct log_sink *log,
                  struct wal **wal,
                  struct wal_recovery *recovery)
{
    ASSERT(vfs->sector_bytes == 512 || vfs->sector_bytes == 4096);
    ASSERT(node_id_if_new != 0 && options->segment_bytes > 0);
    struct wal *w = mem_alloc_zero(sizeof(*w));
    w->vfs = vfs;
    w->log = log;
    w->options = *options;
    memset(recovery, 0, sizeof(*recovery));
    enum err e = vfs->call->lock(vfs);
    if (e == ERR_OK) {
        e = wal_recover(w, node_id_if_new, recovery);
    }
    if (e != ERR_OK) {
        mem_free(recovery->conf);
        mem_free(recovery->conf_index);
        mem_free(recovery->term_run);
        memset(recovery, 0, sizeof(*recovery));
        wal_close(w);
        return e;
    }
    *wal = w;
    return ERR_OK;
}

void wal_close(struct wal *w)
{
    if (!w) {
        return;
    }
    wal_cursor_reset(w);
    buf_deinit(&w->cursor.window);
    if (w->file) {
        w->vfs->call->close(w->file);
    }
    if (w->next_file) {
        w->vfs->call->close(w->next_file);
    }
    for (uint32_t i = 0; i < w->segment_count; i++) {
        wal_segment_free(w->segment[i]);
    }
    for (uint32_t i = 0; i < w->conf_count; i++) {
        buf_deinit(&w->conf[i].encoded);
    }
    mem_free(w->segment);
    mem_free(w->conf);
    mem_free(w->garbage);
    buf_deinit(&w->out);
    mem_free(w);
}

void wal_get_stats(const struct wal *w, struct wal_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    for (uint32_t i = 0; i < w->segment_count; i++) {
        stats->record_bytes += w->segment[i]->tail;
        stats->file_bytes += w->segment[i]->file_bytes;
    }
    stats->file_bytes += w->next_bytes;
    stats->sync_count = w->sync_count;
    stats->append_bytes = w->append_bytes;
    stats->append_bytes_512 = w->append_bytes_512;
    stats->append_bytes_4096 = w->append_bytes_4096;
    stats->first_index = w->segment[0]->start;
    stats->last_index = w->last_index;
    stats->free_bytes = w->free_bytes;
    stats->is_tainted = w->taint.health != WAL_CLEAN;
}
