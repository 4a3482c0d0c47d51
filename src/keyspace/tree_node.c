/* Nodes: making, copying, growing, freeing. What a node is made of is in tree.c's essay. */

#include <string.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/tree_internal.h"

struct tree_node *node_new_leaf(size_t capacity)
{
    struct tree_leaf_node *n = mem_alloc(TREE_LEAF_NODE_BYTES + capacity);
    n->node = (struct tree_node){.owners = 1};
    n->leaf = (struct tree_leaf){.capacity = (uint16_t)capacity};
    return &n->node;
}

struct tree_node *node_new_inner(unsigned height)
{
    ASSERT(height > 0 && height < TREE_HEIGHT_MAX);
    struct tree_inner *n = mem_alloc(sizeof *n);
    n->node = (struct tree_node){.owners = 1, .height = (uint8_t)height};
    return &n->node;
}

static size_t node_memory(const struct tree_node *n)
{
    if (n->height == 0) {
        return TREE_LEAF_NODE_BYTES + node_leaf(n)->capacity;
    }
    return sizeof(struct tree_inner);
}

static struct tree_node *node_copy(const struct tree_node *n)
{
    size_t size = node_memory(n);
    struct tree_node *copy = mem_alloc(size);
    if (n->height == 0) {
        memcpy(copy, n, size);
        leaf_share_blobs(node_leaf(n));
    } else {
        const struct tree_inner *inner = node_inner(n);
        size_t used = inner->node.child_count * sizeof inner->entry[0];
        memcpy(copy, n, offsetof(struct tree_inner, entry) + used);
        for (size_t i = 0; i < n->child_count; i++) {
            ASSERT(inner->entry[i].node->owners < UINT32_MAX);
            inner->entry[i].node->owners++;
        }
    }
    copy->owners = 1;
    return copy;
}

void entry_own(struct tree_entry *e)
{
    ASSERT(e->node->owners > 0);
    if (e->node->owners > 1) {
        COVER("shared node copied");
        struct tree_node *own = node_copy(e->node);
        e->node->owners--;
        e->node = own;
    }
}

void entry_refresh(struct tree_entry *e, size_t prefix)
{
    const struct tree_node *n = e->node;
    e->memory = node_memory(n);
    if (n->height == 0) {
        const struct tree_leaf *l = node_leaf(n);
        e->key = prefix && l->count ? leaf_key(l, 0) : 0;
        e->count = l->count;
        e->memory += leaf_blob_memory(l);
        return;
    }
    const struct tree_inner *inner = node_inner(n);
    e->key = n->child_count ? inner->entry[0].key : 0;
    e->count = 0;
    for (size_t i = 0; i < n->child_count; i++) {
        e->count += inner->entry[i].count;
        e->memory += inner->entry[i].memory;
    }
}

void entry_grow_leaf(struct tree_entry *e, size_t need)
{
    ASSERT(e->node->owners == 1);
    size_t capacity = leaf_capacity_for(TREE_LEAF_NODE_BYTES, need);
    e->memory += capacity - node_leaf(e->node)->capacity;
    e->node = mem_realloc(e->node, TREE_LEAF_NODE_BYTES + capacity);
    leaf_set_capacity(node_leaf(e->node), capacity);
}

void inner_open(struct tree_inner *n, size_t at, size_t count)
{
    ASSERT(at <= n->node.child_count && n->node.child_count + count <= TREE_FANOUT);
    memmove(&n->entry[at + count], &n->entry[at], (n->node.child_count - at) * sizeof n->entry[0]);
    n->node.child_count = (uint16_t)(n->node.child_count + count);
}

void inner_close(struct tree_inner *n, size_t at, size_t count)
{
    ASSERT(at + count <= n->node.child_count);
    size_t behind = n->node.child_count - at - count;
    memmove(&n->entry[at], &n->entry[at + count], behind * sizeof n->entry[0]);
    n->node.child_count = (uint16_t)(n->node.child_count - count);
}

/* --- freeing --- */

/* A leaf, or an inner node that has no child left. */
static void node_free(struct tree_node *n, size_t *budget)
{
    --*budget;
    if (n->height == 0) {
        const struct tree_leaf *l = node_leaf(n);
        for (size_t i = 0; i<l->count && * budget> 0; i++) { /* blobs are pieces, too */
            *budget -= leaf_has_blob(l, i);
        }
        leaf_unref_blobs(l, 0, l->count);
    }
    mem_free(n);
}

/* Always the last child of the last child: the way there is short, so no place is kept. */
bool entry_free_some(struct tree_entry *e, size_t *budget)
{
    while (*budget > 0) {
        struct tree_node *parent = NULL;
        struct tree_node *n = e->node;
        while (n->owners == 1 && n->height > 0 && n->child_count > 0) {
            parent = n;
            n = node_inner(n)->entry[n->child_count - 1].node;
        }
        if (n->owners > 1) {
            n->owners--;
            --*budget;
        } else {
            node_free(n, budget);
        }
        if (!parent) {
            e->node = NULL;
            return true;
        }
        parent->child_count--;
    }
    return false;
}

void entry_free(struct tree_entry *e)
{
    size_t budget = SIZE_MAX;
    ASSERT(entry_free_some(e, &budget));
}
