/* Values in RDB files (Redis 7.0.15 rdb.c), skipped. Strings and lengths: commands/dump_format.c has the picture.
 *
 *   type               what follows
 *   0                  string
 *   1 2                length n, n strings                        list, set
 *   3                  length n, n x (string, old double)         sorted set: a length byte and text, or 253 to 255
 *   5                  length n, n x (string, 8 bytes)            sorted set
 *   4                  length n, 2 x n strings                    hash
 *   9 to 13, 16, 17    one string that holds it all
 *   14                 length n, n strings                        list of ziplists
 *   18                 length n, n x (length, string)             list of listpacks
 *   15 19              a stream: see skip_stream
 *   7                  a module's value: an id, then marked fields up to a 0
 *
 * V1  Each step takes at least a byte, so a count from the file, whatever it says, costs no more than the file's bytes. */

#include "rdb/rdb_value.h"

#include "base/limits.h"
#include "base/mem.h"
#include "base/number.h"
#include "commands/dump_format.h"

enum {
    RDB_LENGTH_6 = 0,
    RDB_LENGTH_14 = 1,
    RDB_LENGTH_LONG = 2,
    RDB_ENCODED = 3,
    RDB_LENGTH_32 = 0x80,
    RDB_LENGTH_64 = 0x81,
    RDB_LZF = 3,
    RDB_LZF_RATIO_MAX = 132, /* three bytes make 264 at most */
};

enum {
    RDB_STRING = 0,
    RDB_LIST = 1,
    RDB_SET = 2,
    RDB_ZSET = 3,
    RDB_HASH = 4,
    RDB_ZSET_2 = 5,
    RDB_MODULE_2 = 7,
    RDB_HASH_ZIPMAP = 9,
    RDB_LIST_ZIPLIST = 10,
    RDB_SET_INTSET = 11,
    RDB_ZSET_ZIPLIST = 12,
    RDB_HASH_ZIPLIST = 13,
    RDB_LIST_QUICKLIST = 14,
    RDB_STREAM_LISTPACKS = 15,
    RDB_HASH_LISTPACK = 16,
    RDB_ZSET_LISTPACK = 17,
    RDB_LIST_QUICKLIST_2 = 18,
    RDB_STREAM_LISTPACKS_2 = 19,
};

/* --- lengths and strings --- */

static bool skip_bytes(struct slice *in, uint64_t n)
{
    if (n > in->n) {
        return false;
    }
    *in = slice_skip(*in, (size_t)n);
    return true;
}

bool rdb_take_little(struct slice *in, size_t bytes, uint64_t *number)
{
    *number = 0;
    if (in->n < bytes) {
        return false;
    }
    for (size_t i = bytes; i > 0; i--) {
        *number = *number << 8 | in->p[i - 1];
    }
    return skip_bytes(in, bytes);
}

static uint64_t take_big(struct slice *in, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes; i++) {
        number = number << 8 | in->p[i];
    }
    *in = slice_skip(*in, bytes);
    return number;
}

/* A length, or with *is_encoded which encoding. */
static bool take_head(struct slice *in, uint64_t *length, bool *is_encoded)
{
    if (in->n == 0) {
        return false;
    }
    uint8_t first = in->p[0];
    *in = slice_skip(*in, 1);
    *is_encoded = first >> 6 == RDB_ENCODED;
    *length = first & 63;
    if (first >> 6 == RDB_LENGTH_14) {
        if (in->n == 0) {
            return false;
        }
        *length = *length << 8 | take_big(in, 1);
    } else if (first >> 6 == RDB_LENGTH_LONG) {
        size_t bytes = first == RDB_LENGTH_32 ? 4 : 8;

        if ((first != RDB_LENGTH_32 && first != RDB_LENGTH_64) || in->n < bytes) {
            return false;
        }
        *length = take_big(in, bytes);
    }
    return true;
}

bool rdb_take_length(struct slice *in, uint64_t *length)
{
    bool is_encoded;

    return take_head(in, length, &is_encoded) && !is_encoded;
}

bool rdb_skip_string(struct slice *in)
{
    uint64_t length;
    bool is_encoded;

    if (!take_head(in, &length, &is_encoded)) {
        return false;
    }
    if (!is_encoded) {
        return skip_bytes(in, length);
    }
    if (length == RDB_LZF) {
        uint64_t compressed;
        uint64_t size;

        return rdb_take_length(in, &compressed) && rdb_take_length(in, &size) && skip_bytes(in, compressed);
    }
    return length < RDB_LZF && skip_bytes(in, (uint64_t)1 << length);
}

static bool take_lzf(struct slice *in, struct buf *out)
{
    uint64_t compressed;
    uint64_t size;

    if (!rdb_take_length(in, &compressed) || !rdb_take_length(in, &size) || compressed == 0 || compressed > in->n ||
        size > LIMIT_BULK_BYTES || size > compressed * RDB_LZF_RATIO_MAX) {
        return false;
    }
    uint8_t *at = buf_reserve(out, (size_t)size + 1);
    if (!lzf_decompress((struct slice){in->p, (size_t)compressed}, at, (size_t)size)) {
        return false;
    }
    buf_commit(out, (size_t)size);
    return skip_bytes(in, compressed);
}

bool rdb_take_string(struct slice *in, struct buf *out)
{
    uint64_t length;
    bool is_encoded;

    if (!take_head(in, &length, &is_encoded)) {
        return false;
    }
    if (is_encoded && length == RDB_LZF) {
        return take_lzf(in, out);
    }
    if (is_encoded) {
        size_t bytes = (size_t)1 << (length & 3);
        uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
        uint64_t number;

        if (length > RDB_LZF || !rdb_take_little(in, bytes, &number)) {
            return false;
        }
        buf_printf(out, "%lld", (long long)((number ^ sign) - sign));
        return true;
    }
    if (length > in->n || length > LIMIT_BULK_BYTES) {
        return false;
    }
    buf_append(out, in->p, (size_t)length);
    return skip_bytes(in, length);
}

