#include "sim_disk.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "sim_disk_inode.h"

#define NAME_BYTES 64
#define TEAR_BYTES 512u

struct name {
    char text[NAME_BYTES];
    uint32_t inode;
};

struct name_list {
    struct name *item;
    uint32_t count;
    uint32_t capacity;
};

enum name_change_kind { NAME_CREATED, NAME_RENAMED, NAME_REMOVED };
struct name_change {
    enum name_change_kind kind;
    struct name name;
    char to[NAME_BYTES];
};

struct sim_disk {
    struct vfs base;
    struct prng prng;
    uint32_t sector_bytes;
    struct sim_inode **inode;
    uint32_t inode_count;
    uint32_t first_inode; /* those before it are gone */
    struct name_list cached;
    struct name_list durable;
    struct name_change *change; /* since the last sync_names, in order */
    uint32_t change_count;
    uint32_t change_capacity;
    uint64_t life; /* handles of earlier lives are stale */
    bool is_locked;
    bool is_dead;
    bool tears_anywhere;
    bool reads_fail;
    uint64_t quota;
    uint64_t calls;
    uint64_t power_fails_at; /* in `calls` */
    uint64_t sync_fails_in;
    uint64_t write_fails_in;
    enum err write_error;
    struct sim_disk_counts counts;
};

struct vfs_file {
    struct sim_disk *disk;
    struct sim_inode *inode;
    uint64_t life;
};

static struct sim_disk *disk_of(struct vfs *v)
{
    return CONTAINER_OF(v, struct sim_disk, base);
}

/* ---- Names ---- */

static struct name *name_find(const struct name_list *list, const char *text)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->item[i].text, text) == 0) {
            return &list->item[i];
        }
    }
    return NULL;
}

static void name_remove(struct name_list *list, const char *text)
{
    struct name *n = name_find(list, text);
    if (n) {
        *n = list->item[--list->count];
    }
}

static void name_set(struct name_list *list, const char *text, uint32_t inode)
{
    name_remove(list, text);
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 8;
        list->item = mem_realloc_array(list->item, list->capacity, sizeof(*list->item));
    }
    struct name *n = &list->item[list->count++];
    snprintf(n->text, sizeof(n->text), "%s", text);
    n->inode = inode;
}

static void name_list_copy(struct name_list *to, const struct name_list *from)
{
    if (to->capacity < from->count) {
        to->capacity = from->capacity;
        to->item = mem_realloc_array(to->item, to->capacity, sizeof(*to->item));
    }
    to->count = from->count;
    if (from->count > 0) {
        memcpy(to->item, from->item, from->count * sizeof(*from->item));
    }
}

static void
note_change(struct sim_disk *d, enum name_change_kind kind, const struct name *name, const char *to)
{
    if (d->change_count == d->change_capacity) {
        d->change_capacity = d->change_capacity ? d->change_capacity * 2 : 8;
        d->change = mem_realloc_array(d->change, d->change_capacity, sizeof(*d->change));
    }
    struct name_change *c = &d->change[d->change_count++];
    c->kind = kind;
    c->name = *name;
    snprintf(c->to, sizeof(c->to), "%s", to);
}

static void apply_change(struct sim_disk *d, const struct name_change *c)
{
    switch (c->kind) {
    case NAME_CREATED:
        name_set(&d->durable, c->name.text, c->name.inode);
        break;
    case NAME_REMOVED:
        name_remove(&d->durable, c->name.text);
        break;
    case NAME_RENAMED:
        name_remove(&d->durable, c->name.text);
        name_set(&d->durable, c->to, c->name.inode);
        break;
    }
}

/* ---- Content ---- */

static uint32_t inode_new(struct sim_disk *d)
{
    d->inode = mem_realloc_array(d->inode, (size_t)d->inode_count + 1, sizeof(struct sim_inode *));
    d->inode[d->inode_count] = mem_alloc_zero(sizeof(struct sim_inode));
    d->inode[d->inode_count]->sector_bytes = d->sector_bytes;
    return d->inode_count++;
}

static bool names_lead_to(const struct name_list *list, uint32_t i)
{
    for (uint32_t k = 0; k < list->count; k++) {
        if (list->item[k].inode == i)
            return true;
    }
    return false;
}

static bool is_in_use(const struct sim_disk *d, uint32_t i)
{
    if (d->inode[i]->handles > 0 || names_lead_to(&d->cached, i) || names_lead_to(&d->durable, i))
        return true;
    for (uint32_t k = 0; k < d->change_count; k++) {
        if (d->change[k].name.inode == i)
            return true;
    }
    return false;
}

