/* Who this node feeds and counts: the members of the effective configuration but itself, and, until
 * that is committed, those of the one before it (checklist J15). Kept in every role, since the
 * state of the links outlives roles. */
#include "base/assert.h"
#include "raft/raft_internal.h"

struct raft_peer *members_find(struct raft *r, raft_id id)
{
    for (uint32_t i = 0; i < r->peers.count; i++) {
        if (r->peers.item[i].id == id) {
            return &r->peers.item[i];
        }
    }
    return NULL;
}

static void members_add(struct raft *r, const struct raft_conf *conf)
{
    for (uint32_t i = 0; i < conf->member_count; i++) {
        raft_id id = conf->member[i].id;
        if (id == r->options.id) {
            r->is_removed = r->is_removed && raft_conf_find(raft_conf_of(r), id) == NULL;
        } else if (members_find(r, id) == NULL) {
            struct raft_peer *peer = VECTOR_PUSH(&r->peers);
            progress_init(peer, id, r->options.inflight_messages);
            progress_reset(peer, r->log.last_index + 1, r->now_us);
        }
    }
}

static void
members_drop(struct raft *r, const struct raft_conf *conf, const struct raft_conf *previous)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->peers.count; i++) {
        raft_id id = r->peers.item[i].id;
        if (raft_conf_find(conf, id) == NULL &&
            (previous == NULL || raft_conf_find(previous, id) == NULL)) {
            progress_deinit(&r->peers.item[i]);
        } else {
            r->peers.item[kept++] = r->peers.item[i];
        }
    }
    r->peers.count = kept;
}

void members_refresh(struct raft *r)
{
    const struct raft_conf *conf = raft_conf_of(r);
    raft_index index = raft_conf_index_of(r);
    raft_term term = raft_log_term(&r->log, index);
    const struct raft_conf_record *before =
        index > r->commit ? raft_log_conf_at(&r->log, index - 1) : NULL;
    if (index == r->peers_conf_index && term == r->peers_conf_term &&
        (before != NULL) == r->peers_have_previous) {
        return;
    }
    r->peers_conf_index = index;
    r->peers_conf_term = term;
    r->peers_have_previous = before != NULL;
    members_drop(r, conf, before == NULL ? NULL : &before->conf);
    members_add(r, conf);
    if (before != NULL) {
        members_add(r, &before->conf);
    }
    for (uint32_t i = 0; i < conf->member_count; i++) {
        struct raft_peer *peer = members_find(r, conf->member[i].id);
        r->member_peer[i] = peer == NULL ? -1 : (int32_t)(peer - r->peers.item);
    }
}

void members_collect(const struct raft *r, enum peer_value kind, uint64_t own, uint64_t *value)
{
    const struct raft_conf *conf = raft_conf_of(r);
    for (uint32_t i = 0; i < conf->member_count; i++) {
        const struct raft_peer *peer =
            r->member_peer[i] < 0 ? NULL : &r->peers.item[r->member_peer[i]];
        if (peer == NULL) {
            value[i] = own;
            continue;
        }
        switch (kind) {
        case PEER_MATCH:
            value[i] = peer->match;
            break;
        case PEER_ROUND:
            value[i] = peer->acked_round;
            break;
        case PEER_CONTACT:
            value[i] = peer->last_ack_us;
            break;
        }
    }
}

/* Joint, and the majority of C_old alone was heard. */
static bool members_only_old_is_heard(const struct raft *r, const uint64_t *contact)
{
    struct raft_conf old = *raft_conf_of(r);
    for (uint32_t i = 0; i < old.member_count; i++) {
        bool is_voter = (old.member[i].flags & RAFT_VOTER_OLD) != 0;
        old.member[i].flags = is_voter ? RAFT_VOTER_NEW : RAFT_LEARNER;
    }
    return old.is_joint && (old.is_joint = false,
                            r->now_us < quorum_value(&old, contact) + r->options.election_timeout_us);
}

/* A quorum was heard within one election timeout, and those that lag made progress within two (E12,
 * DESIGN §4). */
void members_check_quorum(struct raft *r)
{
    uint64_t contact[LIMIT_MEMBERS];
    const struct raft_conf *conf = raft_conf_of(r);
    uint64_t timeout = r->options.election_timeout_us;
    members_collect(r, PEER_CONTACT, r->now_us, contact);
    for (uint32_t i = 0; i < conf->member_count; i++) {
        const struct raft_peer *peer =
            r->member_peer[i] < 0 ? NULL : &r->peers.item[r->member_peer[i]];
        bool is_starved = peer != NULL && peer->starved_us != 0 &&
                          peer->match < r->log.last_index &&
                          r->now_us >= peer->starved_us + timeout;
        if (is_starved) {
            COVER("raft: a starved peer doesn't count for check-quorum");
            contact[i] = 0;
        }
    }
    bool has_quorum = r->now_us < quorum_value(conf, contact) + timeout;
    if (!has_quorum && members_only_old_is_heard(r, contact) && membership_cancel(r) == ERR_OK) {
        return; /* J6 */
    }
    if (!has_quorum && !MUT(26)) {
        COVER("raft: a leader without a quorum steps down");
        raft_become_follower(r, r->term, 0);
    }
}
