/* An RDB file:
 *
 *   "REDIS" version (4 digits) | records | 255 | CRC-64 of all before it (8, little endian; from version 5 on; 0: none)
 *
 * A record begins with a byte. Below 244 it is a value's type, and a key and its value follow; 252, 253, 248 and 249 stand
 * in front of one and speak of it:
 *
 *   254 length            the database from here on          253 seconds (4)         the key's expiry
 *   251 length length     how many keys, for sizing          252 milliseconds (8)    the same
 *   250 string string     facts about the writer             248 length, 249 byte    when and how often it was used
 *   245 string            a library of functions             247 as a module's value: a module's own record
 *
 * R1  Every byte is accounted for: between 255 and the checksum there is nothing, behind it nothing.
 *
 * R2  What isn't understood is an error, never skipped by guess; what is understood and has no place here (functions,
 * modules' records) is counted. */

#include "rdb/rdb_reader.h"

#include <stdlib.h>
#include <string.h>

#include "rdb/crc64.h"
#include "rdb/rdb_codec.h"
#include "rdb/rdb_value.h"

enum {
    RDB_HEAD_BYTES = 9,
    RDB_CHECKSUM_BYTES = 8,
    RDB_FIRST_WITH_CHECKSUM = 5,
    RDB_RECORD_FIRST = 244,
    RDB_FUNCTION = 245,
    RDB_MODULE_RECORD = 247,
    RDB_IDLE = 248,
    RDB_FREQUENCY = 249,
    RDB_AUX = 250,
    RDB_SIZES = 251,
    RDB_EXPIRY_MS = 252,
    RDB_EXPIRY_S = 253,
    RDB_SELECT = 254,
    RDB_END = 255,
};

static bool head_version(struct slice file, unsigned *version)
{
    char digits[5];

    if (file.n < RDB_HEAD_BYTES || memcmp(file.p, "REDIS", 5) != 0) {
        return false;
    }
    memcpy(digits, file.p + 5, 4);
    digits[4] = '\0';
    if (strspn(digits, "0123456789") != 4) {
        return false;
    }
    *version = (unsigned)strtoul(digits, NULL, 10);
    return true;
}

static enum err check_sum(struct rdb_reader *r, struct slice file, struct buf *why)
{
    uint64_t recorded;

    if (file.n < RDB_HEAD_BYTES + 1 + RDB_CHECKSUM_BYTES) {
        buf_printf(why, "the file ends after %zu bytes, before its checksum", file.n);
        return ERR_CORRUPT;
    }
    r->file.n -= RDB_CHECKSUM_BYTES;
    struct slice tail = slice_skip(file, r->file.n);
    uint64_t computed = crc64(0, file.p, r->file.n);
    if (rdb_take_little(&tail, RDB_CHECKSUM_BYTES, &recorded) && recorded != 0 && recorded != computed) {
        buf_printf(why, "the checksum does not fit: the file says %016llx, its bytes make %016llx; it is damaged or cut short",
                   (unsigned long long)recorded, (unsigned long long)computed);
        return ERR_CORRUPT;
    }
    return ERR_OK;
}

enum err rdb_reader_init(struct rdb_reader *r, struct slice file, struct buf *why)
{
    *r = (struct rdb_reader){.file = file};
    if (!head_version(file, &r->version)) {
        buf_printf(why, "it does not begin as an RDB file does (REDIS and four digits)");
        return ERR_INVALID;
    }
    if (r->version < 1 || r->version > RDB_VERSION_MAX) {
        buf_printf(why, "RDB version %u; versions 1 to %d are read, which Redis up to 7.0 writes", r->version,
                   (int)RDB_VERSION_MAX);
        return ERR_FORMAT;
    }
    if (r->version >= RDB_FIRST_WITH_CHECKSUM) {
        enum err error = check_sum(r, file, why);

        if (error) {
            return error;
        }
    }
    rdb_reader_rewind(r);
    return ERR_OK;
}

void rdb_reader_deinit(struct rdb_reader *r)
{
    buf_deinit(&r->name);
}

