/* A ziplist:
 *
 *   bytes in all (4) | where the last entry begins (4) | entries (2; 65535: count them) | entry ...
 * | ff
 *
 * An entry is the size of the one before it (a byte, or fe and 4 bytes), its encoding, and its
 * data. All numbers are little-endian but the sizes within an encoding.
 *
 *   00nnnnnn                   a string of n bytes
 *   01nnnnnn n(8)              of 14 bits
 *   80 n(32)                   of 32 bits
 *   fe c0 f0 d0 e0             an integer of 8, 16, 24, 32, 64 bits, signed
 *   1111nnnn                   an integer, n - 1: 0 to 12
 *
 * Z1  The size of the entry before must be right, and so must the head's: Redis walks backwards by
 * the one and believes the other. */

#include "rdb/ziplist.h"

#include "rdb/rdb_codec.h"

enum { ZIPLIST_HEADER = 10, ZIPLIST_END = 0xff, ZIPLIST_LONG = 0xfe, ZIPLIST_COUNT_MAX = 65535 };

bool ziplist_open(struct ziplist_reader *r, struct slice bytes)
{
    struct slice rest = bytes;
    uint64_t total;
    uint64_t tail;
    uint64_t count;
    if (!rdb_take_little(&rest, 4, &total) || !rdb_take_little(&rest, 4, &tail) ||
        !rdb_take_little(&rest, 2, &count) || total != bytes.n || bytes.n < ZIPLIST_HEADER + 1 ||
        bytes.p[bytes.n - 1] != ZIPLIST_END) {
        return false;
    }
    *r = (struct ziplist_reader){.rest = rest,
                                 .last = ZIPLIST_HEADER,
                                 .tail = (size_t)tail,
                                 .end = ZIPLIST_HEADER,
                                 .count = (uint16_t)count};
    return true;
}

static bool take_previous(struct slice *in, size_t expected)
{
    uint8_t first;
    uint64_t previous;
    if (!rdb_take_byte(in, &first)) {
        return false;
    }
    previous = first;
    if (first == ZIPLIST_LONG && !rdb_take_little(in, 4, &previous)) {
        return false;
    }
    return previous == expected; /* Z1 */
}

static bool take_string(struct slice *in, uint8_t code, struct slice *element)
{
    uint64_t size = code & 63;
    uint8_t low = 0;
    size_t more = code >> 6 == 0 ? 0 : code >> 6 == 1 ? 1 : 4;
    if (more == 4 && code != 0x80) {
        return false;
    }
    for (size = more == 4 ? 0 : size; more > 0; more--) {
        if (!rdb_take_byte(in, &low)) {
            return false;
        }
        size = size << 8 | low;
    }
    return rdb_take_bytes(in, size, element);
}

static bool take_integer(struct slice *in, uint8_t code, int64_t *number)
{
    size_t bytes = code == 0xfe   ? 1
                   : code == 0xc0 ? 2
                   : code == 0xf0 ? 3
                   : code == 0xd0 ? 4
                   : code == 0xe0 ? 8
                                  : 0;
    uint64_t raw;
    if (bytes == 0) {
        *number = (code & 15) - 1;
        return code > 0xf0 && code < 0xfe;
    }
    if (!rdb_take_little(in, bytes, &raw)) {
        return false;
    }
    uint64_t sign = UINT64_C(1) << (8 * bytes - 1);
    *number = (int64_t)((raw ^ sign) - sign);
    return true;
}

static bool take_entry(struct ziplist_reader *r, struct slice *element)
{
    struct slice rest = r->rest;
    uint8_t code;
    int64_t number;
    if (!take_previous(&rest, r->previous) || !rdb_take_byte(&rest, &code)) {
        return false;
    }
    if (code < 0xc0) {
        if (!take_string(&rest, code, element)) {
            return false;
        }
    } else if (take_integer(&rest, code, &number)) {
        *element = (struct slice){(const uint8_t *)r->text, number_format_i64(number, r->text)};
    } else {
        return false;
    }
    r->previous = r->rest.n - rest.n;
    r->last = r->end;
    r->end += r->previous;
    r->rest = rest;
    r->entries++;
    return rest.n > 0;
}

bool ziplist_next(struct ziplist_reader *r, struct slice *element, bool *is_bad)
{
    if (r->rest.p[0] == ZIPLIST_END) { /* there is a byte always */
        *is_bad = r->rest.n != 1 || r->last != r->tail ||
                  (r->count != ZIPLIST_COUNT_MAX && r->count != r->entries);
        return false;
    }
    *is_bad = !take_entry(r, element);
    return !*is_bad;
}
