#ifndef RAFT_QUORUM_H
#define RAFT_QUORUM_H

#include "raft/conf.h"

/* The ONE place where majorities are counted (checklist J3): votes, pre-votes, commit, ReadIndex, check-quorum,
 * lease and transfer all come here. Arrays run parallel to conf->member; learners are ignored. */

/* The highest value v such that a majority of each voter set has value[i] >= v (0 when a set is empty, which a
 * checked conf never has). Selection over a sorted copy, never incremental state (R11). Used for match indices,
 * acknowledged rounds and acknowledgement times alike. Pure; O(n log n). (dissertation §3.6.2, Figure 3.7; joint §4.3) */
uint64_t quorum_value(const struct raft_conf *conf, const uint64_t *value);

enum quorum_vote { QUORUM_VOTE_NONE, QUORUM_VOTE_GRANTED, QUORUM_VOTE_REJECTED };
enum quorum_result { QUORUM_PENDING, QUORUM_WON, QUORUM_LOST };
enum quorum_result quorum_votes(const struct raft_conf *conf, const enum quorum_vote *vote);
/* True when the members with is_active[i] form a quorum. */
bool quorum_active(const struct raft_conf *conf, const bool *is_active);

#endif
