#ifndef TESTS_COMMANDS_ROWS_H
#define TESTS_COMMANDS_ROWS_H

#include "commands/command_row.h"

/* A keyspace and the data rows, without a node: commands are checked and run as a node would, one
 * entry each. */
struct rows {
    struct command_table *table;
    struct keyspace *keyspace;
    enum reply_protocol protocol;
    uint32_t db;
    raft_index index;
    int64_t time_ms; /* of the next entry and read */
    uint64_t seed;   /* of their random choices */
    struct buf out;  /* the last reply */
    bool is_error;
    bool met_due;
};

void rows_init(struct rows *r);
void rows_deinit(struct rows *r);
/* Run one command; its reply is the returned slice, until the next one. A write is an entry of its
 * own, a read sees time_ms. */
struct slice rows_run(struct rows *r, const struct slice *arg, size_t arg_count);
/* The words of `line` are split at blanks; the reply NUL-terminated. */
const char *rows_line(struct rows *r, const char *line);
/* False where the machine computes long doubles with 64 bits, as valgrind does: INCRBYFLOAT and HINCRBYFLOAT give other digits than Redis
 * there, saturate instead of becoming infinite, and so take what Redis refuses. Tests leave them out then. */
bool rows_has_long_double(void);
/* Put a value of another type, which no command can make yet, at a key. */
void rows_put_list(struct rows *r, const char *key);

#endif
