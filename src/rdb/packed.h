#ifndef RDB_PACKED_H
#define RDB_PACKED_H

#include "rdb/listpack.h"
#include "rdb/ziplist.h"

/* The three ways in which Redis packed small collections into one string, read as what they are: a
 * row of elements. Any bytes are safe. */
enum packed_kind {
    PACKED_LISTPACK, /* from 7.0 on */
    PACKED_ZIPLIST,  /* before */
    PACKED_ZIPMAP,   /* hashes before 2.6 */
};
struct packed_reader {
    enum packed_kind kind;
    struct listpack_reader listpack;
    struct ziplist_reader ziplist;
    struct slice zipmap;
    bool is_value; /* what comes next in a zipmap: keys and values in turn */
};
/* False: it is none. */
bool packed_open(struct packed_reader *r, enum packed_kind kind, struct slice bytes);
enum packed_step { PACKED_ELEMENT, PACKED_END, PACKED_BAD };
/* *element is borrowed until the next step. */
enum packed_step packed_next(struct packed_reader *r, struct slice *element);

#endif
