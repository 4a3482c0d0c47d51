/* Values in pieces, for snapshots and digests: one switch over the types.
 *
 *   piece:  type u8 (enum value_type)
 *           version u8: of this type's payload
 *           payload: the type's affair; at least the first one says how much there is in all
 *
 * P1  The pieces of a value are a function of its content alone: two nodes write the same ones,
 *     however differently their values came to be.
 *
 * P2  Building and writing again yields the same pieces.
 *
 * P3  A piece is foreign until it was checked. Sizes in it are compared with what was promised and
 *     with limits before anything is allocated. */

#include "base/assert.h"
#include "base/buf.h"
#include "base/codec.h"
#include "keyspace/value.h"
#include "keyspace/tree_internal.h"
#include "keyspace/zset.h"

enum {
    VALUE_PIECE_VERSION = 1,
    VALUE_PIECE_HEADER = 2,
    VALUE_GLANCE_BYTES = 4096, /* longer ones are hashed by the full digest alone */
};

bool value_write_piece(const struct value *v, struct value_cursor *cursor, struct buf *out)
{
    size_t before = buf_size(out);
    write_u8(out, v->type);
    write_u8(out, VALUE_PIECE_VERSION);
    bool has_piece = false;
    switch ((enum value_type)v->type) {
    case VALUE_STRING:
        has_piece = value_string_write_piece(v, cursor, out);
        break;
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_ZSET:
    case VALUE_HASH:
        has_piece = tree_write_piece(v, cursor, out);
        break;
    case VALUE_STREAM:
        UNREACHABLE();
    }
    if (!has_piece) {
        buf_truncate(out, before);
    }
    ASSERT(buf_size(out) - before <= VALUE_PIECE_MAX);
    return has_piece;
}

void value_builder_init(struct value_builder *b)
{
    *b = (struct value_builder){.value = NULL};
}

void value_builder_deinit(struct value_builder *b)
{
    value_free(b->value);
    buf_deinit(&b->long_item);
    value_builder_init(b);
}

static bool value_builder_add_payload(struct value_builder *b, uint8_t type, struct slice payload)
{
    switch ((enum value_type)type) {
    case VALUE_STRING:
        return value_string_add_piece(b, payload);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_ZSET:
    case VALUE_HASH:
        return tree_add_piece(b, (enum value_type)type, payload);
    case VALUE_STREAM:
        break;
    }
    return false; /* a type that this program doesn't know */
}

bool value_builder_add(struct value_builder *b, struct slice piece)
{
    if (b->is_bad || piece.n < VALUE_PIECE_HEADER || piece.n > VALUE_PIECE_MAX ||
        piece.p[1] != VALUE_PIECE_VERSION || (b->value && b->value->type != piece.p[0]) ||
        !value_builder_add_payload(b, piece.p[0], slice_skip(piece, VALUE_PIECE_HEADER))) {
        b->is_bad = true;
        return false;
    }
    return true;
}

static bool value_builder_is_complete(const struct value_builder *b)
{
    switch ((enum value_type)b->value->type) {
    case VALUE_STRING:
        return value_string_is_complete(b);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_ZSET:
    case VALUE_HASH:
        return tree_is_complete(b);
    case VALUE_STREAM:
        break;
    }
    UNREACHABLE();
}

struct value *value_builder_finish(struct value_builder *b)
{
    struct value *v = NULL;
    if (!b->is_bad && b->value && value_builder_is_complete(b)) {
        v = b->value;
        b->value = NULL;
    }
    value_builder_deinit(b);
    return v;
}

uint64_t value_digest_words(const struct siphash_key *key, uint64_t a, uint64_t b)
{
    uint8_t bytes[16];
    put_u64(bytes, a);
    put_u64(bytes + 8, b);
    return siphash64_fast(key, bytes, sizeof bytes);
}

bool value_digest_step(const struct value *v,
                       const struct siphash_key *key,
                       struct value_digest *digest)
{
    switch ((enum value_type)v->type) {
    case VALUE_STRING:
        return value_string_digest_step(v, key, digest);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_ZSET:
    case VALUE_HASH:
        return tree_digest_step(v, key, digest);
    case VALUE_STREAM:
        break;
    }
    UNREACHABLE();
}

uint64_t value_glance(const struct value *v)
{
    if (value_is_plain(v)) {
        uint32_t crc = v->size <= VALUE_GLANCE_BYTES ? crc32c(0, v + 1, v->size) : 0;
        return (uint64_t)crc << 32 ^ v->size;
    }
    switch ((enum value_type)v->type) {
    case VALUE_STRING:
        return value_string_size(v);
    case VALUE_LIST:
    case VALUE_SET:
    case VALUE_HASH:
        return tree_count(v);
    case VALUE_ZSET:
        return zset_count(v);
    case VALUE_STREAM:
        break;
    }
    UNREACHABLE();
}
