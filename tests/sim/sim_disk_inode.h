#ifndef SIM_SIM_DISK_INODE_H
#define SIM_SIM_DISK_INODE_H

#include <stdbool.h>
#include <stdint.h>

/* A file's content; lives on while any name, durable or cached, leads to it. Logs are filled with zeros far ahead: cache and image hold
 * `stored` bytes, what lies behind them is zero and takes no memory. */
struct sim_inode {
    uint32_t sector_bytes;
    uint8_t *cache;
    uint8_t *image;
    bool *dirty; /* by sector */
    uint64_t cache_size;
    uint64_t image_size;
    uint64_t stored;       /* in whole sectors */
    uint64_t sectors;      /* that `dirty` has room for */
    uint64_t dirty_first;  /* sectors outside are clean */
    uint64_t dirty_end;
    uint32_t handles;      /* of the present life */
    bool is_truncated;     /* the cache was cut below its size of the last sync ... */
    uint64_t truncated_to; /* ... to this, at the least */
};

void sim_inode_free(struct sim_inode *n); /* NULL allowed */
/* Memory for the first `size` bytes; dirty flags for as many. */
void sim_inode_store(struct sim_inode *n, uint64_t size);
void sim_inode_reserve(struct sim_inode *n, uint64_t size);
/* Bytes of the cache: written (and dirty), read (all within cache_size), cut off. */
void sim_inode_put(struct sim_inode *n, uint64_t offset, const void *p, uint64_t size);
void sim_inode_get(const struct sim_inode *n, uint64_t offset, void *p, uint64_t size);
void sim_inode_cut(struct sim_inode *n, uint64_t size);
/* The image becomes the cache; only a pending cut reaches the image; the pages count as clean, wherever their bytes are. */
void sim_inode_sync(struct sim_inode *n);
void sim_inode_cut_image(struct sim_inode *n);
void sim_inode_clean(struct sim_inode *n);

void sim_zero_behind(uint8_t *p, uint64_t from, uint64_t end);
static inline uint64_t sim_least(uint64_t a, uint64_t b) { return a < b ? a : b; }

#endif