/* Inodes that no name leads to any more, and no handle. Their numbers are not used again. */
static void collect_inodes(struct sim_disk *d)
{
    for (uint32_t i = d->first_inode; i < d->inode_count; i++) {
        if (d->inode[i] && !is_in_use(d, i)) {
            sim_inode_free(d->inode[i]);
            d->inode[i] = NULL;
        }
    }
    while (d->first_inode < d->inode_count && !d->inode[d->first_inode]) {
        d->first_inode++;
    }
}

static void sector_power_loss(struct sim_disk *d, struct sim_inode *n, uint64_t s, uint64_t fate)
{
    const bool is_stored = s * d->sector_bytes < n->stored; /* else it was zero and becomes zero */
    uint8_t *image = is_stored ? n->image + s * d->sector_bytes : NULL;
    const uint8_t *cache = is_stored ? n->cache + s * d->sector_bytes : NULL;
    const uint32_t step = d->tears_anywhere ? 1 : TEAR_BYTES;
    const uint32_t pieces = d->sector_bytes / step;
    uint64_t kept = d->sector_bytes;
    if (fate == 2 && pieces < 2) {
        fate = prng_below(&d->prng, 2);
    }
    switch (fate) {
    case 0:
        d->counts.sectors_old++;
        return;
    case 1:
        d->counts.sectors_new++;
        break;
    case 2:
        kept = step * (1 + prng_below(&d->prng, pieces - 1));
        d->counts.sectors_torn++;
        break;
    default:
        kept = 0;
        d->counts.sectors_zero++;
        break;
    }
    if (is_stored && kept > 0) {
        memcpy(image, cache, kept);
    } else if (is_stored) {
        memset(image, 0, d->sector_bytes);
    }
    uint64_t end = (s + 1) * d->sector_bytes;
    end = end < n->cache_size ? end : n->cache_size;
    n->image_size = n->image_size > end ? n->image_size : end;
}

static void inode_power_loss(struct sim_disk *d, struct sim_inode *n)
{
    if (n->is_truncated && prng_below(&d->prng, 2) == 0) {
        n->is_truncated = false;
        d->counts.truncations_lost++;
    }
    sim_inode_cut_image(n);
    /* Mostly each sector by itself, but also all or nothing, which single draws would never give
     * for long writes. */
    const uint64_t style = prng_below(&d->prng, 8);
    for (uint64_t s = n->dirty_first; s < n->dirty_end; s++) {
        if (n->dirty[s]) {
            uint64_t fate = prng_below(&d->prng, 4);
            fate = style == 0 ? 0 : style == 1 ? 1 : style <= 3 && fate > 0 ? 1 : fate;
            sector_power_loss(d, n, s, fate);
        }
    }
    if (n->image_size < n->cache_size && prng_below(&d->prng, 2) == 0) {
        n->image_size = n->cache_size; /* The size got there before the bytes. */
    }
    n->cache_size = n->image_size;
    if (n->stored > 0) {
        sim_zero_behind(n->image, n->image_size, n->stored);
        memcpy(n->cache, n->image, n->stored);
    }
    sim_inode_clean(n);
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

static bool draw_half(struct sim_disk *d)
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
    struct name *n = name_find(&d->cached, name);
    if (!n && !create) {
        return ERR_NOT_FOUND;
    }
    if (!n) {
        bool cut = is_cut(d);
        if (cut && draw_half(d)) {
            return ERR_IO;
        }
        name_set(&d->cached, name, inode_new(d));
        n = name_find(&d->cached, name);
        ASSERT(n);
        note_change(d, NAME_CREATED, n, "");
        if (cut) {
            return ERR_IO;
        }
    }
    struct vfs_file *f = mem_alloc(sizeof(*f));
    *f = (struct vfs_file){d, d->inode[n->inode], d->life};
    f->inode->handles++;
    *file = f;
    return ERR_OK;
}

