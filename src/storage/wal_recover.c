#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "storage/wal_internal.h"
#include "storage/wal_survey.h"
#include "storage/wal_verdict.h"

/* Recovery:
 *
 *  1. survey (wal_survey.c): list the segment files, read the first unit of each (its head names
 * identity and predecessor); the chain leads from the newest segment whose head batch verifies back
 * along `previous`. A predecessor that is missing or has no readable head, while older files exist,
 * is damage: the log ends before it;
 *  2. replay the chain from its oldest segment, one batch behind: the last good batch stays
 * `pending`;
 *  3. judge what stopped it (wal_verdict.c, P9): a torn tail, SUSPECT or CORRUPT; and every newer
 * segment with a bad head (the roll or the start that a crash interrupted);
 *  4. write the head of a new segment that goes on from before the pending batch and copies it
 * (W3), with the verdict in it (W10). This is the only write, one batch: a crash before it is
 * durable leaves all as it was;
 *  5. remove what the chain doesn't lead through any more, unless the log is tainted. */

/* The first head of a directory: two sectors. */
#define CREATION_BYTES 8192u
/* On a full disk, so much is given back for a new head at a time. */
#define ROOM_PIECE_BYTES (64u * 1024u)

/* A batch that verified and is not applied yet. Its bytes lie in one of the images. */
struct pending {
    bool is_set;
    struct slice bytes;
    struct wal_batch_header header;
    uint32_t position; /* of its segment in the survey */
    uint64_t file_bytes;
};

struct recovery {
    struct wal *w;
    struct wal_survey survey;
    struct buf image[3]; /* two for replay, alternately; one for verdicts */
    int image_now;
    struct pending pending;
    struct raft_hard_state head_hard; /* as the segment under replay began */
    struct slice *entry;              /* of the pending batch, once opened */
    size_t entry_capacity;
    struct raft_term_run *run; /* of all entries so far */
    uint32_t run_count;
    uint32_t run_capacity;
    struct wal_verdict verdict;
    bool has_later_bytes; /* a segment without a good head holds more than the making of a directory
                             ever writes */
    uint32_t chain_state; /* running checksum after the last good batch */
};

/* ---- 2. Replay ---- */

static bool conf_is_kept(const struct wal *w, raft_index index)
{
    return index <= w->last_index &&
           (w->conf_count == 0 || w->conf[w->conf_count - 1].index < index);
}

/* What the head of the pending batch's segment says of identity and position, which must fit what
 * came before. */
static enum err take_head(struct recovery *r)
{
    struct wal *w = r->w;
    const struct wal_head *head = &r->survey.segment[r->pending.position].head;
    if (w->segment_count == 0) {
        w->last_index = head->first_index - 1;
        w->last_term = head->prev_term;
    }
    w->identity = head->identity;
    return head->first_index == w->last_index + 1 && head->prev_term == w->last_term ? ERR_OK
                                                                                     : ERR_CORRUPT;
}

static void note_term(struct recovery *r, raft_index index, raft_term term)
{
    if (r->run_count > 0 && r->run[r->run_count - 1].term == term) {
        return;
    }
    if (r->run_count == r->run_capacity) {
        r->run_capacity = r->run_capacity ? r->run_capacity * 2 : 16;
        r->run = mem_realloc_array(r->run, r->run_capacity, sizeof(*r->run));
    }
    r->run[r->run_count++] = (struct raft_term_run){.first = index, .term = term};
}

static void note_truncation(struct recovery *r, raft_index from)
{
    while (r->run_count > 0 && r->run[r->run_count - 1].first >= from) {
        r->run_count--;
    }
}

static enum err take_entry(struct recovery *r, struct slice bytes, struct wal_batch *b)
{
    struct raft_entry entry;
    struct raft_conf conf;
    const raft_index before = b->truncate_from ? b->truncate_from - 1 : r->w->last_index;
    enum err e = entry_decode(bytes, &entry);
    if (e != ERR_OK) {
        return e;
    }
    if (entry.type == RAFT_ENTRY_CONF && raft_conf_decode(entry.payload, &conf) != ERR_OK) {
        return ERR_FORMAT;
    }
    if (entry.index != before + b->entry_count + 1) {
        return ERR_CORRUPT;
    }
    r->entry[b->entry_count++] = bytes;
    note_term(r, entry.index, entry.term);
    return ERR_OK;
}

