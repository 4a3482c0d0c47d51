#ifndef SIM_FEED_CHAIN_H
#define SIM_FEED_CHAIN_H

#include "base/slice.h"
#include "world.h"

/* What all watchers of the change feed saw, put together: each change with its text, and the one that came behind it. Two watchers that were
 * shown different changes at one place, or different ones behind the same, were not shown the same feed: one has a gap, a repeat, or a lie. */
struct feed_chain;
struct feed_place {
    uint64_t index; /* 0: nothing yet */
    uint64_t part;
};

struct feed_chain *feed_chain_new(struct world *w);
void feed_chain_free(struct feed_chain *c);
/* A watcher was shown `text` at `at`, right behind `before` (index 0: its first, or the first since it was told that something is missing).
 * Fails the run when that is not in order, or differs from what others were shown. */
void feed_chain_add(struct feed_chain *c, struct feed_place before, struct feed_place at, struct slice text);

#endif
