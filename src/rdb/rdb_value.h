#ifndef RDB_RDB_VALUE_H
#define RDB_RDB_VALUE_H

#include <stdbool.h>

#include "base/slice.h"

/* Serialized values as they stand in RDB files, seen from outside: how long they are and what they are called, without
 * building them. What they mean is commands/dump_format.h's. */

#define RDB_VERSION_MAX 10 /* Redis 7.0 */

/* The types of values. 6 is a module's old form, which was never read back; 8 is none. */
enum rdb_type {
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

/* In front of each node of RDB_LIST_QUICKLIST_2: whether it is one element, or a listpack. */
enum rdb_quicklist_container {
    RDB_QUICKLIST_PLAIN = 1,
    RDB_QUICKLIST_PACKED = 2,
};

/* Removes the value of RDB type `type` from the front of *in. False: it is damaged or cut short, or the type is none
 * that Redis 7.0 writes. Any bytes are safe; O(bytes). */
bool rdb_skip_value(struct slice *in, uint8_t type);
/* "string", "list", ... as TYPE says; "module"; NULL for an unknown number. */
const char *rdb_type_name(uint8_t type);

#endif
