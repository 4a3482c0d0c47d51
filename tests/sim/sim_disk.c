#include "sim_disk_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

static struct sim_disk *disk_of(struct vfs *v)
{
    return CONTAINER_OF(v, struct sim_disk, base);
}

/* ---- The calls ---- */

static bool is_stale(const struct vfs_file *f)
{
    return f->disk->is_dead || f->life != f->disk->life;
}

/* Counts a call that changes something. True when the power fails inside it: it then has the effect
 * its caller draws. */
static bool is_cut(struct sim_disk *d)
{
    if (d->calls++ != d->power_fails_at) {
        return false;
    }
    d->is_dead = true;
    d->power_fails_at = UINT64_MAX;
    d->counts.cut_calls++;
    return true;
}

static bool sim_disk_draw_half(struct sim_disk *d)
{
    return prng_below(&d->prng, 2) == 0;
}

static enum err sim_open(struct vfs *v, const char *name, bool create, struct vfs_file **file)
{
    struct sim_disk *d = disk_of(v);
    ASSERT(strlen(name) < NAME_BYTES && !strchr(name, '/'));
    if (d->is_dead) {
        return ERR_IO;
    }
    struct name *n = sim_name_find(&d->cached, name);
    if (!n && !create) {
        return ERR_NOT_FOUND;
    }
    if (!n) {
        bool cut = is_cut(d);
        if (cut && sim_disk_draw_half(d)) {
            return ERR_IO;
        }
        sim_name_set(&d->cached, name, sim_disk_inode_new(d));
        n = sim_name_find(&d->cached, name);
        ASSERT(n);
        sim_note_name_change(d, NAME_CREATED, n, "");
        if (cut) {
            return ERR_IO;
        }
    }
    struct vfs_file *f = mem_alloc(sizeof(*f));
    *f = (struct vfs_file){d, d->inode[n->inode], n->inode, d->life};
    f->inode->handles++;
    *file = f;
    return ERR_OK;
}

static void sim_close(struct vfs_file *f)
{
    if (f->life == f->disk->life) { /* else the inode may be gone */
        f->inode->handles--;
        sim_disk_release(f->disk, f->number);
    }
    mem_free(f);
}

static enum err sim_read(struct vfs_file *f, uint64_t offset, void *p, size_t n, size_t *got)
{
    *got = 0;
    if (is_stale(f) || f->disk->reads_fail) {
        return ERR_IO;
    }
    if (offset < f->inode->cache_size) {
        uint64_t have = f->inode->cache_size - offset;
        *got = n < have ? n : (size_t)have;
        sim_inode_get(f->inode, offset, p, *got);
    }
    return ERR_OK;
}

static enum err sim_write(struct vfs_file *f, uint64_t offset, const void *p, size_t n)
{
    struct sim_disk *d = f->disk;
    if (is_stale(f)) {
        return ERR_IO;
    }
    d->counts.write_count++;
    if (is_cut(d)) {
        sim_inode_put(f->inode, offset, p, prng_below(&d->prng, n + 1));
        return ERR_IO;
    }
    if (d->write_fails_in != UINT64_MAX && d->write_fails_in-- == 0) {
        d->write_fails_in = UINT64_MAX;
        d->counts.failed_writes++;
        sim_inode_put(f->inode, offset, p, prng_below(&d->prng, n + 1));
        return d->write_error;
    }
    const uint64_t size = f->inode->cache_size;
    const uint64_t growth = offset + n > size ? offset + n - size : 0;
    const uint64_t used = sim_disk_used(d);
    const uint64_t room = d->quota > used ? d->quota - used : 0;
    if (growth > room) {
        d->counts.full_writes++;
        uint64_t most = size + room > offset ? size + room - offset : 0;
        sim_inode_put(f->inode, offset, p, prng_below(&d->prng, (most < n ? most : n) + 1));
        return ERR_FULL;
    }
    sim_inode_put(f->inode, offset, p, n);
    return ERR_OK;
}

static enum err sim_sync(struct vfs_file *f)
{
    struct sim_disk *d = f->disk;
    if (is_stale(f)) {
        return ERR_IO;
    }
    d->counts.sync_count++;
    if (is_cut(d)) {
        if (sim_disk_draw_half(d)) {
            sim_inode_sync(f->inode);
        }
        return ERR_IO;
    }
    if (d->sync_fails_in != UINT64_MAX && d->sync_fails_in-- == 0) {
        d->sync_fails_in = UINT64_MAX;
        d->counts.failed_syncs++;
        f->inode->is_truncated = false;
        sim_inode_clean(f->inode);
        return ERR_IO;
    }
    sim_inode_sync(f->inode);
    return ERR_OK;
}

static enum err sim_truncate(struct vfs_file *f, uint64_t size)
{
    if (is_stale(f)) {
        return ERR_IO;
    }
    bool cut = is_cut(f->disk);
    if (!cut || sim_disk_draw_half(f->disk)) {
        sim_inode_cut(f->inode, size);
    }
    return cut ? ERR_IO : ERR_OK;
}

static enum err sim_size(struct vfs_file *f, uint64_t *size)
{
    *size = f->inode->cache_size;
    return is_stale(f) ? ERR_IO : ERR_OK;
}

