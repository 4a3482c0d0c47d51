#define _GNU_SOURCE

#include "storage/vfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "storage/vfs_posix_reaper.h"

/* The only file that opens files. Names are resolved against a descriptor of the data directory, so
 * that a later chdir or rename of its parents changes nothing. */

#define LOCK_NAME "LOCK"
#define UNKNOWN_SECTOR_BYTES                                                                       \
    4096 /* when the device doesn't say: always a multiple of the true one */

struct vfs_posix {
    struct vfs base;
    int directory_fd;
    int lock_fd; /* -1 until locked */
    struct reaper *reaper;
};

struct vfs_file {
    int fd;
};

static struct vfs_posix *posix_of(struct vfs *v)
{
    return CONTAINER_OF(v, struct vfs_posix, base);
}

static enum err err_of_errno(void)
{
    switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    default:
        return ERR_IO;
    }
}

static enum err
posix_open_file(struct vfs *v, const char *name, bool create, struct vfs_file **file)
{
    ASSERT(!strchr(name, '/'));
    int fd;
    do {
        fd = openat(posix_of(v)->directory_fd, name,
                    O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0), 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        return err_of_errno();
    }
    *file = mem_alloc(sizeof(**file));
    (*file)->fd = fd;
    return ERR_OK;
}

static void posix_close_file(struct vfs_file *f)
{
    /* What matters was synced; a failure here has nobody left to tell. */
    (void)close(f->fd);
    mem_free(f);
}

static enum err posix_read(struct vfs_file *f, uint64_t offset, void *p, size_t n, size_t *got)
{
    *got = 0;
    while (*got < n) {
        ssize_t r = pread(f->fd, (char *)p + *got, n - *got, (off_t)(offset + *got));
        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r < 0) {
            return ERR_IO;
        }
        if (r == 0) {
            break;
        }
        *got += (size_t)r;
    }
    return ERR_OK;
}

static enum err posix_write(struct vfs_file *f, uint64_t offset, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t r = pwrite(f->fd, at, n, (off_t)offset);
        if (r < 0 && errno == EINTR) {
            continue;
        }
        if (r <= 0) {
            return r < 0 && err_of_errno() == ERR_FULL ? ERR_FULL : ERR_IO;
        }
        at += r;
        n -= (size_t)r;
        offset += (uint64_t)r;
    }
    return ERR_OK;
}

static enum err posix_sync(struct vfs_file *f)
{
    /* Never retried: a second call may report success for pages that were dropped (P6). */
    return fdatasync(f->fd) == 0 ? ERR_OK : ERR_IO;
}

static void posix_begin_sync(struct vfs_file *f, uint64_t offset, uint64_t n)
{
    (void)sync_file_range(f->fd, (off_t)offset, (off_t)n, SYNC_FILE_RANGE_WRITE);
}

static enum err posix_truncate(struct vfs_file *f, uint64_t size)
{
    int r;
    do {
        r = ftruncate(f->fd, (off_t)size);
    } while (r < 0 && errno == EINTR);
    return r == 0 ? ERR_OK : err_of_errno();
}

static enum err posix_size(struct vfs_file *f, uint64_t *size)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0) {
        return ERR_IO;
    }
    *size = (uint64_t)st.st_size;
    return ERR_OK;
}

static enum err posix_rename(struct vfs *v, const char *from, const char *to)
{
    int fd = posix_of(v)->directory_fd;
    return renameat(fd, from, fd, to) == 0 ? ERR_OK : err_of_errno();
}

