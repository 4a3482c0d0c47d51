#ifndef STORAGE_SNAPSHOT_FILE_H
#define STORAGE_SNAPSHOT_FILE_H

#include "storage/snapshot_format.h"
#include "storage/vfs.h"

/* Snapshot files in a directory. All calls block: they are made on the storage thread (or at start,
 * before there is one).
 *
 *  N1  A snapshot is written under another name and takes SNAPSHOT_NAME only when all of it is
 *      durable: fdatasync, rename, fsync of the directory (P11). So SNAPSHOT_NAME is always a whole
 *      one: after a crash at any call the old one or the new one.
 *
 *  N2  Leftovers of the other names are removed at start.
 *
 *  N3  An error of a sync, and any error of a write but ERR_FULL, ends the process (P6); after
 *      ERR_FULL the file is given up, and the old snapshot is as good as before.
 *
 *  N4  The reserve of the disk is the log's (checklist P12): a file that would need it is given up,
 *      or not begun where its size is known. */
#define SNAPSHOT_NAME "snapshot"
#define SNAPSHOT_OWN_NAME "snapshot.own"           /* being made of this node's state */
#define SNAPSHOT_RECEIVED_NAME "snapshot.received" /* being received from the leader */

struct snapshot_file {
    struct vfs *vfs;
    struct vfs_file *file; /* NULL: not open */
    const char *name;      /* static or kept by the owner */
    uint64_t size;
    uint64_t unsynced;     /* written since the last begin_sync */
    uint64_t reserve;      /* free bytes of the file system that appends leave alone (P12) */
};

/* A new, empty file, or whatever was left under that name, emptied. ERR_FULL when there is no room
 * for `expected` bytes besides the reserve: then nothing was made. */
MUST_CHECK enum err snapshot_file_create(struct snapshot_file *f,
                                         struct vfs *vfs,
                                         const char *name,
                                         uint64_t expected,
                                         uint64_t reserve);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err snapshot_file_open(struct snapshot_file *f, struct vfs *vfs, const char *name);
/* At the end. The disk begins to write it MiB by MiB, so that the sync at the end has little left to
 * do: the log shares this thread. */
MUST_CHECK enum err snapshot_file_append(struct snapshot_file *f, struct slice bytes);
/* Durable, and under the name `as`, replacing what was there. Closes. */
MUST_CHECK enum err snapshot_file_publish(struct snapshot_file *f, const char *as);
/* Makes it durable under the name it has. */
MUST_CHECK enum err snapshot_file_sync(struct snapshot_file *f);
/* Appends up to `n` bytes from `offset` on to `out`; fewer only at the end. */
MUST_CHECK enum err
snapshot_file_read(struct snapshot_file *f, uint64_t offset, size_t n, struct buf *out);
void snapshot_file_close(struct snapshot_file *f);
/* Closes and removes. */
void snapshot_file_discard(struct snapshot_file *f);

/* What a whole file says of itself; reads it through, checks every block. ERR_NOT_FOUND,
 * ERR_CORRUPT, ERR_FORMAT, ERR_IO. */
struct snapshot_facts {
    struct snapshot_meta meta; /* without birth */
    uint64_t size;
    uint32_t crc; /* of the file (F1) */
    uint64_t digest;
};
MUST_CHECK enum err snapshot_file_check(struct snapshot_file *f, struct snapshot_facts *facts);
/* The HEAD block alone, read into `bytes`, which meta->birth borrows. */
MUST_CHECK enum err
snapshot_file_head(struct snapshot_file *f, struct buf *bytes, struct snapshot_meta *meta);
/* The end alone: what the last bytes of a file say of crc and digest. They are believed only once
 * the file was read through. */
MUST_CHECK enum err snapshot_file_tail(struct snapshot_file *f, uint32_t *crc, uint64_t *digest);

#endif
