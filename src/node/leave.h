#ifndef NODE_LEAVE_H
#define NODE_LEAVE_H

#include "node/env.h"

/* The end of a node's work: because it is shut down, or because it is no member any more. leave.c holds the essay. */

enum { LEAVE_REASON_REMOVED = 1 };
struct leave {
    uint64_t hand_over_us; /* when handing over began; 0: not */
    uint64_t transfer_us;  /* when it was last asked for */
    uint64_t drain_us;     /* when the session's end was asked for; 0: not */
    bool is_removed;       /* no member: refuses everything, tells its clients, ends */
    uint64_t removed_us;
    bool is_told;          /* the environment was asked to end the process */
};

struct node;
/* Raft says so: the node's own removal is committed, or another told it. */
void leave_on_removed(struct node *n);
uint64_t leave_tick(struct node *n);

#define LEAVE_REMOVED_TEXT "this node was removed from the cluster"

#endif
