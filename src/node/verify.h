#ifndef NODE_VERIFY_H
#define NODE_VERIFY_H

#include "base/buf.h"
#include "raft/types.h"

/* Do the members hold the same? verify.c holds the essay. */
enum verify_kind { VERIFY_RUNNING, VERIFY_FULL, VERIFY_KINDS };

#define VERIFY_KEPT 32 /* newest digests kept per member and kind */

struct verify_digest {
    raft_index index; /* 0: none */
    uint64_t digest;
};
struct verify_member {
    raft_id id;       /* 0: free */
    struct verify_digest kept[VERIFY_KINDS][VERIFY_KEPT]; /* ring by arrival */
    uint32_t count[VERIFY_KINDS];
};

struct state_walk;
struct verify {
    struct verify_member member[LIMIT_MEMBERS + 1]; /* this node too */
    struct state_walk *walk;
    uint64_t slice_us;
    raft_index full_index;    /* of the newest full digest that was begun */
    bool has_full;            /* and is there */
    uint64_t done_us;
    uint64_t begun_us;
    uint64_t due_us;          /* leader: when the next one is proposed by itself */
    uint64_t full_digest;     /* the one of full_index, ... */
    uint64_t again_us;        /* ... when it is told again ... */
    uint32_t again_count;     /* ... and how often yet */
    bool has_alarm;           /* the members disagree and there is no majority */
    raft_index alarm_index;
    uint64_t compared;        /* digests of others that were compared with own ones */
    char text[256];
};

struct node;
struct peer;
void verify_deinit(struct node *n);
/* After entry `index` was applied. */
void verify_applied(struct node *n, raft_index index);
/* The entry that asks for a full digest was applied: of the state after it. */
void verify_begin(struct node *n, raft_index index);
/* The state was replaced: a walk over it is void. */
void verify_stop(struct node *n);
void verify_pump(struct node *n);
uint64_t verify_tick(struct node *n);
void verify_receive(struct node *n, struct peer *p, struct slice body);
/* Proposes the entry. False: nobody to propose it to now. */
bool verify_propose(struct node *n);

#endif
