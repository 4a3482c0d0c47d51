#ifndef NODE_COMMAND_STATS_H
#define NODE_COMMAND_STATS_H

#include "base/buf.h"
#include "commands/command_row.h"
#include "node/percentiles.h"

/* What INFO commandstats, latencystats and errorstats, and LATENCY HISTOGRAM show: per command how often and how long, per error
 * code how often. Times are from the moment a command begins at this node to its reply, the wait for a majority's disks included,
 * in µs. Not state: this process only. */
#define COMMAND_STATS_BUCKETS 320 /* eight steps per power of two, up to 2^40 µs */

struct command_stat {
    const struct command_row *row; /* NULL: an empty place of the table */
    uint64_t calls;
    uint64_t usec;
    uint64_t rejected;   /* refused before it ran: arity, NOAUTH, OOM, ... */
    uint64_t failed;     /* ran and answered an error */
    uint64_t timed;      /* calls in the histogram: those made with latency-tracking */
    uint32_t *histogram; /* COMMAND_STATS_BUCKETS; owned; NULL before the first of them */
};

struct command_stats;
struct command_stats *command_stats_new(void); /* returns owned */
void command_stats_free(struct command_stats *s);
/* CONFIG RESETSTAT. */
void command_stats_reset(struct command_stats *s);

/* Returns the row's figures, for command_stats_time. */
struct command_stat *
command_stats_call(struct command_stats *s, const struct command_row *row, uint64_t usec, bool has_failed);
/* Into the histogram. */
void command_stats_time(struct command_stat *stat, uint64_t usec);
/* A command of a transaction: called, but its time is EXEC's. */
void command_stats_nested(struct command_stats *s, const struct command_row *row, bool has_failed);
void command_stats_rejected(struct command_stats *s, const struct command_row *row);
/* `reply` begins with the error's '-'; without a code word it counts as ERR. */
void command_stats_error(struct command_stats *s, struct slice reply);

/* NULL: nothing of it was counted. */
const struct command_stat *command_stats_find(const struct command_stats *s, const struct command_row *row);
/* The smallest bucket bound (µs) that `percent` of the calls do not exceed. */
double command_stats_percentile(const struct command_stat *stat, double percent);
/* How many calls took at most 2^power µs. */
uint64_t command_stats_up_to(const struct command_stat *stat, unsigned power);

/* Lines of the three INFO sections, by name of the command in the table. */
void command_stats_append_calls(const struct command_stats *s, const struct command_table *t, struct buf *out);
void command_stats_append_latencies(
    const struct command_stats *s, const struct command_table *t, const struct percentiles *p, struct buf *out);
void command_stats_append_errors(const struct command_stats *s, struct buf *out);

#endif
