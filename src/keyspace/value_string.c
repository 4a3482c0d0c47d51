/* Strings:
 *
 *   inline    [type|encoding|size|bytes ...]   one allocation, a chunk at most
 *
 *   chunked   [root|count ...|chunk*] -> [c0 c1 ... cn]   all full but the last
 *
 * V1  A string is chunked exactly when its size exceeds VALUE_INLINE_MAX.
 *
 * V2  Byte i of a chunked string is in part i / VALUE_PART_BYTES, so parts begin at multiples of
 *     that size however the string came to be; pieces and digests go part by part.
 *
 * V3  No allocation is larger than a chunk, but for the array of pointers (64 KiB for the longest
 *     string).
 *
 * V4  The capacity of the last part is known to each root that points to it and means the same to
 *     all of them: it only changes when the part is replaced or has one owner. */

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/number.h"
#include "keyspace/value.h"
#include "keyspace/value_internal.h"

STATIC_ASSERT(VALUE_INLINE_MAX <= UINT16_MAX, "the size of an inline string is 16 bits");
STATIC_ASSERT(sizeof(struct value_chunk) <= LIMIT_VALUE_CHUNK_BYTES - VALUE_PART_BYTES, "V3");

enum {
    VALUE_GROWN_MIN = 32, /* first room of a string that is appended to */
};

static uint8_t *value_bytes(struct value *v)
{
    return (uint8_t *)(v + 1);
}

static struct value_chunked *value_chunks(struct value *v)
{
    ASSERT(v->encoding == VALUE_CHUNKED);
    return (struct value_chunked *)(void *)v;
}

static const struct value_chunked *value_chunks_const(const struct value *v)
{
    ASSERT(v->encoding == VALUE_CHUNKED);
    return (const struct value_chunked *)(const void *)v;
}

/* Bytes that a grown inline string of `size` bytes has room for: the next power of two. A function
 * of the size, so that nobody stores it. */
static size_t value_inline_room(size_t size)
{
    size_t room = VALUE_GROWN_MIN;
    while (room < size) {
        room *= 2;
    }
    return room < VALUE_INLINE_MAX ? room : VALUE_INLINE_MAX;
}

static size_t value_inline_capacity(const struct value *v)
{
    return v->encoding == VALUE_INLINE ? v->size : value_inline_room(v->size);
}

size_t value_inline_memory(const struct value *v)
{
    return sizeof *v + value_inline_capacity(v);
}

size_t value_string_memory(const struct value *v)
{
    const struct value_chunked *c = value_chunks_const(v);
    return sizeof *c + c->chunk_room * sizeof c->chunk[0] +
           c->chunk_count * sizeof(struct value_chunk) +
           (size_t)(c->chunk_count - 1) * VALUE_PART_BYTES + c->last_capacity;
}

bool value_string_is_big(const struct value *v)
{
    return value_chunks_const(v)->chunk_count > VALUE_BIG_CHUNKS;
}

/* --- chunks and their owners --- */

static void value_chunk_release(struct value_chunk *chunk)
{
    ASSERT(chunk->owners > 0);
    if (--chunk->owners == 0) {
        mem_free(chunk);
    }
}

/* A part of its own, with this capacity, that begins with the first `used` bytes of `chunk`, which
 * it takes; NULL: there are none. */
static struct value_chunk *
value_chunk_replace(struct value_chunk *chunk, size_t used, size_t capacity)
{
    if (!chunk || chunk->owners == 1) {
        chunk = mem_realloc(chunk, sizeof *chunk + capacity);
        chunk->owners = 1;
        return chunk;
    }
    COVER("shared chunk copied");
    struct value_chunk *own = mem_alloc(sizeof *own + capacity);
    own->owners = 1;
    memcpy(own->bytes, chunk->bytes, used);
    value_chunk_release(chunk);
    return own;
}

