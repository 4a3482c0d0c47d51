#ifndef NODE_FORWARD_H
#define NODE_FORWARD_H

#include "node/proposal.h"

/* The leader's side of sessions: the tail of each session in its own log, and what origins forward. forward.c holds the rules. */
struct tail {
    raft_id member;
    uint64_t session;  /* its number */
    bool is_open;
    bool is_suspended; /* its waiters are passed over */
    uint64_t seq;      /* highest of it in this log */
    uint64_t told_us;  /* when a gap was last answered with the tail */
    uint64_t heard_us; /* when its member was last in contact, as this leader knows */
};
#define TAIL_MAX (2 * LIMIT_MEMBERS)
struct forward {
    bool is_leading;
    bool is_ready;      /* the tails are complete: every entry above `applied` was in memory when they were counted */
    uint32_t tail_count;
    struct tail tail[TAIL_MAX];
    uint64_t close_check_us;
    uint64_t lead_since_us;
};

struct node;
struct peer;
/* This node has just become leader: read the tails from state and log. */
void forward_lead(struct node *n);
/* Counts the tails again if that could not be done completely yet. */
void forward_catch_up(struct node *n);
void forward_stop(struct node *n);
/* The configuration changed: who is in it no longer has no session any more (as apply will say). */
void forward_forget(struct node *n);
/* Tell a member (or this node itself) its tail. */
void forward_tell(struct node *n, raft_id member);
/* An origin's frame (PEER_FORWARD). */
void forward_receive(struct node *n, struct peer *peer, struct slice body);
/* PEER_PROPOSE, or the node's own: appended if it makes sense. */
void forward_propose(struct node *n, raft_id from, struct slice payload);
/* Own writes go through the same gate: the seq must be the next one. Updates the tail. */
void forward_take_own(struct node *n, uint64_t session, uint64_t seq);
/* forward_check.c: NULL when a forwarded command may be appended, else the error text of the CANCEL that takes its place. */
const char *forward_check(struct node *n, const struct proposal *p);
/* NULL, or the error text that a write with these row flags is refused with now, by this leader. */
const char *forward_refusal(struct node *n, uint32_t row_flags);
/* PEER_REFUSES_... of this node as a leader. */
uint8_t forward_refusal_flags(struct node *n);
/* Closes sessions of members that were silent for ten seconds; returns when to be called again. */
uint64_t forward_tick(struct node *n);

#endif
