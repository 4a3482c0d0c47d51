#include "storage/wal_survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/mutant.h"

/* ---- Files ---- */

struct id_list {
    uint64_t *id;
    size_t count;
    size_t capacity;
};

static void on_name(void *ctx, const char *name)
{
    struct id_list *list = ctx;
    uint64_t id = wal_segment_id_of(name);
    if (id == 0) {
        return;
    }
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 16;
        list->id = mem_realloc_array(list->id, list->capacity, sizeof(uint64_t));
    }
    list->id[list->count++] = id;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static enum err probe(struct wal *w, struct wal_survey *s, uint64_t id)
{
    char name[WAL_NAME_BYTES];
    uint8_t bytes[WAL_HEAD_PROBE_BYTES];
    size_t got;
    struct vfs_file *f;
    struct wal_survey_segment *segment = &s->segment[s->segment_count];
    wal_segment_name(id, name);
    enum err e = w->vfs->call->open(w->vfs, name, false, &f);
    if (e != ERR_OK) {
        return e;
    }
    e = w->vfs->call->read(f, 0, bytes, sizeof(bytes), &got);
    w->vfs->call->close(f);
    if (e != ERR_OK) {
        return e;
    }
    memset(bytes + got, 0, sizeof(bytes) - got);
    segment->id = id;
    e = wal_head_probe((struct slice){bytes, sizeof(bytes)}, id, &segment->head);
    if (e == ERR_FORMAT) {
        log_line(w->log, LOG_WARNING, "%s was written by a later version of this program.", name);
        return e;
    }
    segment->has_head = e == ERR_OK;
    s->segment_count++;
    w->last_id = id;
    return ERR_OK;
}

static enum err take_files(struct wal *w, struct wal_survey *s)
{
    struct id_list list = {0};
    enum err e = w->vfs->call->list(w->vfs, on_name, &list);
    if (list.count > 0) {
        qsort(list.id, list.count, sizeof(uint64_t), compare_ids);
    }
    s->segment = mem_alloc_zero((list.count + 1) * sizeof(*s->segment));
    s->chain = mem_alloc_zero((list.count + 1) * sizeof(*s->chain));
    for (size_t i = 0; e == ERR_OK && i < list.count; i++) {
        e = probe(w, s, list.id[i]);
    }
    mem_free(list.id);
    return e;
}

enum err
wal_survey_load(struct wal *w, const struct wal_survey *s, uint32_t position, struct buf *image)
{
    char name[WAL_NAME_BYTES];
    wal_segment_name(s->segment[position].id, name);
    enum err e = wal_file_load(w->vfs, name, image);
    size_t odd = buf_size(image) % WAL_UNIT_BYTES;
    if (e == ERR_OK && odd != 0) {
        memset(buf_reserve(image, WAL_UNIT_BYTES - odd), 0, WAL_UNIT_BYTES - odd);
        buf_commit(image, WAL_UNIT_BYTES - odd);
    }
    return e;
}

/* ---- Owners (P18) ---- */

static enum err mismatch(struct wal *w)
{
    log_line(w->log, LOG_WARNING, "The data directory holds files of different nodes or clusters.");
    return ERR_MISMATCH;
}

static enum err check_nodes(struct wal *w, const struct wal_survey *s)
{
    raft_id node_id = 0;
    for (uint32_t i = 0; i < s->segment_count; i++) {
        const struct wal_survey_segment *segment = &s->segment[i];
        if (segment->has_head && node_id != 0 && segment->head.identity.node_id != node_id) {
            return mismatch(w);
        }
        node_id = segment->has_head ? segment->head.identity.node_id : node_id;
    }
    return ERR_OK;
}

/* The log is of one cluster once it has left BLANK (W8). Only along the chain: a head that was
 * never durable may have named one that this node then never joined. */
