/* Values in RDB files (Redis 7.0.15 rdb.c), skipped. Strings and lengths: rdb_codec.c.
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

#include "rdb/rdb_codec.h"

static bool skip_bytes(struct slice *in, uint64_t n)
{
    struct slice skipped;

    return rdb_take_bytes(in, n, &skipped);
}

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
    uint8_t size;

    return rdb_take_byte(in, &size) && (size >= 253 || skip_bytes(in, size));
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
