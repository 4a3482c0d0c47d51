#ifndef KEYSPACE_AHEAD_H
#define KEYSPACE_AHEAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Keys that will be looked up soon, several at once. Each lookup in a big table waits for memory three times (chain, entry, value);
 * when the keys of the next entries are known, their loads overlap. Only hints: nothing is changed or answered, and a key that is not
 * there, or not looked up after all, costs nothing but the load. */
struct keyspace;

#define KEYSPACE_AHEAD_MAX 16

struct keyspace_ahead {
    uint32_t db; /* < LIMIT_DATABASES */
    struct slice key;
};

/* count <= KEYSPACE_AHEAD_MAX. */
void keyspace_load_ahead(const struct keyspace *k, const struct keyspace_ahead *ahead, size_t count);

#endif
