/* A string begins with a length, whose two top bits tell its kind:
 *
 *   00 nnnnnn                  a length of 6 bits, then that many bytes
 *   01 nnnnnn n(8)             of 14 bits
 *   10 000000 n(32)            of 32 bits, big endian
 *   10 000001 n(64)            of 64 bits, big endian
 *   11 0000kk                  kk 0, 1, 2: an integer of 1, 2 or 4 bytes, little endian, signed
 *   11 000011 clen len bytes   LZF: `clen` compressed bytes make `len`
 *
 * C1  Written are integers where the text is the canonical form of one, else plain bytes; never
 * LZF, which readers need not see.
 *
 * C2  Nothing is allocated for a length that the bytes at hand cannot make. */

#include "rdb/rdb_codec.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/number.h"
#include "rdb/lzf.h"

enum {
    CODEC_LENGTH_14 = 1,
    CODEC_LENGTH_LONG = 2,
    CODEC_ENCODED = 3,
    CODEC_LENGTH_32 = 0x80,
    CODEC_LENGTH_64 = 0x81,
    CODEC_INTEGER_8 = 0,
    CODEC_INTEGER_16 = 1,
    CODEC_INTEGER_32 = 2,
    CODEC_LZF = 3,
    CODEC_LZF_RATIO_MAX = 132, /* three bytes make 264 at most */
};

/* --- writing --- */

void rdb_put_length(struct buf *out, uint64_t length)
{
    size_t bytes = length <= UINT32_MAX ? 4 : 8;
    if (length < 64) {
        buf_append_byte(out, (uint8_t)length);
        return;
    }
    if (length < 16384) {
        buf_append_byte(out, (uint8_t)(CODEC_LENGTH_14 << 6 | length >> 8));
        buf_append_byte(out, (uint8_t)length);
        return;
    }
    buf_append_byte(out, bytes == 4 ? CODEC_LENGTH_32 : CODEC_LENGTH_64);
    for (size_t i = bytes; i > 0; i--) {
        buf_append_byte(out, (uint8_t)(length >> (8 * (i - 1))));
    }
}

void rdb_put_little(struct buf *out, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        buf_append_byte(out, (uint8_t)(number >> (8 * i)));
    }
}

void rdb_put_bytes(struct buf *out, struct slice bytes)
{
    rdb_put_length(out, bytes.n);
    buf_append_slice(out, bytes);
}

bool rdb_put_integer(struct buf *out, int64_t number)
{
    unsigned kind = CODEC_INTEGER_32;
    if (number < INT32_MIN || number > INT32_MAX) {
        return false;
    }
    if (number >= INT8_MIN && number <= INT8_MAX) {
        kind = CODEC_INTEGER_8;
    } else if (number >= INT16_MIN && number <= INT16_MAX) {
        kind = CODEC_INTEGER_16;
    }
    buf_append_byte(out, (uint8_t)(CODEC_ENCODED << 6 | kind));
    rdb_put_little(out, (uint64_t)number, (size_t)1 << kind);
    return true;
}

void rdb_put_text(struct buf *out, struct slice bytes)
{
    int64_t number;
    if (!number_parse_i64(bytes, &number) || !rdb_put_integer(out, number)) { /* C1 */
        rdb_put_bytes(out, bytes);
    }
}

/* --- reading --- */

bool rdb_take_bytes(struct slice *in, uint64_t n, struct slice *bytes)
{
    if (n > in->n) {
        return false;
    }
    *bytes = (struct slice){in->p, (size_t)n};
    *in = slice_skip(*in, (size_t)n);
    return true;
}

bool rdb_take_byte(struct slice *in, uint8_t *byte)
{
    struct slice one;
    if (!rdb_take_bytes(in, 1, &one)) {
        return false;
    }
    *byte = one.p[0];
    return true;
}

bool rdb_take_little(struct slice *in, size_t bytes, uint64_t *number)
{
    struct slice taken;
    ASSERT(bytes <= 8);
    *number = 0;
    if (!rdb_take_bytes(in, bytes, &taken)) {
        return false;
    }
    for (size_t i = bytes; i > 0; i--) {
        *number = *number << 8 | taken.p[i - 1];
    }
    return true;
}

static bool take_big(struct slice *in, size_t bytes, uint64_t *number)
{
    struct slice taken;
    if (!rdb_take_bytes(in, bytes, &taken)) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        *number = *number << 8 | taken.p[i];
    }
    return true;
}

/* A length or, with *is_encoded, a CODEC_INTEGER_* or CODEC_LZF. */
static bool take_head(struct slice *in, uint64_t *length, bool *is_encoded)
{
    uint8_t first;
    if (!rdb_take_byte(in, &first)) {
        return false;
    }
    *is_encoded = first >> 6 == CODEC_ENCODED;
    *length = first & 63;
    if (first >> 6 == CODEC_LENGTH_14) {
        return take_big(in, 1, length);
    }
    if (first >> 6 == CODEC_LENGTH_LONG) {
        *length = 0;
        return (first == CODEC_LENGTH_32 && take_big(in, 4, length)) ||
               (first == CODEC_LENGTH_64 && take_big(in, 8, length));
    }
    return true;
}

bool rdb_take_length(struct slice *in, uint64_t *length)
{
    bool is_encoded;
    return take_head(in, length, &is_encoded) && !is_encoded;
}

static bool take_integer(struct slice *in, unsigned kind, struct buf *room)
{
    uint64_t sign = UINT64_C(1) << (8 * ((size_t)1 << kind) - 1);
    uint64_t number;
    char text[NUMBER_TEXT_MAX];
    if (!rdb_take_little(in, (size_t)1 << kind, &number)) {
        return false;
    }
    buf_append(room, text, number_format_i64((int64_t)((number ^ sign) - sign), text));
    return true;
}

static bool take_lzf(struct slice *in, struct buf *room)
{
    uint64_t compressed;
    uint64_t size;
    struct slice packed;
    if (!rdb_take_length(in, &compressed) || !rdb_take_length(in, &size) || compressed == 0 ||
        !rdb_take_bytes(in, compressed, &packed) || size > LIMIT_BULK_BYTES ||
        size > compressed * CODEC_LZF_RATIO_MAX) { /* C2 */
        return false;
    }
    uint8_t *bytes = buf_reserve(room, (size_t)size + 1);
    buf_commit(room, (size_t)size);
    return lzf_decompress(packed, bytes, (size_t)size);
}

bool rdb_take_text(struct slice *in, struct buf *room, struct slice *text)
{
    uint64_t length;
    bool is_encoded;
    if (!take_head(in, &length, &is_encoded)) {
        return false;
    }
    if (!is_encoded) {
        return length <= LIMIT_BULK_BYTES && rdb_take_bytes(in, length, text);
    }
    buf_clear(room, SIZE_MAX);
    bool is_ok = length == CODEC_LZF
                     ? take_lzf(in, room)
                     : length <= CODEC_INTEGER_32 && take_integer(in, (unsigned)length, room);
    *text = buf_slice(room);
    return is_ok;
}

bool rdb_skip_string(struct slice *in)
{
    uint64_t length;
    uint64_t size;
    bool is_encoded;
    struct slice skipped;
    if (!take_head(in, &length, &is_encoded)) {
        return false;
    }
    if (!is_encoded) {
        return rdb_take_bytes(in, length, &skipped);
    }
    if (length == CODEC_LZF) {
        return rdb_take_length(in, &length) && rdb_take_length(in, &size) &&
               rdb_take_bytes(in, length, &skipped);
    }
    return length <= CODEC_INTEGER_32 && rdb_take_bytes(in, UINT64_C(1) << length, &skipped);
}
