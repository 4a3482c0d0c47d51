#ifndef KEYSPACE_CHANGES_INTERNAL_H
#define KEYSPACE_CHANGES_INTERNAL_H

#include "base/buf.h"
#include "keyspace/changes.h"

struct value;

/* One change as it is kept: lengths, then event, key, value before, value after. */
struct change_record {
    raft_index index;
    uint32_t part;
    uint32_t db;
    uint64_t hash; /* its share of the digest */
    uint32_t event_n;
    uint32_t key_n;
    struct change_value before; /* bytes.p: into `bytes` */
    struct change_value after;
    uint8_t bytes[];
};

struct change_history {
    /* State. */
    bool is_on;
    bool is_always;
    int64_t until_ms;      /* log time */
    raft_index first;      /* complete from here on */
    raft_index dropped;    /* the newest change not held, or the entry that switched the feed on */
    uint32_t dropped_part;
    raft_index last_index; /* of the newest change ever made while on, and its part */
    uint32_t last_part;
    struct change_record **ring; /* positions modulo capacity */
    size_t capacity;
    uint64_t begin;
    uint64_t end;
    size_t bytes;
    uint64_t digest;
    uint64_t generation; /* not state */
    /* Between before_change and changed. */
    struct change_value old;
    struct buf old_bytes;
};

void changes_deinit(struct keyspace *k);
/* At the beginning of an entry: goes off when its time has come. */
void changes_begin_entry(struct keyspace *k);
/* From the funnel, only while on. `value` NULL: absent. */
void changes_note_before(struct keyspace *k, const struct value *value);
void changes_note_after(struct keyspace *k, uint32_t db, struct slice key, const char *event, const struct value *value);
/* FLUSHDB of a database, SWAPDB. */
void changes_note_database(struct keyspace *k, uint32_t db, const char *event);
/* What the digest of the keyspace adds. */
uint64_t changes_digest(const struct keyspace *k);

#endif
