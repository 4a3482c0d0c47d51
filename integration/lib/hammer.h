#ifndef INTEGRATION_HAMMER_H
#define INTEGRATION_HAMMER_H

#include "integration/lib/cluster.h"

/* Load that knows what it may be told: many connections in one thread, each with one request under way. Each has a counter of
 * its own: INCR must answer the next number, GET the last one, so a write that is lost, doubled or invented shows in the
 * next reply. A connection knows two nodes and goes to the other one when it loses the one it has.
 *
 * A request that got an end of file without a reply was never executed, if the node was told to stop (HAMMER_STRICT): it is sent
 * again, and the number must be as if it had never been sent. In the other mode nodes die: then it may have been executed.
 * An -UNKNOWN may have been, any other error reply was not. */
struct hammer;

enum hammer_mode {
    HAMMER_STRICT, /* error replies, resets and silence are failures */
    HAMMER_DEATHS, /* they are counted */
};

/* Connection k knows the nodes k % c->count and (k + 1) % c->count. */
struct hammer *hammer_start(const struct cluster *c, size_t connections, enum hammer_mode mode);
/* Begins a window in which the longest time between two acknowledged writes is looked for. */
void hammer_mark(struct hammer *h);
/* Of the window up to now, milliseconds; a silence that is still going on counts. */
double hammer_longest_ms(struct hammer *h);
uint64_t hammer_acknowledged(const struct hammer *h); /* writes */
/* Waits until so many more writes were acknowledged. */
bool hammer_wait(const struct hammer *h, uint64_t more, int timeout_ms);
/* Ends it, reads every counter on every running node and fails the test for what can't be; prints one line. */
void hammer_stop(struct hammer *h);

/* "p50 12.1 ms, p90 .., p99 .., max .." of count values; returns p99 and p50. Sorts them. */
double hammer_quantiles(double *ms, size_t count, char *text, size_t size, double *p50);

#endif
