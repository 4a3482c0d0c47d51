/* Trees: counted B+trees of packed leaves, shared node by node.
 *
 *   lone     [type|VALUE_LEAF|shape, encoding][leaf]        all there is to a small collection
 *
 *   rooted   [type|VALUE_TREE|shape, encoding|owners|top]
 *                                                 |
 *                                   [inner: (key, count, memory, node) ...]
 *                                       |                 |
 *                                     [leaf]            [leaf]
 *
 * An entry says of the node below it: the key of its first item, how many items and how many bytes
 * are there. So ranks and keys are found on the way down without looking into siblings, and a whole
 * subtree can be taken away in O(1).
 *
 * N1  All leaves are at the same depth. No node is empty, but a leaf that is all there is.
 *
 * N2  An entry's key, count and memory are those of its node. Memory is counted as if no node were
 *     shared (value.c, O3).
 *
 * N3  A node with more than one owner is never written to (value.c, O1): an edit makes every node
 * on its path its own first, from the root down.
 *
 * N4  Keys ascend. What orders equal keys is the caller's affair.
 *
 * N5  An item of more than TREE_ITEM_MAX bytes stands in a blob of its own. A blob has one owner
 * per leaf that points to it.
 *
 * N6  A node that an edit of one item leaves with less than a quarter of its room gives what it has
 *     to a sibling, or gets some from it. Cutting out a range may leave nodes with less beside the
 *     cut, never empty ones; so the height is bounded by the largest number of items there ever
 * was.
 *
 * How items are spread over nodes depends on history, and so do the bytes of memory. Neither is
 * state: pieces and digests are made of the items alone (tree_piece.c). */

#include "keyspace/tree.h"

#include <string.h>

#include "base/mem.h"
#include "keyspace/tree_internal.h"

enum { TREE_BIG_BYTES = 65536 }; /* freed in pieces from here on */

struct value *tree_new(enum value_type type, enum tree_encoding encoding, enum tree_shape shape)
{
    size_t capacity = leaf_capacity_for(sizeof(struct tree_lone), 0);
    struct tree_lone *t = mem_alloc(sizeof *t + capacity);
    *t = (struct tree_lone){
        .head = {.type = (uint8_t)type,
                 .encoding = VALUE_LEAF,
                 .size = (uint16_t)((unsigned)encoding | (unsigned)shape << TREE_HEAD_SHAPE)},
        .leaf = {.capacity = (uint16_t)capacity},
    };
    return &t->head;
}

const char *tree_encoding_name(enum tree_encoding encoding)
{
    static const char *const name[] = {"listpack", "quicklist", "intset", "hashtable", "skiplist"};
    return name[encoding];
}

enum tree_encoding tree_get_encoding(const struct value *t)
{
    return (enum tree_encoding)(t->size & TREE_HEAD_ENCODING);
}

void tree_set_encoding(struct value **t, enum tree_encoding encoding)
{
    ASSERT(value_is_sole(*t));
    (*t)->size = (uint16_t)(((*t)->size & ~(unsigned)TREE_HEAD_ENCODING) | (unsigned)encoding);
}

enum tree_shape tree_get_shape(const struct value *t)
{
    return (enum tree_shape)((unsigned)t->size >> TREE_HEAD_SHAPE & 3);
}

uint64_t tree_count(const struct value *t)
{
    return tree_is_lone(t) ? tree_lone_of(t)->leaf.count : tree_root_of(t)->top.count;
}

size_t tree_memory(const struct value *t)
{
    if (tree_is_lone(t)) {
        const struct tree_leaf *l = &tree_lone_of(t)->leaf;
        return sizeof(struct tree_lone) + l->capacity + leaf_blob_memory(l);
    }
    return sizeof(struct tree_root) + (size_t)tree_root_of(t)->top.memory;
}

bool tree_is_big(const struct value *t)
{
    return !tree_is_lone(t) && tree_root_of(t)->top.memory > TREE_BIG_BYTES;
}

bool tree_free_some(struct value *t, size_t *budget)
{
    if (tree_is_lone(t)) {
        if (*budget == 0) {
            return false;
        }
        --*budget;
        const struct tree_leaf *l = &tree_lone_of(t)->leaf;
        leaf_unref_blobs(l, 0, l->count);
    } else if (!entry_free_some(&tree_root_of(t)->top, budget)) {
        return false;
    }
    mem_free(t);
    return true;
}

struct value *tree_copy_root(const struct value *t)
{
    if (tree_is_lone(t)) {
        const struct tree_leaf *l = &tree_lone_of(t)->leaf;
        size_t size = sizeof(struct tree_lone) + l->capacity;
        struct value *copy = mem_alloc(size);
        memcpy(copy, t, size);
        leaf_share_blobs(l);
        return copy;
    }
    const struct tree_root *r = tree_root_of(t);
    struct tree_root *copy = mem_alloc(sizeof *copy);
    *copy = *r;
    copy->root.owners = 1;
    ASSERT(copy->top.node->owners < UINT32_MAX);
    copy->top.node->owners++;
    return &copy->root.head;
}

