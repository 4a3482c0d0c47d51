/* A 4-ary heap whose items know their entry and whose entries know their place.
 *
 * X1  An item is not before its parent in the order (at_ms, last_change, key).
 * X2  item[i].entry->expiry_position == i + 1, and every other entry of the database has 0.
 *
 * Which of several due keys goes first follows from X1's order alone, never from the shape of the
 * heap. */

#include "keyspace/expiry.h"

#include "base/assert.h"
#include "base/mem.h"

enum { EXPIRY_ARITY = 4, EXPIRY_MIN_CAPACITY = 16 };

static bool expiry_is_before(const struct expiry_item *a, const struct expiry_item *b)
{
    if (a->at_ms != b->at_ms) {
        return a->at_ms < b->at_ms;
    }
    if (a->entry->last_change != b->entry->last_change) {
        return a->entry->last_change < b->entry->last_change;
    }
    return slice_compare(dict_entry_key(a->entry), dict_entry_key(b->entry)) < 0;
}

static void expiry_place(struct expiry_heap *h, uint32_t position, struct expiry_item item)
{
    h->item[position] = item;
    item.entry->expiry_position = position + 1;
}

/* Let `item` find its place from `position` towards the root, then from there towards the leaves.
 */
static void expiry_sift(struct expiry_heap *h, uint32_t position, struct expiry_item item)
{
    while (position > 0) {
        uint32_t parent = (position - 1) / EXPIRY_ARITY;
        if (!expiry_is_before(&item, &h->item[parent])) {
            break;
        }
        expiry_place(h, position, h->item[parent]);
        position = parent;
    }
    for (;;) {
        uint64_t child = (uint64_t)position * EXPIRY_ARITY + 1;
        if (child >= h->count) {
            break;
        }
        uint32_t least = (uint32_t)child;
        for (uint64_t i = child + 1; i < child + EXPIRY_ARITY && i < h->count; i++) {
            if (expiry_is_before(&h->item[i], &h->item[least])) {
                least = (uint32_t)i;
            }
        }
        if (!expiry_is_before(&h->item[least], &item)) {
            break;
        }
        expiry_place(h, position, h->item[least]);
        position = least;
    }
    expiry_place(h, position, item);
}

void expiry_init(struct expiry_heap *h)
{
    *h = (struct expiry_heap){.item = NULL};
}

void expiry_deinit(struct expiry_heap *h)
{
    mem_free(h->item);
    expiry_init(h);
}

static void expiry_resize(struct expiry_heap *h, uint32_t capacity)
{
    h->item = mem_realloc_array(h->item, capacity, sizeof h->item[0]);
    h->capacity = capacity;
}

void expiry_set(struct expiry_heap *h, struct dict_entry *entry, int64_t at_ms)
{
    if (entry->expiry_position == 0) {
        if (h->count == h->capacity) {
            ASSERT(h->capacity <= UINT32_MAX / 2);
            expiry_resize(h, h->capacity ? 2 * h->capacity : EXPIRY_MIN_CAPACITY);
        }
        entry->expiry_position = ++h->count;
    }
    uint32_t position = entry->expiry_position - 1;
    expiry_sift(h, position, (struct expiry_item){at_ms, entry});
}

bool expiry_clear(struct expiry_heap *h, struct dict_entry *entry)
{
    if (entry->expiry_position == 0) {
        return false;
    }
    uint32_t position = entry->expiry_position - 1;
    ASSERT(position < h->count && h->item[position].entry == entry);
    entry->expiry_position = 0;
    struct expiry_item last = h->item[--h->count];
    if (last.entry != entry) {
        expiry_sift(h, position, last);
    }
    if (h->capacity > EXPIRY_MIN_CAPACITY && h->count < h->capacity / 4) {
        expiry_resize(h, h->capacity / 2);
    }
    return true;
}

void expiry_touch(struct expiry_heap *h, struct dict_entry *entry)
{
    if (entry->expiry_position) {
        uint32_t position = entry->expiry_position - 1;
        expiry_sift(h, position, h->item[position]);
    }
}

void expiry_check(const struct expiry_heap *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        ASSERT(h->item[i].entry->expiry_position == i + 1);                                 /* X2 */
        ASSERT(i == 0 || !expiry_is_before(&h->item[i], &h->item[(i - 1) / EXPIRY_ARITY])); /* X1 */
    }
}