static enum err take_record(struct recovery *r,
                            const struct wal_record *record,
                            bool begins_log,
                            struct wal_batch *b)
{
    struct wal *w = r->w;
    raft_index index;
    struct slice encoded;
    switch (record->type) {
    case WAL_RECORD_HEAD:
        return ERR_OK;
    case WAL_RECORD_STATE:
        if (!wal_state_decode(record->payload, &w->state, &w->taint)) {
            return ERR_CORRUPT;
        }
        r->head_hard = r->pending.header.offset == 0 ? w->state.hard : r->head_hard;
        return ERR_OK;
    case WAL_RECORD_CONF:
        /* Later heads repeat what the log itself holds. */
        if (begins_log && wal_conf_decode(record->payload, &index, &encoded) &&
            conf_is_kept(w, index)) {
            wal_note_conf(w, index, encoded);
        }
        return ERR_OK;
    case WAL_RECORD_TRUNCATE:
        if (b->truncate_from != 0 || b->entry_count > 0 ||
            !wal_truncate_decode(record->payload, &b->truncate_from, &b->truncate_prev_term) ||
            b->truncate_from > w->last_index) {
            return ERR_CORRUPT;
        }
        note_truncation(r, b->truncate_from);
        if (MUT(32)) {
            w->state.hard = r->head_hard; /* As if the file had been cut at those entries. */
        }
        return ERR_OK;
    case WAL_RECORD_ENTRY:
        return take_entry(r, record->payload, b);
    }
    return ERR_CORRUPT;
}

/* Takes the pending batch apart: identity and state are the log's at once, truncation and entries
 * are left in *b (slices of the image, in r->entry). ERR_CORRUPT when its records contradict the
 * log so far, ERR_FORMAT for entries of a later version. */
static enum err open_pending(struct recovery *r, struct wal_batch *b)
{
    const struct pending *p = &r->pending;
    const struct wal_survey_segment *meta = &r->survey.segment[p->position];
    const uint32_t key = wal_key(&meta->head.identity, meta->id);
    const bool begins_log = r->w->segment_count == 0;
    enum err e = p->header.offset == 0 ? take_head(r) : ERR_OK;
    if (p->header.record_count > r->entry_capacity) {
        r->entry_capacity = p->header.record_count * 2;
        r->entry = mem_realloc_array(r->entry, r->entry_capacity, sizeof(struct slice));
    }
    struct slice rest = {p->bytes.p + WAL_BATCH_HEADER_BYTES,
                         (size_t)p->header.body_bytes - WAL_BATCH_HEADER_BYTES};
    uint32_t chain = p->header.chain_before;
    while (e == ERR_OK && rest.n > 0) {
        struct wal_record record;
        if (!wal_record_decode(rest, key, chain, &record)) {
            return ERR_CORRUPT;
        }
        chain = record.chain;
        rest = slice_skip(rest, WAL_RECORD_HEADER_BYTES + record.payload.n);
        e = take_record(r, &record, begins_log, b);
    }
    b->entry = r->entry;
    return e;
}

/* The pending batch stays in the log where it is. */
static enum err apply_pending(struct recovery *r)
{
    struct wal *w = r->w;
    const struct pending *p = &r->pending;
    struct wal_batch b = {0};
    enum err e = open_pending(r, &b);
    if (e != ERR_OK) {
        return e;
    }
    if (p->header.offset == 0) {
        const struct wal_survey_segment *meta = &r->survey.segment[p->position];
        struct wal_segment *s = wal_segment_new(meta->id, wal_key(&w->identity, meta->id),
                                                w->last_index + 1, w->last_term);
        s->file_bytes = p->file_bytes;
        wal_note_segment(w, s);
    }
    if (b.truncate_from) {
        wal_note_truncate(w, b.truncate_from, b.truncate_prev_term);
    }
    for (uint32_t i = 0; i < b.entry_count; i++) {
        wal_note_entry(w, b.entry[i], p->header.offset);
    }
    struct wal_segment *current = wal_current(w);
    ASSERT(current);
    current->tail =
        p->header.offset + wal_batch_bytes(p->header.body_bytes, p->header.sector_bytes);
    r->pending.is_set = false;
    return ERR_OK;
}

