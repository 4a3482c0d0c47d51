/* Changing trees one item at a time: the path becomes the editor's own (N3), the leaf changes, and
 * what its entries on the path say of it follows. A leaf that is full is split, one that is nearly
 * empty is merged (N6); both go up the path as far as they must, then the place is looked up again.
 */

#include <string.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/tree_internal.h"

/* --- the path --- */

/* Makes the nodes on the path of `c` own ones. */
static void path_own(struct tree_cursor *c)
{
    ASSERT(value_is_sole(c->tree));
    if (tree_is_lone(c->tree)) {
        return;
    }
    for (size_t level = 0; level < c->height; level++) {
        struct tree_entry *e = c->entry[level];
        ptrdiff_t at = c->entry[level + 1] - node_inner(e->node)->entry;
        entry_own(e);
        c->entry[level + 1] = &node_inner(e->node)->entry[at];
    }
    entry_own(c->entry[c->height]);
    c->leaf = node_leaf(c->entry[c->height]->node);
}

/* Adds to count and memory of all entries on the path; both may be negative. */
static void path_add(struct tree_cursor *c, int64_t count, int64_t memory)
{
    if (tree_is_lone(c->tree)) {
        return;
    }
    for (size_t level = 0; level <= c->height; level++) {
        c->entry[level]->count += (uint64_t)count;
        c->entry[level]->memory += (uint64_t)memory;
    }
}

/* The first item of the leaf is another one. */
static void path_set_key(struct tree_cursor *c, size_t prefix)
{
    if (prefix == 0 || tree_is_lone(c->tree) || c->leaf->count == 0) {
        return;
    }
    uint64_t key = leaf_key(c->leaf, 0);
    size_t level = c->height;
    c->entry[level]->key = key;
    while (level > 0 && c->entry[level] == node_inner(c->entry[level - 1]->node)->entry) {
        c->entry[--level]->key = key;
    }
}

/* Room for `need` bytes in the leaf, at most TREE_LEAF_CAPACITY. */
static void path_grow_leaf(struct value **t, struct tree_cursor *c, size_t need)
{
    if (need <= c->leaf->capacity) {
        return;
    }
    if (tree_is_lone(*t)) {
        size_t capacity = leaf_capacity_for(sizeof(struct tree_lone), need);
        *t = mem_realloc(*t, sizeof(struct tree_lone) + capacity);
        c->tree = *t;
        c->leaf = &tree_lone_of(*t)->leaf;
        leaf_set_capacity(c->leaf, capacity);
        return;
    }
    struct tree_entry *e = c->entry[c->height];
    uint64_t before = e->memory;
    entry_grow_leaf(e, need);
    c->leaf = node_leaf(e->node);
    uint64_t more = e->memory - before;
    e->memory = before;
    path_add(c, 0, (int64_t)more);
}

/* --- splitting --- */

/* A lone leaf becomes the only node below a root. */
static void tree_raise(struct value **t, struct tree_cursor *c)
{
    struct tree_lone *lone = tree_lone_of(*t);
    struct tree_root *r = mem_alloc(sizeof *r);
    *r = (struct tree_root){.root = {.head = lone->head, .owners = 1}};
    r->root.head.encoding = VALUE_TREE;
    r->top.node = node_new_leaf(TREE_LEAF_CAPACITY);
    leaf_move(&lone->leaf, 0, lone->leaf.count, node_leaf(r->top.node), 0);
    mem_free(lone);
    *t = &r->root.head;
    entry_refresh(&r->top, tree_prefix(*t));
    c->tree = *t;
    c->entry[0] = &r->top;
    c->leaf = node_leaf(r->top.node);
}

/* Gives `right` its place behind the node at level `level` of the path, splitting what is full on
 * the way up. The node's own entry is up to date. */
static void path_hook(struct tree_cursor *c, size_t level, struct tree_entry right, size_t prefix)
{
    for (; level > 0; level--) {
        struct tree_entry *e = c->entry[level - 1];
        struct tree_inner *n = node_inner(e->node);
        size_t at = (size_t)(c->entry[level] - n->entry) + 1;
        if (n->node.child_count < TREE_FANOUT) {
            inner_open(n, at, 1);
            n->entry[at] = right;
            break;
        }
        COVER("inner node split");
        struct tree_entry sibling = {.node = node_new_inner(n->node.height)};
        struct tree_inner *m = node_inner(sibling.node);
        size_t keep = at == TREE_FANOUT ? TREE_FANOUT : TREE_FANOUT / 2; /* appending fills nodes */
        memcpy(m->entry, n->entry + keep, (TREE_FANOUT - keep) * sizeof n->entry[0]);
        m->node.child_count = (uint16_t)(TREE_FANOUT - keep);
        n->node.child_count = (uint16_t)keep;
        struct tree_inner *to = at <= keep && keep < TREE_FANOUT ? n : m;
        at -= to == m ? keep : 0;
        inner_open(to, at, 1);
        to->entry[at] = right;
        entry_refresh(e, prefix);
        entry_refresh(&sibling, prefix);
        right = sibling;
    }
    if (level == 0) {
        struct tree_entry *top = c->entry[0];
        struct tree_node *n = node_new_inner(top->node->height + 1u);
        node_inner(n)->entry[0] = *top;
        node_inner(n)->entry[1] = right;
        n->child_count = 2;
        top->node = n;
        level = 1;
    }
    while (level-- > 0) {
        entry_refresh(c->entry[level], prefix);
    }
}

