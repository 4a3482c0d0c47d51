/* Sorted sets.
 *
 * Z1  The index holds each member of the order once, with the hash of the member as key and the key
 *     of its score as extra; and nothing else.
 *
 * Z2  A long member is one blob that both trees share.
 *
 * Z3  A score of -0 has the key of 0 in the order, where the two are equal, and ZSET_NEGATIVE_ZERO in
 *     the index. The pair counts them; without an index there are none. */

#include "keyspace/zset.h"

#include <string.h>

#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/tree_internal.h"

/* --- scores --- */

#define ZSET_ZERO (UINT64_C(1) << 63)
#define ZSET_NEGATIVE_ZERO (ZSET_ZERO - 1)

/* The bits of a double order as a number does, once negative ones are turned over. */
static uint64_t zset_exact_key(double score)
{
    uint64_t bits;
    ASSERT(score == score);
    memcpy(&bits, &score, sizeof bits);
    return bits >> 63 ? ~bits : bits | ZSET_ZERO;
}

static uint64_t zset_order_key(uint64_t exact)
{
    return exact == ZSET_NEGATIVE_ZERO ? ZSET_ZERO : exact;
}

uint64_t zset_key(double score)
{
    return zset_order_key(zset_exact_key(score));
}

double zset_score(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~ZSET_ZERO : ~key;
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

/* --- both forms --- */

static struct value *zset_new_order(enum tree_encoding encoding)
{
    return tree_new(VALUE_ZSET, encoding, TREE_BY_KEY);
}

struct value *zset_new_large(void)
{
    struct zset_pair *pair = mem_alloc(sizeof *pair);
    *pair = (struct zset_pair){
        .root = {.head = {.type = VALUE_ZSET,
                          .encoding = VALUE_PAIR,
                          .size = (uint16_t)TREE_ENCODING_SKIPLIST},
                 .owners = 1},
        .order = zset_new_order(TREE_ENCODING_SKIPLIST),
        .index = tree_new(VALUE_ZSET, TREE_ENCODING_SKIPLIST, TREE_BY_KEY_EXTRA),
    };
    return &pair->root.head;
}

struct value *zset_new(const struct zset_rules *rules, size_t member_size)
{
    return rules->listpack_entries == 0 || member_size > rules->listpack_value
               ? zset_new_large()
               : zset_new_order(TREE_ENCODING_LISTPACK);
}

const struct value *zset_order(const struct value *z)
{
    return z->encoding == VALUE_PAIR ? zset_pair_of(z)->order : z;
}

const struct value *zset_index(const struct value *z)
{
    return z->encoding == VALUE_PAIR ? zset_pair_of(z)->index : NULL;
}

uint64_t zset_count(const struct value *z)
{
    return tree_count(zset_order(z));
}

/* The tree by score, to be changed. */
static struct value **zset_edit_order(struct value **z)
{
    if ((*z)->encoding != VALUE_PAIR) {
        return z;
    }
    struct zset_pair *pair = zset_pair_of(*z);
    ASSERT(pair->root.owners == 1);
    pair->order = value_unshare(pair->order);
    return &pair->order;
}

static struct value **zset_edit_index(struct value **z)
{
    struct zset_pair *pair = zset_pair_of(*z);
    ASSERT(pair->root.owners == 1);
    pair->index = value_unshare(pair->index);
    return &pair->index;
}

/* --- finding --- */

static int zset_compare(const void *probe, struct slice bytes)
{
    return slice_compare(bytes, *(const struct slice *)probe);
}

static bool zset_seek_index(const struct value *index,
                            const struct zset_rules *rules,
                            struct slice member,
                            struct tree_cursor *c)
{
    uint64_t hash = siphash64_fast(rules->seed, member.p, member.n);
    return tree_seek_key(index, hash, zset_compare, &member, c);
}

bool zset_find(const struct value *z,
               const struct zset_rules *rules,
               struct slice member,
               double *score)
{
    struct tree_cursor c;
    struct tree_item item;
    if (z->encoding == VALUE_PAIR) {
        if (!zset_seek_index(zset_pair_of(z)->index, rules, member, &c)) {
            return false;
        }
        ASSERT(tree_cursor_get(&c, &item));
        *score = zset_score(item.extra);
        return true;
    }
    for (tree_seek_rank(z, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        if (slice_equal(item.bytes, member)) {
            *score = zset_score(item.key);
            return true;
        }
    }
    return false;
}

double zset_item_score(const struct value *z,
                       const struct zset_rules *rules,
                       const struct tree_item *item)
{
    double score = zset_score(item->key);
    if (item->key == ZSET_ZERO && z->encoding == VALUE_PAIR && zset_pair_of(z)->negative_zeros > 0) {
        ASSERT(zset_find(z, rules, item->bytes, &score));
    }
    return score;
}

uint64_t zset_rank(const struct value *z, struct slice member, double score)
{
    struct tree_cursor c;
    ASSERT(tree_seek_key(zset_order(z), zset_key(score), zset_compare, &member, &c));
    return tree_cursor_rank(&c);
}

/* --- changing --- */

/* The same item in the index: bytes that are long are shared. */
static void
zset_add_to_index(struct value **index, uint64_t hash, uint64_t score, const struct tree_item *item)
{
    struct tree_cursor c;
    struct tree_put put = tree_put_item(item);
    put.key = hash;
    put.extra = score;
    bool is_there = tree_seek_key(*index, hash, zset_compare, &item->bytes, &c);
    ASSERT(!is_there); /* Z1 */
    tree_insert(index, &c, &put);
}

/* The member at this place of the index is about to go, or to get another score. */
static void zset_leave_zero(struct zset_pair *pair, const struct tree_cursor *in_index)
{
    struct tree_item item;
    ASSERT(tree_cursor_get(in_index, &item));
    pair->negative_zeros -= item.extra == ZSET_NEGATIVE_ZERO;
}

static void zset_convert(struct value **z, const struct zset_rules *rules)
{
    COVER("sorted set gets an index");
    struct value *made = zset_new_large();
    struct zset_pair *pair = zset_pair_of(made);
    value_free(pair->order);
    pair->order = *z;
    tree_set_encoding(&pair->order, TREE_ENCODING_SKIPLIST);
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(pair->order, 0, &c);
    for (; tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        uint64_t hash = siphash64_fast(rules->seed, item.bytes.p, item.bytes.n);
        zset_add_to_index(&pair->index, hash, item.key, &item);
    }
    *z = made;
}

void zset_add(struct value **z, const struct zset_rules *rules, struct slice member, double score)
{
    if ((*z)->encoding != VALUE_PAIR &&
        (zset_count(*z) + 1 > rules->listpack_entries || member.n > rules->listpack_value)) {
        zset_convert(z, rules);
    }
    struct tree_cursor c;
    struct tree_item item;
    struct tree_put put = tree_put_bytes(member);
    put.key = zset_key(score);
    struct value **order = zset_edit_order(z);
    bool is_there = tree_seek_key(*order, put.key, zset_compare, &member, &c);
    ASSERT(!is_there);
    tree_insert(order, &c, &put);
    if ((*z)->encoding == VALUE_PAIR) {
        ASSERT(tree_cursor_get(&c, &item));
        uint64_t hash = siphash64_fast(rules->seed, member.p, member.n);
        uint64_t exact = zset_exact_key(score);
        zset_add_to_index(zset_edit_index(z), hash, exact, &item);
        zset_pair_of(*z)->negative_zeros += exact == ZSET_NEGATIVE_ZERO;
    }
}

void zset_move(
    struct value **z, const struct zset_rules *rules, struct slice member, double from, double to)
{
    struct tree_cursor c;
    struct tree_item item;
    struct tree_put put = tree_put_bytes(member);
    put.key = zset_key(to);
    struct value **order = zset_edit_order(z);
    ASSERT(tree_seek_key(*order, zset_key(from), zset_compare, &member, &c));
    tree_remove(order, &c);
    if ((*z)->encoding == VALUE_PAIR) {
        struct value **index = zset_edit_index(z);
        ASSERT(zset_seek_index(*index, rules, member, &c));
        zset_leave_zero(zset_pair_of(*z), &c);
        tree_set_extra(index, &c, zset_exact_key(to));
        zset_pair_of(*z)->negative_zeros += zset_exact_key(to) == ZSET_NEGATIVE_ZERO;
        ASSERT(tree_cursor_get(&c, &item));
        if (item.blob) { /* Z2 */
            put = (struct tree_put){.key = put.key, .blob = item.blob};
        }
    }
    bool is_there = tree_seek_key(*order, put.key, zset_compare, &member, &c);
    ASSERT(!is_there);
    tree_insert(order, &c, &put);
}

void zset_remove(struct value **z,
                 const struct zset_rules *rules,
                 struct slice member,
                 double score)
{
    struct tree_cursor c;
    if ((*z)->encoding == VALUE_PAIR) {
        struct value **index = zset_edit_index(z);
        ASSERT(zset_seek_index(*index, rules, member, &c));
        zset_leave_zero(zset_pair_of(*z), &c);
        tree_remove(index, &c);
    }
    struct value **order = zset_edit_order(z);
    ASSERT(tree_seek_key(*order, zset_key(score), zset_compare, &member, &c));
    tree_remove(order, &c);
}

static bool zset_is_small(const struct value *order, const struct zset_rules *rules)
{
    struct tree_cursor c;
    struct tree_item item;
    if (tree_count(order) > rules->listpack_entries) {
        return false;
    }
    for (tree_seek_rank(order, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        if (item.bytes.n > rules->listpack_value) {
            return false;
        }
    }
    return true;
}

void zset_make_small(struct value **z, const struct zset_rules *rules)
{
    struct value *large = *z;
    if (large->encoding == VALUE_PAIR && zset_is_small(zset_order(large), rules)) {
        *z = value_share(zset_pair_of(large)->order);
        value_free(large);
        *z = value_unshare(*z);
        tree_set_encoding(z, TREE_ENCODING_LISTPACK);
    }
}

struct value *
zset_remove_range(struct value **z, const struct zset_rules *rules, uint64_t rank, uint64_t count)
{
    ASSERT(rank <= zset_count(*z) && count <= zset_count(*z) - rank);
    if ((*z)->encoding == VALUE_PAIR) {
        if (count == zset_count(*z)) {
            struct value *gone = *z;
            *z = zset_new_large();
            return gone;
        }
        struct value **index = zset_edit_index(z);
        struct tree_cursor c;
        struct tree_cursor in_index;
        struct tree_item item;
        tree_seek_rank(zset_pair_of(*z)->order, rank, &c);
        for (uint64_t i = 0; i < count; i++) {
            ASSERT(tree_cursor_get(&c, &item));
            ASSERT(zset_seek_index(*index, rules, item.bytes, &in_index));
            zset_leave_zero(zset_pair_of(*z), &in_index);
            tree_remove(index, &in_index);
            tree_cursor_next(&c);
        }
    }
    return tree_remove_range(zset_edit_order(z), rank, count);
}

/* --- for value.c --- */

size_t zset_memory(const struct value *z)
{
    if (z->encoding != VALUE_PAIR) {
        return tree_memory(z);
    }
    const struct zset_pair *pair = zset_pair_of(z);
    return sizeof *pair + tree_memory(pair->order) + tree_memory(pair->index);
}

bool zset_is_big(const struct value *z)
{
    if (z->encoding != VALUE_PAIR) {
        return tree_is_big(z);
    }
    const struct zset_pair *pair = zset_pair_of(z);
    return tree_is_big(pair->order) || tree_is_big(pair->index);
}

bool zset_free_some(struct value *z, size_t *budget)
{
    if (z->encoding != VALUE_PAIR) {
        return tree_free_some(z, budget);
    }
    struct zset_pair *pair = zset_pair_of(z);
    if (pair->order && !value_free_some(pair->order, budget)) {
        return false;
    }
    pair->order = NULL;
    if (!value_free_some(pair->index, budget)) {
        return false;
    }
    mem_free(pair);
    return true;
}

struct value *zset_copy_root(const struct value *z)
{
    if (z->encoding != VALUE_PAIR) {
        return tree_copy_root(z);
    }
    const struct zset_pair *pair = zset_pair_of(z);
    struct zset_pair *copy = mem_alloc(sizeof *copy);
    *copy = (struct zset_pair){.root = {.head = z[0], .owners = 1},
                               .order = value_share(pair->order),
                               .index = value_share(pair->index),
                               .negative_zeros = pair->negative_zeros};
    return &copy->root.head;
}

bool zset_build(struct value **z, const struct tree_put *put)
{
    struct zset_pair *pair = zset_pair_of(*z);
    struct tree_cursor c;
    struct tree_item item;
    tree_append(&pair->index, put);
    tree_seek_rank(pair->index, tree_count(pair->index) - 1, &c);
    ASSERT(tree_cursor_get(&c, &item));
    struct slice member = item.bytes;
    struct tree_put again = tree_put_item(&item);
    again.key = zset_order_key(item.extra);
    again.extra = 0;
    pair->negative_zeros += item.extra == ZSET_NEGATIVE_ZERO;
    if (tree_seek_key(pair->order, again.key, zset_compare, &member, &c)) {
        return false;
    }
    tree_insert(&pair->order, &c, &again);
    return true;
}

void zset_check(const struct value *z, const struct zset_rules *rules)
{
    if (z->encoding != VALUE_PAIR) {
        tree_check(z);
        return;
    }
    const struct zset_pair *pair = zset_pair_of(z);
    tree_check(pair->order);
    tree_check(pair->index);
    ASSERT(tree_count(pair->order) == tree_count(pair->index));
    struct tree_cursor c;
    struct tree_item item;
    uint64_t negative_zeros = 0;
    for (tree_seek_rank(pair->order, 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        double score;
        ASSERT(zset_find(z, rules, item.bytes, &score) && zset_key(score) == item.key); /* Z1 */
        negative_zeros += zset_exact_key(score) == ZSET_NEGATIVE_ZERO;
    }
    ASSERT(negative_zeros == pair->negative_zeros); /* Z3 */
}
