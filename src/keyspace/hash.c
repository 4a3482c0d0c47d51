/* An item of a hash is the size of the field (7 bits a byte, the low ones first, the top bit set on all but the last), the field,
 * and the value.
 *
 *   TREE_BY_POSITION   in the order in which the fields came; found by looking at each
 *   TREE_BY_KEY        ordered by (keyspace_hash(field), field)
 *
 * H1  What OBJECT ENCODING says is Redis's rule: "listpack" until a field or value is longer than hash-max-listpack-value or there
 *     are more fields than hash-max-listpack-entries; "hashtable" from then on, whatever is removed. It depends on what happened, so
 *     it is state.
 *
 * H2  A hashtable is TREE_BY_KEY. A listpack is TREE_BY_POSITION while it has at most HASH_LINEAR_MAX fields; one that the settings
 *     let grow longer becomes TREE_BY_KEY too, so that no step takes longer than a look at that many. */

#include "keyspace/hash.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/settings.h"
#include "keyspace/value.h"

enum {
    HASH_LINEAR_MAX = 1024,
    HASH_SIZE_BYTES_MAX = 5, /* of 32 bits */
};

struct value *hash_new(void)
{
    return tree_new(VALUE_HASH, TREE_ENCODING_LISTPACK, TREE_BY_POSITION);
}

/* --- items --- */

static size_t hash_write_size(size_t size, uint8_t out[HASH_SIZE_BYTES_MAX])
{
    size_t n = 0;
    for (; size >= 0x80; size >>= 7) {
        out[n++] = (uint8_t)(size | 0x80);
    }
    out[n++] = (uint8_t)size;
    return n;
}

bool hash_item_is_sound(struct slice bytes)
{
    uint64_t size = 0;
    uint8_t byte = 0x80;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        if (bytes.n == 0 || shift == 7 * HASH_SIZE_BYTES_MAX) {
            return false;
        }
        byte = bytes.p[0];
        size |= (uint64_t)(byte & 0x7f) << shift;
        bytes = slice_skip(bytes, 1);
    }
    return size <= bytes.n;
}

struct hash_pair hash_pair_of(const struct tree_item *item)
{
    struct slice rest = item->bytes;
    size_t size = 0;
    uint8_t byte = 0x80;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        ASSERT(rest.n > 0 && shift < 7 * HASH_SIZE_BYTES_MAX);
        byte = rest.p[0];
        size |= (size_t)(byte & 0x7f) << shift;
        rest = slice_skip(rest, 1);
    }
    ASSERT(size <= rest.n);
    return (struct hash_pair){{rest.p, size}, slice_skip(rest, size)};
}

/* As item - probe, a slice. */
static int hash_compare(const void *probe, struct slice bytes)
{
    struct tree_item item = {.bytes = bytes};
    return slice_compare(hash_pair_of(&item).field, *(const struct slice *)probe);
}

/* --- finding --- */

/* *c is at the field, or where it would go. */
static bool hash_seek(const struct keyspace_view *view,
                      const struct value *h,
                      struct slice field,
                      uint64_t *key,
                      struct tree_cursor *c)
{
    struct tree_item item;
    *key = 0;
    if (hash_is_ordered(h)) {
        *key = keyspace_hash(view, field);
        return tree_seek_key(h, *key, hash_compare, &field, c);
    }
    for (tree_seek_rank(h, 0, c); tree_cursor_get(c, &item); tree_cursor_next(c)) {
        if (slice_equal(hash_pair_of(&item).field, field)) {
            return true;
        }
    }
    return false;
}

bool hash_find(const struct keyspace_view *view, const struct value *h, struct slice field, struct hash_pair *pair)
{
    struct tree_cursor c;
    struct tree_item item;
    uint64_t key;
    if (!hash_seek(view, h, field, &key, &c)) {
        return false;
    }
    tree_cursor_get(&c, &item);
    *pair = hash_pair_of(&item);
    return true;
}

