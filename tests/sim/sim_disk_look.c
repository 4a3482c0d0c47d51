#include "sim_disk_internal.h"

#include <string.h>

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
    const struct name *n = sim_name_find(&d->cached, name);
    if (!n) {
        return (struct slice){NULL, 0};
    }
    struct sim_inode *node = d->inode[n->inode];
    sim_inode_store(node, node->cache_size);
    return (struct slice){node->cache, (size_t)node->cache_size};
}

void sim_disk_put_file(struct sim_disk *d, const char *name, struct slice bytes)
{
    uint32_t i = sim_disk_inode_new(d);
    sim_inode_put(d->inode[i], 0, bytes.p, bytes.n);
    sim_inode_sync(d->inode[i]);
    sim_name_set(&d->cached, name, i);
    sim_name_set(&d->durable, name, i);
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
        const uint32_t number = sim_disk_inode_new(c);
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
    sim_name_list_copy(&c->cached, &d->cached);
    sim_name_list_copy(&c->durable, &d->durable);
    for (uint32_t i = 0; i < d->change_count; i++) {
        sim_note_name_change(c, d->change[i].kind, &d->change[i].name, d->change[i].to);
    }
    return c;
}

void sim_disk_get_counts(const struct sim_disk *d, struct sim_disk_counts *counts)
{
    *counts = d->counts;
}
