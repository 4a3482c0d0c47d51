#ifndef KEYSPACE_SET_H
#define KEYSPACE_SET_H

#include "base/number.h"
#include "keyspace/keyspace.h"
#include "keyspace/tree.h"

/* Sets, in a tree (keyspace/tree.h). Conversions are Redis 7.0's, and so is what OBJECT ENCODING says of one; set.c has the layout.
 * Functions that change one take what keyspace_edit_slot returned, or a variable, and `view`'s keyspace for its settings and its
 * hash. An empty one is the caller's to delete. */
struct value *set_new(void); /* empty, of integers; returns owned */
uint64_t set_count(const struct value *s); /* O(1) */
/* O(log n). */
bool set_contains(const struct keyspace_view *view, const struct value *s, struct slice member);
/* False: it was there. O(log n), O(n) for short ones of integers (at most SET_PACKED_MAX). */
bool set_add(const struct keyspace_view *view, struct value **s, struct slice member);
/* False: it wasn't there. The same costs. */
bool set_remove(const struct keyspace_view *view, struct value **s, struct slice member);
/* `count` members from `rank` on. Returns what is to be freed (keyspace_bury), owned, NULL for nothing. O(log n), as set_remove. */
struct value *set_remove_range(struct value **s, uint64_t rank, uint64_t count) MUST_CHECK;

/* A walk from a rank on: in the order of the numbers, or of keyspace_hash. Dies when the set changes. */
struct set_cursor {
    const struct value *set;
    struct tree_cursor tree;
    uint64_t rank;
    char text[NUMBER_TEXT_MAX];
};
void set_seek(const struct value *s, uint64_t rank, struct set_cursor *c); /* rank <= set_count */
/* The member at the cursor, which goes on to the next one. False at the end. Borrowed until the next call or change. */
bool set_next(struct set_cursor *c, struct slice *member);

/* Whether it is ordered by keyspace_hash: then SCAN cursors have a meaning. */
static inline bool set_is_ordered(const struct value *s)
{
    return tree_get_shape(s) == TREE_BY_KEY;
}

/* Whether set-max-intset-entries forbids an intset of so many. */
bool set_is_too_long_for_intset(const struct keyspace_view *view, uint64_t count);

/* A share of one that is ordered, or an ordered copy: to walk it with a tree_cursor. Returns owned. */
struct value *set_as_ordered(const struct keyspace_view *view, const struct value *s);
/* Makes a set of members that come in the order of (keyspace_hash, member), each once. O(1) amortised for each. */
struct set_builder {
    struct value *set;
    bool is_integers; /* so far */
};
void set_builder_init(struct set_builder *b);
void set_builder_add(struct set_builder *b, uint64_t hash, const struct tree_item *member);
/* Returns owned, converted as the settings ask for: an intset if it can be one, unless `is_hashtable`. */
struct value *set_builder_finish(const struct keyspace_view *view, struct set_builder *b, bool is_hashtable);

/* Whether bytes from outside may be the one item of packed integers. */
bool set_item_is_sound(struct slice bytes);

/* For DUMP and RESTORE: the bytes of Redis's intset (its header too) of one that is stored as packed integers; false for others.
 * Borrowed. */
enum { SET_INTSET_HEADER = 8 };
struct slice set_packed(const struct value *s, uint8_t header[SET_INTSET_HEADER]);
/* A set of Redis's intset, converted as the settings ask for. NULL: it is none. Returns owned. */
struct value *set_from_intset(const struct keyspace_view *view, struct slice intset);

#endif
