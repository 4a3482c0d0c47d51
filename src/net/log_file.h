#ifndef NET_LOG_FILE_H
#define NET_LOG_FILE_H

#include <stdbool.h>

#include "base/log.h"

/* Log lines to a file or standard output: "2026-11-20 12:03:17.123 NOTICE [127.0.0.1:7001 term 3] sentence". One write per line, so
 * that lines of several threads never mix. */
struct log_file {
    char *path;            /* owned; NULL: standard output */
    int fd;
    enum log_level level;  /* lines below it are dropped; changed by CONFIG SET loglevel */
    /* Who speaks, asked for each line. May be NULL. */
    void (*describe)(void *ctx, char *text, unsigned room);
    void *describe_ctx;
};

/* `path` "" is standard output. False when it can't be opened (errno says why). */
bool log_file_open(struct log_file *f, const char *path, enum log_level level);
/* SIGHUP: the file was moved away, begin a new one. Keeps the old one if that fails. */
bool log_file_reopen(struct log_file *f);
void log_file_close(struct log_file *f);
/* Everything at or above LOG_DEBUG comes here; the file's level decides. Keeps `f`. */
struct log_sink log_file_sink(struct log_file *f);

#endif
