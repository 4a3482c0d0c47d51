#ifndef KEYSPACE_EXPIRY_H
#define KEYSPACE_EXPIRY_H

#include "keyspace/dict.h"

/* The keys of one database that expire, ordered by (expiry, index of last change, key): all of it
 * is state, so the order in which due keys go is the same on a node that applied every entry and on
 * one that was restored from a snapshot. */
struct expiry_item {
    int64_t at_ms;
    struct dict_entry *entry;
};
struct expiry_heap {
    struct expiry_item *item; /* 4-ary min-heap; entry->expiry_position is 1 + the place here */
    uint32_t count;
    uint32_t capacity;
};

void expiry_init(struct expiry_heap *h);
void expiry_deinit(struct expiry_heap *h); /* the entries are left alone */
/* Give the entry an expiry or another one. O(log n). */
void expiry_set(struct expiry_heap *h, struct dict_entry *entry, int64_t at_ms);
/* False: it had none. O(log n). */
bool expiry_clear(struct expiry_heap *h, struct dict_entry *entry);
/* entry->last_change was changed: put it where it now belongs. Harmless for one without expiry. */
void expiry_touch(struct expiry_heap *h, struct dict_entry *entry);
/* The entry must have one. */
static inline int64_t expiry_at(const struct expiry_heap *h, const struct dict_entry *entry)
{
    return h->item[entry->expiry_position - 1].at_ms;
}
/* NULL when none expires. */
static inline const struct expiry_item *expiry_first(const struct expiry_heap *h)
{
    return h->count ? &h->item[0] : NULL;
}
/* Asserts the order. O(n). */
void expiry_check(const struct expiry_heap *h);

#endif
