#ifndef COMMANDS_DUMP_INTERNAL_H
#define COMMANDS_DUMP_INTERNAL_H

#include "commands/dump_format.h"
#include "rdb/packed.h"
#include "rdb/rdb_codec.h"
#include "rdb/rdb_value.h"

/* One file per family. dump_write_*: the type byte and the value. dump_read_*: NULL is damaged;
 * returns owned, never empty. */
void dump_write_list(struct buf *out, const struct value *list);
void dump_write_set(struct buf *out, const struct value *set);
void dump_write_zset(struct buf *out, const struct keyspace_view *view, const struct value *zset);
void dump_write_hash(struct buf *out, const struct value *hash);
struct value *dump_read_list(enum rdb_type type, struct slice *in);
struct value *dump_read_set(const struct keyspace_view *view, enum rdb_type type, struct slice *in);
struct value *
dump_read_zset(const struct keyspace_view *view, enum rdb_type type, struct slice *in);
struct value *
dump_read_hash(const struct keyspace_view *view, enum rdb_type type, struct slice *in);

/* What a collection of one string is packed as. */
enum packed_kind dump_packed_kind(enum rdb_type type);
/* Elements by twos: fields and values, members and scores. PACKED_BAD also where the second is
 * missing. *first is copied to `room`, *second borrowed until the next step. */
enum packed_step dump_take_pair(struct packed_reader *r,
                                struct buf *room,
                                struct slice *first,
                                struct slice *second);

#endif