static void sim_close(struct vfs_file *f)
{
    if (f->life == f->disk->life) { /* else the inode may be gone */
        f->inode->handles--;
        collect_inodes(f->disk);
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
        if (draw_half(d)) {
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
    if (!cut || draw_half(f->disk)) {
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
    struct name *n = name_find(&d->cached, from);
    if (!n) {
        return ERR_NOT_FOUND;
    }
    bool cut = is_cut(d);
    if (cut && draw_half(d)) {
        return ERR_IO;
    }
    struct name moved = *n;
    note_change(d, NAME_RENAMED, &moved, to);
    name_remove(&d->cached, from);
    name_set(&d->cached, to, moved.inode);
    return cut ? ERR_IO : ERR_OK;
}

static enum err sim_remove(struct vfs *v, const char *name)
{
    struct sim_disk *d = disk_of(v);
    if (d->is_dead) {
        return ERR_IO;
    }
    struct name *n = name_find(&d->cached, name);
    if (!n) {
        return ERR_NOT_FOUND;
    }
    bool cut = is_cut(d);
    if (cut && draw_half(d)) {
        return ERR_IO;
    }
    note_change(d, NAME_REMOVED, n, "");
    name_remove(&d->cached, name);
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
    if (!cut || draw_half(d)) {
        name_list_copy(&d->durable, &d->cached);
        d->change_count = 0;
        collect_inodes(d);
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
        if (draw_half(d)) {
            apply_change(d, &d->change[i]);
            d->counts.names_kept++;
        } else {
            d->counts.names_lost++;
        }
    }
    d->change_count = 0;
    name_list_copy(&d->cached, &d->durable);
    collect_inodes(d);
    for (uint32_t i = 0; i < d->inode_count; i++) {
        if (d->inode[i])
            inode_power_loss(d, d->inode[i]);
    }
}

void sim_disk_wipe(struct sim_disk *d)
{
    end_life(d);
    forget_files(d);
}

/* ---- Faults ---- */

void sim_disk_power_fail_after(struct sim_disk *d, uint64_t calls)
{
    d->power_fails_at = calls == UINT64_MAX ? UINT64_MAX : d->calls + calls;
}

bool sim_disk_is_dead(const struct sim_disk *d)
{
    return d->is_dead;
}

void sim_disk_end_process(struct sim_disk *d)
{
    d->is_dead = true;
}

void sim_disk_revive(struct sim_disk *d)
{
    d->is_dead = false;
}

void sim_disk_set_quota(struct sim_disk *d, uint64_t bytes)
{
    d->quota = bytes;
}

void sim_disk_fail_sync(struct sim_disk *d, uint64_t skip)
{
    d->sync_fails_in = skip;
}

void sim_disk_fail_next_sync(struct sim_disk *d)
{
    sim_disk_fail_sync(d, 0);
}

void sim_disk_fail_write(struct sim_disk *d, uint64_t skip, enum err error)
{
    d->write_fails_in = skip;
    d->write_error = error;
}

void sim_disk_set_tear_anywhere(struct sim_disk *d, bool yes)
{
    d->tears_anywhere = yes;
}

void sim_disk_fail_read(struct sim_disk *d)
{
    d->reads_fail = true;
}

void sim_disk_heal_reads(struct sim_disk *d)
{
    d->reads_fail = false;
}

static void rot(struct sim_disk *d, uint8_t *p, uint64_t n, enum sim_rot how, uint64_t seed)
{
    struct prng same; /* the same garbage in cache and image */
    prng_seed(&same, seed);
    (void)d;
    switch (how) {
    case SIM_ROT_FLIP_BIT:
        p[0] = (uint8_t)(p[0] ^ (1u << prng_below(&same, 8)));
        break;
    case SIM_ROT_ZERO:
        memset(p, 0, n);
        break;
    case SIM_ROT_GARBAGE:
        for (uint64_t i = 0; i < n; i++) {
            p[i] = (uint8_t)prng_next(&same);
        }
        break;
    case SIM_ROT_MISPLACED:
        break; /* misplace() */
    }
}

static bool is_zero(const uint8_t *p, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

/* `n` bytes of another place of the file that holds something. False: there is none, or the same bytes. */
static bool misplace(struct sim_disk *d, struct sim_inode *node, uint64_t offset, uint64_t n)
{
    uint64_t pieces = node->cache_size / n;
    uint64_t first = prng_below(&d->prng, pieces);
    for (uint64_t i = 0; i < pieces; i++) {
        const uint64_t from = (first + i) % pieces * n;
        if (from == offset || is_zero(node->cache + from, n) || memcmp(node->cache + from, node->cache + offset, n) == 0)
            continue;
        memcpy(node->cache + offset, node->cache + from, n);
        if (offset + n <= node->image_size) {
            memcpy(node->image + offset, node->cache + from, n);
        }
        d->counts.rotten++;
        return true;
    }
    return false;
}

bool sim_disk_corrupt(
    struct sim_disk *d, const char *name, uint64_t offset, uint64_t n, enum sim_rot how)
{
    const struct name *found = name_find(&d->cached, name);
    if (!found || n == 0 || offset + n > d->inode[found->inode]->cache_size) {
        return false;
    }
    struct sim_inode *node = d->inode[found->inode];
    sim_inode_store(node, node->cache_size);
    if (how == SIM_ROT_MISPLACED)
        return misplace(d, node, offset, n);
    uint64_t seed = prng_next(&d->prng);
    rot(d, node->cache + offset, n, how, seed);
    if (offset + n <= node->image_size) {
        rot(d, node->image + offset, n, how, seed);
    }
    d->counts.rotten++;
    return true;
}

bool sim_disk_corrupt_any(struct sim_disk *d, enum sim_rot how)
{
    uint64_t candidates = 0;
    const struct name *chosen = NULL;
    uint64_t at = 0;
    for (uint32_t i = 0; i < d->cached.count; i++) {
        const struct sim_inode *n = d->inode[d->cached.item[i].inode];
        if (strncmp(d->cached.item[i].text, "snapshot", 8) == 0) {
            continue; /* rot there ends the node for good: tests/node/test_snapshot.c */
        }
        for (uint64_t s = 0; (s + 1) * d->sector_bytes <= sim_least(n->cache_size, n->stored); s++) {
            if (!is_zero(n->cache + s * d->sector_bytes, d->sector_bytes) &&
                prng_below(&d->prng, ++candidates) == 0) {
                chosen = &d->cached.item[i];
                at = s * d->sector_bytes;
            }
        }
    }
    return chosen && sim_disk_corrupt(d, chosen->text, at, d->sector_bytes, how);
}

bool sim_disk_corrupt_newest(struct sim_disk *d, enum sim_rot how, uint32_t from_end)
{
    const struct name *newest = NULL;
    uint64_t last = 0;
    for (uint32_t i = 0; i < d->cached.count; i++) {
        const struct name *name = &d->cached.item[i];
        const struct sim_inode *n = d->inode[name->inode];
        uint64_t s = sim_least(n->cache_size, n->stored) / d->sector_bytes;
        while (s > 0 && is_zero(n->cache + (s - 1) * d->sector_bytes, d->sector_bytes)) {
            s--;
        }
        if (s > from_end && (!newest || strcmp(name->text, newest->text) > 0)) {
            newest = name;
            last = s - 1 - from_end;
        }
    }
    return newest &&
           sim_disk_corrupt(d, newest->text, last * d->sector_bytes, d->sector_bytes, how);
}

/* ---- Looking ---- */

uint64_t sim_disk_used(const struct sim_disk *d)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < d->cached.count; i++) {
        used += d->inode[d->cached.item[i].inode]->cache_size;
    }
    return used;
}

uint64_t sim_disk_calls(const struct sim_disk *d)
{
    return d->calls;
}

struct slice sim_disk_file(const struct sim_disk *d, const char *name)
{
    const struct name *n = name_find(&d->cached, name);
    if (!n) {
        return (struct slice){NULL, 0};
    }
    struct sim_inode *node = d->inode[n->inode];
    sim_inode_store(node, node->cache_size);
    return (struct slice){node->cache, (size_t)node->cache_size};
}

void sim_disk_put_file(struct sim_disk *d, const char *name, struct slice bytes)
{
    uint32_t i = inode_new(d);
    sim_inode_put(d->inode[i], 0, bytes.p, bytes.n);
    sim_inode_sync(d->inode[i]);
    name_set(&d->cached, name, i);
    name_set(&d->durable, name, i);
}

void sim_disk_each(const struct sim_disk *d, void (*fn)(void *ctx, const char *name), void *ctx)
{
    for (uint32_t i = 0; i < d->cached.count; i++) {
        fn(ctx, d->cached.item[i].text);
    }
}

struct sim_disk *sim_disk_copy(const struct sim_disk *d, uint64_t seed)
{
    struct sim_disk *c = sim_disk_new(seed, d->sector_bytes);
    c->quota = d->quota;
    c->tears_anywhere = d->tears_anywhere;
    for (uint32_t i = 0; i < d->inode_count; i++) {
        const struct sim_inode *from = d->inode[i];
        const uint32_t number = inode_new(c);
        struct sim_inode *to = c->inode[number];
        if (!from) {
            continue; /* no name leads to it */
        }
        sim_inode_store(to, from->stored);
        sim_inode_reserve(to, from->sectors * d->sector_bytes);
        to->cache_size = from->cache_size;
        to->image_size = from->image_size;
        to->is_truncated = from->is_truncated;
        to->truncated_to = from->truncated_to;
        to->dirty_first = from->dirty_first;
        to->dirty_end = from->dirty_end;
        if (from->stored > 0) {
            memcpy(to->cache, from->cache, from->stored);
            memcpy(to->image, from->image, from->stored);
        }
        if (from->sectors > 0) {
            memcpy(to->dirty, from->dirty, from->sectors * sizeof(bool));
        }
    }
    name_list_copy(&c->cached, &d->cached);
    name_list_copy(&c->durable, &d->durable);
    for (uint32_t i = 0; i < d->change_count; i++) {
        note_change(c, d->change[i].kind, &d->change[i].name, d->change[i].to);
    }
    return c;
}

void sim_disk_get_counts(const struct sim_disk *d, struct sim_disk_counts *counts)
{
    *counts = d->counts;
}
