#ifndef BASE_NAME_TABLE_H
#define BASE_NAME_TABLE_H

#include "base/checksum.h"
#include "base/slice.h"

/* A hash table of named things: the node is part of the thing (CONTAINER_OF finds it), the table owns only its buckets. Names are
 * foreign bytes, so the hash is keyed. Grows and shrinks by one bucket at a time (Litwin's linear hashing, 1980): no step is long but
 * the copy of the bucket array when it doubles. Its order depends on the key: nothing that is replicated may follow it. */
struct name_node {
    struct name_node *next;
    uint64_t hash;
    struct slice name; /* borrowed from the thing; must not change while it is in the table */
};

struct name_table {
    struct name_node **bucket;
    size_t bucket_count;    /* in use; 0 while empty and never used */
    size_t bucket_capacity; /* a power of two */
    size_t count;
    struct siphash_key key;
};

void name_table_init(struct name_table *t, const struct siphash_key *key);
/* Frees the buckets; the things are the caller's. */
void name_table_deinit(struct name_table *t);
/* NULL: there is none. */
struct name_node *name_table_find(const struct name_table *t, struct slice name);
/* node->name must be set and not be in the table. */
void name_table_add(struct name_table *t, struct name_node *node);
void name_table_remove(struct name_table *t, struct name_node *node);
/* Every node once, as long as nothing is added or removed meanwhile. NULL at the end. */
struct name_node *name_table_first(const struct name_table *t);
struct name_node *name_table_next(const struct name_table *t, const struct name_node *node);
/* Some node of a bucket at or behind `cursor`, any number, going round; NULL when the table is empty. */
struct name_node *name_table_near(const struct name_table *t, uint64_t cursor);
/* Takes some node out; for emptying a table bit by bit. *cursor is 0 at first; nothing else may touch the table from then on. NULL: it is
 * empty. */
struct name_node *name_table_pop(struct name_table *t, size_t *cursor);

#endif
