#ifndef NET_FILE_READ_H
#define NET_FILE_READ_H

#include "base/buf.h"
#include "base/err.h"

/* Reads a small file (configuration, secret) whole, at most 1 MiB, into `out`. On an error appends a sentence to `why`. */
MUST_CHECK enum err file_read(const char *path, struct buf *out, struct buf *why);
/* The cluster's secret: a regular file that only its owner may read, >= 16 bytes; line ends at its end don't count. */
MUST_CHECK enum err file_read_secret(const char *path, struct buf *out, struct buf *why);

#endif
