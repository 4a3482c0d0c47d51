#ifndef KEYSPACE_TREE_INTERNAL_H
#define KEYSPACE_TREE_INTERNAL_H

#include <stddef.h>

#include "base/assert.h"
#include "base/limits.h"
#include "keyspace/tree.h"
#include "keyspace/value_internal.h"

/* The layout of trees, for tree*.c, value*.c and tests. tree.c has the essay. */

#ifdef CORACLE_HOSTILE
enum { TREE_NODE_BYTES = 136, TREE_FANOUT = 4 };
#else
enum { TREE_NODE_BYTES = 2048, TREE_FANOUT = 63 };
#endif

/* --- leaves: tree_leaf.c --- */

/* Packed items. The bytes of item i end where slot i says and begin where item i - 1 ends; slots
 * grow from the end of the room towards the front. */
struct tree_leaf {
    uint16_t count;
    uint16_t used;     /* bytes of items */
    uint16_t capacity; /* of items and slots together; even */
};
enum {
    TREE_SLOT_BYTES = 2,
    TREE_SLOT_BLOB = 0x8000, /* flag in a slot: behind the prefix stands a pointer */
    TREE_LEAF_CAPACITY = (TREE_NODE_BYTES - 14) & ~1,
    TREE_PREFIX_MAX = 16,
    TREE_POINTER_BYTES = 8,
    /* Stored bytes of an item, prefix included: two of the longest fit a leaf. */
    TREE_ITEM_MAX = TREE_LEAF_CAPACITY / 4 > TREE_PREFIX_MAX + TREE_POINTER_BYTES
                        ? TREE_LEAF_CAPACITY / 4
                        : TREE_PREFIX_MAX + TREE_POINTER_BYTES,
};
STATIC_ASSERT(2 * (TREE_ITEM_MAX + TREE_SLOT_BYTES) <= TREE_LEAF_CAPACITY, "a leaf can be split");
STATIC_ASSERT(TREE_LEAF_CAPACITY < TREE_SLOT_BLOB, "a slot has room for any offset");
STATIC_ASSERT(sizeof(void *) <= TREE_POINTER_BYTES, "a pointer fits its place");

/* The bytes of a long item, shared by leaves that were copied and by trees of one value. */
struct tree_blob {
    uint32_t owners;
    uint32_t size;
    uint8_t bytes[];
};
struct tree_blob *tree_blob_new(size_t size); /* returns owned; the bytes are not set */
struct tree_blob *tree_blob_share(struct tree_blob *blob);
void tree_blob_unref(struct tree_blob *blob);
static inline size_t tree_blob_memory(const struct tree_blob *blob)
{
    return sizeof *blob + blob->size;
}

static inline uint8_t *leaf_bytes(struct tree_leaf *l)
{
    return (uint8_t *)(l + 1);
}
static inline uint16_t *leaf_slot(const struct tree_leaf *l, size_t i)
{
    uint8_t *room = (uint8_t *)(uintptr_t)(l + 1);
    return (uint16_t *)(void *)(room + l->capacity - TREE_SLOT_BYTES * (i + 1));
}
static inline bool leaf_has_blob(const struct tree_leaf *l, size_t i)
{
    return (*leaf_slot(l, i) & TREE_SLOT_BLOB) != 0;
}
static inline size_t leaf_end(const struct tree_leaf *l, size_t i)
{
    return *leaf_slot(l, i) & ~(unsigned)TREE_SLOT_BLOB;
}
static inline size_t leaf_begin(const struct tree_leaf *l, size_t i)
{
    return i ? leaf_end(l, i - 1) : 0;
}
static inline const uint8_t *leaf_item(const struct tree_leaf *l, size_t i)
{
    return (const uint8_t *)(l + 1) + leaf_begin(l, i);
}
/* Items and slots. */
static inline size_t leaf_full(const struct tree_leaf *l)
{
    return l->used + (size_t)TREE_SLOT_BYTES * l->count;
}
uint64_t leaf_key(const struct tree_leaf *l, size_t i);
void leaf_get(const struct tree_leaf *l, size_t i, size_t prefix, struct tree_item *item);
struct tree_blob *leaf_blob(const struct tree_leaf *l, size_t i);
/* Bytes of all blobs. O(items). */
size_t leaf_blob_memory(const struct tree_leaf *l);
/* Room for an item of `size` stored bytes before item i; it is there already. Returns where they
 * go. */
uint8_t *leaf_open(struct tree_leaf *l, size_t i, size_t size, bool has_blob);
/* The n items from i on leave; their blobs are the caller's. */
void leaf_close(struct tree_leaf *l, size_t i, size_t n);
/* The n items from i on go to the place `at` of another leaf that has room. */
void leaf_move(struct tree_leaf *from, size_t i, size_t n, struct tree_leaf *to, size_t at);
/* The capacity of a leaf that has been, or will be, reallocated. Growing: after; shrinking: before.
 */
void leaf_set_capacity(struct tree_leaf *l, size_t capacity);
/* What to allocate for a leaf that needs `need` bytes behind a header of `header`: a size that
 * allocators have a class for. Returns the capacity. */
size_t leaf_capacity_for(size_t header, size_t need);
/* Whether two leaves hold the same blobs, each gets one more owner: after a copy. */
void leaf_share_blobs(const struct tree_leaf *l);
void leaf_unref_blobs(const struct tree_leaf *l, size_t i, size_t n);

