#include "ghost_disk.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "raft/entry.h"
#include "storage/snapshot_file.h"
#include "storage/wal_format.h"

#define BATCH_MAGIC "CWB1"

struct disk_entry {
    raft_term term; /* 0: none */
    uint32_t crc;
};

enum note_kind { NOTE_ENTRY, NOTE_TRUNCATION, NOTE_STATE };
#define SNAPSHOT_MAGIC "CSB1"

struct disk_note { /* a record that was written */
    char name[64];
    enum note_kind kind;
    struct raft_hard_state hard;
    raft_index index;
    struct disk_entry entry;
};

struct ghost_disk {
    struct vfs watch;
    struct vfs *inner;
    struct raft_hard_state hard;
    struct disk_entry *durable; /* [i] is index i + 1 */
    size_t capacity;
    struct disk_entry *before_rot; /* what was durable when the disk rotted: it may have been acknowledged */
    size_t before_rot_count;
    /* Snapshots: the index that each file's head names; which of them has the name, and which has it durably. */
    raft_index snapshot_own, snapshot_received, snapshot_named, snapshot_durable;
    raft_index early; /* ghost_disk_early_snapshot */
    struct disk_note *note; /* written, not synced, in order */
    size_t note_count;
    size_t note_capacity;
};

struct vfs_file {
    struct vfs_file *inner;
    struct ghost_disk *disk;
    char name[64];
};

struct ghost_disk *ghost_disk_new(void) { return mem_alloc_zero(sizeof(struct ghost_disk)); }

void ghost_disk_free(struct ghost_disk *d)
{
    mem_free(d->before_rot);
    mem_free(d->durable);
    mem_free(d->note);
    mem_free(d);
}

struct raft_hard_state ghost_disk_hard_state(const struct ghost_disk *d) { return d->hard; }

bool ghost_disk_holds(const struct ghost_disk *d, raft_index index, raft_term term, uint32_t crc)
{
    if (index >= 1 && index <= d->snapshot_durable)
        return true; /* a snapshot stands for it */
    if (index >= 1 && index <= d->capacity && d->durable[index - 1].term == term && d->durable[index - 1].crc == crc)
        return true;
    return index >= 1 && index <= d->before_rot_count && d->before_rot[index - 1].term == term && d->before_rot[index - 1].crc == crc;
}

raft_index ghost_disk_early_snapshot(const struct ghost_disk *d) { return d->early; }

void ghost_disk_rot(struct ghost_disk *d)
{
    mem_free(d->before_rot);
    d->before_rot_count = d->capacity;
    d->before_rot = d->capacity ? mem_alloc(d->capacity * sizeof *d->before_rot) : NULL;
    for (size_t i = 0; i < d->capacity; i++)
        d->before_rot[i] = d->durable[i];
}

void ghost_disk_power_loss(struct ghost_disk *d)
{
    d->note_count = 0;
    d->snapshot_named = d->snapshot_durable; /* or what survived by luck: seen at the next start */
}

static raft_index *disk_snapshot_of(struct ghost_disk *d, const char *name)
{
    struct slice s = slice_from_cstr(name);
    return slice_equal(s, SLICE_LITERAL(SNAPSHOT_OWN_NAME))        ? &d->snapshot_own
           : slice_equal(s, SLICE_LITERAL(SNAPSHOT_RECEIVED_NAME)) ? &d->snapshot_received
           : slice_equal(s, SLICE_LITERAL(SNAPSHOT_NAME))          ? &d->snapshot_named
                                                                   : NULL;
}

/* The head of a snapshot file names its index. */
static void disk_read_snapshot(struct ghost_disk *d, const char *name, uint64_t offset, struct slice bytes)
{
    raft_index *index = disk_snapshot_of(d, name);
    if (index && offset == 0 && bytes.n >= SNAPSHOT_BLOCK_HEADER + 16 &&
        slice_equal((struct slice){bytes.p, 4}, SLICE_LITERAL(SNAPSHOT_MAGIC)))
        *index = get_u64(bytes.p + SNAPSHOT_BLOCK_HEADER + 8);
}

void ghost_disk_wipe(struct ghost_disk *d)
{
    d->note_count = 0;
    d->hard = (struct raft_hard_state){0, 0};
    d->snapshot_own = d->snapshot_received = d->snapshot_named = d->snapshot_durable = 0;
    for (size_t i = 0; i < d->capacity; i++)
        d->durable[i] = (struct disk_entry){0, 0};
}

