#ifndef KEYSPACE_HASH_H
#define KEYSPACE_HASH_H

#include "keyspace/keyspace.h"
#include "keyspace/tree.h"

/* Hashes: fields with values, in a tree (keyspace/tree.h). Conversions are Redis 7.0's, and so is what OBJECT ENCODING says of one;
 * hash.c has the layout. Functions that change one take what keyspace_edit_slot returned, or a variable, and `view`'s keyspace for its
 * settings and its hash. An empty one is the caller's to delete. */
struct hash_pair {
    struct slice field;
    struct slice value; /* both borrowed until the hash changes */
};

struct value *hash_new(void); /* empty; returns owned */
static inline uint64_t hash_count(const struct value *h)
{
    return tree_count(h);
}
/* O(log n), O(n) for short ones (at most HASH_LINEAR_MAX fields). */
bool hash_find(const struct keyspace_view *view, const struct value *h, struct slice field, struct hash_pair *pair);
/* True when the field is new. */
bool hash_set(const struct keyspace_view *view, struct value **h, struct slice field, struct slice value);
/* False: it has no such field. */
bool hash_remove(const struct keyspace_view *view, struct value **h, struct slice field);
/* As HSET looks at all its fields and values, arg[0 .. count), before it sets the first: one that is too long for a listpack makes
 * it a hashtable. */
void hash_prepare(const struct keyspace_view *view, struct value **h, const struct slice *arg, size_t count);

/* Whether bytes from outside may be an item: hash_pair_of takes no others. */
bool hash_item_is_sound(struct slice bytes);
/* The pair of an item, for whoever walks with a tree_cursor. */
struct hash_pair hash_pair_of(const struct tree_item *item);
/* Whether it is ordered by keyspace_hash of the fields: then SCAN cursors have a meaning. Else by age. */
static inline bool hash_is_ordered(const struct value *h)
{
    return tree_get_shape(h) == TREE_BY_KEY;
}

#endif
