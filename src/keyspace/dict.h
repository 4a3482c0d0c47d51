#ifndef KEYSPACE_DICT_H
#define KEYSPACE_DICT_H

#include "base/slice.h"
#include "raft/types.h"

/* The table of one database: key -> entry, chained, ordered by hash. It never hashes: callers pass
 * the keyed hash of the key (keyspace/keyspace.c), so that one computation serves a whole command.
 * See dict.c for the invariants. */
struct value;

/* One key, one allocation. */
struct dict_entry {
    struct dict_entry *next; /* chain, ascending by (hash, key) */
    uint64_t hash;
    raft_index last_change;
    struct value *value; /* owned by the keyspace */
    uint32_t key_size;
    uint32_t expiry_position; /* 1 + place in the expiry heap; 0: never expires */
    uint8_t key[];
};

struct dict {
    struct dict_entry **table; /* 1 << bits chains; NULL while nothing was ever stored */
    struct dict_entry **old;   /* NULL unless a resize is under way */
    size_t moved;              /* chains of `old` [0, moved) live in `table` already */
    size_t count;
    uint8_t bits;
    uint8_t old_bits;
};

static inline struct slice dict_entry_key(const struct dict_entry *e)
{
    return (struct slice){e->key, e->key_size};
}

void dict_init(struct dict *d);
/* Frees the arrays; the dict must hold no entry (graveyard.c empties it piece by piece). */
void dict_deinit(struct dict *d);

/* NULL when absent. Expected O(1). Never moves anything, so reads leave no trace. */
struct dict_entry *dict_find(const struct dict *d, uint64_t hash, struct slice key);
/* Three steps that bring what a dict_find will read into the processor's cache, for callers that know several keys ahead: each step
 * starts loads and waits for none, and reads what the step before has loaded. Hints: they change nothing. */
void dict_ahead_chain(const struct dict *d, uint64_t hash);
void dict_ahead_entry(const struct dict *d, uint64_t hash);
void dict_ahead_value(const struct dict *d, uint64_t hash);
/* Adds a key that must be absent; all other fields of the new entry are 0. Borrowed: dict_remove
 * gives it up. Does at most DICT_STEP chains of a resize on the way. */
struct dict_entry *dict_insert(struct dict *d, uint64_t hash, struct slice key);
/* Unlinks; the caller frees with dict_entry_free. */
void dict_remove(struct dict *d, struct dict_entry *entry);
void dict_entry_free(struct dict_entry *entry);
size_t dict_entry_memory(const struct dict_entry *entry);
size_t dict_table_memory(const struct dict *d);

/* Move up to `chain_count` chains of a resize under way; true while there is more to do. */
bool dict_resize_step(struct dict *d, size_t chain_count);
/* Takes any one entry out of the first chain at or after *chain, for destruction in pieces: NULL
 * when `chain_budget` chains were empty or nothing is left (count 0). *chain starts at 0. */
struct dict_entry *dict_take_any(struct dict *d, size_t *chain, size_t *chain_budget);

/* Walk in hash order. A cursor is a position in that order: 1 + the top 52 bits of a hash; 0
 * starts, and 0 returned means the end. Valid on any node, at any table size, for ever. Visits at
 * least `count` entries where there are that many (then goes on to the end of those that share the
 * 52 bits of the last one), unless it passes 10 * count empty chains first. Every key that is
 * present from the first call to the last is visited at least once; one that is neither added nor
 * removed exactly once. `fn` must not change the dict. */
#define DICT_CURSOR_MAX ((uint64_t)1 << 52)
uint64_t dict_scan(const struct dict *d,
                   uint64_t cursor,
                   size_t count,
                   void (*fn)(void *ctx, const struct dict_entry *entry),
                   void *ctx);

/* Whether a walk whose next call is with `cursor` (not 0) has visited this hash. */
bool dict_is_passed(uint64_t hash, uint64_t cursor);
/* An empty dict: as large as `count` entries will need, so that it doesn't grow on the way. */
void dict_reserve(struct dict *d, uint64_t count);

/* Debug and tests: asserts the invariants. O(n). */
void dict_check(const struct dict *d);

#endif
