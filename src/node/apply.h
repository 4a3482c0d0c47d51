#ifndef NODE_APPLY_H
#define NODE_APPLY_H

#include "base/buf.h"
#include "commands/command_row.h"
#include "node/proposal.h"
#include "raft/entry.h"

/* Committed entries run against the keyspace, in log order, the same on every node. */
struct apply {
    raft_index applied;
    raft_index told;             /* Raft's knowledge of it */
    struct buf fetched;          /* entries read back from disk after a restart ... */
    raft_index fetched_first;    /* ... from this index on */
    bool is_fetching;
    bool has_caught_up;          /* once since the start: then never LOADING again */
    raft_index replay_from;      /* applied when it began to be far behind after a start; 0: it never was */
    uint64_t replay_begun_us;
    uint64_t replay_told_us;     /* progress line */
    bool has_settings;           /* caught up, GENESIS applied: those that differ from the file's were reported */
    bool has_more;               /* the budget ended before the commit index */
    struct slice *arg;           /* scratch */
    size_t arg_capacity;
};

struct node;
void apply_deinit(struct apply *a);
/* Applies what is committed, within the budget of one iteration. */
void apply_run(struct node *n);
/* Nothing is applied now: the data are being loaded, or a snapshot under way keeps as much alive as it may. */
bool apply_is_held(const struct node *n);
/* After a start: the state is so far behind what is known to be committed that data commands are answered LOADING. */
bool apply_is_replaying(const struct node *n);
/* How much of that is done, in percent. */
unsigned apply_replayed_percent(const struct node *n);
void apply_fetched(struct node *n, raft_index first, struct buf *entries);
/* Tells Raft how far it got. */
void apply_report(struct node *n);

/* apply_ahead.c: loads what the next APPLY_AHEAD entries will look up. */
#define APPLY_AHEAD 16
void apply_ahead(struct node *n);

/* apply_entry.c. Room for an argument vector; valid until the next call. */
struct slice *apply_args_room(struct apply *a, size_t count);
/* One entry. */
void apply_entry(struct node *n, const struct raft_entry *e);
/* apply_exec.c: a transaction as one entry. */
struct request;
void apply_exec(struct node *n, struct command_run *run, const struct proposal *p, struct request *request, struct reply *reply);

#endif
