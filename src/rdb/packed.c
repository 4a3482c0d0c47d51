/* A zipmap, besides what listpack.c and ziplist.c have:
 *
 *   pairs (1; 254: count them) | key and value ... | ff
 *
 * A key is a length (a byte, or fe and 4 bytes, little endian) and so many bytes; a value is a
 * length, a byte that tells how many bytes behind it are unused, and the bytes. */

#include "rdb/packed.h"

#include "rdb/rdb_codec.h"

enum { ZIPMAP_LONG = 254, ZIPMAP_END = 255 };

static bool zipmap_open(struct packed_reader *r, struct slice bytes)
{
    if (bytes.n < 2 || bytes.p[bytes.n - 1] != ZIPMAP_END) {
        return false;
    }
    r->zipmap = slice_skip(bytes, 1); /* the number of pairs is a hint: Redis counts */
    r->is_value = false;
    return true;
}

static bool zipmap_take(struct packed_reader *r, struct slice *element)
{
    uint8_t first;
    uint8_t unused = 0;
    struct slice gap;
    if (!rdb_take_byte(&r->zipmap, &first) || first == ZIPMAP_END) {
        return false;
    }
    uint64_t size = first;
    return (first != ZIPMAP_LONG || rdb_take_little(&r->zipmap, 4, &size)) &&
           (!r->is_value || rdb_take_byte(&r->zipmap, &unused)) &&
           rdb_take_bytes(&r->zipmap, size, element) && rdb_take_bytes(&r->zipmap, unused, &gap) &&
           r->zipmap.n > 0;
}

static enum packed_step zipmap_next(struct packed_reader *r, struct slice *element)
{
    if (!r->is_value && r->zipmap.p[0] == ZIPMAP_END) { /* there is a byte always */
        return r->zipmap.n == 1 ? PACKED_END : PACKED_BAD;
    }
    if (!zipmap_take(r, element)) {
        return PACKED_BAD;
    }
    r->is_value = !r->is_value;
    return PACKED_ELEMENT;
}

bool packed_open(struct packed_reader *r, enum packed_kind kind, struct slice bytes)
{
    r->kind = kind;
    switch (kind) {
    case PACKED_LISTPACK:
        return listpack_open(&r->listpack, bytes);
    case PACKED_ZIPLIST:
        return ziplist_open(&r->ziplist, bytes);
    case PACKED_ZIPMAP:
        return zipmap_open(r, bytes);
    }
    return false;
}

enum packed_step packed_next(struct packed_reader *r, struct slice *element)
{
    bool is_bad;
    switch (r->kind) {
    case PACKED_LISTPACK:
        switch (listpack_next(&r->listpack, element)) {
        case LISTPACK_ELEMENT:
            return PACKED_ELEMENT;
        case LISTPACK_END:
            return PACKED_END;
        case LISTPACK_BAD:
            return PACKED_BAD;
        }
        return PACKED_BAD;
    case PACKED_ZIPLIST:
        if (ziplist_next(&r->ziplist, element, &is_bad)) {
            return PACKED_ELEMENT;
        }
        return is_bad ? PACKED_BAD : PACKED_END;
    case PACKED_ZIPMAP:
        return zipmap_next(r, element);
    }
    return PACKED_BAD;
}