bool value_string_free_some(struct value *v, size_t *budget)
{
    struct value_chunked *c = value_chunks(v);
    while (c->chunk_count > 0) {
        if (*budget == 0) {
            return false;
        }
        --*budget;
        value_chunk_release(c->chunk[--c->chunk_count]);
    }
    mem_free(c->chunk);
    mem_free(v);
    return true;
}

struct value *value_string_copy_root(struct value *v)
{
    const struct value_chunked *c = value_chunks(v);
    struct value_chunked *own = mem_alloc(sizeof *own);
    *own = *c;
    own->root.owners = 1;
    own->chunk = mem_alloc(c->chunk_room * sizeof c->chunk[0]);
    for (size_t i = 0; i < c->chunk_count; i++) {
        own->chunk[i] = c->chunk[i];
        own->chunk[i]->owners++;
    }
    return &own->root.head;
}

/* --- making and growing --- */

static struct value *value_new_inline(size_t size, size_t capacity, enum value_encoding encoding)
{
    struct value *v = mem_alloc(sizeof *v + capacity);
    *v =
        (struct value){.type = VALUE_STRING, .encoding = (uint8_t)encoding, .size = (uint16_t)size};
    return v;
}

static struct value *value_new_chunked(void)
{
    struct value_chunked *c = mem_alloc_zero(sizeof *c);
    c->root.head.type = VALUE_STRING;
    c->root.head.encoding = VALUE_CHUNKED;
    c->root.owners = 1;
    return &c->root.head;
}

/* Room for at least one more byte at the end, preferably for `wanted`, in a part of its own;
 * `is_exact` when nothing is expected to follow. */
static void value_chunked_make_room(struct value_chunked *c, size_t wanted, bool is_exact)
{
    size_t used = (size_t)(c->size % VALUE_PART_BYTES);
    if (used == 0) { /* V2: the last one is full, or there is none */
        if (c->chunk_count == c->chunk_room) {
            c->chunk_room = c->chunk_room ? 2 * c->chunk_room : 2;
            c->chunk = mem_realloc_array(c->chunk, c->chunk_room, sizeof c->chunk[0]);
        }
        c->chunk[c->chunk_count++] = NULL;
    } else if (used < c->last_capacity && c->chunk[c->chunk_count - 1]->owners == 1) {
        return;
    }
    size_t capacity = used + wanted;
    if (!is_exact && capacity < 2 * used) {
        capacity = 2 * used;
    }
    if (capacity > VALUE_PART_BYTES) {
        capacity = VALUE_PART_BYTES;
    }
    c->last_capacity = (uint32_t)capacity;
    struct value_chunk **last = &c->chunk[c->chunk_count - 1];
    *last = value_chunk_replace(*last, used, capacity);
}

static void value_chunked_append(struct value_chunked *c, struct slice bytes, bool is_exact)
{
    ASSERT(c->root.owners == 1); /* O1 */
    while (bytes.n > 0) {
        value_chunked_make_room(c, bytes.n, is_exact);
        size_t used = (size_t)(c->size - (uint64_t)(c->chunk_count - 1) * VALUE_PART_BYTES);
        size_t n = c->last_capacity - used;
        if (n > bytes.n) {
            n = bytes.n;
        }
        memcpy(c->chunk[c->chunk_count - 1]->bytes + used, bytes.p, n);
        c->size += n;
        bytes = slice_skip(bytes, n);
    }
}

struct value *value_new_string(struct slice bytes)
{
    ASSERT(bytes.n <= LIMIT_BULK_BYTES);
    if (bytes.n > VALUE_INLINE_MAX) {
        COVER("string in chunks");
        struct value *v = value_new_chunked();
        value_chunked_append(value_chunks(v), bytes, true);
        return v;
    }
    struct value *v = value_new_inline(bytes.n, bytes.n, VALUE_INLINE);
    if (bytes.n) {
        memcpy(value_bytes(v), bytes.p, bytes.n);
    }
    return v;
}