/* Replays one segment up to `limit` (UINT64_MAX: the chain's last). *stopped: at a bad batch, which
 * was judged. */
static enum err replay_segment(struct recovery *r, uint32_t position, uint64_t limit, bool *stopped)
{
    const struct wal_survey_segment *meta = &r->survey.segment[position];
    const uint32_t key = wal_key(&meta->head.identity, meta->id);
    r->image_now ^= 1;
    struct buf *image = &r->image[r->image_now];
    enum err e = wal_survey_load(r->w, &r->survey, position, image);
    if (e != ERR_OK) {
        return e;
    }
    r->chain_state = key;
    uint64_t offset = 0;
    while (offset < limit) {
        struct wal_batch_header header;
        const size_t have = buf_size(image);
        struct slice rest =
            offset < have ? slice_skip(buf_slice(image), (size_t)offset) : (struct slice){NULL, 0};
        if (limit == UINT64_MAX && wal_is_zero(rest.p, rest.n)) {
            return ERR_OK;
        }
        if (!wal_batch_check(rest, key, meta->id, offset, r->chain_state, &header)) {
            *stopped = true;
            wal_verdict_add(&r->verdict, limit == UINT64_MAX ? WAL_CLEAN : WAL_CORRUPT);
            /* The log's identity is taken from its first batch when the next one is good. */
            const struct wal_identity *owner =
                r->w->identity.node_id != 0 || MUT(54) ? &r->w->identity : &meta->head.identity;
            wal_verdict_judge(&r->verdict, buf_slice(image), owner, key, meta->id, offset);
            return ERR_OK;
        }
        if (r->pending.is_set) {
            e = apply_pending(r);
            if (e != ERR_OK) {
                return e;
            }
        }
        r->pending = (struct pending){.is_set = true,
                                      .bytes = rest,
                                      .header = header,
                                      .position = position,
                                      .file_bytes = have};
        r->chain_state = header.chain_after;
        offset += wal_batch_bytes(header.body_bytes, header.sector_bytes);
    }
    return offset == limit ? ERR_OK : ERR_CORRUPT;
}

static enum err replay(struct recovery *r, uint32_t *last_replayed)
{
    for (uint32_t i = 0; i < r->survey.chain_count; i++) {
        uint64_t limit = UINT64_MAX;
        if (i + 1 < r->survey.chain_count) {
            limit = wal_lsn_offset(r->survey.segment[r->survey.chain[i + 1]].head.previous);
        }
        bool stopped = false;
        enum err e = replay_segment(r, r->survey.chain[i], limit, &stopped);
        *last_replayed = r->survey.chain[i];
        if (e != ERR_OK || stopped) {
            return e;
        }
    }
    return ERR_OK;
}

/* ---- 3. Newer segments ---- */

/* Judges every segment behind the last one replayed: they can only be prepared (zeros), torn, or
 * evidence. */
static enum err judge_newer(struct recovery *r, uint32_t from)
{
    struct wal *w = r->w;
    for (uint32_t i = from; i < r->survey.segment_count; i++) {
        const struct wal_survey_segment *s = &r->survey.segment[i];
        enum err e = wal_survey_load(w, &r->survey, i, &r->image[2]);
        if (e != ERR_OK) {
            return e;
        }
        struct slice bytes = buf_slice(&r->image[2]);
        if (wal_is_zero(bytes.p, bytes.n)) {
            if (i + 1 == r->survey.segment_count && w->next_id == 0 && bytes.n >= WAL_UNIT_BYTES) {
                w->next_id = s->id; /* Prepared and never used: it still may be. */
                w->next_bytes = bytes.n;
            }
            continue;
        }
        if (bytes.n > CREATION_BYTES &&
            !wal_is_zero(bytes.p + CREATION_BYTES, bytes.n - CREATION_BYTES)) {
            r->has_later_bytes = true;
        }
        struct wal_identity identity = s->has_head ? s->head.identity : w->identity;
        if (!s->has_head) {
            wal_verdict_find_identity(bytes, s->id, &identity);
        }
        wal_verdict_judge(&r->verdict, bytes, &identity, wal_key(&identity, s->id), s->id, 0);
    }
    return ERR_OK;
}