/* Where to split a leaf into which an item of `size` goes at `slot`: *keep items stay, and the
 * fuller half is as empty as can be. True: the new item goes to the left half. */
static bool leaf_choose_split(const struct tree_leaf *l, size_t slot, size_t size, size_t *keep)
{
    size_t whole = leaf_full(l) + size + TREE_SLOT_BYTES;
    size_t best = SIZE_MAX;
    bool goes_left = false;
    for (size_t k = 0; k <= l->count; k++) {
        size_t left = leaf_begin(l, k) + TREE_SLOT_BYTES * k;
        for (int is_left = 0; is_left < 2; is_left++) {
            if (is_left ? slot > k : slot < k) {
                continue;
            }
            size_t with = left + (is_left ? size + TREE_SLOT_BYTES : 0);
            size_t worst = with > whole - with ? with : whole - with;
            if (worst < best) {
                best = worst;
                goes_left = is_left;
                *keep = k;
            }
        }
    }
    ASSERT(best <= TREE_LEAF_CAPACITY);
    return goes_left;
}

/* Stores at `slot` of the leaf of an own node, growing it. */
static void
entry_store(struct tree_entry *e, size_t slot, const struct tree_stored *s, size_t prefix)
{
    size_t need = leaf_full(node_leaf(e->node)) + s->size + TREE_SLOT_BYTES;
    if (need > node_leaf(e->node)->capacity) {
        entry_grow_leaf(e, need);
    }
    tree_store(s, prefix, leaf_open(node_leaf(e->node), slot, s->size, s->blob != NULL));
    entry_refresh(e, prefix);
}

static void tree_insert_split(struct value **t, struct tree_cursor *c, const struct tree_stored *s)
{
    size_t prefix = tree_prefix(*t);
    if (tree_is_lone(*t)) {
        tree_raise(t, c);
    }
    COVER("leaf split");
    uint64_t rank = tree_cursor_rank(c);
    size_t slot = c->slot;
    size_t keep = 0;
    bool is_last = rank == tree_count(*t);
    bool is_first = rank == 0;
    bool goes_left = is_first;
    if (is_last) {
        keep = c->leaf->count;
    } else if (!is_first) {
        goes_left = leaf_choose_split(c->leaf, slot, s->size, &keep);
    }
    size_t moved = c->leaf->count - keep;
    size_t need =
        leaf_full(c->leaf) - (keep ? leaf_end(c->leaf, keep - 1) : 0) - TREE_SLOT_BYTES * keep;
    size_t capacity = is_last ? TREE_LEAF_CAPACITY : leaf_capacity_for(TREE_LEAF_NODE_BYTES, need);
    struct tree_entry right = {.node = node_new_leaf(capacity)};
    leaf_move(c->leaf, keep, moved, node_leaf(right.node), 0);
    struct tree_entry *left = c->entry[c->height];
    if (goes_left) {
        entry_store(left, slot, s, prefix);
        entry_refresh(&right, prefix);
    } else {
        entry_store(&right, slot - keep, s, prefix);
        entry_refresh(left, prefix);
    }
    path_hook(c, c->height, right, prefix);
    tree_seek_rank(*t, rank, c);
}

/* --- inserting and replacing --- */

void tree_insert(struct value **t, struct tree_cursor *c, const struct tree_put *put)
{
    ASSERT(c->tree == *t);
    size_t prefix = tree_prefix(*t);
    struct tree_stored s = tree_measure(put, prefix);
    path_own(c);
    size_t need = leaf_full(c->leaf) + s.size + TREE_SLOT_BYTES;
    if (need > TREE_LEAF_CAPACITY) {
        tree_insert_split(t, c, &s);
        return;
    }
    path_grow_leaf(t, c, need);
    tree_store(&s, prefix, leaf_open(c->leaf, c->slot, s.size, s.blob != NULL));
    path_add(c, 1, s.blob ? (int64_t)tree_blob_memory(s.blob) : 0);
    if (c->slot == 0) {
        path_set_key(c, prefix);
    }
}