struct value *value_string_assign(struct value *v, struct slice bytes)
{
    ASSERT(v->type == VALUE_STRING);
    if (v->encoding == VALUE_INLINE && v->size == bytes.n) {
        if (bytes.n) {
            memcpy(value_bytes(v), bytes.p, bytes.n);
        }
        return v;
    }
    value_free(v);
    return value_new_string(bytes);
}

struct value *value_string_append(struct value *v, struct slice bytes)
{
    ASSERT(v->type == VALUE_STRING);
    size_t before = value_string_size(v);
    ASSERT(bytes.n <= LIMIT_BULK_BYTES && before + bytes.n <= LIMIT_BULK_BYTES);
    size_t size = before + bytes.n;
    if (bytes.n == 0) {
        return v;
    }
    v = value_unshare(v);
    if (v->encoding != VALUE_CHUNKED && size > VALUE_INLINE_MAX) {
        COVER("inline string becomes chunks");
        struct value *chunked = value_new_chunked();
        value_chunked_append(value_chunks(chunked), value_string_part(v, 0), false);
        mem_free(v);
        v = chunked;
    }
    if (v->encoding == VALUE_CHUNKED) {
        value_chunked_append(value_chunks(v), bytes, false);
        return v;
    }
    if (v->encoding != VALUE_INLINE_GROWN || size > value_inline_room(before)) {
        v = mem_realloc(v, sizeof *v + value_inline_room(size));
        v->encoding = VALUE_INLINE_GROWN;
    }
    memcpy(value_bytes(v) + before, bytes.p, bytes.n);
    v->size = (uint16_t)size;
    return v;
}

struct value *value_string_extend(struct value *v, size_t size)
{
    static const uint8_t zero[LIMIT_VALUE_CHUNK_BYTES];
    size_t now = value_string_size(v);
    ASSERT(size >= now && size <= LIMIT_BULK_BYTES);
    for (; now < size; now = value_string_size(v)) {
        size_t n = size - now;
        v = value_string_append(v, (struct slice){zero, n < sizeof zero ? n : sizeof zero});
    }
    return v;
}

/* The i-th part, which may be written to from now on. */
static struct value_chunk *value_chunked_own(struct value_chunked *c, size_t i)
{
    if (c->chunk[i]->owners > 1) {
        size_t before = i * VALUE_PART_BYTES;
        bool is_last = i + 1 == c->chunk_count;
        size_t used = is_last ? (size_t)c->size - before : VALUE_PART_BYTES;
        size_t capacity = is_last ? c->last_capacity : VALUE_PART_BYTES;
        c->chunk[i] = value_chunk_replace(c->chunk[i], used, capacity);
    }
    return c->chunk[i];
}

void value_string_write(struct value *v, size_t offset, struct slice bytes)
{
    size_t size = value_string_size(v);
    ASSERT(offset <= size && bytes.n <= size - offset);
    if (v->encoding != VALUE_CHUNKED) {
        if (bytes.n) {
            memcpy(value_bytes(v) + offset, bytes.p, bytes.n);
        }
        return;
    }
    struct value_chunked *c = value_chunks(v);
    ASSERT(c->root.owners == 1); /* O1 */
    while (bytes.n > 0) {
        size_t i = offset / VALUE_PART_BYTES;
        size_t in_chunk = offset % VALUE_PART_BYTES;
        size_t n = VALUE_PART_BYTES - in_chunk;
        n = n < bytes.n ? n : bytes.n;
        memcpy(value_chunked_own(c, i)->bytes + in_chunk, bytes.p, n);
        offset += n;
        bytes = slice_skip(bytes, n);
    }
}

/* --- reading --- */

size_t value_string_size(const struct value *v)
{
    ASSERT(v->type == VALUE_STRING);
    return v->encoding == VALUE_CHUNKED ? (size_t)value_chunks_const(v)->size : v->size;
}

