#include "sim_disk_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

/* Names in the cache and on the disk, what changed since the directory was synced, and what a power loss leaves of a file. */

#define TEAR_BYTES 512u

/* ---- Names ---- */

struct name *sim_name_find(const struct name_list *list, const char *text)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->item[i].text, text) == 0) {
            return &list->item[i];
        }
    }
    return NULL;
}

void sim_name_remove(struct name_list *list, const char *text)
{
    struct name *n = sim_name_find(list, text);
    if (n) {
        *n = list->item[--list->count];
    }
}

void sim_name_set(struct name_list *list, const char *text, uint32_t inode)
{
    sim_name_remove(list, text);
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 8;
        list->item = mem_realloc_array(list->item, list->capacity, sizeof(*list->item));
    }
    struct name *n = &list->item[list->count++];
    snprintf(n->text, sizeof(n->text), "%s", text);
    n->inode = inode;
}

void sim_name_list_copy(struct name_list *to, const struct name_list *from)
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

void
sim_note_name_change(struct sim_disk *d, enum name_change_kind kind, const struct name *name, const char *to)
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

void sim_apply_name_change(struct sim_disk *d, const struct name_change *c)
{
    switch (c->kind) {
    case NAME_CREATED:
        sim_name_set(&d->durable, c->name.text, c->name.inode);
        break;
    case NAME_REMOVED:
        sim_name_remove(&d->durable, c->name.text);
        break;
    case NAME_RENAMED:
        sim_name_remove(&d->durable, c->name.text);
        sim_name_set(&d->durable, c->to, c->name.inode);
        break;
    }
}

/* ---- Content ---- */

uint32_t sim_disk_inode_new(struct sim_disk *d)
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

/* An inode that no name leads to any more, and no handle, goes. Its number is not used again. */
static void release(struct sim_disk *d, uint32_t i)
{
    if (d->inode[i] && !is_in_use(d, i)) {
        sim_inode_free(d->inode[i]);
        d->inode[i] = NULL;
    }
}

void sim_disk_release(struct sim_disk *d, uint32_t number)
{
    release(d, number);
    while (d->first_inode < d->inode_count && !d->inode[d->first_inode]) {
        d->first_inode++;
    }
}

void sim_disk_collect(struct sim_disk *d)
{
    for (uint32_t i = d->first_inode; i < d->inode_count; i++) {
        release(d, i);
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

void sim_disk_inode_power_loss(struct sim_disk *d, struct sim_inode *n)
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
