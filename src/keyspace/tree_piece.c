/* Collections in pieces (value_piece.c), and their digests. A piece's payload:
 *
 *   encoding u8 (enum tree_encoding), shape u8 (enum tree_shape), count u64: of all items
 *   items:   key u64 (ordered shapes), extra u64 (TREE_BY_KEY_EXTRA), size u32, bytes
 *   or:      what follows of the item that the piece before began and couldn't hold
 *
 * Q1  A piece takes whole items in their order as long as the next one fits. An item that fits no
 *     piece begins one, fills it, and goes on in the next ones, alone in each.
 *
 * Q2  Keys ascend, or the value is refused. What orders equal keys isn't looked at: a snapshot has
 *     checksums.
 *
 * Q3  Of a sorted set with an index the index is what is written: it holds everything. */

#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "keyspace/hash.h"
#include "keyspace/set.h"
#include "keyspace/tree_internal.h"
#include "keyspace/zset.h"

enum {
    PIECE_HEADER = 2 + 10, /* value_piece.c's, and the one above */
    DIGEST_STEP_ITEMS = 512,
    DIGEST_STEP_BYTES = 65536,
};

/* The tree that is written, built and hashed. Q3. */
static const struct value *piece_tree(const struct value *v)
{
    return v->encoding == VALUE_PAIR ? zset_pair_of(v)->index : v;
}

static void piece_write_header(const struct value *t, struct buf *out)
{
    write_u8(out, (uint8_t)tree_get_encoding(t));
    write_u8(out, (uint8_t)tree_get_shape(t));
    write_u64(out, tree_count(t));
}

static void piece_write_prefix(const struct tree_item *item, size_t prefix, struct buf *out)
{
    if (prefix >= 8) {
        write_u64(out, item->key);
    }
    if (prefix == 16) {
        write_u64(out, item->extra);
    }
    write_u32(out, (uint32_t)item->bytes.n);
}

bool tree_write_piece(const struct value *v, struct value_cursor *cursor, struct buf *out)
{
    const struct value *t = piece_tree(v);
    size_t prefix = tree_prefix(t);
    ASSERT(tree_count(t) > 0);
    if (cursor->position == tree_count(t)) {
        return false;
    }
    piece_write_header(t, out);
    size_t room = VALUE_PIECE_MAX - PIECE_HEADER;
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(t, cursor->position, &c);
    for (bool is_first = true; tree_cursor_get(&c, &item); is_first = false) {
        size_t offset = (size_t)cursor->offset;
        size_t head = offset ? 0 : prefix + 4;
        size_t rest = item.bytes.n - offset;
        if (head + rest > room && !is_first) { /* Q1 */
            break;
        }
        if (head) {
            piece_write_prefix(&item, prefix, out);
        }
        if (head + rest > room) {
            COVER("item in several pieces");
            rest = room - head;
            cursor->offset += rest;
            buf_append_slice(out, (struct slice){item.bytes.p + offset, rest});
            return true;
        }
        buf_append_slice(out, slice_skip(item.bytes, offset));
        room -= head + rest;
        cursor->offset = 0;
        cursor->position++;
        tree_cursor_next(&c);
        if (offset) {
            break;
        }
    }
    return true;
}

/* --- building --- */

/* Which forms the types have: keyspace/tree.h. */
static bool piece_is_known(enum value_type type, uint8_t encoding, uint8_t shape)
{
    static const struct {
        enum value_type type;
        enum tree_encoding encoding;
        enum tree_shape shape;
    } form[] = {
        {VALUE_LIST, TREE_ENCODING_QUICKLIST, TREE_BY_POSITION},
        {VALUE_HASH, TREE_ENCODING_LISTPACK, TREE_BY_POSITION},
        {VALUE_HASH, TREE_ENCODING_HASHTABLE, TREE_BY_KEY},
        {VALUE_HASH, TREE_ENCODING_LISTPACK, TREE_BY_KEY},    /* a long one: hash.c, H2 */
        {VALUE_SET, TREE_ENCODING_INTSET, TREE_BY_POSITION}, /* packed: set.c */
        {VALUE_SET, TREE_ENCODING_INTSET, TREE_BY_KEY},
        {VALUE_SET, TREE_ENCODING_HASHTABLE, TREE_BY_KEY},
        {VALUE_ZSET, TREE_ENCODING_LISTPACK, TREE_BY_KEY},
        {VALUE_ZSET, TREE_ENCODING_SKIPLIST, TREE_BY_KEY_EXTRA},
    };
    for (size_t i = 0; i < sizeof form / sizeof form[0]; i++) {
        if (form[i].type == type && form[i].encoding == encoding && form[i].shape == shape) {
            return true;
        }
    }
    return false;
}

