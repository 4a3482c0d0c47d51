#ifndef NODE_SLOWLOG_H
#define NODE_SLOWLOG_H

#include "base/buf.h"
#include "resp/command.h"
#include "resp/reply.h"

/* The commands that took longest to answer (SLOWLOG): the newest first, at most slowlog-max-len. A time is from the command's beginning
 * at this node to its reply, so waiting for a majority's disks counts. Long arguments and argument lists are cut as Redis
 * cuts them. */
#define SLOWLOG_ARGS_MAX 32
#define SLOWLOG_ARG_BYTES 128

struct slowlog;
struct slowlog *slowlog_new(void); /* returns owned */
void slowlog_free(struct slowlog *log);

/* Argument `position` as an entry shows it: cut, and the last place of a long list says how many more there are. Appends. */
void slowlog_append_argument(struct buf *out, const struct command *command, size_t position);
/* What is remembered of a command: at most SLOWLOG_ARGS_MAX arguments. Copies. */
void slowlog_push(struct slowlog *log, const struct command *command, int64_t wall_ms, uint64_t usec, const char *address,
                  struct slice name, size_t max_entries);
size_t slowlog_size(const struct slowlog *log);
void slowlog_reset(struct slowlog *log); /* ids go on */
/* SLOWLOG GET: the newest `count`. */
void slowlog_reply(const struct slowlog *log, size_t count, struct reply *reply);

#endif