static struct disk_note *disk_note(struct vfs_file *f, enum note_kind kind, raft_index index, struct disk_entry entry)
{
    struct ghost_disk *d = f->disk;
    if (d->note_count == d->note_capacity) {
        d->note_capacity = d->note_capacity ? 2 * d->note_capacity : 64;
        d->note = mem_realloc_array(d->note, d->note_capacity, sizeof *d->note);
    }
    struct disk_note *n = &d->note[d->note_count++];
    *n = (struct disk_note){.kind = kind, .index = index, .entry = entry};
    snprintf(n->name, sizeof n->name, "%s", f->name);
    return n;
}

static void disk_read_state(struct vfs_file *f, struct slice payload)
{
    struct wal_node_state state;
    struct wal_taint taint;
    if (wal_state_decode(payload, &state, &taint))
        disk_note(f, NOTE_STATE, 0, (struct disk_entry){0, 0})->hard = state.hard;
}

/* Every record of a batch, as far as the bytes go. */
static void disk_read_batch(struct vfs_file *f, struct slice bytes)
{
    if (bytes.n < WAL_BATCH_HEADER_BYTES || !slice_equal((struct slice){bytes.p, 4}, SLICE_LITERAL(BATCH_MAGIC)))
        return;
    uint32_t count = get_u32(bytes.p + 12);
    struct slice rest = slice_skip(bytes, WAL_BATCH_HEADER_BYTES);
    for (; count > 0 && rest.n >= WAL_RECORD_HEADER_BYTES; count--) {
        size_t size = get_u32(rest.p);
        uint32_t type = get_u32(rest.p + 4);
        rest = slice_skip(rest, WAL_RECORD_HEADER_BYTES);
        if (size > rest.n)
            return;
        if (type == WAL_RECORD_ENTRY && size >= ENTRY_HEADER_BYTES)
            disk_note(f, NOTE_ENTRY, get_u64(rest.p + 8), (struct disk_entry){get_u64(rest.p + 16), get_u32(rest.p + 4)});
        else if (type == WAL_RECORD_HEAD && size >= 16) /* a reset voids what stood there; else nothing does */
            disk_note(f, NOTE_TRUNCATION, get_u64(rest.p + 8), (struct disk_entry){0, 0});
        else if (type == WAL_RECORD_TRUNCATE && size >= 8)
            disk_note(f, NOTE_TRUNCATION, get_u64(rest.p), (struct disk_entry){0, 0});
        else if (type == WAL_RECORD_STATE)
            disk_read_state(f, (struct slice){rest.p, size});
        rest = slice_skip(rest, size);
    }
}

static void disk_make_durable(struct ghost_disk *d, const struct disk_note *n)
{
    if (n->kind == NOTE_STATE) {
        d->hard = n->hard;
        return;
    }
    if (n->kind == NOTE_TRUNCATION) {
        for (size_t i = n->index; i <= d->capacity; i++)
            d->durable[i - 1] = (struct disk_entry){0, 0};
        return;
    }
    if (n->index > d->capacity) {
        size_t capacity = n->index * 2 + 64;
        d->durable = mem_realloc_array(d->durable, capacity, sizeof *d->durable);
        for (size_t i = d->capacity; i < capacity; i++)
            d->durable[i] = (struct disk_entry){0, 0};
        d->capacity = capacity;
    }
    d->durable[n->index - 1] = n->entry;
}

static void disk_synced(struct vfs_file *f)
{
    struct ghost_disk *d = f->disk;
    size_t kept = 0;
    for (size_t i = 0; i < d->note_count; i++) {
        if (slice_equal(slice_from_cstr(d->note[i].name), slice_from_cstr(f->name)))
            disk_make_durable(d, &d->note[i]);
        else
            d->note[kept++] = d->note[i];
    }
    d->note_count = kept;
}

/* --- the file system in between --- */

static struct vfs *watch_inner(struct vfs *v) { return CONTAINER_OF(v, struct ghost_disk, watch)->inner; }
static const struct vfs_calls *watch_call(const struct vfs_file *f) { return f->disk->inner->call; }

