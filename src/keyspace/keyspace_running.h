#ifndef KEYSPACE_KEYSPACE_RUNNING_H
#define KEYSPACE_KEYSPACE_RUNNING_H

#include "keyspace/keyspace.h"

/* The running digest: one number that every change so far went into, in order; equal on nodes that applied the same entries. O(1).
 * What changed without a command it doesn't know: keyspace_digest does. */
uint64_t keyspace_running_digest(const struct keyspace *k);

/* Changes one bit of the key's state behind the funnel's back, on this node alone: for tests of what finds such things. False: there
 * is no such key. */
bool keyspace_corrupt(struct keyspace *k, uint32_t db, struct slice key);

#endif