void tree_append(struct value **t, const struct tree_put *put)
{
    struct tree_cursor c;
    tree_seek_rank(*t, tree_count(*t), &c);
    tree_insert(t, &c, put);
}

void tree_replace(struct value **t, struct tree_cursor *c, const struct tree_put *put)
{
    ASSERT(c->tree == *t && c->slot < c->leaf->count);
    size_t prefix = tree_prefix(*t);
    ASSERT(prefix == 0 || leaf_key(c->leaf, c->slot) == put->key);
    struct tree_stored s = tree_measure(put, prefix);
    path_own(c);
    size_t size = leaf_end(c->leaf, c->slot) - leaf_begin(c->leaf, c->slot);
    struct tree_blob *before = leaf_blob(c->leaf, c->slot);
    if (size == s.size && !before && !s.blob) {
        tree_store(&s, prefix, leaf_bytes(c->leaf) + leaf_begin(c->leaf, c->slot));
        return;
    }
    int64_t memory = before ? -(int64_t)tree_blob_memory(before) : 0;
    leaf_unref_blobs(c->leaf, c->slot, 1);
    leaf_close(c->leaf, c->slot, 1);
    path_add(c, -1, memory);
    size_t need = leaf_full(c->leaf) + s.size + TREE_SLOT_BYTES;
    if (need > TREE_LEAF_CAPACITY) {
        tree_insert_split(t, c, &s);
        return;
    }
    path_grow_leaf(t, c, need);
    tree_store(&s, prefix, leaf_open(c->leaf, c->slot, s.size, s.blob != NULL));
    path_add(c, 1, s.blob ? (int64_t)tree_blob_memory(s.blob) : 0);
}

void tree_set_extra(struct value **t, struct tree_cursor *c, uint64_t extra)
{
    ASSERT(c->tree == *t && c->slot < c->leaf->count && tree_prefix(*t) == 16);
    path_own(c);
    struct tree_put put = {.extra = extra};
    put.key = leaf_key(c->leaf, c->slot);
    struct tree_stored prefix_only = {&put, NULL, 16};
    tree_store(&prefix_only, 16, leaf_bytes(c->leaf) + leaf_begin(c->leaf, c->slot));
}

/* --- balance --- */

static bool node_is_small(const struct tree_node *n)
{
    return n->height == 0 ? leaf_full(node_leaf(n)) < TREE_LEAF_CAPACITY / 4
                          : n->child_count < (TREE_FANOUT + 3) / 4;
}

/* All of the right leaf goes to the left one, or items from the fuller one to the other until they
 * are even. True when the right one is empty. */
static bool leaves_balance(struct tree_entry *left, struct tree_entry *right)
{
    struct tree_leaf *l = node_leaf(left->node);
    struct tree_leaf *r = node_leaf(right->node);
    size_t whole = leaf_full(l) + leaf_full(r);
    bool is_merge = whole <= TREE_LEAF_CAPACITY * 3 / 4;
    bool to_left = is_merge || leaf_full(l) < leaf_full(r);
    struct tree_entry *to_entry = to_left ? left : right;
    struct tree_leaf *from = to_left ? r : l;
    size_t n = 0;     /* items to move */
    size_t bytes = 0; /* with their slots */
    while (is_merge ? n < from->count
                    : leaf_full(node_leaf(to_entry->node)) + bytes < whole / 2 - whole / 8) {
        size_t i = to_left ? n : from->count - 1 - n;
        size_t size = leaf_end(from, i) - leaf_begin(from, i) + TREE_SLOT_BYTES;
        if (!is_merge && n + 1 == from->count) {
            break;
        }
        bytes += size;
        n++;
    }
    size_t need = leaf_full(node_leaf(to_entry->node)) + bytes;
    if (need > node_leaf(to_entry->node)->capacity) {
        entry_grow_leaf(to_entry, need);
    }
    struct tree_leaf *to = node_leaf(to_entry->node);
    leaf_move(from, to_left ? 0 : from->count - n, n, to, to_left ? to->count : 0);
    return is_merge;
}

static bool inners_balance(struct tree_inner *l, struct tree_inner *r)
{
    size_t whole = (size_t)l->node.child_count + r->node.child_count;
    size_t keep = whole <= TREE_FANOUT * 3 / 4 ? whole : whole / 2; /* in the left one */
    if (keep > l->node.child_count) {
        size_t n = keep - l->node.child_count;
        size_t at = l->node.child_count;
        inner_open(l, at, n);
        memcpy(&l->entry[at], r->entry, n * sizeof r->entry[0]);
        inner_close(r, 0, n);
    } else {
        size_t n = l->node.child_count - keep;
        inner_open(r, 0, n);
        memcpy(r->entry, &l->entry[keep], n * sizeof r->entry[0]);
        inner_close(l, keep, n);
    }
    return keep == whole;
}

