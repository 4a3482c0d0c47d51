#ifndef RAFT_CONF_H
#define RAFT_CONF_H

#include "base/err.h"
#include "base/slice.h"
#include "raft/types.h"

/* A configuration is a pure value in joint form (dissertation §4.3): each member says in which of the two
 * voter sets it is. Outside a joint phase only RAFT_VOTER_NEW is used, so C_new alone is the general case. */
enum raft_member_flag {
    RAFT_VOTER_OLD = 1, /* votes in C_old; set only while joint */
    RAFT_VOTER_NEW = 2, /* votes in C_new */
    RAFT_LEARNER = 4,   /* receives the log, never counts */
};

struct raft_member {
    raft_id id;
    uint32_t flags;                    /* of enum raft_member_flag; 0 is invalid in a stored conf */
    char address[LIMIT_ADDRESS_BYTES]; /* "host:port", NUL-terminated, normalised */
};

struct raft_conf {
    uint32_t member_count; /* <= LIMIT_MEMBERS; members sorted by id, ids unique */
    bool is_joint;
    struct raft_member member[LIMIT_MEMBERS];
};

/* NULL if absent. */
const struct raft_member *raft_conf_find(const struct raft_conf *conf, raft_id id);
bool raft_conf_is_voter(const struct raft_conf *conf, raft_id id); /* in either set */
/* Position in conf->member, or -1. */
int raft_conf_position(const struct raft_conf *conf, raft_id id);
/* ERR_INVALID when ids repeat, are 0 or unsorted, C_new is empty, flags are odd, or OLD appears outside joint. */
MUST_CHECK enum err raft_conf_check(const struct raft_conf *conf);
bool raft_conf_equal(const struct raft_conf *a, const struct raft_conf *b);
/* The joint configuration that leads from `from` (not joint) to `to` (not joint), and its end. */
MUST_CHECK enum err raft_conf_join(const struct raft_conf *from, const struct raft_conf *to, struct raft_conf *joint);
void raft_conf_leave(const struct raft_conf *joint, struct raft_conf *final);

/* Stable encoding (version byte first): the payload of a configuration entry. */
struct buf;
void raft_conf_encode(const struct raft_conf *conf, struct buf *out);
MUST_CHECK enum err raft_conf_decode(struct slice bytes, struct raft_conf *conf);

#endif