struct slice value_string_part(const struct value *v, size_t offset)
{
    size_t size = value_string_size(v);
    if (offset >= size) {
        return (struct slice){NULL, 0};
    }
    if (v->encoding != VALUE_CHUNKED) {
        return (struct slice){(const uint8_t *)(v + 1) + offset, size - offset};
    }
    const struct value_chunk *chunk = value_chunks_const(v)->chunk[offset / VALUE_PART_BYTES];
    size_t in_chunk = offset % VALUE_PART_BYTES;
    size_t room = VALUE_PART_BYTES - in_chunk;
    return (struct slice){chunk->bytes + in_chunk, room < size - offset ? room : size - offset};
}

size_t value_string_read(const struct value *v, size_t offset, void *out, size_t n)
{
    uint8_t *to = out;
    size_t done = 0;
    while (done < n) {
        struct slice part = value_string_part(v, offset + done);
        if (part.n == 0) {
            break;
        }
        size_t piece = part.n < n - done ? part.n : n - done;
        memcpy(to + done, part.p, piece);
        done += piece;
    }
    return done;
}

bool value_string_has_grown(const struct value *v)
{
    return v->encoding == VALUE_INLINE_GROWN;
}

bool value_string_integer(const struct value *v, int64_t *number)
{
    /* Also for a value in chunks (a hostile build has tiny ones): an integer is at most 20 bytes.
     */
    uint8_t text[NUMBER_TEXT_MAX];
    size_t size = value_string_size(v);
    if (size == 0 || size >= NUMBER_TEXT_MAX) {
        return false;
    }
    value_string_read(v, 0, text, size);
    return number_parse_i64((struct slice){text, size}, number);
}

/* --- pieces: size u32, offset u32, bytes up to the end of a part --- */

enum { VALUE_STRING_PIECE_HEADER = 8 };

STATIC_ASSERT(VALUE_INLINE_MAX + VALUE_STRING_PIECE_HEADER + 2 <= VALUE_PIECE_MAX, "a piece");

bool value_string_write_piece(const struct value *v, struct value_cursor *cursor, struct buf *out)
{
    size_t size = value_string_size(v);
    size_t offset = (size_t)cursor->position;
    if (cursor->offset > 0) { /* set behind the last one: an empty string has one too */
        return false;
    }
    struct slice part = value_string_part(v, offset);
    write_u32(out, (uint32_t)size);
    write_u32(out, (uint32_t)offset);
    buf_append_slice(out, part);
    cursor->position += part.n;
    cursor->offset = cursor->position == size;
    return true;
}

bool value_string_add_piece(struct value_builder *b, struct slice payload)
{
    struct reader r = reader_of(payload);
    uint32_t size = read_u32(&r);
    uint32_t offset = read_u32(&r);
    struct slice bytes = read_bytes(&r, r.n);
    size_t done = b->value ? value_string_size(b->value) : 0;
    if (r.failed || size > LIMIT_BULK_BYTES || offset != done || bytes.n > size - offset) {
        return false;
    }
    if (!b->value) {
        b->expected = size;
        if (size <= VALUE_INLINE_MAX) {
            b->value = value_new_string(bytes);
            return true;
        }
        b->value = value_new_chunked();
    }
    if (size != b->expected || bytes.n == 0) {
        return false;
    }
    if (b->value->encoding == VALUE_CHUNKED) {
        value_chunked_append(value_chunks(b->value), bytes, true);
    } else {
        b->value = value_string_append(b->value, bytes);
    }
    return true;
}

bool value_string_is_complete(const struct value_builder *b)
{
    return value_string_size(b->value) == b->expected;
}

bool value_string_digest_step(const struct value *v,
                              const struct siphash_key *key,
                              struct value_digest *digest)
{
    struct slice part = value_string_part(v, (size_t)digest->cursor.position);
    digest->hash =
        value_digest_words(key, digest->hash, siphash64_fast(key, part.p, part.n));
    digest->cursor.position += part.n;
    size_t size = value_string_size(v);
    if (digest->cursor.position < size) {
        return true;
    }
    digest->hash = value_digest_words(key, digest->hash, size);
    return false;
}
