#ifndef NODE_BLOCKED_H
#define NODE_BLOCKED_H

#include "base/list.h"
#include "commands/command_row.h"
#include "node/proposal.h"
#include "raft/entry.h"

/* Clients that wait for something to pop, at apply and at their origin; blocked.c holds the essay. */
struct blocked {
    struct list held;     /* requests, while a snapshot takes the state's place */
    size_t count;         /* own clients that wait */
    uint64_t resume_us;   /* when to propose RESUME again */
    size_t leaving;       /* waiters of this node's session that shall end */
};

struct node;
struct request;
struct client;

/* At the beginning of an entry: waiters whose time has come are answered, before anything else. */
void blocked_expire(struct node *n);
/* The command found nothing and waits. `request` is NULL where it isn't an own client's. */
void blocked_register(struct node *n,
                      const struct raft_entry *e,
                      const struct proposal *p,
                      const struct command_wait *wait,
                      const struct command *command,
                      struct request *request);
/* At the end of an entry: whatever came to be goes to those that wait for it. */
void blocked_serve(struct node *n, const struct raft_entry *e);
/* An UNBLOCK takes effect. */
void blocked_unblock(struct node *n, const struct proposal *p, struct slice seqs);
/* The member's session has ended: its waiters leave. Own clients among them wait again under the next one. */
void blocked_session_ended(struct node *n, raft_id member);
/* A snapshot takes the state's place: own requests leave their waiters before, and find them again after. Those that don't are
 * answered UNKNOWN. */
void blocked_hold(struct node *n);
void blocked_settle(struct node *n);

/* The origin's side. */
void blocked_abandon(struct node *n, struct request *r); /* its client has gone */
/* Proposes what shall end or go on; returns when to be called again. */
uint64_t blocked_tick(struct node *n);

#endif
