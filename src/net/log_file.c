#include "net/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/clock.h"

static int log_file_open_path(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

bool log_file_open(struct log_file *f, const char *path, enum log_level level)
{
    *f = (struct log_file){.fd = STDOUT_FILENO, .level = level};
    if (path[0] == '\0') {
        return true;
    }
    f->fd = log_file_open_path(path);
    if (f->fd < 0) {
        f->fd = STDOUT_FILENO;
        return false;
    }
    f->path = mem_copy_string(path, strlen(path));
    return true;
}

bool log_file_reopen(struct log_file *f)
{
    if (!f->path) {
        return true;
    }
    int fd = log_file_open_path(f->path);
    if (fd < 0) {
        return false;
    }
    (void)close(f->fd);
    f->fd = fd;
    return true;
}

void log_file_close(struct log_file *f)
{
    if (f->path) {
        (void)close(f->fd);
        mem_free(f->path);
    }
    *f = (struct log_file){.fd = STDOUT_FILENO};
}

static void log_file_write(void *ctx, enum log_level level, const char *line)
{
    static const char *const name[] = {"DEBUG", "VERBOSE", "NOTICE", "WARNING"};
    struct log_file *f = ctx;
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm t;
    char stamp[32];
    char who[320] = "";
    char text[2048];

    if (level < f->level || !gmtime_r(&seconds, &t) || strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &t) == 0) {
        return;
    }
    if (f->describe) {
        f->describe(f->describe_ctx, who, sizeof who);
    }
    int n = snprintf(text, sizeof text - 1, "%s.%03d %s [%s] %s", stamp, (int)(now_ms % 1000), name[level], who, line);
    if (n < 0) {
        return;
    }
    size_t size = (size_t)n < sizeof text - 1 ? (size_t)n : sizeof text - 2;
    text[size++] = '\n';
    /* A log that can't be written must not stop the node. */
    ssize_t written = write(f->fd, text, size);
    (void)written;
}

struct log_sink log_file_sink(struct log_file *f)
{
    return (struct log_sink){.level = LOG_DEBUG, .write_fn = log_file_write, .ctx = f};
}