/* --- values --- */

static bool skip_strings(struct slice *in, uint64_t per_element)
{
    uint64_t count;

    if (!rdb_take_length(in, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) { /* V1 */
        for (uint64_t k = 0; k < per_element; k++) {
            if (!rdb_skip_string(in)) {
                return false;
            }
        }
    }
    return true;
}

static bool skip_old_double(struct slice *in)
{
    if (in->n == 0) {
        return false;
    }
    uint8_t size = in->p[0];
    *in = slice_skip(*in, 1);
    return size >= 253 || skip_bytes(in, size);
}

static bool skip_zset(struct slice *in, bool has_old_doubles)
{
    uint64_t count;

    if (!rdb_take_length(in, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) { /* V1 */
        if (!rdb_skip_string(in) || !(has_old_doubles ? skip_old_double(in) : skip_bytes(in, 8))) {
            return false;
        }
    }
    return true;
}

static bool skip_quicklist_2(struct slice *in)
{
    uint64_t count;
    uint64_t container;

    if (!rdb_take_length(in, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) { /* V1 */
        if (!rdb_take_length(in, &container) || !rdb_skip_string(in)) {
            return false;
        }
    }
    return true;
}

static bool skip_lengths(struct slice *in, size_t count)
{
    uint64_t length;

    for (size_t i = 0; i < count; i++) {
        if (!rdb_take_length(in, &length)) {
            return false;
        }
    }
    return true;
}

/* Pending entries: ids of 16 raw bytes; a group's own list holds time and count as well. */
static bool skip_pending(struct slice *in, bool is_of_group)
{
    uint64_t count;

    if (!rdb_take_length(in, &count)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) { /* V1 */
        if (!skip_bytes(in, is_of_group ? 24 : 16) || !skip_lengths(in, is_of_group ? 1 : 0)) {
            return false;
        }
    }
    return true;
}

static bool skip_consumer_group(struct slice *in, bool is_second_format)
{
    uint64_t consumers;

    if (!rdb_skip_string(in) || !skip_lengths(in, is_second_format ? 3 : 2) || !skip_pending(in, true) ||
        !rdb_take_length(in, &consumers)) {
        return false;
    }
    for (uint64_t i = 0; i < consumers; i++) { /* V1 */
        if (!rdb_skip_string(in) || !skip_bytes(in, 8) || !skip_pending(in, false)) {
            return false;
        }
    }
    return true;
}

/* length n, n x (id as a string, listpack as a string) | entries, last id (2) | in the second format: first id (2), largest
 * deleted id (2), entries ever added | length n, n x consumer group */
static bool skip_stream(struct slice *in, bool is_second_format)
{
    uint64_t groups;

    if (!skip_strings(in, 2) || !skip_lengths(in, is_second_format ? 8 : 3) || !rdb_take_length(in, &groups)) {
        return false;
    }
    for (uint64_t i = 0; i < groups; i++) { /* V1 */
        if (!skip_consumer_group(in, is_second_format)) {
            return false;
        }
    }
    return true;
}

static bool skip_module(struct slice *in)
{
    enum { MODULE_END, MODULE_SIGNED, MODULE_UNSIGNED, MODULE_FLOAT, MODULE_DOUBLE, MODULE_STRING };
    uint64_t word;

    if (!rdb_take_length(in, &word)) { /* the module's id */
        return false;
    }
    while (rdb_take_length(in, &word) && word <= MODULE_STRING) {
        bool is_fine = true;

        if (word == MODULE_END) {
            return true;
        }
        if (word == MODULE_SIGNED || word == MODULE_UNSIGNED) {
            is_fine = skip_lengths(in, 1);
        } else if (word == MODULE_STRING) {
            is_fine = rdb_skip_string(in);
        } else {
            is_fine = skip_bytes(in, word == MODULE_FLOAT ? 4 : 8);
        }
        if (!is_fine) {
            return false;
        }
    }
    return false;
}

bool rdb_skip_value(struct slice *in, uint8_t type)
{
    switch (type) {
    case RDB_STRING:
    case RDB_HASH_ZIPMAP:
    case RDB_LIST_ZIPLIST:
    case RDB_SET_INTSET:
    case RDB_ZSET_ZIPLIST:
    case RDB_HASH_ZIPLIST:
    case RDB_HASH_LISTPACK:
    case RDB_ZSET_LISTPACK:
        return rdb_skip_string(in);
    case RDB_LIST:
    case RDB_SET:
    case RDB_LIST_QUICKLIST:
        return skip_strings(in, 1);
    case RDB_HASH:
        return skip_strings(in, 2);
    case RDB_ZSET:
    case RDB_ZSET_2:
        return skip_zset(in, type == RDB_ZSET);
    case RDB_LIST_QUICKLIST_2:
        return skip_quicklist_2(in);
    case RDB_STREAM_LISTPACKS:
    case RDB_STREAM_LISTPACKS_2:
        return skip_stream(in, type == RDB_STREAM_LISTPACKS_2);
    case RDB_MODULE_2:
        return skip_module(in);
    default:
        return false;
    }
}

const char *rdb_type_name(uint8_t type)
{
    static const char *const name[] = {"string", "list", "set",  "zset", "hash",   "zset", NULL,   "module", NULL,   "hash",
                                       "list",   "set",  "zset", "hash", "list",   "stream", "hash", "zset",   "list", "stream"};

    return type < sizeof name / sizeof name[0] ? name[type] : NULL;
}