/* --- changing --- */

struct hash_place {
    uint64_t key;
    struct slice field;
    struct tree_item item;
};

static int hash_compare_places(const void *a, const void *b)
{
    const struct hash_place *x = a;
    const struct hash_place *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return slice_compare(x->field, y->field);
}

/* From TREE_BY_POSITION to TREE_BY_KEY. */
static void hash_order(const struct keyspace_view *view, struct value **h, enum tree_encoding encoding)
{
    size_t count = (size_t)tree_count(*h);
    struct hash_place *place = mem_alloc_array(count + 1, sizeof *place);
    struct value *ordered = tree_new(VALUE_HASH, encoding, TREE_BY_KEY);
    struct tree_cursor c;
    COVER("hash becomes ordered");
    tree_seek_rank(*h, 0, &c);
    for (size_t i = 0; i < count; i++, tree_cursor_next(&c)) {
        tree_cursor_get(&c, &place[i].item);
        place[i].field = hash_pair_of(&place[i].item).field;
        place[i].key = keyspace_hash(view, place[i].field);
    }
    qsort(place, count, sizeof *place, hash_compare_places);
    for (size_t i = 0; i < count; i++) {
        struct tree_put put = tree_put_item(&place[i].item);
        put.key = place[i].key;
        tree_append(&ordered, &put);
    }
    mem_free(place);
    value_free(*h);
    *h = ordered;
}

static void hash_convert(const struct keyspace_view *view, struct value **h)
{
    if (hash_is_ordered(*h)) {
        tree_set_encoding(h, TREE_ENCODING_HASHTABLE);
    } else {
        hash_order(view, h, TREE_ENCODING_HASHTABLE);
    }
}

static bool hash_is_too_long(const struct keyspace_view *view, struct slice bytes)
{
    return bytes.n > (uint64_t)keyspace_setting(view->keyspace, SETTING_HASH_MAX_LISTPACK_VALUE);
}

void hash_prepare(const struct keyspace_view *view, struct value **h, const struct slice *arg, size_t count)
{
    for (size_t i = 0; i < count && tree_get_encoding(*h) == TREE_ENCODING_LISTPACK; i++) {
        if (hash_is_too_long(view, arg[i])) {
            hash_convert(view, h);
        }
    }
}

/* H1, H2, after a field was set. */
static void hash_check_length(const struct keyspace_view *view, struct value **h)
{
    uint64_t most = (uint64_t)keyspace_setting(view->keyspace, SETTING_HASH_MAX_LISTPACK_ENTRIES);
    if (tree_get_encoding(*h) != TREE_ENCODING_LISTPACK) {
        return;
    }
    if (tree_count(*h) > most) {
        hash_convert(view, h);
    } else if (!hash_is_ordered(*h) && tree_count(*h) > HASH_LINEAR_MAX) {
        COVER("long listpack");
        hash_order(view, h, TREE_ENCODING_LISTPACK);
    }
}

bool hash_set(const struct keyspace_view *view, struct value **h, struct slice field, struct slice value)
{
    uint8_t size[HASH_SIZE_BYTES_MAX];
    struct slice words[] = {field, value};
    struct tree_cursor c;
    hash_prepare(view, h, words, 2);
    struct tree_put put = {.part = {{size, hash_write_size(field.n, size)}, field, value}};
    bool is_new = !hash_seek(view, *h, field, &put.key, &c);
    if (is_new) {
        tree_insert(h, &c, &put);
    } else {
        tree_replace(h, &c, &put);
    }
    hash_check_length(view, h);
    return is_new;
}

bool hash_remove(const struct keyspace_view *view, struct value **h, struct slice field)
{
    struct tree_cursor c;
    uint64_t key;
    if (!hash_seek(view, *h, field, &key, &c)) {
        return false;
    }
    tree_remove(h, &c);
    return true;
}
