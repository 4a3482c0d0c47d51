#ifndef INTEGRATION_RECORDER_H
#define INTEGRATION_RECORDER_H

#include "integration/lib/cluster.h"

/* Clients that run all kinds of commands on the same few keys at once, and a record of what they saw, in the format of docs/HISTORY.md,
 * which coracle-check then judges. Each client has a connection of its own and one command at a time under way; when the connection is
 * lost it goes on with the next node. */
struct recorder;

enum { RECORDER_CLIENTS = 6 };

/* `level`: of the clients' reads ("quorum", "lease"), NULL: the server's own. */
struct recorder *recorder_start(const struct cluster *c, const char *level);
/* Waits until `more` commands were answered without an error from now on. */
bool recorder_wait_progress(const struct recorder *r, uint64_t more, int timeout_ms);
/* Ends the clients, writes history.jsonl into the test's folder, has coracle-check judge it and fails the test if it is not linearizable.
 * Frees the recorder. */
void recorder_finish(struct recorder *r);

#endif