/* The node's state when the log is damaged: nothing older than what any valid footer says was in
 * force. */
static void take_evidence(struct recovery *r)
{
    struct wal *w = r->w;
    const struct wal_footer *f = &r->verdict.footer;
    if (!r->verdict.has_footer || r->verdict.health == WAL_CLEAN) {
        return;
    }
    if (f->state.session_number > w->state.session_number) {
        w->state.session_number = f->state.session_number;
    }
    if (MUT(31)) {
        w->taint.suspect_term = w->state.hard.term;
    } else {
        wal_taint_raise(&w->taint,
                        &r->verdict.reach); /* Earlier damage that is not healed counts too. */
        if (f->state.hard.term >= w->state.hard.term) {
            w->state.hard = f->state.hard;
        }
    }
    if (w->identity.cluster_id == 0) {
        w->identity = f->identity;
    } else if (f->identity.incarnation > w->identity.incarnation) {
        w->identity.incarnation = f->identity.incarnation;
    }
}

/* ---- 4. The new head ---- */

/* Is this node, by the newest configuration it can read, the only voter? */
static bool is_only_voter(const struct wal *w, const struct wal_batch *b)
{
    struct slice encoded = {NULL, 0};
    for (uint32_t i = 0; i < w->conf_count; i++) {
        if (b->truncate_from == 0 || w->conf[i].index < b->truncate_from) {
            encoded = buf_slice(&w->conf[i].encoded);
        }
    }
    for (uint32_t i = 0; i < b->entry_count; i++) {
        if (b->entry[i].p[32] == RAFT_ENTRY_CONF) {
            encoded = slice_skip(b->entry[i], ENTRY_HEADER_BYTES);
        }
    }
    struct raft_conf conf;
    if (encoded.n == 0 || raft_conf_decode(encoded, &conf) != ERR_OK) {
        return false;
    }
    uint32_t others = 0;
    for (uint32_t i = 0; i < conf.member_count; i++) {
        others += raft_conf_is_voter(&conf, conf.member[i].id) &&
                  conf.member[i].id != w->identity.node_id;
    }
    return others == 0 && raft_conf_is_voter(&conf, w->identity.node_id);
}

static enum err
settle_health(struct recovery *r, const struct wal_options *options, const struct wal_batch *b)
{
    struct wal *w = r->w;
    if (MUT(19)) {
        r->verdict.health = WAL_CLEAN;
    }
    take_evidence(r);
    if (r->verdict.health > w->taint.health) {
        w->taint.health = r->verdict.health;
    }
    if (r->verdict.health == WAL_CLEAN && r->verdict.cut_count > 0) {
        log_line(w->log, LOG_NOTICE,
                 "Cut an incomplete write from the end of the log; nothing durable was lost.");
    }
    if (w->taint.health == WAL_CLEAN) {
        return ERR_OK;
    }
    log_line(w->log, LOG_WARNING, "The log is damaged behind entry %llu (%s).",
             (unsigned long long)w->last_index,
             w->taint.health == WAL_SUSPECT ? "its last write can't be verified"
                                            : "data once durable is lost");
    if (!is_only_voter(w, b)) {
        return ERR_OK;
    }
    if (!options->accept_damage) {
        log_line(w->log, LOG_WARNING,
                 "This is the only node of its cluster: what is lost is lost. Not starting.");
        return ERR_CORRUPT;
    }
    log_line(w->log, LOG_WARNING, "The operator accepts the loss of what lay behind it.");
    w->taint = (struct wal_taint){.health = WAL_CLEAN};
    return ERR_OK;
}

/* On a full disk the zeros behind the ends of segments make room for the new head, no more of them
 * than needed: others may take what is freed, and there may be more starts before there is room
 * again. ERR_FULL when there are none left. */
