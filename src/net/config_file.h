#ifndef NET_CONFIG_FILE_H
#define NET_CONFIG_FILE_H

#include "node/options.h"

/* Puts the present values into the configuration file at `path`, as a whole or not at all. On an error appends to `why`. */
struct buf;
bool config_file_rewrite(const char *path, const struct options *o, struct buf *why);

#endif
