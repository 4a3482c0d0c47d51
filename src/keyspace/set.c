/* A set is one of
 *
 *   packed     TREE_BY_POSITION, one item: width (2, 4 or 8), then the integers of that many bytes, little-endian, ascending
 *   ordered    TREE_BY_KEY: an item per member, ordered by (keyspace_hash(member), member)
 *
 * S1  What OBJECT ENCODING says is Redis's rule: "intset" until a member comes that is no integer in canonical form, or there are
 *     more than set-max-intset-entries; "hashtable" from then on, whatever is removed. It depends on what happened, so it is state.
 *
 * S2  A hashtable is ordered. An intset is packed while it has at most SET_PACKED_MAX members; one that the setting lets grow longer
 *     becomes ordered too, and stays it, so that no step moves more bytes than that.
 *
 * S3  As in Redis the width grows with the first integer that needs it, for all, and never shrinks: DUMP shows it. */

#include "keyspace/set.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/settings.h"
#include "keyspace/value.h"

enum {
    SET_PACKED_MAX = 1024,
    SET_INTSET_MOST = 1 << 30, /* Redis's own bound of set-max-intset-entries */
};

struct value *set_new(void)
{
    return tree_new(VALUE_SET, TREE_ENCODING_INTSET, TREE_BY_POSITION);
}

/* --- packed integers --- */

struct set_packed {
    const uint8_t *p;
    size_t count;
    size_t width;
};

static size_t packed_width(int64_t number)
{
    return number >= INT16_MIN && number <= INT16_MAX ? 2 : number >= INT32_MIN && number <= INT32_MAX ? 4 : 8;
}

static int64_t packed_read(const uint8_t *p, size_t width)
{
    switch (width) {
    case 2:
        return (int16_t)get_u16(p);
    case 4:
        return (int32_t)get_u32(p);
    default:
        return (int64_t)get_u64(p);
    }
}

static void packed_write(uint8_t *p, size_t width, int64_t number)
{
    switch (width) {
    case 2:
        put_u16(p, (uint16_t)number);
        break;
    case 4:
        put_u32(p, (uint32_t)number);
        break;
    default:
        put_u64(p, (uint64_t)number);
        break;
    }
}

static struct set_packed set_unpack(const struct value *s)
{
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(s, 0, &c);
    if (!tree_cursor_get(&c, &item)) {
        return (struct set_packed){.width = 2};
    }
    struct set_packed packed = {item.bytes.p + 1, 0, item.bytes.n ? item.bytes.p[0] : 0};
    ASSERT(packed.width == 2 || packed.width == 4 || packed.width == 8);
    packed.count = (item.bytes.n - 1) / packed.width;
    return packed;
}

static int64_t packed_at(const struct set_packed *packed, size_t i)
{
    return packed_read(packed->p + i * packed->width, packed->width);
}

