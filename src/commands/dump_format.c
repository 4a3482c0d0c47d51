/* A serialized value:
 *
 *   type (1) | the value | RDB version (2, little endian) | CRC-64 of all before it (8, little
 * endian)
 *
 * D1  A version newer than DUMP_RDB_VERSION is refused, an older one is read.
 *
 * D2  Whatever follows the value, before the footer, is ignored, as Redis does.
 *
 * A string begins with a length, whose two top bits tell its kind:
 *
 *   00 nnnnnn                  a length of 6 bits, then that many bytes
 *   01 nnnnnn n(8)             of 14 bits
 *   10 000000 n(32)            of 32 bits, big endian
 *   10 000001 n(64)            of 64 bits, big endian
 *   11 0000kk                  kk 0, 1, 2: an integer of 1, 2 or 4 bytes, little endian, signed
 *   11 000011 clen len bytes   LZF: `clen` compressed bytes make `len`
 *
 * D3  Written are integers where the text is the canonical form of one, else plain bytes; never
 * LZF, which readers need not see. */

#include "commands/dump_format.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/number.h"
#include "commands/dump_internal.h"

enum {
    DUMP_FOOTER_BYTES = 10,
    DUMP_TYPE_NO_KIND = 8, /* the one number below DUMP_TYPE_LAST that is none */
    DUMP_TYPE_LAST = 19,
    DUMP_LENGTH_6 = 0,
    DUMP_LENGTH_14 = 1,
    DUMP_LENGTH_LONG = 2,
    DUMP_ENCODED = 3,
    DUMP_LENGTH_32 = 0x80,
    DUMP_LENGTH_64 = 0x81,
    DUMP_INTEGER_8 = 0,
    DUMP_INTEGER_16 = 1,
    DUMP_INTEGER_32 = 2,
    DUMP_LZF = 3,
    DUMP_LZF_RATIO_MAX = 132, /* three bytes make 264 at most */
};

/* --- writing --- */

void dump_write_length(struct buf *out, uint64_t length)
{
    if (length < 64) {
        buf_append_byte(out, (uint8_t)length);
    } else if (length < 16384) {
        buf_append_byte(out, (uint8_t)(0x40 | length >> 8));
        buf_append_byte(out, (uint8_t)length);
    } else { /* 32 bits are enough for any string, and any count that memory holds here */
        ASSERT(length <= UINT32_MAX);
        buf_append_byte(out, DUMP_LENGTH_32);
        for (int shift = 24; shift >= 0; shift -= 8) {
            buf_append_byte(out, (uint8_t)(length >> shift));
        }
    }
}

void dump_write_bytes(struct buf *out, struct slice bytes)
{
    dump_write_length(out, bytes.n);
    buf_append_slice(out, bytes);
}

static void dump_write_little(struct buf *out, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        buf_append_byte(out, (uint8_t)(number >> (8 * i)));
    }
}

static void dump_write_integer(struct buf *out, int64_t number)
{
    unsigned kind = DUMP_INTEGER_32;
    if (number >= INT8_MIN && number <= INT8_MAX) {
        kind = DUMP_INTEGER_8;
    } else if (number >= INT16_MIN && number <= INT16_MAX) {
        kind = DUMP_INTEGER_16;
    }
    buf_append_byte(out, (uint8_t)(DUMP_ENCODED << 6 | kind));
    dump_write_little(out, (uint64_t)number, (size_t)1 << kind);
}

void dump_write_text(struct buf *out, struct slice bytes)
{
    int64_t number;
    if (number_parse_i64(bytes, &number) && number >= INT32_MIN && number <= INT32_MAX) {
        dump_write_integer(out, number);
    } else {
        dump_write_bytes(out, bytes);
    }
}

static void dump_write_string(struct buf *out, const struct value *value)
{
    size_t size = value_string_size(value);
    int64_t number;
    buf_append_byte(out, DUMP_TYPE_STRING);
    if (value_string_integer(value, &number) && number >= INT32_MIN && number <= INT32_MAX) {
        dump_write_integer(out, number);
        return;
    }
    dump_write_length(out, size);
    for (size_t done = 0; done < size;) {
        struct slice part = value_string_part(value, done);
        buf_append_slice(out, part);
        done += part.n;
    }
}

static bool dump_write_value(struct buf *out, const struct value *value)
{
    switch (value_get_type(value)) {
    case VALUE_STRING:
        dump_write_string(out, value);
        return true;
    case VALUE_SET:
        dump_write_set(out, value);
        return true;
    case VALUE_HASH:
        dump_write_hash(out, value);
        return true;
    case VALUE_LIST:
    case VALUE_ZSET:
    case VALUE_STREAM:
        break;
    }
    return false;
}

bool dump_write(struct buf *out, const struct value *value)
{
    size_t start = buf_size(out);
    if (!dump_write_value(out, value)) {
        return false;
    }
    dump_write_little(out, DUMP_RDB_VERSION, 2);
    struct slice all = slice_skip(buf_slice(out), start);
    dump_write_little(out, crc64(0, all.p, all.n), 8);
    return true;
}

/* --- reading --- */

bool dump_take_byte(struct slice *in, uint8_t *byte)
{
    if (in->n == 0) {
        return false;
    }
    *byte = in->p[0];
    *in = slice_skip(*in, 1);
    return true;
}

