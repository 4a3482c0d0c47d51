/* Leaves: items in a row, nothing between them.
 *
 *   [count|used|capacity] [item 0][item 1]...[item n-1]   free   [slot n-1]...[slot 1][slot 0]
 *
 * An item: prefix (0, 8 or 16 bytes), then its bytes or, flagged in its slot, a pointer to a blob.
 */

#include <string.h>

#include "base/codec.h"
#include "base/mem.h"
#include "keyspace/tree_internal.h"

/* --- blobs --- */

struct tree_blob *tree_blob_new(size_t size)
{
    ASSERT(size <= UINT32_MAX);
    struct tree_blob *blob = mem_alloc(sizeof *blob + size);
    blob->owners = 1;
    blob->size = (uint32_t)size;
    return blob;
}

struct tree_blob *tree_blob_share(struct tree_blob *blob)
{
    ASSERT(blob->owners > 0 && blob->owners < UINT32_MAX);
    blob->owners++;
    return blob;
}

void tree_blob_unref(struct tree_blob *blob)
{
    ASSERT(blob->owners > 0);
    if (--blob->owners == 0) {
        mem_free(blob);
    }
}

/* --- looking --- */

uint64_t leaf_key(const struct tree_leaf *l, size_t i)
{
    return get_u64(leaf_item(l, i));
}

struct tree_blob *leaf_blob(const struct tree_leaf *l, size_t i)
{
    if (!leaf_has_blob(l, i)) {
        return NULL;
    }
    struct tree_blob *blob;
    const uint8_t *end = (const uint8_t *)(l + 1) + leaf_end(l, i);
    memcpy(&blob, end - TREE_POINTER_BYTES, sizeof blob);
    return blob;
}

void leaf_get(const struct tree_leaf *l, size_t i, size_t prefix, struct tree_item *item)
{
    const uint8_t *p = leaf_item(l, i);
    item->key = prefix >= 8 ? get_u64(p) : 0;
    item->extra = prefix == 16 ? get_u64(p + 8) : 0;
    item->blob = leaf_blob(l, i);
    if (item->blob) {
        item->bytes = (struct slice){item->blob->bytes, item->blob->size};
    } else {
        item->bytes = (struct slice){p + prefix, leaf_end(l, i) - leaf_begin(l, i) - prefix};
    }
}

size_t leaf_blob_memory(const struct tree_leaf *l)
{
    size_t bytes = 0;
    for (size_t i = 0; i < l->count; i++) {
        const struct tree_blob *blob = leaf_blob(l, i);
        bytes += blob ? tree_blob_memory(blob) : 0;
    }
    return bytes;
}

/* --- room --- */

/* The classes of jemalloc: four steps between powers of two. */
static size_t leaf_good_size(size_t n)
{
    size_t step = 16;
    while (n > 8 * step) {
        step *= 2;
    }
    return (n + step - 1) / step * step;
}

size_t leaf_capacity_for(size_t header, size_t need)
{
    ASSERT(need <= TREE_LEAF_CAPACITY);
    size_t capacity = (leaf_good_size(header + need) - header) & ~(size_t)1;
    return capacity < TREE_LEAF_CAPACITY ? capacity : TREE_LEAF_CAPACITY;
}

void leaf_set_capacity(struct tree_leaf *l, size_t capacity)
{
    ASSERT(capacity % 2 == 0 && capacity >= leaf_full(l) && capacity <= TREE_LEAF_CAPACITY);
    size_t slots = (size_t)TREE_SLOT_BYTES * l->count;
    memmove(leaf_bytes(l) + capacity - slots, leaf_bytes(l) + l->capacity - slots, slots);
    l->capacity = (uint16_t)capacity;
}

uint8_t *leaf_open(struct tree_leaf *l, size_t i, size_t size, bool has_blob)
{
    ASSERT(i <= l->count && leaf_full(l) + size + TREE_SLOT_BYTES <= l->capacity);
    size_t at = leaf_begin(l, i);
    memmove(leaf_bytes(l) + at + size, leaf_bytes(l) + at, l->used - at);
    l->used = (uint16_t)(l->used + size);
    l->count++;
    for (size_t k = (size_t)l->count - 1; k > i; k--) {
        *leaf_slot(l, k) = (uint16_t)(*leaf_slot(l, k - 1) + size);
    }
    *leaf_slot(l, i) = (uint16_t)((at + size) | (has_blob ? TREE_SLOT_BLOB : 0u));
    return leaf_bytes(l) + at;
}

