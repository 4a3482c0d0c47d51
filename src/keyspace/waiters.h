#ifndef KEYSPACE_WAITERS_H
#define KEYSPACE_WAITERS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "keyspace/keyspace.h"
#include "keyspace/value.h"

/* Clients that wait for something to pop (DESIGN §6, "Blocked clients"): part of the state, in log
 * order, so that a new leader goes on where the old one stopped and every element goes to one of
 * them. waiters.c holds the rules. A waiter is the write (member, session, seq) that found nothing. */
struct waiter {
    struct list in_all;  /* in log order */
    uint64_t order;      /* index of the entry that brought it */
    raft_id member;
    uint64_t session;
    uint64_t seq;
    uint32_t db;
    uint16_t number;     /* of its command, and the version */
    uint8_t version;
    uint8_t type;        /* enum value_type that it can pop from */
    int64_t deadline_ms; /* log time; WAITER_NO_DEADLINE: none */
    /* Its command, the name included (which is not stored): keys are arg[first_key ..]. */
    struct slice *arg; /* owned, with the bytes */
    uint32_t arg_count;
    uint32_t first_key;
    uint32_t key_count;
    /* Not state. */
    struct waiter_link *link; /* one per key */
    size_t heap_at;
    void *origin;         /* the node's own: its client's request; NULL: of another node's client, or gone */
    bool is_leaving;      /* its client has gone, or is to be unblocked: UNBLOCK is proposed */
    uint64_t proposed_us; /* when it last was; 0: not yet */
};
#define WAITER_NO_DEADLINE INT64_MAX

/* All of `like` but its lists, with copies of the arguments `arg`. Returns it, borrowed. */
struct waiter *waiters_add(struct keyspace *k, const struct waiter *like, const struct slice *arg);
void waiters_remove(struct keyspace *k, struct waiter *w); /* frees */
size_t waiters_count(const struct keyspace *k);
/* In log order; NULL at the end. `after` NULL: the first. */
struct waiter *waiters_next(const struct keyspace *k, const struct waiter *after);
/* NULL: it doesn't wait (any more). O(n). */
struct waiter *
waiters_find(const struct keyspace *k, raft_id member, uint64_t session, uint64_t seq);
bool waiters_has_session(const struct keyspace *k, raft_id member, uint64_t session); /* O(n) */
/* The one with the earliest deadline, NULL: none has one. O(1). */
struct waiter *waiters_first_due(const struct keyspace *k);

/* A key may have got something: remembers it, if anybody waits for it. */
void waiters_note(struct keyspace *k, uint32_t db, struct slice key);
void waiters_note_db(struct keyspace *k, uint32_t db);
/* All keys that the session's waiters wait for: it was resumed. */
void waiters_note_session(struct keyspace *k, raft_id member, uint64_t session);
/* The next key noted, in that order, and forgets that it was; false: none. Borrowed until the next
 * call of anything here. */
bool waiters_take_ready(struct keyspace *k, uint32_t *db, struct slice *key);
/* The first waiter for the key, in log order, that can pop from such a value and whose session isn't
 * suspended. */
struct waiter *
waiters_first_for(const struct keyspace *k, uint32_t db, struct slice key, enum value_type type);

/* --- for the keyspace and its snapshots --- */

void waiters_deinit(struct keyspace *k);
void waiters_take_over(struct keyspace *k, struct keyspace *from);
uint64_t waiters_digest(const struct keyspace *k);
void waiters_encode(const struct keyspace *k, struct buf *out); /* version 1 */
MUST_CHECK enum err waiters_decode(struct keyspace *k, struct slice bytes);

#endif
