#ifndef INTEGRATION_WRITERS_H
#define INTEGRATION_WRITERS_H

#include "integration/lib/cluster.h"

/* Write load in the background: threads that each write keys of their own, one after the other, in pipelines, and
 * remember which were acknowledged. Every key is written once, with a value that follows from it, so afterwards one
 * can ask of every acknowledged write whether it is there.
 *
 * Thread t begins on node t % count; when its connection is lost it goes on with a new key on the next node that
 * takes connections. A key whose write was not answered, or answered -UNKNOWN, is undecided: it may be there or not. */
struct writers;

struct writers *writers_start(const struct cluster *c, size_t thread_count, size_t pipeline, const char *prefix);
/* Writes acknowledged up to now. */
uint64_t writers_acknowledged(const struct writers *w);
/* Waits until `more` writes were acknowledged from now on. */
bool writers_wait_progress(const struct writers *w, uint64_t more, int timeout_ms);
/* Ends the load and waits for the threads. */
void writers_stop(struct writers *w);
/* Reads every key on node i, with the node's read level: an acknowledged write that is missing or wrong, a refused one
 * that is there, and an undecided one with a wrong value, fail the test. Returns how many failed. */
size_t writers_verify(const struct writers *w, const struct cluster *c, size_t i);
void writers_free(struct writers *w);
/* One line: how many were acknowledged, refused, undecided, connections lost, error codes seen. */
void writers_note(const struct writers *w);

#endif
