#ifndef RDB_RDB_CODEC_H
#define RDB_RDB_CODEC_H

#include <stdbool.h>

#include "base/buf.h"

/* Lengths, strings and numbers as Redis's serialized values and RDB files hold them. rdb_codec.c
 * has the format. */

/* Writing appends to `out`. */
void rdb_put_length(struct buf *out, uint64_t length);
void rdb_put_little(struct buf *out,
                    uint64_t number,
                    size_t bytes);                       /* `bytes` <= 8, little endian */
void rdb_put_bytes(struct buf *out, struct slice bytes); /* a string, always as bytes */
/* A string: an integer where the bytes are the canonical form of one that fits, as Redis does; else
 * the bytes. */
void rdb_put_text(struct buf *out, struct slice bytes);
/* The same of a number whose text would be the string. False, and nothing written: it does not fit.
 */
bool rdb_put_integer(struct buf *out, int64_t number);

/* Reading takes from the front of *in; any bytes are safe. False: cut short or damaged, and *in is
 * anywhere. */
bool rdb_take_byte(struct slice *in, uint8_t *byte);
bool rdb_take_little(struct slice *in, size_t bytes, uint64_t *number); /* `bytes` <= 8 */
bool rdb_take_bytes(struct slice *in, uint64_t n, struct slice *bytes); /* borrowed from `in` */
/* A plain length; false also where an encoded string stands. */
bool rdb_take_length(struct slice *in, uint64_t *length);
/* A string in any form. *text is borrowed from `in` or from `room`, until that is used again. */
bool rdb_take_text(struct slice *in, struct buf *room, struct slice *text);
/* A string, without writing it out. */
bool rdb_skip_string(struct slice *in);

#endif