/* --- places --- */

/* To the slot `slot` of the leaf at the bottom of the path. */
static void cursor_set_leaf(struct tree_cursor *c, size_t slot)
{
    c->leaf = node_leaf(c->entry[c->height]->node);
    c->slot = (uint32_t)slot;
}

/* Goes on at level `level`, whose entry is set: down to the first or last item. */
static void cursor_descend(struct tree_cursor *c, size_t level, bool to_last)
{
    for (; level < c->height; level++) {
        struct tree_inner *n = node_inner(c->entry[level]->node);
        c->entry[level + 1] = &n->entry[to_last ? n->node.child_count - 1 : 0];
    }
    cursor_set_leaf(c, 0);
    c->slot = to_last ? c->leaf->count - 1u : 0;
}

/* False for a lone leaf, which needs no path. */
static bool cursor_init(struct tree_cursor *c, const struct value *t)
{
    c->tree = t;
    c->height = 0;
    if (tree_is_lone(t)) {
        c->leaf = &tree_lone_of(t)->leaf;
        return false;
    }
    c->entry[0] = &tree_root_of(t)->top;
    c->height = c->entry[0]->node->height;
    return true;
}

void tree_seek_rank(const struct value *t, uint64_t rank, struct tree_cursor *c)
{
    ASSERT(rank <= tree_count(t));
    if (!cursor_init(c, t)) {
        c->slot = (uint32_t)rank;
        return;
    }
    for (size_t level = 0; level < c->height; level++) {
        struct tree_inner *n = node_inner(c->entry[level]->node);
        size_t i = 0;
        while (i + 1u < n->node.child_count && rank >= n->entry[i].count) {
            rank -= n->entry[i++].count;
        }
        c->entry[level + 1] = &n->entry[i];
    }
    cursor_set_leaf(c, (size_t)rank);
}

uint64_t tree_cursor_rank(const struct tree_cursor *c)
{
    uint64_t rank = c->slot;
    for (size_t level = c->height; level > 0; level--) {
        for (const struct tree_entry *e = node_inner(c->entry[level - 1]->node)->entry; e < c->entry[level]; e++) {
            rank += e->count;
        }
    }
    return rank;
}

bool tree_cursor_get(const struct tree_cursor *c, struct tree_item *item)
{
    if (c->slot >= c->leaf->count) {
        return false;
    }
    leaf_get(c->leaf, c->slot, tree_prefix(c->tree), item);
    return true;
}

/* To the leaf beside this one; false: there is none, and nothing changed. */
static bool cursor_step_leaf(struct tree_cursor *c, bool is_back)
{
    for (size_t level = c->height; level > 0; level--) {
        struct tree_inner *parent = node_inner(c->entry[level - 1]->node);
        size_t at = (size_t)(c->entry[level] - parent->entry);
        if (is_back ? at > 0 : at + 1 < parent->node.child_count) {
            c->entry[level] += is_back ? -1 : 1;
            cursor_descend(c, level, is_back);
            return true;
        }
    }
    return false;
}

bool tree_cursor_next(struct tree_cursor *c)
{
    if (c->slot >= c->leaf->count) {
        return false;
    }
    if (++c->slot < c->leaf->count) {
        return true;
    }
    return cursor_step_leaf(c, false);
}

bool tree_cursor_previous(struct tree_cursor *c)
{
    if (c->slot > 0) {
        c->slot--;
        return true;
    }
    return cursor_step_leaf(c, true);
}

/* --- searching --- */

struct tree_probe {
    uint64_t key;
    tree_compare_fn compare;
    const void *ctx;
    size_t prefix;
};

/* As item - probe. */
static int probe_compare(const struct tree_probe *probe, const struct tree_leaf *l, size_t slot)
{
    uint64_t key = leaf_key(l, slot);
    if (key != probe->key) {
        return key < probe->key ? -1 : 1;
    }
    if (!probe->compare) {
        return 0;
    }
    struct tree_item item;
    leaf_get(l, slot, probe->prefix, &item);
    return probe->compare(probe->ctx, item.bytes);
}

static bool child_is_before(const struct tree_probe *probe, const void *inner, size_t i)
{
    const struct tree_entry *e = &((const struct tree_inner *)inner)->entry[i];
    if (e->key != probe->key || !probe->compare) {
        return e->key < probe->key;
    }
    const struct tree_node *n = e->node;
    while (n->height > 0) {
        n = node_inner(n)->entry[0].node;
    }
    return probe_compare(probe, node_leaf(n), 0) < 0;
}

static bool item_is_before(const struct tree_probe *probe, const void *leaf, size_t i)
{
    return probe_compare(probe, leaf, i) < 0;
}

typedef bool (*is_before_fn)(const struct tree_probe *probe, const void *node, size_t i);

