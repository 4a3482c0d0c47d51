#ifndef KEYSPACE_STATE_INTERNAL_H
#define KEYSPACE_STATE_INTERNAL_H

#include "keyspace/keyspace_internal.h"
#include "keyspace/state.h"

/* What the funnel tells the walks under way (state_walk.c). */

/* The entry is about to change or go: its old value is still there. */
void state_walks_before_change(struct keyspace *k, uint32_t db, const struct dict_entry *e);
/* The database is about to lose its table. True: walks have taken dict and expiry, which are empty
 * afterwards, and will pass them to the graveyard. */
bool state_walks_before_flush(struct keyspace *k, uint32_t db);
void state_walks_swapped(struct keyspace *k, uint32_t a, uint32_t b);

#endif
