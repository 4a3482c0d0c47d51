#ifndef TESTS_COMMANDS_REDIS_SERVER_H
#define TESTS_COMMANDS_REDIS_SERVER_H

#include <sys/types.h>

#include "base/buf.h"

/* A real redis-server of one's own, on a free port of 127.0.0.1 with an empty folder, and one
 * connection to it. */
struct redis_server {
    pid_t pid;
    int fd;
    char folder[64];
    struct buf in;
};

/* False when redis-server is not installed or did not come up. */
bool redis_server_start(struct redis_server *s);
void redis_server_stop(struct redis_server *s);
/* One command, its whole reply as raw bytes appended to `reply`. False: the connection broke. */
bool redis_server_run(struct redis_server *s,
                      const struct slice *arg,
                      size_t arg_count,
                      struct buf *reply);

#endif