/* The first that is not less; whether it is equal. */
static bool packed_find(const struct set_packed *packed, int64_t number, size_t *place)
{
    size_t low = 0;
    size_t high = packed->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (packed_at(packed, middle) < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *place = low;
    return low < packed->count && packed_at(packed, low) == number;
}

/* Stores bytes with the width in front in the place of what is there. */
static void packed_store(struct value **s, struct slice bytes)
{
    struct tree_put put = tree_put_bytes(bytes);
    struct tree_cursor c;
    if (tree_count(*s) == 0) {
        tree_append(s, &put);
        return;
    }
    tree_seek_rank(*s, 0, &c);
    if (bytes.n == 1) {
        tree_remove(s, &c);
    } else {
        tree_replace(s, &c, &put);
    }
}

static bool packed_add(struct value **s, int64_t number)
{
    struct set_packed old = set_unpack(*s);
    uint8_t bytes[1 + 8 * (SET_PACKED_MAX + 1)];
    size_t place;
    if (packed_find(&old, number, &place)) {
        return false;
    }
    ASSERT(old.count <= SET_PACKED_MAX);
    size_t width = packed_width(number) > old.width ? packed_width(number) : old.width; /* S3 */
    uint8_t *to = bytes + 1;
    bytes[0] = (uint8_t)width;
    for (size_t i = 0; i <= old.count; i++, to += width) {
        int64_t next = i == place ? number : packed_at(&old, i - (i > place));
        packed_write(to, width, next);
    }
    packed_store(s, (struct slice){bytes, (size_t)(to - bytes)});
    return true;
}

static void packed_remove(struct value **s, size_t place, size_t count)
{
    struct set_packed old = set_unpack(*s);
    uint8_t bytes[1 + 8 * SET_PACKED_MAX];
    size_t before = place * old.width;
    size_t after = (old.count - place - count) * old.width;
    ASSERT(old.count <= SET_PACKED_MAX && place + count <= old.count);
    bytes[0] = (uint8_t)old.width;
    memcpy(bytes + 1, old.p, before);
    memcpy(bytes + 1 + before, old.p + before + count * old.width, after);
    packed_store(s, (struct slice){bytes, 1 + before + after});
}

/* --- both --- */

uint64_t set_count(const struct value *s)
{
    return set_is_ordered(s) ? tree_count(s) : set_unpack(s).count;
}

/* As item - probe, a slice. */
static int set_compare(const void *probe, struct slice bytes)
{
    return slice_compare(bytes, *(const struct slice *)probe);
}

bool set_contains(const struct keyspace_view *view, const struct value *s, struct slice member)
{
    struct tree_cursor c;
    int64_t number;
    size_t place;
    if (set_is_ordered(s)) {
        return tree_seek_key(s, keyspace_hash(view, member), set_compare, &member, &c);
    }
    struct set_packed packed = set_unpack(s);
    return number_parse_i64(member, &number) && packed_find(&packed, number, &place);
}

struct set_place {
    uint64_t key;
    size_t size;
    char text[NUMBER_TEXT_MAX];
};

static int set_compare_places(const void *a, const void *b)
{
    const struct set_place *x = a;
    const struct set_place *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return slice_compare((struct slice){(const uint8_t *)x->text, x->size},
                         (struct slice){(const uint8_t *)y->text, y->size});
}

/* From packed to ordered. */
static void set_order(const struct keyspace_view *view, struct value **s, enum tree_encoding encoding)
{
    struct set_packed packed = set_unpack(*s);
    struct set_place *place = mem_alloc_array(packed.count + 1, sizeof *place);
    struct value *ordered = tree_new(VALUE_SET, encoding, TREE_BY_KEY);
    COVER("set becomes ordered");
    for (size_t i = 0; i < packed.count; i++) {
        place[i].size = number_format_i64(packed_at(&packed, i), place[i].text);
        place[i].key = keyspace_hash(view, (struct slice){(const uint8_t *)place[i].text, place[i].size});
    }
    qsort(place, packed.count, sizeof *place, set_compare_places);
    for (size_t i = 0; i < packed.count; i++) {
        struct tree_put put = tree_put_bytes((struct slice){(const uint8_t *)place[i].text, place[i].size});
        put.key = place[i].key;
        tree_append(&ordered, &put);
    }
    mem_free(place);
    value_free(*s);
    *s = ordered;
}

static void set_convert(const struct keyspace_view *view, struct value **s)
{
    if (set_is_ordered(*s)) {
        tree_set_encoding(s, TREE_ENCODING_HASHTABLE);
    } else {
        set_order(view, s, TREE_ENCODING_HASHTABLE);
    }
}

bool set_is_too_long_for_intset(const struct keyspace_view *view, uint64_t count)
{
    uint64_t most = (uint64_t)keyspace_setting(view->keyspace, SETTING_SET_MAX_INTSET_ENTRIES);
    return count > (most < SET_INTSET_MOST ? most : SET_INTSET_MOST);
}

/* S1, S2, after a member was added. */
static void set_check_length(const struct keyspace_view *view, struct value **s)
{
    uint64_t count = set_count(*s);
    if (tree_get_encoding(*s) != TREE_ENCODING_INTSET) {
        return;
    }
    if (set_is_too_long_for_intset(view, count)) {
        set_convert(view, s);
    } else if (!set_is_ordered(*s) && count > SET_PACKED_MAX) {
        COVER("long intset");
        set_order(view, s, TREE_ENCODING_INTSET);
    }
}

static bool ordered_add(const struct keyspace_view *view, struct value **s, struct slice member)
{
    struct tree_put put = tree_put_bytes(member);
    struct tree_cursor c;
    put.key = keyspace_hash(view, member);
    if (tree_seek_key(*s, put.key, set_compare, &member, &c)) {
        return false;
    }
    tree_insert(s, &c, &put);
    return true;
}

bool set_add(const struct keyspace_view *view, struct value **s, struct slice member)
{
    int64_t number;
    bool is_intset = tree_get_encoding(*s) == TREE_ENCODING_INTSET;
    if (is_intset && !number_parse_i64(member, &number)) {
        set_convert(view, s);
        is_intset = false;
    }
    bool is_added = set_is_ordered(*s) ? ordered_add(view, s, member) : packed_add(s, number);
    if (is_added && is_intset) {
        set_check_length(view, s);
    }
    return is_added;
}

bool set_remove(const struct keyspace_view *view, struct value **s, struct slice member)
{
    struct tree_cursor c;
    int64_t number;
    size_t place;
    if (!set_is_ordered(*s)) {
        struct set_packed packed = set_unpack(*s);
        if (!number_parse_i64(member, &number) || !packed_find(&packed, number, &place)) {
            return false;
        }
        packed_remove(s, place, 1);
        return true;
    }
    if (!tree_seek_key(*s, keyspace_hash(view, member), set_compare, &member, &c)) {
        return false;
    }
    tree_remove(s, &c);
    return true;
}

struct value *set_remove_range(struct value **s, uint64_t rank, uint64_t count)
{
    if (set_is_ordered(*s)) {
        return tree_remove_range(s, rank, count);
    }
    if (count > 0) {
        packed_remove(s, (size_t)rank, (size_t)count);
    }
    return NULL;
}

/* --- walking --- */

void set_seek(const struct value *s, uint64_t rank, struct set_cursor *c)
{
    c->set = s;
    c->rank = rank;
    if (set_is_ordered(s)) {
        tree_seek_rank(s, rank, &c->tree);
    }
}

bool set_next(struct set_cursor *c, struct slice *member)
{
    if (set_is_ordered(c->set)) {
        struct tree_item item;
        bool is_there = tree_cursor_get(&c->tree, &item);
        if (is_there) {
            *member = item.bytes;
            tree_cursor_next(&c->tree);
            c->rank++;
        }
        return is_there;
    }
    struct set_packed packed = set_unpack(c->set);
    if (c->rank >= packed.count) {
        return false;
    }
    size_t n = number_format_i64(packed_at(&packed, (size_t)c->rank++), c->text);
    *member = (struct slice){(const uint8_t *)c->text, n};
    return true;
}

/* --- building --- */

struct value *set_as_ordered(const struct keyspace_view *view, const struct value *s)
{
    struct value *copy = value_share(s);
    if (!set_is_ordered(copy)) {
        set_order(view, &copy, TREE_ENCODING_INTSET);
    }
    return copy;
}

void set_builder_init(struct set_builder *b)
{
    *b = (struct set_builder){tree_new(VALUE_SET, TREE_ENCODING_HASHTABLE, TREE_BY_KEY), true};
}

void set_builder_add(struct set_builder *b, uint64_t hash, const struct tree_item *member)
{
    struct tree_put put = tree_put_item(member);
    int64_t number;
    put.key = hash;
    b->is_integers = b->is_integers && number_parse_i64(member->bytes, &number);
    tree_append(&b->set, &put);
}

/* The same members, packed. */
static struct value *set_pack(const struct keyspace_view *view, struct value *ordered)
{
    struct value *packed = set_new();
    struct set_cursor c;
    struct slice member;
    set_seek(ordered, 0, &c);
    while (set_next(&c, &member)) {
        set_add(view, &packed, member);
    }
    value_free(ordered);
    return packed;
}

struct value *set_builder_finish(const struct keyspace_view *view, struct set_builder *b, bool is_hashtable)
{
    struct value *set = b->set;
    b->set = NULL;
    if (is_hashtable || !b->is_integers || set_is_too_long_for_intset(view, tree_count(set))) {
        return set;
    }
    if (tree_count(set) <= SET_PACKED_MAX) {
        return set_pack(view, set);
    }
    tree_set_encoding(&set, TREE_ENCODING_INTSET);
    return set;
}

/* --- Redis's intset: width (4, little-endian), count (4), the integers --- */

struct slice set_packed(const struct value *s, uint8_t header[SET_INTSET_HEADER])
{
    if (set_is_ordered(s)) {
        return (struct slice){NULL, 0};
    }
    struct set_packed packed = set_unpack(s);
    put_u32(header, (uint32_t)packed.width);
    put_u32(header + 4, (uint32_t)packed.count);
    return (struct slice){packed.p, packed.count * packed.width};
}

/* Strictly ascending? */
static bool packed_is_sound(const struct set_packed *packed)
{
    for (size_t i = 1; i < packed->count; i++) {
        if (packed_at(packed, i - 1) >= packed_at(packed, i)) {
            return false;
        }
    }
    return packed->count > 0;
}

bool set_item_is_sound(struct slice bytes)
{
    if (bytes.n < 1 || (bytes.p[0] != 2 && bytes.p[0] != 4 && bytes.p[0] != 8)) {
        return false;
    }
    struct set_packed packed = {bytes.p + 1, (bytes.n - 1) / bytes.p[0], bytes.p[0]};
    return (bytes.n - 1) % packed.width == 0 && packed.count <= SET_PACKED_MAX && packed_is_sound(&packed);
}

struct value *set_from_intset(const struct keyspace_view *view, struct slice intset)
{
    if (intset.n < SET_INTSET_HEADER) {
        return NULL;
    }
    struct set_packed packed = {intset.p + SET_INTSET_HEADER, get_u32(intset.p + 4), get_u32(intset.p)};
    if ((packed.width != 2 && packed.width != 4 && packed.width != 8) ||
        packed.count != (intset.n - SET_INTSET_HEADER) / packed.width ||
        (intset.n - SET_INTSET_HEADER) % packed.width != 0 || !packed_is_sound(&packed)) {
        return NULL;
    }
    struct value *s = set_new();
    if (packed.count <= SET_PACKED_MAX) {
        uint8_t bytes[1 + 8 * SET_PACKED_MAX];
        bytes[0] = (uint8_t)packed.width;
        memcpy(bytes + 1, packed.p, packed.count * packed.width);
        packed_store(&s, (struct slice){bytes, 1 + packed.count * packed.width});
        set_check_length(view, &s);
        return s;
    }
    for (size_t i = 0; i < packed.count; i++) {
        char text[NUMBER_TEXT_MAX];
        size_t n = number_format_i64(packed_at(&packed, i), text);
        set_add(view, &s, (struct slice){(const uint8_t *)text, n});
    }
    return s;
}