static bool piece_begin(struct value_builder *b, enum value_type type, struct reader *r)
{
    uint8_t encoding = read_u8(r);
    uint8_t shape = read_u8(r);
    uint64_t count = read_u64(r);
    if (r->failed || count == 0 || !piece_is_known(type, encoding, shape)) {
        return false;
    }
    if (!b->value) {
        b->expected = count;
        bool is_pair = type == VALUE_ZSET && encoding == TREE_ENCODING_SKIPLIST;
        b->value = is_pair ? zset_new_large()
                           : tree_new(type, (enum tree_encoding)encoding, (enum tree_shape)shape);
        return true;
    }
    const struct value *t = piece_tree(b->value);
    return tree_get_encoding(t) == encoding && tree_get_shape(t) == shape && b->expected == count;
}

/* What a type keeps in its items; the bytes are foreign. */
static bool piece_item_is_sound(const struct value *t, const struct tree_put *put)
{
    switch (value_get_type(t)) {
    case VALUE_HASH:
        return hash_item_is_sound(put->part[0]);
    case VALUE_SET:
        return tree_get_shape(t) == TREE_BY_KEY || (tree_count(t) == 0 && set_item_is_sound(put->part[0]));
    case VALUE_STRING:
    case VALUE_LIST:
    case VALUE_ZSET:
    case VALUE_STREAM:
        break;
    }
    return true;
}

static bool piece_append(struct value_builder *b, const struct tree_put *put)
{
    if (!piece_item_is_sound(b->value, put)) {
        return false;
    }
    struct tree_cursor c;
    struct tree_item last;
    const struct value *t = piece_tree(b->value);
    uint64_t count = tree_count(t);
    if (count == b->expected) {
        return false;
    }
    if (tree_prefix(t) && count > 0) {
        tree_seek_rank(t, count - 1, &c);
        tree_cursor_get(&c, &last);
        if (last.key > put->key) { /* Q2 */
            return false;
        }
    }
    if (b->value->encoding == VALUE_PAIR) {
        return zset_build(&b->value, put);
    }
    tree_append(&b->value, put);
    return true;
}

/* The first bytes of an item that doesn't end in its piece. They are kept in a growing buffer: what
 * was promised may be a lie. */
static bool piece_begin_long(struct value_builder *b, size_t size, struct slice bytes)
{
    if (size > LIMIT_ENTRY_BYTES) {
        return false;
    }
    b->long_size = size;
    buf_append_slice(&b->long_item, bytes);
    return true;
}

static bool piece_continue_long(struct value_builder *b, struct slice bytes)
{
    size_t rest = b->long_size - buf_size(&b->long_item);
    if (bytes.n == 0 || bytes.n > rest) {
        return false;
    }
    buf_append_slice(&b->long_item, bytes);
    if (bytes.n < rest) {
        return true;
    }
    struct tree_put put = {
        .key = b->long_key, .extra = b->long_extra, .part = {buf_slice(&b->long_item)}};
    bool is_added = piece_append(b, &put);
    buf_clear(&b->long_item, 0);
    b->long_size = 0;
    return is_added;
}

bool tree_add_piece(struct value_builder *b, enum value_type type, struct slice payload)
{
    struct reader r = reader_of(payload);
    if (!piece_begin(b, type, &r)) {
        return false;
    }
    if (b->long_size > 0) {
        return piece_continue_long(b, read_bytes(&r, r.n));
    }
    size_t prefix = tree_prefix(piece_tree(b->value));
    do {
        b->long_key = prefix >= 8 ? read_u64(&r) : 0;
        b->long_extra = prefix == 16 ? read_u64(&r) : 0;
        size_t size = read_u32(&r);
        if (!r.failed && size > r.n && size > VALUE_PIECE_MAX - PIECE_HEADER - prefix - 4) {
            return piece_begin_long(b, size, read_bytes(&r, r.n));
        }
        struct tree_put put = {
            .key = b->long_key, .extra = b->long_extra, .part = {read_bytes(&r, size)}};
        if (r.failed || !piece_append(b, &put)) {
            return false;
        }
    } while (r.n > 0);
    return true;
}

bool tree_is_complete(const struct value_builder *b)
{
    return tree_count(piece_tree(b->value)) == b->expected;
}

/* --- digest --- */

/* The hash of the items so far is chained with each item's; a long item is hashed at once. */
bool tree_digest_step(const struct value *v,
                      const struct siphash_key *key,
                      struct value_digest *digest)
{
    const struct value *t = piece_tree(v);
    bool is_ordered = tree_prefix(t) > 0;
    size_t items = 0;
    size_t bytes = 0;
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(t, digest->cursor.position, &c);
    while (items < DIGEST_STEP_ITEMS && bytes < DIGEST_STEP_BYTES && tree_cursor_get(&c, &item)) {
        uint64_t hash = siphash64_fast(key, item.bytes.p, item.bytes.n);
        if (is_ordered) {
            hash = value_digest_words(key, hash ^ item.key, item.extra);
        }
        digest->hash = value_digest_words(key, digest->hash, hash);
        items++;
        bytes += item.bytes.n;
        tree_cursor_next(&c);
    }
    digest->cursor.position += items;
    if (digest->cursor.position < tree_count(t)) {
        return true;
    }
    digest->hash = value_digest_words(key, digest->hash, tree_get_encoding(t));
    return false;
}
