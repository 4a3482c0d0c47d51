#include "net/file_read.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)1 << 20)
#define SECRET_BYTES_MIN 16

static enum err read_all(int fd, const char *path, struct buf *out, struct buf *why)
{
    for (;;) {
        ssize_t n = read(fd, buf_reserve(out, 4096), 4096);

        if (n == 0) {
            return ERR_OK;
        }
        if (n < 0 && errno != EINTR) {
            buf_printf(why, "%s can't be read: %s.", path, strerror(errno));
            return ERR_IO;
        }
        buf_commit(out, n > 0 ? (size_t)n : 0);
        if (buf_size(out) > FILE_BYTES_MAX) {
            buf_printf(why, "%s is longer than 1 MiB.", path);
            return ERR_TOO_BIG;
        }
    }
}

enum err file_read(const char *path, struct buf *out, struct buf *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        buf_printf(why, "%s can't be opened: %s.", path, strerror(errno));
        return ERR_NOT_FOUND;
    }
    enum err error = read_all(fd, path, out, why);
    (void)close(fd);
    return error;
}

enum err file_read_secret(const char *path, struct buf *out, struct buf *why)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &status) != 0) {
        buf_printf(why, "cluster-secret-file %s can't be opened: %s.", path, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return ERR_NOT_FOUND;
    }
    enum err error = ERR_OK;
    if (!S_ISREG(status.st_mode)) {
        buf_printf(why, "cluster-secret-file %s is not a regular file.", path);
        error = ERR_INVALID;
    } else if (status.st_mode & (S_IRWXG | S_IRWXO)) {
        buf_printf(why, "cluster-secret-file %s may be read by others than its owner; chmod 600 it.", path);
        error = ERR_INVALID;
    } else {
        error = read_all(fd, path, out, why);
    }
    (void)close(fd);
    while (error == ERR_OK && buf_size(out) > 0 && (out->data[out->end - 1] == '\n' || out->data[out->end - 1] == '\r')) {
        buf_truncate(out, buf_size(out) - 1);
    }
    if (error == ERR_OK && buf_size(out) < SECRET_BYTES_MIN) {
        buf_printf(why, "cluster-secret-file %s holds %zu bytes; at least %d are needed.", path, buf_size(out),
                   SECRET_BYTES_MIN);
        error = ERR_INVALID;
    }
    return error;
}
