#ifndef NET_SERVER_H
#define NET_SERVER_H

#include "node/options.h"

/* A running server: one node on one loop. Blocks until SIGTERM or SIGINT was obeyed. `file` is the configuration file's path
 * or NULL, for INFO; `secret` the cluster's. Borrows all. Returns the process's exit status. */
int server_run(struct options *options, const char *file, struct slice secret);

#endif
