#ifndef STORAGE_VFS_H
#define STORAGE_VFS_H

#include "base/err.h"
#include "base/slice.h"

/* The file system as the log needs it: a dozen calls, two back ends (vfs_posix.c, and the simulator's disk). Names are
 * relative to one data directory and hold no '/'. All calls block; after start-up they are made on the storage thread
 * only. Errors: ERR_FULL for ENOSPC, EDQUOT, EFBIG; ERR_NOT_FOUND; ERR_IO for the rest, after
 * which nothing in the page cache can be trusted (checklist P6): the caller ends the process. */
struct vfs;
struct vfs_file;

struct vfs_calls {
    /* Opens an existing file (or creates it, empty, when `create`). */
    enum err (*open)(struct vfs *v, const char *name, bool create, struct vfs_file **file);
    void (*close)(struct vfs_file *f);
    /* Reads up to n bytes at offset; *got < n only at the end of the file. */
    enum err (*read)(struct vfs_file *f, uint64_t offset, void *p, size_t n, size_t *got);
    /* Writes all n bytes at offset (loops on short writes); on an error any prefix may be there. */
    enum err (*write)(struct vfs_file *f, uint64_t offset, const void *p, size_t n);
    /* fdatasync. */
    enum err (*sync)(struct vfs_file *f);
    /* A hint: what was written there may go to the disk now, so that the next sync has little left to do.
     * Promises nothing and doesn't wait. */
    void (*begin_sync)(struct vfs_file *f, uint64_t offset, uint64_t n);
    enum err (*truncate)(struct vfs_file *f, uint64_t size);
    enum err (*size)(struct vfs_file *f, uint64_t *size);
    enum err (*rename)(struct vfs *v, const char *from, const char *to);
    enum err (*remove)(struct vfs *v, const char *name);
    /* fsync of the directory: names created, renamed and removed so far are durable afterwards (P10). */
    enum err (*sync_names)(struct vfs *v);
    /* Calls fn for every file name, in no order. */
    enum err (*list)(struct vfs *v, void (*fn)(void *ctx, const char *name), void *ctx);
    /* Bytes that may still be written; for the disk reserve. */
    enum err (*free_bytes)(struct vfs *v, uint64_t *bytes);
    /* One process per directory (flock); held until the vfs is closed. ERR_LOCKED. */
    enum err (*lock)(struct vfs *v);
};

struct vfs {
    const struct vfs_calls *call;
    uint32_t sector_bytes; /* physical sector: 512 or 4096; batches begin and end on it */
};

/* The real one, in vfs_posix.c: makes the directory (mode 0700, parents too, directories fsynced) if missing. Returns owned. */
MUST_CHECK enum err vfs_posix_open(const char *directory, struct vfs **vfs);
void vfs_posix_close(struct vfs *vfs);

#endif
