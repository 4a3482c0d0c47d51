#define _GNU_SOURCE
#include "net/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/file_read.h"

static bool failed(struct buf *why)
{
    buf_printf(why, "Rewriting config file: %s", strerror(errno));
    return false;
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);

        if (n < 0 && errno != EINTR) {
            return false;
        }
        bytes = slice_skip(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

/* So that the new name survives a power failure. */
static void sync_directory(const char *path)
{
    const char *slash = strrchr(path, '/');
    char directory[4096] = ".";

    if (slash && (size_t)(slash - path) < sizeof directory) {
        size_t n = slash > path ? (size_t)(slash - path) : 1;

        memcpy(directory, path, n);
        directory[n] = '\0';
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
}

static bool replace_file(const char *path, struct slice text, struct buf *why)
{
    char temporary[4096 + 32];
    struct stat old;
    mode_t mode = stat(path, &old) == 0 ? old.st_mode & 0777 : 0644;

    (void)snprintf(temporary, sizeof temporary, "%s.%d.tmp", path, (int)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return failed(why);
    }
    bool is_fine = write_all(fd, text) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    is_fine = is_fine ? close(fd) == 0 && rename(temporary, path) == 0 : ((void)close(fd), false);
    if (!is_fine) {
        (void)failed(why);
        (void)unlink(temporary);
        return false;
    }
    sync_directory(path);
    return true;
}

bool config_file_rewrite(const char *path, const struct options *o, struct buf *why)
{
    struct buf old = {0};
    struct buf text = {0};
    bool is_fine = false;

    if (file_read(path, &old, why) == ERR_OK) {
        options_rewrite(o, buf_slice(&old), &text);
        is_fine = replace_file(path, buf_slice(&text), why);
    }
    buf_deinit(&old);
    buf_deinit(&text);
    return is_fine;
}
