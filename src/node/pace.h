#ifndef NODE_PACE_H
#define NODE_PACE_H

#include "raft/types.h"

/* Does the node keep its pace? The longest that one turn of the loop took, the longest that a leader's heartbeats stayed out, and what
 * comparing the data costs. For INFO and the figures (tests/bench/snapshot-figures); nothing acts on them. CONFIG RESETSTAT begins
 * anew. */
#define PACE_SLOW_TURN_US 5000

struct pace {
    uint64_t turn_us;           /* when the turn under way began; 0: none */
    uint64_t turns;
    uint64_t turns_slow;        /* longer than PACE_SLOW_TURN_US */
    uint64_t turn_longest_us;
    raft_id leader;             /* whose heartbeats ... */
    uint64_t heartbeat_us;      /* ... came last at this time */
    uint64_t heartbeat_gap_us;  /* longest time between two of one leader */
    uint64_t digest_us;         /* loop time taken by full digests */
};

/* One turn: from the return of poll to the next call of it. */
void pace_begin_turn(struct pace *p, uint64_t now_us);
void pace_end_turn(struct pace *p, uint64_t now_us);
/* A heartbeat of `leader` arrived. */
void pace_heartbeat(struct pace *p, raft_id leader, uint64_t now_us);
void pace_reset(struct pace *p);

#endif