static enum err watch_open(struct vfs *v, const char *name, bool create, struct vfs_file **file)
{
    struct ghost_disk *d = CONTAINER_OF(v, struct ghost_disk, watch);
    struct vfs_file *inner;
    enum err e = d->inner->call->open(d->inner, name, create, &inner);
    if (e != ERR_OK)
        return e;
    *file = mem_alloc_zero(sizeof **file);
    (*file)->inner = inner;
    (*file)->disk = d;
    snprintf((*file)->name, sizeof (*file)->name, "%s", name);
    return ERR_OK;
}

static void watch_close(struct vfs_file *f)
{
    watch_call(f)->close(f->inner);
    mem_free(f);
}

static enum err watch_read(struct vfs_file *f, uint64_t offset, void *p, size_t n, size_t *got)
{
    enum err e = watch_call(f)->read(f->inner, offset, p, n, got);
    if (e == ERR_OK)
        disk_read_snapshot(f->disk, f->name, offset, (struct slice){p, *got});
    return e;
}

static enum err watch_write(struct vfs_file *f, uint64_t offset, const void *p, size_t n)
{
    enum err e = watch_call(f)->write(f->inner, offset, p, n);
    if (e == ERR_OK) {
        disk_read_batch(f, (struct slice){p, n});
        disk_read_snapshot(f->disk, f->name, offset, (struct slice){p, n});
    }
    return e;
}

static enum err watch_sync(struct vfs_file *f)
{
    enum err e = watch_call(f)->sync(f->inner);
    if (e == ERR_OK)
        disk_synced(f);
    return e;
}

static void watch_begin_sync(struct vfs_file *f, uint64_t offset, uint64_t n) { watch_call(f)->begin_sync(f->inner, offset, n); }
static enum err watch_truncate(struct vfs_file *f, uint64_t size) { return watch_call(f)->truncate(f->inner, size); }
static enum err watch_size(struct vfs_file *f, uint64_t *size) { return watch_call(f)->size(f->inner, size); }

static enum err watch_rename(struct vfs *v, const char *from, const char *to)
{
    struct ghost_disk *d = CONTAINER_OF(v, struct ghost_disk, watch);
    enum err e = d->inner->call->rename(d->inner, from, to);
    for (size_t i = 0; e == ERR_OK && i < d->note_count; i++) {
        if (slice_equal(slice_from_cstr(d->note[i].name), slice_from_cstr(from)))
            snprintf(d->note[i].name, sizeof d->note[i].name, "%s", to);
    }
    raft_index *index = disk_snapshot_of(d, from);
    if (e == ERR_OK && index && slice_equal(slice_from_cstr(to), SLICE_LITERAL(SNAPSHOT_NAME))) {
        d->snapshot_named = *index;
        bool is_own = index == &d->snapshot_own;
        bool has_entry = *index >= 1 && *index <= d->capacity && d->durable[*index - 1].term != 0;
        if (is_own && !has_entry && *index > d->snapshot_durable)
            d->early = *index;
    }
    return e;
}

static enum err watch_remove(struct vfs *v, const char *name)
{
    return watch_inner(v)->call->remove(watch_inner(v), name);
}

static enum err watch_sync_names(struct vfs *v)
{
    struct ghost_disk *d = CONTAINER_OF(v, struct ghost_disk, watch);
    enum err e = d->inner->call->sync_names(d->inner);
    if (e == ERR_OK)
        d->snapshot_durable = d->snapshot_named;
    return e;
}

static enum err watch_list(struct vfs *v, void (*fn)(void *ctx, const char *name), void *ctx)
{
    return watch_inner(v)->call->list(watch_inner(v), fn, ctx);
}

static enum err watch_free_bytes(struct vfs *v, uint64_t *bytes)
{
    return watch_inner(v)->call->free_bytes(watch_inner(v), bytes);
}

static enum err watch_lock(struct vfs *v) { return watch_inner(v)->call->lock(watch_inner(v)); }

static const struct vfs_calls watch_calls = {
    .open = watch_open,
    .close = watch_close,
    .read = watch_read,
    .write = watch_write,
    .sync = watch_sync,
    .begin_sync = watch_begin_sync,
    .truncate = watch_truncate,
    .size = watch_size,
    .rename = watch_rename,
    .remove = watch_remove,
    .sync_names = watch_sync_names,
    .list = watch_list,
    .free_bytes = watch_free_bytes,
    .lock = watch_lock,
};

struct vfs *ghost_disk_watch(struct ghost_disk *d, struct vfs *inner)
{
    d->inner = inner;
    d->watch = (struct vfs){&watch_calls, inner->sector_bytes};
    return &d->watch;
}
