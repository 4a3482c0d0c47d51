#include "raft/quorum.h"

#include "base/mutant.h"

/* The value that a majority of the members with `set` in their flags has reached. */
static uint64_t quorum_set_value(const struct raft_conf *conf, uint32_t set, const uint64_t *value)
{
    uint64_t sorted[LIMIT_MEMBERS];
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->member_count; i++) {
        if ((conf->member[i].flags & set) == 0) {
            continue;
        }
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] > value[i]; at--) {
            sorted[at] = sorted[at - 1];
        }
        sorted[at] = value[i];
    }
    /* Ascending: a majority, count / 2 + 1 of them, lies at or behind this position. */
    return count == 0 ? 0 : sorted[(count - 1) / 2];
}

uint64_t quorum_value(const struct raft_conf *conf, const uint64_t *value)
{
    uint64_t reached = quorum_set_value(conf, RAFT_VOTER_NEW, value);
    if (conf->is_joint) {
        uint64_t old = quorum_set_value(conf, RAFT_VOTER_OLD, value);
        reached = old < reached ? old : reached;
    }
    return reached;
}

static enum quorum_result
quorum_set_votes(const struct raft_conf *conf, uint32_t set, const enum quorum_vote *vote)
{
    uint32_t voters = 0;
    uint32_t granted = 0;
    uint32_t rejected = 0;
    for (uint32_t i = 0; i < conf->member_count; i++) {
        if ((conf->member[i].flags & set) != 0) {
            voters++;
            granted += vote[i] == QUORUM_VOTE_GRANTED ? 1 : 0;
            rejected += vote[i] == QUORUM_VOTE_REJECTED ? 1 : 0;
        }
    }
    uint32_t majority = voters / 2 + 1;
    if (granted >= majority) {
        return QUORUM_WON;
    }
    return voters - rejected < majority ? QUORUM_LOST : QUORUM_PENDING;
}

enum quorum_result quorum_votes(const struct raft_conf *conf, const enum quorum_vote *vote)
{
    enum quorum_result in_new = quorum_set_votes(conf, RAFT_VOTER_NEW, vote);
    if (!conf->is_joint || MUT(7)) {
        return in_new;
    }
    enum quorum_result in_old = quorum_set_votes(conf, RAFT_VOTER_OLD, vote);
    if (in_new == QUORUM_LOST || in_old == QUORUM_LOST) {
        return QUORUM_LOST;
    }
    return in_new == QUORUM_WON && in_old == QUORUM_WON ? QUORUM_WON : QUORUM_PENDING;
}

bool quorum_active(const struct raft_conf *conf, const bool *is_active)
{
    uint64_t value[LIMIT_MEMBERS];
    for (uint32_t i = 0; i < conf->member_count; i++) {
        value[i] = is_active[i] ? 1 : 0;
    }
    return quorum_value(conf, value) == 1;
}
