/* Values. So far strings:
 *
 *   inline    [type|encoding|size|bytes ...]   one allocation, a chunk at most
 *
 *   chunked   [type|encoding|-|count ...|chunk*] -> [c0 c1 ... cn]   all full but the last
 *
 * V1  A string is chunked exactly when its size exceeds VALUE_INLINE_MAX.
 *
 * V2  Byte i of a chunked string is in chunk i / LIMIT_VALUE_CHUNK_BYTES, so parts begin at
 *     multiples of that size however the string came to be; digests may hash part by part.
 *
 * V3  No allocation is larger than a chunk, but for the array of pointers (64 KiB for the longest
 *     string). */

#include "keyspace/value.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "base/number.h"
#include "keyspace/value_internal.h"

STATIC_ASSERT(VALUE_INLINE_MAX <= UINT16_MAX, "the size of an inline string is 16 bits");
STATIC_ASSERT(sizeof(struct value) == 4, "the header of every stored value");

enum {
    VALUE_GROWN_MIN = 32,  /* first room of a string that is appended to */
    VALUE_BIG_CHUNKS = 16, /* 1 MiB: freed in pieces from here on */
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

enum value_type value_get_type(const struct value *v)
{
    return (enum value_type)v->type;
}

const char *value_type_name(enum value_type type)
{
    static const char *const name[] = {"string", "list", "set", "zset", "hash", "stream"};
    return name[type];
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

size_t value_memory(const struct value *v)
{
    if (v->encoding != VALUE_CHUNKED) {
        return sizeof *v + value_inline_capacity(v);
    }
    const struct value_chunked *c = value_chunks_const(v);
    return sizeof *c + c->chunk_room * sizeof c->chunk[0] +
           (size_t)(c->chunk_count - 1) * LIMIT_VALUE_CHUNK_BYTES + c->last_capacity;
}

bool value_is_big(const struct value *v)
{
    return v->encoding == VALUE_CHUNKED && value_chunks_const(v)->chunk_count > VALUE_BIG_CHUNKS;
}

bool value_free_some(struct value *v, size_t *budget)
{
    if (v->encoding == VALUE_CHUNKED) {
        struct value_chunked *c = value_chunks(v);
        while (c->chunk_count > 0) {
            if (*budget == 0) {
                return false;
            }
            --*budget;
            mem_free(c->chunk[--c->chunk_count]);
        }
        mem_free(c->chunk);
    } else if (*budget == 0) {
        return false;
    } else {
        --*budget;
    }
    mem_free(v);
    return true;
}

void value_free(struct value *v)
{
    size_t budget = SIZE_MAX;
    if (v) {
        ASSERT(value_free_some(v, &budget));
    }
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
    c->head.type = VALUE_STRING;
    c->head.encoding = VALUE_CHUNKED;
    return &c->head;
}

/* Room for at least one more byte at the end, preferably for `wanted`; `is_exact` when nothing is
 * expected to follow. */
static void value_chunked_make_room(struct value_chunked *c, size_t wanted, bool is_exact)
{
    size_t used = (size_t)(c->size % LIMIT_VALUE_CHUNK_BYTES);
    bool needs_chunk = used == 0; /* V2: the last one is full, or there is none */
    if (needs_chunk) {
        if (c->chunk_count == c->chunk_room) {
            c->chunk_room = c->chunk_room ? 2 * c->chunk_room : 2;
            c->chunk = mem_realloc_array(c->chunk, c->chunk_room, sizeof c->chunk[0]);
        }
        c->chunk[c->chunk_count++] = NULL;
        c->last_capacity = 0;
    } else if (used < c->last_capacity) {
        return;
    }
    size_t capacity = used + wanted;
    if (!is_exact && capacity < 2 * used) {
        capacity = 2 * used;
    }
    if (capacity > LIMIT_VALUE_CHUNK_BYTES) {
        capacity = LIMIT_VALUE_CHUNK_BYTES;
    }
    c->last_capacity = (uint32_t)capacity;
    c->chunk[c->chunk_count - 1] = mem_realloc(c->chunk[c->chunk_count - 1], capacity);
}

static void value_chunked_append(struct value_chunked *c, struct slice bytes, bool is_exact)
{
    while (bytes.n > 0) {
        value_chunked_make_room(c, bytes.n, is_exact);
        size_t used = (size_t)(c->size - (uint64_t)(c->chunk_count - 1) * LIMIT_VALUE_CHUNK_BYTES);
        size_t n = c->last_capacity - used;
        if (n > bytes.n) {
            n = bytes.n;
        }
        memcpy(c->chunk[c->chunk_count - 1] + used, bytes.p, n);
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

struct value *value_copy(const struct value *v)
{
    ASSERT(v->type == VALUE_STRING || v->encoding != VALUE_CHUNKED);
    if (v->encoding != VALUE_CHUNKED) {
        bool has_grown = v->encoding == VALUE_INLINE_GROWN;
        size_t capacity = has_grown ? value_inline_room(v->size) : v->size;
        struct value *copy = value_new_inline(v->size, capacity, (enum value_encoding)v->encoding);
        copy->type = v->type;
        if (v->size) {
            memcpy(value_bytes(copy), v + 1, v->size);
        }
        return copy;
    }
    struct value *copy = value_new_chunked();
    size_t size = value_string_size(v);
    for (size_t done = 0; done < size;) {
        struct slice part = value_string_part(v, done);
        value_chunked_append(value_chunks(copy), part, true);
        done += part.n;
    }
    return copy;
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
    while (bytes.n > 0) {
        size_t in_chunk = offset % LIMIT_VALUE_CHUNK_BYTES;
        size_t n = LIMIT_VALUE_CHUNK_BYTES - in_chunk;
        n = n < bytes.n ? n : bytes.n;
        memcpy(c->chunk[offset / LIMIT_VALUE_CHUNK_BYTES] + in_chunk, bytes.p, n);
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
    const uint8_t *chunk = value_chunks_const(v)->chunk[offset / LIMIT_VALUE_CHUNK_BYTES];
    size_t in_chunk = offset % LIMIT_VALUE_CHUNK_BYTES;
    size_t room = LIMIT_VALUE_CHUNK_BYTES - in_chunk;
    return (struct slice){chunk + in_chunk, room < size - offset ? room : size - offset};
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