static enum err make_room(struct recovery *r)
{
    struct wal *w = r->w;
    const struct pending *p = &r->pending;
    if (w->taint.health != WAL_CLEAN) {
        return ERR_FULL;
    }
    for (uint32_t i = 0; i < r->survey.segment_count; i++) {
        uint64_t end = UINT64_MAX;
        uint64_t size = 0;
        for (uint32_t k = 0; k < w->segment_count; k++) {
            if (w->segment[k]->id == r->survey.segment[i].id) {
                end = w->segment[k]->tail;
            }
        }
        if (p->is_set && p->position == i) {
            end = p->header.offset + wal_batch_bytes(p->header.body_bytes, p->header.sector_bytes);
        }
        if (end == UINT64_MAX) {
            continue;
        }
        char name[WAL_NAME_BYTES];
        struct vfs_file *f;
        wal_segment_name(r->survey.segment[i].id, name);
        enum err e = w->vfs->call->open(w->vfs, name, false, &f);
        if (e != ERR_OK) {
            return e;
        }
        e = w->vfs->call->size(f, &size);
        if (e == ERR_OK && size > end) {
            e = w->vfs->call->truncate(f, size - end > ROOM_PIECE_BYTES ? size - ROOM_PIECE_BYTES
                                                                        : end);
        }
        w->vfs->call->close(f);
        if (e != ERR_OK || size > end) {
            return e;
        }
    }
    return ERR_FULL;
}

static enum err write_head(struct recovery *r, struct wal_batch *b)
{
    struct wal *w = r->w;
    if (w->next_id != 0) {
        char name[WAL_NAME_BYTES];
        wal_segment_name(w->next_id, name);
        enum err e = w->vfs->call->open(w->vfs, name, false, &w->next_file);
        if (e != ERR_OK) {
            return e;
        }
        /* Whether the name of a file that was only prepared is durable is not known (W9). */
        e = MUT(20) ? ERR_OK : w->vfs->call->sync_names(w->vfs);
        if (e != ERR_OK) {
            return e;
        }
    }
    b->rolls = true;
    b->may_use_reserve = true;
    b->identity = w->identity;
    b->identity.incarnation++;
    b->state = w->state;
    b->taint = w->taint;
    enum err e = wal_commit_batch(w, b);
    while (e == ERR_FULL) {
        COVER("wal open on a full disk");
        e = make_room(r);
        if (e == ERR_OK) {
            e = wal_commit_batch(w, b);
        } else if (e == ERR_FULL) {
            return e;
        }
    }
    return e;
}

/* ---- 5. Cleaning up ---- */

static bool is_in_log(const struct wal *w, uint64_t id)
{
    for (uint32_t i = 0; i < w->segment_count; i++) {
        if (w->segment[i]->id == id) {
            return true;
        }
    }
    return false;
}

static enum err clean_up(struct recovery *r)
{
    struct wal *w = r->w;
    char name[WAL_NAME_BYTES];
    enum err e = ERR_OK;
    bool has_removed = false;
    w->garbage = mem_alloc_array((size_t)r->survey.segment_count + 1, sizeof(uint64_t));
    for (uint32_t i = 0; i < r->survey.segment_count && e == ERR_OK; i++) {
        if (is_in_log(w, r->survey.segment[i].id)) {
            continue;
        }
        if (w->taint.health != WAL_CLEAN) {
            w->garbage[w->garbage_count++] = r->survey.segment[i].id;
            continue;
        }
        wal_segment_name(r->survey.segment[i].id, name);
        e = w->vfs->call->remove(w->vfs, name);
        has_removed = has_removed || e == ERR_OK;
        e = e == ERR_NOT_FOUND ? ERR_OK : e; /* The prepared one, when there was no room. */
    }
    /* Before anything else is removed: an older file beside a chain that lost its front means a gap
     * (W7). */
    if (e == ERR_OK && has_removed && !MUT(20)) {
        e = w->vfs->call->sync_names(w->vfs);
    }
    /* Unused zeros and superseded bytes of the segment before give their room back, unless they are
     * needed for the next start (make_room). */
    if (e == ERR_OK) {
        e = w->vfs->call->free_bytes(w->vfs, &w->free_bytes);
    }
    if (e == ERR_OK && w->taint.health == WAL_CLEAN && w->segment_count > 1 &&
        w->free_bytes >= w->options.reserve_bytes) {
        struct wal_segment *s = w->segment[w->segment_count - 2];
        struct vfs_file *f;
        wal_segment_name(s->id, name);
        e = w->vfs->call->open(w->vfs, name, false, &f);
        if (e == ERR_OK) {
            e = s->file_bytes > s->tail ? w->vfs->call->truncate(f, s->tail) : ERR_OK;
            s->file_bytes = s->tail;
            w->vfs->call->close(f);
        }
    }
    return e;
}