/* A put, measured. */
struct tree_stored {
    const struct tree_put *put;
    struct tree_blob *blob; /* owned until it was stored */
    size_t size;            /* in the leaf */
};
struct tree_stored tree_measure(const struct tree_put *put, size_t prefix);
void tree_store(const struct tree_stored *s, size_t prefix, uint8_t *out);

/* --- nodes: tree_node.c --- */

struct tree_node {
    uint32_t owners;
    uint8_t height; /* 0: a leaf */
    uint8_t unused;
    uint16_t child_count;
};
struct tree_leaf_node {
    struct tree_node node;
    struct tree_leaf leaf;
};
/* A node, and what a parent knows of it. */
struct tree_entry {
    uint64_t key; /* of the first item; 0 in TREE_BY_POSITION */
    uint64_t count;
    uint64_t memory; /* of the node and all below it, as if nothing were shared */
    struct tree_node *node;
};
struct tree_inner {
    struct tree_node node;
    struct tree_entry entry[TREE_FANOUT];
};
STATIC_ASSERT(sizeof(struct tree_inner) <= TREE_NODE_BYTES, "a node is bounded");
enum { TREE_LEAF_NODE_BYTES = offsetof(struct tree_leaf_node, leaf) + sizeof(struct tree_leaf) };
STATIC_ASSERT(TREE_LEAF_NODE_BYTES + TREE_LEAF_CAPACITY <= TREE_NODE_BYTES, "as large as they say");

static inline struct tree_inner *node_inner(const struct tree_node *n)
{
    ASSERT(n->height > 0);
    return (struct tree_inner *)(uintptr_t)n;
}
static inline struct tree_leaf *node_leaf(const struct tree_node *n)
{
    ASSERT(n->height == 0);
    return &((struct tree_leaf_node *)(uintptr_t)n)->leaf;
}
struct tree_node *node_new_leaf(size_t capacity);
struct tree_node *node_new_inner(unsigned height);
/* Makes the node the entry's own: copies it when it has other owners. */
void entry_own(struct tree_entry *e);
/* key, count and memory from the node. O(fanout). */
void entry_refresh(struct tree_entry *e, size_t prefix);
/* Room for `need` bytes in an own leaf; need <= TREE_LEAF_CAPACITY. Moves the node. */
void entry_grow_leaf(struct tree_entry *e, size_t need);
void inner_open(struct tree_inner *n, size_t at, size_t count);
void inner_close(struct tree_inner *n, size_t at, size_t count);
/* Gives up the entry's ownership, in pieces: true when done. */
bool entry_free_some(struct tree_entry *e, size_t *budget);
void entry_free(struct tree_entry *e);

/* --- the value --- */

/* head.encoding is VALUE_LEAF (one allocation, no count of owners) or VALUE_TREE. In head.size: */
enum {
    TREE_HEAD_ENCODING = 0xff, /* enum tree_encoding */
    TREE_HEAD_SHAPE = 8,       /* shift of enum tree_shape, two bits */
};
struct tree_lone {
    struct value head;
    struct tree_leaf leaf;
};
STATIC_ASSERT(sizeof(struct tree_lone) == 10, "small collections are many");
struct tree_root {
    struct value_root root;
    struct tree_entry top;
};

static inline size_t tree_prefix(const struct value *t)
{
    return 8 * (size_t)((unsigned)t->size >> TREE_HEAD_SHAPE & 3);
}
static inline bool tree_is_lone(const struct value *t)
{
    return t->encoding == VALUE_LEAF;
}
static inline struct tree_lone *tree_lone_of(const struct value *t)
{
    ASSERT(t->encoding == VALUE_LEAF);
    return (struct tree_lone *)(uintptr_t)t;
}
static inline struct tree_root *tree_root_of(const struct value *t)
{
    ASSERT(t->encoding == VALUE_TREE);
    return (struct tree_root *)(uintptr_t)t;
}

/* For value.c: of any tree. */
size_t tree_memory(const struct value *t);
bool tree_is_big(const struct value *t);
bool tree_free_some(struct value *t, size_t *budget); /* the root has no owner left */
struct value *tree_copy_root(const struct value *t);  /* its nodes or blobs get one more owner */

/* For value_piece.c: tree_piece.c. */
bool tree_write_piece(const struct value *t, struct value_cursor *cursor, struct buf *out);
bool tree_add_piece(struct value_builder *b, enum value_type type, struct slice payload);
bool tree_is_complete(const struct value_builder *b);
bool tree_digest_step(const struct value *t,
                      const struct siphash_key *key,
                      struct value_digest *digest);

/* --- sorted sets with an index: zset.c --- */

struct zset_pair {
    struct value_root root;
    struct value *order; /* both are trees with roots of their own */
    struct value *index;
    uint64_t negative_zeros; /* Z3 */
};
static inline struct zset_pair *zset_pair_of(const struct value *z)
{
    ASSERT(z->encoding == VALUE_PAIR);
    return (struct zset_pair *)(uintptr_t)z;
}
/* For value.c: of a sorted set in any form. */
size_t zset_memory(const struct value *z);
bool zset_is_big(const struct value *z);
bool zset_free_some(struct value *z, size_t *budget);
struct value *zset_copy_root(const struct value *z);
/* For tree_piece.c: the next item of the index of a pair. False: it is no sorted set. */
bool zset_build(struct value **z, const struct tree_put *put);

/* --- editing: tree_edit.c --- */

/* Fixes an own node's children at `at` that hold too little. */
void inner_balance(struct tree_inner *parent, size_t at, size_t prefix);
/* The tree in its smallest form: roots of one child go, a small leaf stands alone. */
void tree_settle(struct value **t);

#endif
