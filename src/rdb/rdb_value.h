#ifndef RDB_RDB_VALUE_H
#define RDB_RDB_VALUE_H

#include <stdbool.h>

#include "base/buf.h"

/* Serialized values as they stand in RDB files, seen from outside: how long they are and what they are called, without
 * building them. What they mean is commands/dump_format.h's. */

#define RDB_VERSION_MAX 10 /* Redis 7.0 */

/* Removes the value of RDB type `type` from the front of *in. False: it is damaged or cut short, or the type is none
 * that Redis 7.0 writes. Any bytes are safe; O(bytes). */
bool rdb_skip_value(struct slice *in, uint8_t type);
/* "string", "list", ... as TYPE says; "module"; NULL for an unknown number. */
const char *rdb_type_name(uint8_t type);

/* A length. False: cut short, or an encoded string stands there. */
bool rdb_take_length(struct slice *in, uint64_t *length);
bool rdb_skip_string(struct slice *in);
/* A string in any of its encodings, written out. Appends to `out`. */
bool rdb_take_string(struct slice *in, struct buf *out);
/* `bytes` (<= 8) bytes, little endian. False: cut short. */
bool rdb_take_little(struct slice *in, size_t bytes, uint64_t *number);

#endif