void rdb_reader_rewind(struct rdb_reader *r)
{
    r->rest = slice_skip(r->file, RDB_HEAD_BYTES);
    r->db = 0;
    r->functions = 0;
    r->module_records = 0;
}

static enum err corrupt(const struct rdb_reader *r, const char *what, struct buf *why)
{
    buf_printf(why, "damaged or cut short at byte %zu of %zu: %s", r->file.n - r->rest.n, r->file.n, what);
    return ERR_CORRUPT;
}

/* A record that speaks of the key behind it, or of the file. False: damaged. */
static bool take_record(struct rdb_reader *r, uint8_t record, struct rdb_key *key)
{
    uint64_t number;
    uint64_t other;

    switch (record) {
    case RDB_FUNCTION:
        r->functions++;
        return rdb_skip_string(&r->rest);
    case RDB_MODULE_RECORD:
        r->module_records++;
        return rdb_skip_value(&r->rest, RDB_MODULE_2);
    case RDB_IDLE:
        return rdb_take_length(&r->rest, &number);
    case RDB_FREQUENCY:
        return rdb_take_little(&r->rest, 1, &number);
    case RDB_AUX:
        return rdb_skip_string(&r->rest) && rdb_skip_string(&r->rest);
    case RDB_SIZES:
        return rdb_take_length(&r->rest, &number) && rdb_take_length(&r->rest, &other);
    case RDB_EXPIRY_MS:
        if (!rdb_take_little(&r->rest, 8, &number)) {
            return false;
        }
        key->expiry_ms = (int64_t)number;
        return true;
    case RDB_EXPIRY_S:
        if (!rdb_take_little(&r->rest, 4, &number)) {
            return false;
        }
        key->expiry_ms = (int64_t)(int32_t)number * 1000;
        return true;
    case RDB_SELECT:
        return rdb_take_length(&r->rest, &r->db);
    default:
        return false; /* R2 */
    }
}

static enum err take_key(struct rdb_reader *r, struct rdb_key *key, struct buf *why)
{
    if (!rdb_type_name(key->type)) {
        buf_printf(why, "byte %zu of %zu: value type %u is none of Redis 7.0's", r->file.n - r->rest.n - 1, r->file.n,
                   key->type);
        return ERR_CORRUPT;
    }
    buf_clear(&r->name, 65536);
    if (!rdb_take_text(&r->rest, &r->name, &key->name)) {
        return corrupt(r, "a key's name", why);
    }
    struct slice begin = r->rest;
    if (!rdb_skip_value(&r->rest, key->type)) {
        r->rest = begin;
        return corrupt(r, "a key's value", why);
    }
    key->db = r->db;
    key->value = (struct slice){begin.p, begin.n - r->rest.n};
    return ERR_OK;
}

enum err rdb_reader_next(struct rdb_reader *r, struct rdb_key *key, struct buf *why)
{
    *key = (struct rdb_key){.expiry_ms = RDB_NO_EXPIRY};
    for (;;) {
        if (r->rest.n == 0) {
            return corrupt(r, "the mark of its end is missing", why);
        }
        uint8_t record = r->rest.p[0];
        struct slice begin = r->rest;
        r->rest = slice_skip(r->rest, 1);
        if (record == RDB_END) {
            return r->rest.n == 0 ? ERR_NOT_FOUND : corrupt(r, "there is more behind its end", why); /* R1 */
        }
        if (record < RDB_RECORD_FIRST) {
            key->type = record;
            return take_key(r, key, why);
        }
        if (!take_record(r, record, key)) {
            r->rest = begin;
            return corrupt(r, "a record that is not understood", why);
        }
    }
}

void rdb_append_payload(const struct rdb_reader *r, const struct rdb_key *key, struct buf *out)
{
    size_t start = buf_size(out);

    buf_append_byte(out, key->type);
    buf_append_slice(out, key->value);
    rdb_put_little(out, r->version, 2);
    struct slice all = slice_skip(buf_slice(out), start);
    rdb_put_little(out, crc64(0, all.p, all.n), 8);
}