/* The first of [low, high) that is not before the probe; high: all are. */
static inline size_t
bisect(const struct tree_probe *probe, is_before_fn is_before, const void *node, size_t low, size_t high)
{
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (is_before(probe, node, middle)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The same of all `n`, whose keys lie from `first` to `last` (bounds; they need not be met). Halving touches a line of the cache for
 * nearly every step. Keyed hashes are spread evenly, and scores often nearly so: where the key would stand then is a few places off, and
 * the search doubles its steps from there. Keys that are spread otherwise cost twice the steps of halving at most. */
static inline size_t
search(const struct tree_probe *probe, is_before_fn is_before, const void *node, size_t n, uint64_t first, uint64_t last)
{
    if (n == 0) {
        return 0;
    }
    size_t at = n / 2;
    if (first < last) {
        at = probe->key <= first  ? 0
             : probe->key >= last ? n - 1
                                  : (size_t)((probe->key - first) / ((last - first) / n + 1));
    }
    size_t step = 1;
    if (is_before(probe, node, at)) {
        size_t low = at + 1;
        while (low + step <= n && is_before(probe, node, low + step - 1)) {
            low += step;
            step *= 2;
        }
        return bisect(probe, is_before, node, low, low + step <= n ? low + step - 1 : n);
    }
    size_t high = at;
    while (high >= step && !is_before(probe, node, high - step)) {
        high -= step;
        step *= 2;
    }
    return bisect(probe, is_before, node, high >= step ? high - step + 1 : 0, high);
}

bool tree_seek_key(const struct value *t,
                   uint64_t key,
                   tree_compare_fn compare,
                   const void *probe_ctx,
                   struct tree_cursor *c)
{
    struct tree_probe probe = {key, compare, probe_ctx, tree_prefix(t)};
    ASSERT(probe.prefix > 0);
    if (cursor_init(c, t)) {
        uint64_t first = c->entry[0]->key;
        uint64_t last = 0;
        for (size_t level = 0; level < c->height; level++) {
            struct tree_inner *n = node_inner(c->entry[level]->node);
            size_t count = n->node.child_count;
            last = level == 0 ? n->entry[count - 1].key : last;
            /* The last child whose first item is before the probe; the first child if there is none. */
            size_t at = search(&probe, child_is_before, n, count, first, last);
            at -= at > 0;
            first = n->entry[at].key;
            last = at + 1 < count ? n->entry[at + 1].key : last;
            c->entry[level + 1] = &n->entry[at];
        }
        cursor_set_leaf(c, 0);
        c->slot = (uint32_t)search(&probe, item_is_before, c->leaf, c->leaf->count, first, last);
    } else {
        c->slot = (uint32_t)bisect(&probe, item_is_before, c->leaf, 0, c->leaf->count);
    }
    if (c->slot == c->leaf->count && !cursor_step_leaf(c, false)) {
        return false;
    }
    return probe_compare(&probe, c->leaf, c->slot) == 0;
}

/* --- checking --- */

static void check_leaf(const struct tree_leaf *l, size_t prefix)
{
    ASSERT(l->count == 0 ? l->used == 0 : leaf_end(l, l->count - 1u) == l->used);
    ASSERT(leaf_full(l) <= l->capacity && l->capacity <= TREE_LEAF_CAPACITY);
    for (size_t i = 0; i < l->count; i++) {
        size_t size = leaf_end(l, i) - leaf_begin(l, i);
        ASSERT(leaf_end(l, i) >= leaf_begin(l, i) && size >= prefix && size <= TREE_ITEM_MAX);
        ASSERT(!leaf_has_blob(l, i) || leaf_blob(l, i)->owners > 0);           /* N5 */
        ASSERT(prefix == 0 || i == 0 || leaf_key(l, i) >= leaf_key(l, i - 1)); /* N4 */
    }
}

static void check_entry(const struct tree_entry *e, size_t prefix)
{
    const struct tree_node *n = e->node;
    ASSERT(n->owners > 0);
    struct tree_entry again = *e;
    entry_refresh(&again, prefix);
    ASSERT(again.key == e->key && again.count == e->count && again.memory == e->memory); /* N2 */
    if (n->height == 0) {
        check_leaf(node_leaf(n), prefix);
        return;
    }
    const struct tree_inner *inner = node_inner(n);
    ASSERT(n->child_count > 0 && n->child_count <= TREE_FANOUT);
    for (size_t i = 0; i < n->child_count; i++) {
        const struct tree_entry *child = &inner->entry[i];
        ASSERT(child->node->height + 1u == n->height && child->count > 0); /* N1 */
        ASSERT(i == 0 || child->key >= child[-1].key);                     /* N4 */
        check_entry(child, prefix);
    }
}

void tree_check(const struct value *t)
{
    if (tree_is_lone(t)) {
        check_leaf(&tree_lone_of(t)->leaf, tree_prefix(t));
    } else {
        ASSERT(value_root_of_const(t)->owners > 0);
        check_entry(&tree_root_of(t)->top, tree_prefix(t));
    }
}
