#ifndef KEYSPACE_SESSIONS_H
#define KEYSPACE_SESSIONS_H

#include "keyspace/keyspace.h"

/* Sessions (DESIGN §2): per member three integers in the replicated state, which make a client
 * write take effect exactly once. A session is (member, number); a FIFO: only last + 1 takes
 * effect. */
struct session_state {
    raft_id member;
    uint64_t number; /* the highest ever opened */
    bool is_open;
    bool is_suspended;
    uint64_t last; /* highest seq decided (done or cancelled) */
};

/* NULL if that member never opened one. Borrowed until the next change. */
const struct session_state *sessions_find(const struct keyspace *k, raft_id member);
size_t sessions_count(const struct keyspace *k);
const struct session_state *sessions_at(const struct keyspace *k,
                                        size_t position); /* sorted by member id */

/* What applying an entry of a session means. */
enum session_verdict {
    SESSION_TAKES_EFFECT, /* seq == last + 1 of the open session: last is now seq */
    SESSION_DONE_BEFORE,  /* lower: already decided, skip */
    SESSION_GAP,          /* higher: skip */
    SESSION_NOT_OPEN,     /* closed, older or unknown number: skip */
};
enum session_verdict
sessions_take(struct keyspace *k, raft_id member, uint64_t number, uint64_t seq);
/* Takes effect only if number is greater than any before (closes the older, last = 0); false:
 * skipped. */
bool sessions_open(struct keyspace *k, raft_id member, uint64_t number);
/* False: not that number or not open. `last` is final afterwards. */
bool sessions_close(struct keyspace *k, raft_id member, uint64_t number);
/* CANCEL from..to: those of them above `last`, if from <= last + 1, are decided without effect
 * (last = max(last, to)). Returns the first seq cancelled, 0 if none. */
uint64_t
sessions_cancel(struct keyspace *k, raft_id member, uint64_t number, uint64_t from, uint64_t to);
void sessions_set_suspended(struct keyspace *k, raft_id member, uint64_t number, bool is_suspended);
void sessions_remove(struct keyspace *k, raft_id member);

#endif