static enum err posix_remove(struct vfs *v, const char *name)
{
    struct vfs_posix *p = posix_of(v);
    /* Held open over the removal, so that giving the space back is not this thread's work. */
    int fd = openat(p->directory_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (unlinkat(p->directory_fd, name, 0) != 0) {
        enum err e = err_of_errno();
        if (fd >= 0) {
            (void)close(fd);
        }
        return e;
    }
    if (fd >= 0) {
        reaper_take(p->reaper, fd);
    }
    return ERR_OK;
}

static enum err posix_sync_names(struct vfs *v)
{
    return fsync(posix_of(v)->directory_fd) == 0 ? ERR_OK : ERR_IO;
}

static enum err posix_list(struct vfs *v, void (*fn)(void *ctx, const char *name), void *ctx)
{
    int fd = openat(posix_of(v)->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    DIR *d = fdopendir(fd);
    if (!d) {
        (void)close(fd);
        return ERR_IO;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (!entry) {
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            fn(ctx, entry->d_name);
        }
    }
    enum err e = errno == 0 ? ERR_OK : ERR_IO;
    (void)closedir(d);
    return e;
}

static enum err posix_free_bytes(struct vfs *v, uint64_t *bytes)
{
    struct statvfs st;
    int r;
    do {
        r = fstatvfs(posix_of(v)->directory_fd, &st);
    } while (r < 0 && errno == EINTR);
    if (r != 0) {
        return ERR_IO;
    }
    *bytes = (uint64_t)st.f_bavail * (uint64_t)st.f_frsize;
    return ERR_OK;
}

static enum err posix_lock(struct vfs *v)
{
    struct vfs_posix *p = posix_of(v);
    if (p->lock_fd >= 0) {
        return ERR_LOCKED;
    }
    int fd = openat(p->directory_fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return err_of_errno();
    }
    int r;
    do {
        r = flock(fd, LOCK_EX | LOCK_NB);
    } while (r < 0 && errno == EINTR);
    if (r != 0) {
        enum err e = errno == EWOULDBLOCK ? ERR_LOCKED : ERR_IO;
        (void)close(fd);
        return e;
    }
    p->lock_fd = fd;
    return ERR_OK;
}

static const struct vfs_calls posix_calls = {
    .open = posix_open_file,
    .close = posix_close_file,
    .read = posix_read,
    .write = posix_write,
    .sync = posix_sync,
    .begin_sync = posix_begin_sync,
    .truncate = posix_truncate,
    .size = posix_size,
    .rename = posix_rename,
    .remove = posix_remove,
    .sync_names = posix_sync_names,
    .list = posix_list,
    .free_bytes = posix_free_bytes,
    .lock = posix_lock,
};

/* The device's physical sector, from sysfs: the device itself, or the disk that a partition lies
 * on. */
static uint32_t sector_bytes_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return UNKNOWN_SECTOR_BYTES;
    }
    for (int i = 0; i < 2; i++) {
        char path[96];
        char text[16] = {0};
        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%squeue/physical_block_size",
                 major(st.st_dev), minor(st.st_dev), i == 0 ? "" : "../");
        int sys_fd = open(path, O_RDONLY | O_CLOEXEC);
        if (sys_fd < 0) {
            continue;
        }
        ssize_t n = read(sys_fd, text, sizeof(text) - 1);
        (void)close(sys_fd);
        if (n > 0) {
            return strtoul(text, NULL, 10) == 512 ? 512 : UNKNOWN_SECTOR_BYTES;
        }
    }
    return UNKNOWN_SECTOR_BYTES;
}

static enum err sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    int r = fsync(fd);
    (void)close(fd);
    return r == 0 ? ERR_OK : ERR_IO;
}

/* Makes one directory; a new one's name is durable in its parent (P10). */
static enum err make_directory(const char *path, const char *parent)
{
    if (mkdir(path, 0700) == 0) {
        return sync_directory(parent);
    }
    return errno == EEXIST ? ERR_OK : err_of_errno();
}

static enum err make_directories(const char *directory)
{
    char path[PATH_MAX];
    char parent[PATH_MAX];
    size_t n = strlen(directory);
    if (n == 0 || n >= sizeof(path)) {
        return ERR_INVALID;
    }
    snprintf(parent, sizeof(parent), "%s", directory[0] == '/' ? "/" : ".");
    for (size_t i = 1; i <= n; i++) {
        if (directory[i] != '/' && directory[i] != '\0') {
            continue;
        }
        memcpy(path, directory, i);
        path[i] = '\0';
        enum err e = make_directory(path, parent);
        if (e != ERR_OK) {
            return e;
        }
        memcpy(parent, path, i + 1);
    }
    return ERR_OK;
}

enum err vfs_posix_open(const char *directory, struct vfs **vfs)
{
    enum err e = make_directories(directory);
    if (e != ERR_OK) {
        return e;
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return err_of_errno();
    }
    struct vfs_posix *p = mem_alloc_zero(sizeof(*p));
    p->base.call = &posix_calls;
    p->base.sector_bytes = sector_bytes_of(fd);
    p->directory_fd = fd;
    p->lock_fd = -1;
    p->reaper = reaper_new();
    *vfs = &p->base;
    return ERR_OK;
}

void vfs_posix_close(struct vfs *vfs)
{
    if (!vfs) {
        return;
    }
    struct vfs_posix *p = posix_of(vfs);
    reaper_free(p->reaper);
    if (p->lock_fd >= 0) {
        (void)close(p->lock_fd);
    }
    (void)close(p->directory_fd);
    mem_free(p);
}
