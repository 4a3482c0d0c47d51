#ifndef KEYSPACE_CHANGES_H
#define KEYSPACE_CHANGES_H

#include "base/buf.h"
#include "base/err.h"
#include "keyspace/keyspace.h"

/* The change feed's history: what entries changed, key by key, with the value before and after. Part of the state: every node holds the
 * same range. Off unless someone watches; changes.c holds the essay. */

enum change_value_kind {
    CHANGE_ABSENT,
    CHANGE_BYTES,     /* a string of at most LIMIT_CHANGE_VALUE_BYTES */
    CHANGE_REFERENCE, /* longer, or no string: type and size only */
};
struct change_value {
    enum change_value_kind kind;
    uint8_t type;   /* enum value_type, unless absent */
    uint64_t size;  /* bytes of a string, else bytes of memory, about */
    struct slice bytes;
};
struct change {
    raft_index index; /* of the entry */
    uint32_t part;    /* 0, 1, ... within it */
    uint32_t db;
    struct slice event; /* "set", "del", ...; "flushdb" and "swapdb" have an empty key */
    struct slice key;
    struct change_value before;
    struct change_value after;
};

bool changes_are_on(const struct keyspace *k);
/* The command CHANGES WATCH: on, for LIMIT_CHANGES_IDLE_MS of log time from now. */
void changes_touch(struct keyspace *k);
/* CHANGES MODE: always on, or only while someone watches. */
void changes_set_always(struct keyspace *k, bool is_always);
bool changes_are_always(const struct keyspace *k);
/* Log time at which it goes off; KEYSPACE_NO_EXPIRY: it doesn't. */
int64_t changes_deadline(const struct keyspace *k);

/* The history is complete from this index on; 0: off. */
raft_index changes_first(const struct keyspace *k);
/* The newest change that is not held any more, or the place where the feed went on: whoever has everything up to it misses nothing. */
raft_index changes_dropped(const struct keyspace *k, uint32_t *part);
/* Of the newest change held; 0: none is. */
raft_index changes_last(const struct keyspace *k, uint32_t *part);
size_t changes_count(const struct keyspace *k);
size_t changes_bytes(const struct keyspace *k);
/* Positions are absolute and only grow: the history holds [begin, end). */
uint64_t changes_begin(const struct keyspace *k);
uint64_t changes_end(const struct keyspace *k);
/* Another number when positions do not go on: the feed went off, or came with a snapshot. */
uint64_t changes_generation(const struct keyspace *k);
/* The first position with (index, part) or later. O(log n). */
uint64_t changes_find(const struct keyspace *k, raft_index index, uint32_t part);
/* Borrowed until the next entry. */
void changes_get(const struct keyspace *k, uint64_t position, struct change *change);

/* For snapshots: everything that is state. Version 1. */
void changes_encode(const struct keyspace *k, struct buf *out);
MUST_CHECK enum err changes_decode(struct keyspace *k, struct slice bytes);

#endif
