#ifndef KEYSPACE_GRAVEYARD_H
#define KEYSPACE_GRAVEYARD_H

#include "keyspace/dict.h"
#include "keyspace/value.h"

/* What was dropped from the keyspace and is too big to free at once: whole tables (FLUSHALL) and
 * big values. Freed piece by piece; nothing here is state. */
struct grave {
    struct grave *next;
    struct dict dict;         /* its entries own their values */
    size_t chain;             /* of dict_take_any */
    struct dict_entry *entry; /* being freed, or NULL */
    struct value *value;      /* being freed, or NULL */
};
struct graveyard {
    struct grave *first;
    struct grave **last;
    uint64_t freed_total; /* units of work done, for tests */
    uint64_t pending;     /* keys and values that are not freed yet, for INFO */
    uint64_t buried;      /* how many there were since the start */
};

void graveyard_init(struct graveyard *g);
void graveyard_deinit(struct graveyard *g);
/* Takes the entries and arrays; the dict is empty afterwards. */
void graveyard_add_dict(struct graveyard *g, struct dict *d);
/* Takes. Small values are freed at once. */
void graveyard_add_value(struct graveyard *g, struct value *v);
/* Free up to `budget` pieces (an entry, a chunk, a run of empty chains). True while something is
 * left. */
bool graveyard_step(struct graveyard *g, size_t budget);

#endif