/* `bytes` <= in->n bytes as a number. */
static uint64_t dump_take_number(struct slice *in, size_t bytes, bool is_big_endian)
{
    uint64_t number = 0;
    ASSERT(bytes <= in->n && bytes <= 8);
    for (size_t i = 0; i < bytes; i++) {
        number = number << 8 | in->p[is_big_endian ? i : bytes - 1 - i];
    }
    *in = slice_skip(*in, bytes);
    return number;
}

/* A length or, with *is_encoded, a DUMP_INTEGER_* or DUMP_LZF. */
static bool dump_take_length(struct slice *in, uint64_t *length, bool *is_encoded)
{
    uint8_t first;
    if (!dump_take_byte(in, &first)) {
        return false;
    }
    *is_encoded = first >> 6 == DUMP_ENCODED;
    *length = first & 63;
    if (first >> 6 == DUMP_LENGTH_14) {
        uint8_t low;
        if (!dump_take_byte(in, &low)) {
            return false;
        }
        *length = *length << 8 | low;
    } else if (first >> 6 == DUMP_LENGTH_LONG) {
        size_t bytes = first == DUMP_LENGTH_32 ? 4 : 8;
        if ((first != DUMP_LENGTH_32 && first != DUMP_LENGTH_64) || in->n < bytes) {
            return false;
        }
        *length = dump_take_number(in, bytes, true);
    }
    return true;
}

bool dump_take_count(struct slice *in, uint64_t *count)
{
    bool is_encoded;
    return dump_take_length(in, count, &is_encoded) && !is_encoded;
}

static bool dump_take_integer(struct slice *in, unsigned kind, struct buf *room)
{
    size_t bytes = (size_t)1 << kind;
    if (in->n < bytes) {
        return false;
    }
    uint64_t number = dump_take_number(in, bytes, false);
    uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    char text[NUMBER_TEXT_MAX];
    buf_append(room, text, number_format_i64((int64_t)((number ^ sign) - sign), text));
    return true;
}

static bool dump_take_lzf(struct slice *in, struct buf *room)
{
    uint64_t compressed;
    uint64_t size;
    if (!dump_take_count(in, &compressed) || !dump_take_count(in, &size) || compressed == 0 || compressed > in->n ||
        size > LIMIT_BULK_BYTES || size > compressed * DUMP_LZF_RATIO_MAX) {
        return false;
    }
    uint8_t *bytes = buf_reserve(room, (size_t)size + 1);
    struct slice packed = {in->p, (size_t)compressed};
    *in = slice_skip(*in, (size_t)compressed);
    buf_commit(room, (size_t)size);
    return lzf_decompress(packed, bytes, (size_t)size);
}

bool dump_take_text(struct slice *in, struct buf *room, struct slice *bytes)
{
    uint64_t length;
    bool is_encoded;
    if (!dump_take_length(in, &length, &is_encoded)) {
        return false;
    }
    if (is_encoded) {
        buf_clear(room, SIZE_MAX);
        bool is_ok = length == DUMP_LZF          ? dump_take_lzf(in, room)
                     : length <= DUMP_INTEGER_32 ? dump_take_integer(in, (unsigned)length, room)
                                                 : false;
        *bytes = buf_slice(room);
        return is_ok;
    }
    if (length > in->n || length > LIMIT_BULK_BYTES) {
        return false;
    }
    *bytes = (struct slice){in->p, (size_t)length};
    *in = slice_skip(*in, (size_t)length);
    return true;
}

static struct value *dump_read_string(struct slice *in)
{
    struct buf room = {0};
    struct slice bytes;
    struct value *value = dump_take_text(in, &room, &bytes) ? value_new_string(bytes) : NULL;
    buf_deinit(&room);
    return value;
}

enum dump_verdict dump_read(const struct keyspace_view *view, struct slice payload, struct value **value)
{
    *value = NULL;
    if (payload.n < DUMP_FOOTER_BYTES) {
        return DUMP_BAD_FOOTER;
    }
    struct slice body = {payload.p, payload.n - DUMP_FOOTER_BYTES};
    struct slice footer = slice_skip(payload, body.n);
    if (dump_take_number(&footer, 2, false) > DUMP_RDB_VERSION || /* D1 */
        dump_take_number(&footer, 8, false) != crc64(0, payload.p, payload.n - 8)) {
        return DUMP_BAD_FOOTER;
    }
    uint8_t type;
    if (!dump_take_byte(&body, &type) || type == DUMP_TYPE_NO_KIND || type > DUMP_TYPE_LAST) {
        return DUMP_BAD_FORMAT;
    }
    switch (type) { /* Not an enumeration: any byte may stand there. */
    case DUMP_TYPE_STRING:
        *value = dump_read_string(&body);
        break;
    case DUMP_TYPE_SET:
    case DUMP_TYPE_SET_INTSET:
        *value = dump_read_set(view, (enum dump_type)type, &body);
        break;
    case DUMP_TYPE_HASH:
    case DUMP_TYPE_HASH_LISTPACK:
        *value = dump_read_hash(view, (enum dump_type)type, &body);
        break;
    default:
        return DUMP_UNSUPPORTED;
    }
    return *value ? DUMP_OK : DUMP_BAD_FORMAT;
}