void inner_balance(struct tree_inner *parent, size_t at, size_t prefix)
{
    struct tree_entry *e = &parent->entry[at];
    if (!node_is_small(e->node)) {
        return;
    }
    if (parent->node.child_count == 1) { /* no sibling: at worst the parent goes with it */
        if (e->count == 0) {
            entry_free(e);
            inner_close(parent, at, 1);
        }
        return;
    }
    COVER("nodes balanced");
    struct tree_entry *left = at > 0 ? e - 1 : e;
    struct tree_entry *right = left + 1;
    entry_own(left);
    entry_own(right);
    bool is_right_empty = left->node->height == 0
                              ? leaves_balance(left, right)
                              : inners_balance(node_inner(left->node), node_inner(right->node));
    entry_refresh(left, prefix);
    if (is_right_empty) {
        entry_free(right);
        inner_close(parent, (size_t)(right - parent->entry), 1);
    } else {
        entry_refresh(right, prefix);
    }
}

/* The leaf alone again. */
static void tree_lower(struct value **t)
{
    struct tree_root *r = tree_root_of(*t);
    entry_own(&r->top);
    struct tree_leaf *from = node_leaf(r->top.node);
    size_t capacity = leaf_capacity_for(sizeof(struct tree_lone), leaf_full(from));
    struct tree_lone *lone = mem_alloc(sizeof *lone + capacity);
    *lone = (struct tree_lone){.head = r->root.head, .leaf = {.capacity = (uint16_t)capacity}};
    lone->head.encoding = VALUE_LEAF;
    leaf_move(from, 0, from->count, &lone->leaf, 0);
    entry_free(&r->top);
    mem_free(r);
    *t = &lone->head;
}

void tree_settle(struct value **t)
{
    if (tree_is_lone(*t)) {
        struct tree_leaf *l = &tree_lone_of(*t)->leaf;
        size_t capacity = leaf_capacity_for(sizeof(struct tree_lone), leaf_full(l));
        if (capacity < l->capacity / 2) {
            leaf_set_capacity(l, capacity);
            *t = mem_realloc(*t, sizeof(struct tree_lone) + capacity);
        }
        return;
    }
    struct tree_entry *top = &tree_root_of(*t)->top;
    while (top->node->height > 0 && top->node->child_count <= 1) {
        entry_own(top);
        struct tree_node *n = top->node;
        if (n->child_count == 0) {
            *top = (struct tree_entry){.node = node_new_leaf(0)};
            entry_refresh(top, 0);
        } else {
            *top = node_inner(n)->entry[0];
        }
        mem_free(n);
    }
    if (top->node->height == 0 && leaf_full(node_leaf(top->node)) <= TREE_LEAF_CAPACITY / 2) {
        tree_lower(t);
    }
}

/* --- removing --- */

void tree_remove(struct value **t, struct tree_cursor *c)
{
    ASSERT(c->tree == *t && c->slot < c->leaf->count);
    size_t prefix = tree_prefix(*t);
    path_own(c);
    struct tree_blob *blob = leaf_blob(c->leaf, c->slot);
    int64_t memory = blob ? -(int64_t)tree_blob_memory(blob) : 0;
    leaf_unref_blobs(c->leaf, c->slot, 1);
    leaf_close(c->leaf, c->slot, 1);
    path_add(c, -1, memory);
    if (tree_is_lone(*t)) {
        tree_settle(t);
        c->tree = *t;
        c->leaf = &tree_lone_of(*t)->leaf;
        return;
    }
    if (!node_is_small(c->entry[c->height]->node)) {
        if (c->slot == 0) {
            path_set_key(c, prefix);
        }
        if (c->slot == c->leaf->count) {
            tree_seek_rank(*t, tree_cursor_rank(c), c);
        }
        return;
    }
    uint64_t rank = tree_cursor_rank(c);
    size_t level = c->height;
    entry_refresh(c->entry[level], prefix);
    for (; level > 0 && node_is_small(c->entry[level]->node); level--) {
        struct tree_inner *parent = node_inner(c->entry[level - 1]->node);
        inner_balance(parent, (size_t)(c->entry[level] - parent->entry), prefix);
        entry_refresh(c->entry[level - 1], prefix);
    }
    while (level-- > 0) {
        entry_refresh(c->entry[level], prefix);
    }
    tree_settle(t);
    tree_seek_rank(*t, rank, c);
}
