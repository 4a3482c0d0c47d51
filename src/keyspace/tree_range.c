/* Cutting a range out of a tree. Nodes that lie in it as a whole are taken as they are, with
 * everything below them, and hung below a root of their own, to be freed later; only the leaves at
 * both ends of the cut change. */

#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/tree_internal.h"

/* What was cut out. Its nodes are of different heights: good for nothing but being freed. */
struct range_dead {
    struct tree_entry top; /* an inner node, or nothing */
};

static void range_take(struct range_dead *dead, const struct tree_entry *entry, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct tree_node *n = dead->top.node;
        if (!n || n->child_count == TREE_FANOUT) {
            struct tree_node *more = node_new_inner(1);
            if (n) {
                entry_refresh(&dead->top, 0);
                node_inner(more)->entry[more->child_count++] = dead->top;
            }
            dead->top.node = n = more;
        }
        node_inner(n)->entry[n->child_count++] = entry[i];
    }
}

static size_t range_find(const struct tree_inner *n, uint64_t *rank)
{
    size_t at = 0;
    while (*rank >= n->entry[at].count) {
        *rank -= n->entry[at++].count;
    }
    return at;
}

/* Cuts `count` items from `rank` on out of the own node of `e`, not all that it has. */
static void range_cut(
    struct tree_entry *e, uint64_t rank, uint64_t count, size_t prefix, struct range_dead *dead)
{
    if (e->node->height == 0) {
        struct tree_leaf *l = node_leaf(e->node);
        leaf_unref_blobs(l, (size_t)rank, (size_t)count);
        leaf_close(l, (size_t)rank, (size_t)count);
        entry_refresh(e, prefix);
        return;
    }
    struct tree_inner *n = node_inner(e->node);
    size_t at = range_find(n, &rank);
    if (rank > 0) { /* the child at the left end keeps its beginning */
        struct tree_entry *child = &n->entry[at++];
        uint64_t rest = child->count - rank;
        uint64_t here = rest < count ? rest : count;
        entry_own(child);
        range_cut(child, rank, here, prefix, dead);
        count -= here;
    }
    size_t whole = 0;
    while (count > 0 && n->entry[at + whole].count <= count) {
        count -= n->entry[at + whole++].count;
    }
    range_take(dead, &n->entry[at], whole);
    inner_close(n, at, whole);
    if (count > 0) { /* the child at the right end keeps its end */
        entry_own(&n->entry[at]);
        range_cut(&n->entry[at], 0, count, prefix, dead);
    }
    entry_refresh(e, prefix);
}

/* Balances the own nodes on the way to `rank`. From the top, so that what is left of the two sides
 * of a cut comes below one parent; and once more on the way back, for what that made too small. */
static void range_mend(struct tree_entry *e, uint64_t rank, size_t prefix)
{
    if (e->node->height == 0) {
        return;
    }
    struct tree_inner *n = node_inner(e->node);
    uint64_t below = rank;
    inner_balance(n, range_find(n, &below), prefix);
    below = rank;
    size_t at = range_find(n, &below);
    entry_own(&n->entry[at]);
    range_mend(&n->entry[at], below, prefix);
    inner_balance(n, at, prefix);
    entry_refresh(e, prefix);
}

struct value *tree_remove_range(struct value **t, uint64_t rank, uint64_t count)
{
    struct value *before = *t;
    ASSERT(value_is_sole(before));
    ASSERT(rank <= tree_count(before) && count <= tree_count(before) - rank);
    if (count == 0) {
        return NULL;
    }
    if (count == tree_count(before)) {
        *t = tree_new(value_get_type(before), tree_get_encoding(before), tree_get_shape(before));
        return before;
    }
    if (tree_is_lone(before)) {
        struct tree_leaf *l = &tree_lone_of(before)->leaf;
        leaf_unref_blobs(l, (size_t)rank, (size_t)count);
        leaf_close(l, (size_t)rank, (size_t)count);
        tree_settle(t);
        return NULL;
    }
    struct range_dead dead = {.top = {.node = NULL}};
    struct tree_root *r = tree_root_of(before);
    entry_own(&r->top);
    range_cut(&r->top, rank, count, tree_prefix(before), &dead);
    struct tree_root *gone = NULL;
    if (dead.top.node) {
        COVER("range of nodes cut out");
        gone = mem_alloc(sizeof *gone);
        *gone = (struct tree_root){.root = {.head = r->root.head, .owners = 1}, .top = dead.top};
        entry_refresh(&gone->top, 0);
    }
    if (rank > 0) {
        range_mend(&r->top, rank - 1, tree_prefix(before));
    }
    if (rank < r->top.count) {
        range_mend(&r->top, rank, tree_prefix(before));
    }
    tree_settle(t);
    return gone ? &gone->root.head : NULL;
}