static enum err report(struct recovery *r, struct wal_recovery *out)
{
    const struct wal *w = r->w;
    struct wal_stats stats;
    wal_get_stats(w, &stats);
    out->identity = w->identity;
    out->state = w->state;
    out->health = w->taint.health;
    out->suspect_term = w->taint.suspect_term;
    out->suspect_last_index = w->taint.suspect_last_index;
    out->suspect_last_term = w->taint.suspect_last_term;
    out->first_index = w->segment[0]->start;
    out->prev_term = w->segment[0]->prev_term;
    out->last_index = w->last_index;
    out->last_term = w->last_term;
    out->file_bytes = stats.file_bytes;
    out->record_bytes = stats.record_bytes;
    out->term_run = r->run;
    out->term_run_count = r->run_count;
    r->run = NULL;
    out->conf = mem_alloc_array((size_t)w->conf_count + 1, sizeof(*out->conf));
    out->conf_index = mem_alloc_array((size_t)w->conf_count + 1, sizeof(*out->conf_index));
    for (uint32_t i = 0; i < w->conf_count; i++) {
        if (raft_conf_decode(buf_slice(&w->conf[i].encoded), &out->conf[i]) != ERR_OK) {
            return ERR_FORMAT;
        }
        out->conf_index[i] = w->conf[i].index;
        out->conf_count++;
    }
    return ERR_OK;
}

/* No head verifies anywhere: a new directory, the remains of one whose creation was interrupted, or
 * a ruin. A first segment that is not number 1 had others before it, which are removed only once a
 * head is durable: however it looks, it is a ruin. */
static enum err begin_new(struct recovery *r, raft_id node_id_if_new, struct wal_recovery *out)
{
    struct wal *w = r->w;
    const bool had_head = r->survey.segment_count > 0 && r->survey.segment[0].id > 1;
    if (r->verdict.health == WAL_CLEAN && !r->has_later_bytes && !had_head) {
        out->was_blank_directory = true;
        w->identity = (struct wal_identity){.node_id = node_id_if_new};
        return ERR_OK;
    }
    if (!r->verdict.has_footer) {
        log_line(w->log, LOG_WARNING,
                 "Nothing in the data directory says any more whose log this is.");
        return ERR_CORRUPT;
    }
    COVER("wal identity from a footer");
    w->identity = r->verdict.footer.identity;
    wal_verdict_add(&r->verdict, WAL_CORRUPT);
    return ERR_OK;
}

static enum err recover(struct recovery *r, raft_id node_id_if_new, struct wal_recovery *out)
{
    struct wal *w = r->w;
    uint32_t last_replayed = UINT32_MAX;
    enum err e = wal_survey_take(w, &r->survey);
    if (e == ERR_OK) {
        wal_verdict_add(&r->verdict, r->survey.is_broken ? WAL_CORRUPT : WAL_CLEAN);
        e = replay(r, &last_replayed);
    }
    if (e == ERR_OK) {
        e = judge_newer(r, last_replayed + 1);
    }
    if (e == ERR_OK && r->survey.newest == UINT32_MAX) {
        e = begin_new(r, node_id_if_new, out);
    } else if (e == ERR_OK && r->survey.chain_count == 0) {
        w->identity = r->survey.segment[r->survey.newest].head.identity;
    }
    if (e != ERR_OK) {
        return e;
    }
    struct wal_batch b = {0};
    if (r->pending.is_set) {
        e = open_pending(r, &b);
    }
    if (e == ERR_OK) {
        e = settle_health(r, &w->options, &b);
    }
    if (e == ERR_OK) {
        e = write_head(r, &b);
    }
    if (e == ERR_OK) {
        e = clean_up(r);
    }
    return e == ERR_OK ? report(r, out) : e;
}

enum err wal_recover(struct wal *w, raft_id node_id_if_new, struct wal_recovery *out)
{
    struct recovery r = {.w = w};
    enum err e = recover(&r, node_id_if_new, out);
    for (int i = 0; i < 3; i++) {
        buf_deinit(&r.image[i]);
    }
    mem_free(r.entry);
    mem_free(r.run);
    wal_survey_deinit(&r.survey);
    return e;
}
