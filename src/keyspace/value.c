/* Values: what they have in common. A small one is a single allocation without a count:
 *
 *   inline   [type|encoding|size|bytes ...]
 *
 * Everything else has a root, whose owners are counted, and chunks below it, each of which counts
 * the roots (or inner nodes) that point to it:
 *
 *   A -> [root, owners 2] -> [c0 1] [c1 1] [c2 1]        value_share: one count
 *   B ---^
 *
 *   A -> [root, owners 1] -> [c0 2] [c1 2] [c2 2]        value_unshare of B: a root, no content
 *   B -> [root, owners 1] ----^------^------^
 *
 *   A -> [root, owners 1] -> [c0 2] [c1 1] [c2 2]        a change of B copies the chunk it touches
 *   B -> [root, owners 1] ----^-> [c1' 1] ----^
 *
 * So a snapshot holds a value of any size as it was, for a count; and COPY costs as little.
 *
 * O1  A root or chunk with more than one owner is never written to.
 *
 * O2  It is freed by the owner that leaves last. Counts change on the loop's thread alone: what the
 *     storage thread writes are copies.
 *
 * O3  Memory is counted as if nothing were shared, so that it depends on the content alone. */

#include "keyspace/value.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/tree_internal.h"

STATIC_ASSERT(sizeof(struct value) == 4, "the header of every stored value");

enum value_type value_get_type(const struct value *v)
{
    return (enum value_type)v->type;
}

const char *value_type_name(enum value_type type)
{
    static const char *const name[] = {"string", "list", "set", "zset", "hash", "stream"};
    return name[type];
}

size_t value_memory(const struct value *v)
{
    if (value_is_plain(v)) {
        return value_inline_memory(v);
    }
    switch ((enum value_type)v->type) {
    case VALUE_STRING:
        return value_string_memory(v);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_HASH:
        return tree_memory(v);
    case VALUE_ZSET:
        return zset_memory(v);
    case VALUE_STREAM:
        break;
    }
    UNREACHABLE();
}

bool value_is_big(const struct value *v)
{
    if (value_is_inline(v)) {
        return false;
    }
    switch ((enum value_type)v->type) {
    case VALUE_STRING:
        return value_string_is_big(v);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_HASH:
        return tree_is_big(v);
    case VALUE_ZSET:
        return zset_is_big(v);
    case VALUE_STREAM:
        break;
    }
    UNREACHABLE();
}

/* --- owners --- */

/* An inline value has a copy of its own: it is smaller than what a count would cost in all the
 * others. */
static struct value *value_copy_inline(const struct value *v)
{
    size_t size = value_memory(v);
    struct value *copy = mem_alloc(size);
    memcpy(copy, v, sizeof *v + v->size);
    return copy;
}

struct value *value_share(const struct value *v)
{
    if (value_is_inline(v)) {
        return v->encoding == VALUE_LEAF ? tree_copy_root(v) : value_copy_inline(v);
    }
    COVER("value shared");
    /* The count isn't part of the content that `const` promises to leave alone. */
    struct value *shared = (struct value *)(uintptr_t)v;
    struct value_root *root = value_root_of(shared);
    ASSERT(root->owners > 0 && root->owners < UINT32_MAX);
    root->owners++;
    return shared;
}

bool value_has_root(const struct value *v)
{
    return !value_is_inline(v);
}

static struct value *value_copy_root(struct value *v)
{
    switch ((enum value_type)v->type) {
    case VALUE_STRING:
        return value_string_copy_root(v);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_HASH:
        return tree_copy_root(v);
    case VALUE_ZSET:
        return zset_copy_root(v);
    case VALUE_STREAM:
        break;
    }
    UNREACHABLE();
}

struct value *value_unshare(struct value *v)
{
    if (value_is_sole(v)) {
        return v;
    }
    COVER("shared value gets a root of its own");
    struct value *own = value_copy_root(v);
    ASSERT(value_root_of(own)->owners == 1);
    value_root_of(v)->owners--; /* not the last one: it wasn't sole */
    return own;
}

/* --- freeing --- */

static bool value_free_chunks(struct value *v, size_t *budget)
{
    switch ((enum value_type)v->type) {
    case VALUE_STRING:
        return value_string_free_some(v, budget);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_HASH:
        return tree_free_some(v, budget);
    case VALUE_ZSET:
        return zset_free_some(v, budget);
    case VALUE_STREAM:
        break;
    }
    UNREACHABLE();
}

bool value_free_some(struct value *v, size_t *budget)
{
    if (v->encoding == VALUE_LEAF || !value_is_inline(v)) {
        if (value_is_sole(v)) {
            return value_free_chunks(v, budget);
        }
        if (*budget == 0) {
            return false;
        }
        value_root_of(v)->owners--;
    } else if (*budget == 0) {
        return false;
    } else {
        mem_free(v);
    }
    --*budget;
    return true;
}

void value_free(struct value *v)
{
    size_t budget = SIZE_MAX;
    if (v) {
        ASSERT(value_free_some(v, &budget));
    }
}