void leaf_close(struct tree_leaf *l, size_t i, size_t n)
{
    ASSERT(i + n <= l->count);
    if (n == 0) {
        return;
    }
    size_t at = leaf_begin(l, i);
    size_t end = leaf_end(l, i + n - 1);
    memmove(leaf_bytes(l) + at, leaf_bytes(l) + end, l->used - end);
    l->used = (uint16_t)(l->used - (end - at));
    for (size_t k = i + n; k < l->count; k++) {
        *leaf_slot(l, k - n) = (uint16_t)(*leaf_slot(l, k) - (end - at));
    }
    l->count = (uint16_t)(l->count - n);
}

void leaf_move(struct tree_leaf *from, size_t i, size_t n, struct tree_leaf *to, size_t at)
{
    ASSERT(i + n <= from->count && at <= to->count);
    if (n == 0) {
        return;
    }
    size_t begin = leaf_begin(from, i);
    size_t size = leaf_end(from, i + n - 1) - begin;
    size_t place = leaf_begin(to, at);
    ASSERT(leaf_full(to) + size + TREE_SLOT_BYTES * n <= to->capacity);
    memmove(leaf_bytes(to) + place + size, leaf_bytes(to) + place, to->used - place);
    memcpy(leaf_bytes(to) + place, leaf_bytes(from) + begin, size);
    to->used = (uint16_t)(to->used + size);
    for (size_t k = to->count; k > at; k--) {
        *leaf_slot(to, k - 1 + n) = (uint16_t)(*leaf_slot(to, k - 1) + size);
    }
    for (size_t k = 0; k < n; k++) {
        size_t end = leaf_end(from, i + k) - begin + place;
        *leaf_slot(to, at + k) =
            (uint16_t)(end | (leaf_has_blob(from, i + k) ? TREE_SLOT_BLOB : 0u));
    }
    to->count = (uint16_t)(to->count + n);
    leaf_close(from, i, n);
}

void leaf_share_blobs(const struct tree_leaf *l)
{
    for (size_t i = 0; i < l->count; i++) {
        struct tree_blob *blob = leaf_blob(l, i);
        if (blob) {
            tree_blob_share(blob);
        }
    }
}

void leaf_unref_blobs(const struct tree_leaf *l, size_t i, size_t n)
{
    for (size_t k = i; k < i + n; k++) {
        struct tree_blob *blob = leaf_blob(l, k);
        if (blob) {
            tree_blob_unref(blob);
        }
    }
}

/* --- storing --- */

struct tree_stored tree_measure(const struct tree_put *put, size_t prefix)
{
    size_t size = 0;
    for (size_t i = 0; i < TREE_PARTS_MAX; i++) {
        size += put->part[i].n;
    }
    ASSERT(size <= UINT32_MAX && (!put->blob || size == 0));
    if (!put->blob && prefix + size <= TREE_ITEM_MAX) {
        return (struct tree_stored){put, NULL, prefix + size};
    }
    struct tree_stored stored = {put, NULL, prefix + TREE_POINTER_BYTES};
    if (put->blob) {
        stored.blob = tree_blob_share(put->blob);
        return stored;
    }
    stored.blob = tree_blob_new(size);
    size_t done = 0;
    for (size_t i = 0; i < TREE_PARTS_MAX; i++) {
        if (put->part[i].n) {
            memcpy(stored.blob->bytes + done, put->part[i].p, put->part[i].n);
        }
        done += put->part[i].n;
    }
    return stored;
}

void tree_store(const struct tree_stored *s, size_t prefix, uint8_t *out)
{
    if (prefix >= 8) {
        put_u64(out, s->put->key);
    }
    if (prefix == 16) {
        put_u64(out + 8, s->put->extra);
    }
    out += prefix;
    if (s->blob) {
        memset(out, 0, TREE_POINTER_BYTES);
        memcpy(out, &s->blob, sizeof s->blob);
        return;
    }
    for (size_t i = 0; i < TREE_PARTS_MAX; i++) {
        if (s->put->part[i].n) {
            memcpy(out, s->put->part[i].p, s->put->part[i].n);
            out += s->put->part[i].n;
        }
    }
}