static enum err sim_rename(struct vfs *v, const char *from, const char *to)
{
    struct sim_disk *d = disk_of(v);
    if (d->is_dead) {
        return ERR_IO;
    }
    struct name *n = sim_name_find(&d->cached, from);
    if (!n) {
        return ERR_NOT_FOUND;
    }
    bool cut = is_cut(d);
    if (cut && sim_disk_draw_half(d)) {
        return ERR_IO;
    }
    struct name moved = *n;
    sim_note_name_change(d, NAME_RENAMED, &moved, to);
    sim_name_remove(&d->cached, from);
    sim_name_set(&d->cached, to, moved.inode);
    return cut ? ERR_IO : ERR_OK;
}

static enum err sim_remove(struct vfs *v, const char *name)
{
    struct sim_disk *d = disk_of(v);
    if (d->is_dead) {
        return ERR_IO;
    }
    struct name *n = sim_name_find(&d->cached, name);
    if (!n) {
        return ERR_NOT_FOUND;
    }
    bool cut = is_cut(d);
    if (cut && sim_disk_draw_half(d)) {
        return ERR_IO;
    }
    sim_note_name_change(d, NAME_REMOVED, n, "");
    sim_name_remove(&d->cached, name);
    return cut ? ERR_IO : ERR_OK;
}

/* Power loss keeps any of what isn't synced already. */
static void sim_begin_sync(struct vfs_file *f, uint64_t offset, uint64_t n)
{
    (void)f;
    (void)offset;
    (void)n;
}

static enum err sim_sync_names(struct vfs *v)
{
    struct sim_disk *d = disk_of(v);
    if (d->is_dead) {
        return ERR_IO;
    }
    bool cut = is_cut(d);
    if ((!cut || sim_disk_draw_half(d)) && d->change_count > 0) {
        sim_name_list_copy(&d->durable, &d->cached);
        d->change_count = 0;
        sim_disk_collect(d);
    }
    return cut ? ERR_IO : ERR_OK;
}

static enum err sim_list(struct vfs *v, void (*fn)(void *ctx, const char *name), void *ctx)
{
    struct sim_disk *d = disk_of(v);
    if (d->is_dead) {
        return ERR_IO;
    }
    sim_disk_each(d, fn, ctx);
    return ERR_OK;
}

static enum err sim_free_bytes(struct vfs *v, uint64_t *bytes)
{
    struct sim_disk *d = disk_of(v);
    uint64_t used = sim_disk_used(d);
    *bytes = d->quota > used ? d->quota - used : 0;
    return d->is_dead ? ERR_IO : ERR_OK;
}

static enum err sim_lock(struct vfs *v)
{
    struct sim_disk *d = disk_of(v);
    if (d->is_dead) {
        return ERR_IO;
    }
    if (d->is_locked) {
        return ERR_LOCKED;
    }
    d->is_locked = true;
    return ERR_OK;
}

static const struct vfs_calls sim_calls = {
    .open = sim_open,
    .close = sim_close,
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .begin_sync = sim_begin_sync,
    .truncate = sim_truncate,
    .size = sim_size,
    .rename = sim_rename,
    .remove = sim_remove,
    .sync_names = sim_sync_names,
    .list = sim_list,
    .free_bytes = sim_free_bytes,
    .lock = sim_lock,
};

/* ---- Lives ---- */

struct sim_disk *sim_disk_new(uint64_t seed, uint32_t sector_bytes)
{
    ASSERT(sector_bytes == 512 || sector_bytes == 4096);
    struct sim_disk *d = mem_alloc_zero(sizeof(*d));
    d->base.call = &sim_calls;
    d->base.sector_bytes = sector_bytes;
    d->sector_bytes = sector_bytes;
    prng_seed(&d->prng, seed);
    d->quota = UINT64_MAX;
    d->power_fails_at = UINT64_MAX;
    d->sync_fails_in = UINT64_MAX;
    d->write_fails_in = UINT64_MAX;
    return d;
}

static void forget_files(struct sim_disk *d)
{
    for (uint32_t i = 0; i < d->inode_count; i++) {
        sim_inode_free(d->inode[i]);
    }
    d->inode_count = 0;
    d->first_inode = 0;
    d->cached.count = 0;
    d->durable.count = 0;
    d->change_count = 0;
}

void sim_disk_free(struct sim_disk *d)
{
    if (!d) {
        return;
    }
    forget_files(d);
    mem_free(d->inode);
    mem_free(d->cached.item);
    mem_free(d->durable.item);
    mem_free(d->change);
    mem_free(d);
}

struct vfs *sim_disk_vfs(struct sim_disk *d)
{
    return &d->base;
}

/* All handles are stale from now on. */
static void end_life(struct sim_disk *d)
{
    d->reads_fail = false;
    d->life++;
    d->is_locked = false;
    for (uint32_t i = 0; i < d->inode_count; i++) {
        if (d->inode[i])
            d->inode[i]->handles = 0;
    }
}

void sim_disk_crash(struct sim_disk *d)
{
    end_life(d);
    d->counts.crashes++;
}

void sim_disk_power_loss(struct sim_disk *d)
{
    end_life(d);
    d->counts.power_losses++;
    for (uint32_t i = 0; i < d->change_count; i++) {
        if (sim_disk_draw_half(d)) {
            sim_apply_name_change(d, &d->change[i]);
            d->counts.names_kept++;
        } else {
            d->counts.names_lost++;
        }
    }
    d->change_count = 0;
    sim_name_list_copy(&d->cached, &d->durable);
    sim_disk_collect(d);
    for (uint32_t i = 0; i < d->inode_count; i++) {
        if (d->inode[i])
            sim_disk_inode_power_loss(d, d->inode[i]);
    }
}

void sim_disk_wipe(struct sim_disk *d)
{
    end_life(d);
    forget_files(d);
}
