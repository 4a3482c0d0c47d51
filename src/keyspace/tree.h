#ifndef KEYSPACE_TREE_H
#define KEYSPACE_TREE_H

#include "base/err.h"
#include "base/slice.h"
#include "keyspace/value.h"

/* The one structure that lists, sets, sorted sets and hashes are made of: a sequence of items, held
 * in a counted B+tree of packed leaves. Any item is found by its rank, or, where the sequence is
 * ordered, by its key. Everything costs O(log n) unless it says otherwise.
 *
 * A sequence that fits a leaf is one allocation. The nodes of a larger one are shared by all values
 * that hold them (value_share is O(1)); a change copies the nodes on its path that have other
 * owners. So whoever changes a value must own its root: keyspace_edit* sees to it, or
 * value_unshare.
 *
 * The functions that change a tree take a `struct value **`, since the value may move; pass what
 * keyspace_edit_slot returned, or a variable. A tree may be empty; keys that hold an empty
 * collection are the caller's to delete. */

/* How the types use it (OBJECT ENCODING: shape, order, an item's bytes):
 *
 *   list        quicklist   TREE_BY_POSITION    elements
 *   hash        listpack    TREE_BY_POSITION    as they came; field and value (keyspace/hash.h)
 *               hashtable   TREE_BY_KEY         keyed hash of the field, then the field
 *   set         intset      TREE_BY_KEY         the integer; no bytes
 *               hashtable   TREE_BY_KEY         keyed hash of the member, then the member
 *   sorted set  listpack    TREE_BY_KEY         score, then member (keyspace/zset.h)
 *               skiplist    the same, and an index TREE_BY_KEY_EXTRA: hash of the member; its score
 *
 * Keyed hashes are keyspace_hash's: the same on every node, and SCAN cursors are their top 52 bits.
 */

/* What stands in front of each item's bytes. */
enum tree_shape {
    TREE_BY_POSITION = 0,  /* nothing: the caller decides where an item goes */
    TREE_BY_KEY = 1,       /* a 64-bit key: ascending, ties by a comparison of the caller's */
    TREE_BY_KEY_EXTRA = 2, /* the same, and 64 bits that mean nothing here */
};

/* An item as it is stored. `bytes` is contiguous at any size, and borrowed until the tree changes.
 * `blob` is where the bytes of a long one are: giving it to tree_insert shares them. */
struct tree_blob;
struct tree_item {
    uint64_t key;   /* 0 in TREE_BY_POSITION */
    uint64_t extra; /* 0 but in TREE_BY_KEY_EXTRA */
    struct slice bytes;
    struct tree_blob *blob; /* NULL: the bytes stand in the leaf */
};

/* An item to store: its bytes are the parts in a row, or those of `blob` (then no part). May not
 * point into a tree that is being changed, but for `blob`. In all at most UINT32_MAX bytes. */
enum { TREE_PARTS_MAX = 3 };
struct tree_put {
    uint64_t key;
    uint64_t extra;
    struct slice part[TREE_PARTS_MAX];
    struct tree_blob *blob;
};
/* With one part, everything else 0. */
static inline struct tree_put tree_put_bytes(struct slice bytes)
{
    return (struct tree_put){.part = {bytes}};
}
/* A stored item again; a long one is shared, not copied. */
static inline struct tree_put tree_put_item(const struct tree_item *item)
{
    struct tree_put put = {.key = item->key, .extra = item->extra, .blob = item->blob};
    if (!item->blob) {
        put.part[0] = item->bytes;
    }
    return put;
}

/* An empty one; returns owned. `encoding` is what OBJECT ENCODING says: state, kept by every
 * function here, and changed by tree_set_encoding alone. */
enum tree_encoding {
    TREE_ENCODING_LISTPACK = 0, /* the numbers are stored in snapshots: never changed */
    TREE_ENCODING_QUICKLIST = 1,
    TREE_ENCODING_INTSET = 2,
    TREE_ENCODING_HASHTABLE = 3,
    TREE_ENCODING_SKIPLIST = 4,
};
struct value *tree_new(enum value_type type, enum tree_encoding encoding, enum tree_shape shape);
const char *tree_encoding_name(enum tree_encoding encoding); /* "listpack", ... */
enum tree_encoding tree_get_encoding(const struct value *t);
enum tree_shape tree_get_shape(const struct value *t);
uint64_t tree_count(const struct value *t); /* items. O(1) */

/* --- places --- */

enum { TREE_HEIGHT_MAX = 16 };

/* A place in a tree: an item, or the end. Plain memory, nothing to free. Dies when the tree
 * changes, but for the one that a changing function was given. Everything in it is private. */
struct tree_entry;
struct tree_leaf;
struct tree_cursor {
    const struct value *tree;
    struct tree_leaf *leaf;
    uint32_t slot;
    uint32_t height;
    struct tree_entry *entry[TREE_HEIGHT_MAX]; /* of the node at each level, from the root */
};

/* The item of this rank, 0 to count - 1; count is the end. */
void tree_seek_rank(const struct value *t, uint64_t rank, struct tree_cursor *c);
/* How a stored item's bytes compare to what the caller looks for: <0, 0, >0 as item - probe. */
typedef int (*tree_compare_fn)(const void *probe, struct slice bytes);
/* Ordered trees: the first item that isn't before (key, probe), or the end. True when it is equal
 * to it. `compare` NULL: the first whose key is >= `key`, true when it has that key. */
bool tree_seek_key(const struct value *t,
                   uint64_t key,
                   tree_compare_fn compare,
                   const void *probe,
                   struct tree_cursor *c);
/* How many items stand before it. */
uint64_t tree_cursor_rank(const struct tree_cursor *c);
/* False at the end. O(1). */
bool tree_cursor_get(const struct tree_cursor *c, struct tree_item *item);
/* Amortised O(1). False: there is no item there; the cursor is at the end, or stays at the first.
 */
bool tree_cursor_next(struct tree_cursor *c);
bool tree_cursor_previous(struct tree_cursor *c);

/* --- changes --- */

/* Before the place of `c`, which is at the new item afterwards. In an ordered tree it must be its
 * place: what tree_seek_key returned. */
void tree_insert(struct value **t, struct tree_cursor *c, const struct tree_put *put);
void tree_append(struct value **t, const struct tree_put *put);
/* In place of the item at `c`; the key must be the same. `c` stays there. */
void tree_replace(struct value **t, struct tree_cursor *c, const struct tree_put *put);
/* Only the `extra` of the item at `c`. */
void tree_set_extra(struct value **t, struct tree_cursor *c, uint64_t extra);
/* The item at `c`, which is at the next one afterwards. */
void tree_remove(struct value **t, struct tree_cursor *c);
/* `count` items from `rank` on, whole nodes at once: O(log n) however many they are. Returns what
 * is to be freed, owned: keyspace_bury, graveyard_add_value or value_free; NULL when there is
 * nothing. */
struct value *tree_remove_range(struct value **t, uint64_t rank, uint64_t count) MUST_CHECK;
void tree_set_encoding(struct value **t, enum tree_encoding encoding);

/* Asserts the invariants. O(n). */
void tree_check(const struct value *t);

#endif