static enum err check_clusters(struct wal *w, const struct wal_survey *s)
{
    for (uint32_t i = 1; i < s->chain_count; i++) {
        const struct wal_identity *a = &s->segment[s->chain[i - 1]].head.identity;
        const struct wal_identity *b = &s->segment[s->chain[i]].head.identity;
        if (a->cluster_id != 0 && a->cluster_id != b->cluster_id) {
            return mismatch(w);
        }
    }
    return ERR_OK;
}

/* ---- The chain ---- */

static enum err head_verifies(
    struct wal *w, struct wal_survey *s, uint32_t position, struct buf *image, bool *verifies)
{
    const struct wal_survey_segment *segment = &s->segment[position];
    *verifies = false;
    if (!segment->has_head) {
        return ERR_OK;
    }
    enum err e = wal_survey_load(w, s, position, image);
    if (e == ERR_OK) {
        struct wal_batch_header header;
        const uint32_t key = wal_key(&segment->head.identity, segment->id);
        *verifies = wal_batch_check(buf_slice(image), key, segment->id, 0, key, &header);
    }
    return e;
}

static bool find_position(const struct wal_survey *s, uint64_t id, uint32_t *position)
{
    for (uint32_t i = 0; i < s->segment_count; i++) {
        if (s->segment[i].id == id) {
            *position = i;
            return true;
        }
    }
    return false;
}

static bool has_older_head(const struct wal_survey *s, uint32_t position)
{
    for (uint32_t i = 0; i < position; i++) {
        if (s->segment[i].has_head) {
            return true;
        }
    }
    return false;
}

static void reverse_chain(struct wal_survey *s)
{
    for (uint32_t i = 0; i < s->chain_count / 2; i++) {
        uint32_t swap = s->chain[i];
        s->chain[i] = s->chain[s->chain_count - 1 - i];
        s->chain[s->chain_count - 1 - i] = swap;
    }
}

/* Follows `previous` back from `newest`, filling s->chain. False when it breaks, with *below =
 * where to look for an older chain. */
static bool follow_chain(struct wal_survey *s, uint32_t newest, uint32_t *below)
{
    uint32_t position = newest;
    s->chain_count = 0;
    for (;;) {
        s->chain[s->chain_count++] = position;
        const wal_lsn previous = s->segment[position].head.previous;
        uint32_t found;
        if (previous == 0) {
            break;
        }
        if (!find_position(s, wal_lsn_segment(previous), &found)) {
            if (!has_older_head(s, position)) {
                break; /* Dropped from the front. */
            }
            *below = position;
            return false;
        }
        if (found >= position || !s->segment[found].has_head) {
            *below = found < position ? found : position;
            return false;
        }
        position = found;
    }
    reverse_chain(s);
    return true;
}

static enum err find_chain(struct wal *w, struct wal_survey *s)
{
    struct buf image = {0};
    uint32_t below = s->segment_count;
    enum err e = ERR_OK;
    s->newest = UINT32_MAX;
    while (below > 0) {
        bool verifies;
        e = head_verifies(w, s, below - 1, &image, &verifies);
        if (e != ERR_OK) {
            break;
        }
        if (!verifies) {
            below--;
            continue;
        }
        s->newest = s->newest == UINT32_MAX ? below - 1 : s->newest;
        if (follow_chain(s, below - 1, &below)) {
            break;
        }
        COVER("wal chain broken");
        s->is_broken = true;
        s->chain_count = 0;
    }
    buf_deinit(&image);
    return e;
}

enum err wal_survey_take(struct wal *w, struct wal_survey *s)
{
    memset(s, 0, sizeof(*s));
    enum err e = take_files(w, s);
    if (e == ERR_OK) {
        e = check_nodes(w, s);
    }
    if (e == ERR_OK) {
        e = find_chain(w, s);
    }
    return e == ERR_OK ? check_clusters(w, s) : e;
}

void wal_survey_deinit(struct wal_survey *s)
{
    mem_free(s->segment);
    mem_free(s->chain);
    memset(s, 0, sizeof(*s));
}
