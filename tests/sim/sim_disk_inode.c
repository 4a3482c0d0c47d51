#include "sim_disk_inode.h"

#include <string.h>

#include "base/mem.h"

/* Memory for the first `size` bytes. */
void sim_inode_store(struct sim_inode *n, uint64_t size)
{
    if (size <= n->stored) {
        return;
    }
    uint64_t stored = n->stored ? n->stored : 4096;
    while (stored < size) {
        stored *= 4;
    }
    n->cache = mem_realloc(n->cache, stored);
    n->image = mem_realloc(n->image, stored);
    memset(n->cache + n->stored, 0, stored - n->stored);
    memset(n->image + n->stored, 0, stored - n->stored);
    n->stored = stored;
}

/* Dirty flags for the first `size` bytes. */
void sim_inode_reserve(struct sim_inode *n, uint64_t size)
{
    uint64_t sectors = n->sectors ? n->sectors : 8;
    while (sectors < (size + n->sector_bytes - 1) / n->sector_bytes) {
        sectors *= 2;
    }
    if (sectors > n->sectors) {
        n->dirty = mem_realloc_array(n->dirty, sectors, sizeof(bool));
        memset(n->dirty + n->sectors, 0, (sectors - n->sectors) * sizeof(bool));
        n->sectors = sectors;
    }
}

void sim_inode_free(struct sim_inode *n)
{
    if (n) {
        mem_free(n->cache);
        mem_free(n->image);
        mem_free(n->dirty);
        mem_free(n);
    }
}

void sim_inode_put(struct sim_inode *n, uint64_t offset, const void *p, uint64_t size)
{
    if (size == 0) {
        return;
    }
    const uint8_t *bytes = p;
    uint64_t filled = size; /* what lies behind the memory and is zero stays there */
    while (filled > 8 && offset + filled > n->stored && memcmp(bytes + filled - 8, "\0\0\0\0\0\0\0", 8) == 0) {
        filled -= 8;
    }
    while (filled > 0 && offset + filled > n->stored && bytes[filled - 1] == 0) {
        filled--;
    }
    sim_inode_reserve(n, offset + size);
    if (filled > 0) {
        sim_inode_store(n, offset + filled);
        memcpy(n->cache + offset, p, filled);
    }
    const uint64_t first = offset / n->sector_bytes;
    const uint64_t end = (offset + size - 1) / n->sector_bytes + 1;
    memset(n->dirty + first, true, (end - first) * sizeof(bool));
    const bool was_clean = n->dirty_first >= n->dirty_end;
    n->dirty_first = was_clean || first < n->dirty_first ? first : n->dirty_first;
    n->dirty_end = was_clean || end > n->dirty_end ? end : n->dirty_end;
    if (n->cache_size < offset + size) {
        n->cache_size = offset + size;
    }
}

void sim_zero_behind(uint8_t *p, uint64_t from, uint64_t end)
{
    if (from < end) {
        memset(p + from, 0, end - from);
    }
}

void sim_inode_cut(struct sim_inode *n, uint64_t size)
{
    sim_inode_reserve(n, size);
    if (size < n->cache_size) {
        sim_zero_behind(n->cache, size, sim_least(n->cache_size, n->stored));
        for (uint64_t s = (size + n->sector_bytes - 1) / n->sector_bytes; s < n->dirty_end; s++) {
            n->dirty[s] = false;
        }
        n->truncated_to = n->is_truncated && n->truncated_to < size ? n->truncated_to : size;
        n->is_truncated = true;
    }
    n->cache_size = size;
}

void sim_inode_cut_image(struct sim_inode *n)
{
    if (n->is_truncated && n->truncated_to < n->image_size) {
        sim_zero_behind(n->image, n->truncated_to, sim_least(n->image_size, n->stored));
        n->image_size = n->truncated_to;
    }
    n->is_truncated = false;
}

void sim_inode_clean(struct sim_inode *n)
{
    if (n->dirty_first < n->dirty_end) {
        memset(n->dirty + n->dirty_first, 0, (n->dirty_end - n->dirty_first) * sizeof(bool));
    }
    n->dirty_first = n->dirty_end = 0;
}

void sim_inode_sync(struct sim_inode *n)
{
    sim_inode_cut_image(n);
    for (uint64_t s = n->dirty_first; s < n->dirty_end && s * n->sector_bytes < n->stored; s++) {
        if (n->dirty[s]) {
            memcpy(n->image + s * n->sector_bytes, n->cache + s * n->sector_bytes, n->sector_bytes);
        }
    }
    n->image_size = n->cache_size;
    sim_inode_clean(n);
}

void sim_inode_get(const struct sim_inode *n, uint64_t offset, void *p, uint64_t size)
{
    const uint64_t stored = offset < n->stored ? sim_least(size, n->stored - offset) : 0;
    if (stored > 0) {
        memcpy(p, n->cache + offset, stored);
    }
    memset((uint8_t *)p + stored, 0, size - stored);
}
