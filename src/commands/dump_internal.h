#ifndef COMMANDS_DUMP_INTERNAL_H
#define COMMANDS_DUMP_INTERNAL_H

#include "commands/dump_format.h"

/* For dump_*.c: the parts that values are made of. dump_format.c has the format. */
enum dump_type {
    DUMP_TYPE_STRING = 0,
    DUMP_TYPE_SET = 2,
    DUMP_TYPE_HASH = 4,
    DUMP_TYPE_SET_INTSET = 11,
    DUMP_TYPE_HASH_LISTPACK = 16,
};

void dump_write_length(struct buf *out, uint64_t length);
/* An integer where the bytes are the canonical form of one that fits, as Redis does; else the bytes. */
void dump_write_text(struct buf *out, struct slice bytes);
void dump_write_bytes(struct buf *out, struct slice bytes); /* always as bytes */

bool dump_take_byte(struct slice *in, uint8_t *byte);
/* A plain length. */
bool dump_take_count(struct slice *in, uint64_t *count);
/* A string in any form. *bytes is borrowed from `in` or from `room`, until that is used again. False: damaged. */
bool dump_take_text(struct slice *in, struct buf *room, struct slice *bytes);

/* One file per family. dump_write_*: the type byte and the value. dump_read_*: NULL is damaged; returns owned, never empty. */
void dump_write_set(struct buf *out, const struct value *set);
void dump_write_hash(struct buf *out, const struct value *hash);
struct value *dump_read_set(const struct keyspace_view *view, enum dump_type type, struct slice *in);
struct value *dump_read_hash(const struct keyspace_view *view, enum dump_type type, struct slice *in);

#endif
