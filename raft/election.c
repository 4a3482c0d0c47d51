/* Elections: dissertation §3.4, §4.2.3, §9.6.
 *
 *                  deadline           pre-votes of a quorum        votes of a quorum
 *      FOLLOWER ------------> PRE_CANDIDATE ------------> CANDIDATE ------------> LEADER
 *         ^  ^                     |  ^                      |  |
 *         |  '---- lost, or a -----'  '----- deadline -------'  |
 *         |        leader is heard                              |
 *         '----------- lost, higher term, a leader is heard ----'
 *
 *   V1  Pre-vote, stickiness and check-quorum come together (E12). A pre-vote changes nothing at
 * the voter (E9). V2  A vote request leaves only when the candidate's own vote is durable, and a
 * grant when the voter's is; so a campaign's replies never outlive a crash that forgot it (P1, E7).
 * The own vote counts when it is durable. V3  The deadline is moved away only by a leader's message, a
 * granted vote, or an own campaign (E5). V4  No campaign while own entries are not durable (P16):
 * after a crash the log would be shorter than what the votes were given for. V5  A vote is given
 * whatever the voter's own role and configuration (E16). */
#include "base/assert.h"
#include "raft/raft_internal.h"

void election_reset_timer(struct raft *r)
{
    uint64_t timeout = r->options.election_timeout_us;
    r->election_deadline_us = r->now_us + timeout + prng_below(&r->prng, timeout);
}

static bool election_log_up_to_date(raft_term last_term,
                                    raft_index last_index,
                                    raft_term than_term,
                                    raft_index than_index)
{
    if (MUT(5)) {
        return last_index >= than_index;
    }
    return last_term > than_term || (last_term == than_term && last_index >= than_index);
}

/* What a damaged log still allows (P9). */
static bool election_health_allows(const struct raft *r,
                                   raft_term campaign_term,
                                   raft_term last_term,
                                   raft_index last_index)
{
    return !r->may_not_vote && campaign_term > r->vote_only_above &&
           election_log_up_to_date(last_term, last_index, r->vote_last_term, r->vote_last_index);
}

/* Its own log passes for a vote (P9: also when a leader asks it to campaign), and some
 * configuration that may turn out to be in force has this node as a voter: the effective one, or,
 * while that isn't known to be committed, one before it (E17). */
bool election_may_campaign(const struct raft *r)
{
    if (r->is_removed ||
        !election_health_allows(r, r->term + 1, raft_log_last_term(&r->log), r->log.last_index)) {
        return false;
    }
    for (size_t i = r->log.conf_count; i > 0; i--) {
        const struct raft_conf_record *record = &r->log.conf[i - 1];
        if (raft_conf_is_voter(&record->conf, r->options.id)) {
            return true;
        }
        if (record->index <= r->commit) {
            break;
        }
    }
    return false;
}

bool election_is_tainted(const struct raft *r)
{
    return r->may_not_vote || r->vote_only_above > 0 || r->vote_last_term > 0;
}

/* What its lost acknowledgements may have committed must be on its disk again. Entries of earlier terms: the leader has them, as it was
 * elected without this node's vote; an entry committed in its own term stands behind them all. Entries of this term: the leader
 * committed them before it first reached this log as it is now, since from then on it counts what is really there. What a snapshot of
 * this node's own says is committed is no such word: behind it others may be, by its acknowledgement. */
void election_lift_taint(struct raft *r)
{
    raft_index held = r->commit < r->log.durable_index ? r->commit : r->log.durable_index;
    bool has_all = r->role == RAFT_LEADER || (r->is_matched && held >= r->matched_commit);
    if (election_is_tainted(r) && (has_all || MUT(53)) && raft_log_term(&r->log, held) == r->term) {
        COVER("raft: a damaged log has caught up and votes again");
        r->may_not_vote = false;
        r->vote_only_above = 0;
        r->vote_last_term = 0;
        r->vote_last_index = 0;
    }
}

static void election_clear_votes(struct raft *r)
{
    for (uint32_t i = 0; i < LIMIT_MEMBERS; i++) {
        r->vote_of[i] = QUORUM_VOTE_NONE;
    }
}

static void election_record_vote(struct raft *r, raft_id id, bool is_granted)
{
    int position = raft_conf_position(raft_conf_of(r), id);
    if (position >= 0 && r->vote_of[position] == QUORUM_VOTE_NONE) {
        r->vote_of[position] = is_granted ? QUORUM_VOTE_GRANTED : QUORUM_VOTE_REJECTED;
    }
}

static void election_send_requests(struct raft *r,
                                   enum raft_message_type type,
                                   raft_term campaign_term,
                                   bool is_transfer,
                                   uint64_t after_token)
{
    const struct raft_conf *conf = raft_conf_of(r);
    for (uint32_t i = 0; i < conf->member_count; i++) {
        raft_id id = conf->member[i].id;
        if (id == r->options.id || !raft_conf_is_voter(conf, id)) {
            continue;
        }
        struct raft_message *m = raft_send(r, type, id, after_token);
        m->u.vote_request.campaign_term = campaign_term;
        m->u.vote_request.last_term = raft_log_last_term(&r->log);
        m->u.vote_request.last_index = r->log.last_index;
        m->u.vote_request.is_transfer = is_transfer && !MUT(25);
    }
}

static void election_tally(struct raft *r)
{
    enum quorum_result result = quorum_votes(raft_conf_of(r), r->vote_of);
    if (result == QUORUM_PENDING) {
        return;
    }
    if (result == QUORUM_LOST) {
        raft_become_follower(r, r->term, 0);
    } else if (r->role == RAFT_PRE_CANDIDATE) {
        election_campaign(r, false);
    } else {
        raft_become_leader(r);
    }
}

static void election_pre_campaign(struct raft *r)
{
    r->role = RAFT_PRE_CANDIDATE;
    r->leader = 0;
    election_reset_timer(r);
    election_clear_votes(r);
    election_record_vote(r, r->options.id, true);
    election_send_requests(r, RAFT_PREVOTE_REQUEST, r->term + 1, false, 0);
    election_tally(r);
}

void election_campaign(struct raft *r, bool is_transfer)
{
    ASSERT(r->role != RAFT_LEADER && r->log.durable_index == r->log.last_index);
    r->role = RAFT_CANDIDATE;
    r->leader = 0;
    raft_set_term(r, r->term + 1, r->options.id);
    election_reset_timer(r);
    election_clear_votes(r);
    election_send_requests(r, RAFT_VOTE_REQUEST, r->term, is_transfer, raft_hard_state_after(r));
    election_on_persisted(r);
}

void election_on_persisted(struct raft *r)
{
    if (r->role == RAFT_CANDIDATE && raft_hard_state_after(r) == 0) {
        election_record_vote(r, r->options.id, true);
        election_tally(r);
    }
}

void election_tick(struct raft *r)
{
    if (r->now_us < r->election_deadline_us) {
        return;
    }
    uint64_t bound =
        r->promise_until_us > r->no_vote_until_us ? r->promise_until_us : r->no_vote_until_us;
    if (!election_may_campaign(r)) {
        /* Nothing to win. */
        raft_become_follower(r, r->term, 0);
        election_reset_timer(r);
    } else if (r->log.durable_index < r->log.last_index) {
        COVER("raft: a campaign waits for own entries to be durable");
        raft_become_follower(r, r->term, 0);
        r->election_deadline_us = r->now_us + r->options.heartbeat_us;
    } else if (r->now_us < bound) {
        COVER("raft: a campaign waits for a lease promise to end");
        raft_become_follower(r, r->term, 0);
        r->election_deadline_us = bound;
    } else {
        election_pre_campaign(r);
    }
}

/* A live leader is known, or a lease was promised to one (E12, E14). The leader's own request means
 * that it isn't one any more (E11). A leader itself is live: check-quorum sees to that. */
static bool election_is_sticky(const struct raft *r, raft_id from)
{
    if (r->role == RAFT_LEADER || r->now_us < r->promise_until_us ||
        r->now_us < r->no_vote_until_us) {
        return true;
    }
    return r->leader != 0 && r->leader != from && !r->is_leader_lost &&
           r->now_us < r->leader_contact_us + r->options.election_timeout_us;
}

static bool election_can_grant(const struct raft *r, const struct raft_message *m)
{
    raft_term last_term = m->u.vote_request.last_term;
    raft_index last_index = m->u.vote_request.last_index;
    if (MUT(28) && !raft_conf_is_voter(raft_conf_of(r), r->options.id)) {
        return false;
    }
    return election_health_allows(r, m->u.vote_request.campaign_term, last_term, last_index) &&
           election_log_up_to_date(last_term, last_index, raft_log_last_term(&r->log),
                                   r->log.last_index);
}

/* A refused candidate that a committed configuration leaves out is told so (E15). It knows better
 * itself if its log holds a newer configuration. */
static void election_tell_removed(struct raft *r, raft_id to)
{
    const struct raft_conf *conf = raft_conf_of(r);
    raft_index index = raft_conf_index_of(r);
    if (conf->member_count > 0 && !conf->is_joint && index <= r->commit &&
        raft_conf_find(conf, to) == NULL) {
        COVER("raft: a removed member is told so");
        raft_send(r, RAFT_REMOVED, to, 0)->u.removed.conf_index = index;
    }
}

static void
election_answer(struct raft *r, const struct raft_message *m, bool is_granted, uint64_t after_token)
{
    enum raft_message_type type =
        m->type == RAFT_VOTE_REQUEST ? RAFT_VOTE_REPLY : RAFT_PREVOTE_REPLY;
    struct raft_message *reply = raft_send(r, type, m->from, after_token);
    reply->u.vote_reply.campaign_term = m->u.vote_request.campaign_term;
    reply->u.vote_reply.is_granted = is_granted;
    if (!is_granted) {
        election_tell_removed(r, m->from);
    }
}

void election_on_request(struct raft *r, const struct raft_message *m)
{
    raft_term campaign_term = m->u.vote_request.campaign_term;
    bool is_sticky = !m->u.vote_request.is_transfer && election_is_sticky(r, m->from);
    if (m->type == RAFT_PREVOTE_REQUEST) {
        bool is_granted = !is_sticky && campaign_term > r->term && election_can_grant(r, m);
        election_answer(r, m, is_granted, 0);
        return;
    }
    if (campaign_term < r->term || (is_sticky && campaign_term > r->term)) {
        /* §4.2.3: neither the term is taken over nor the vote given. */
        election_answer(r, m, false, 0);
        return;
    }
    if (campaign_term > r->term) {
        raft_become_follower(r, campaign_term, 0);
    }
    bool is_granted = r->leader == 0 && !is_sticky && (r->vote == 0 || r->vote == m->from) &&
                      election_can_grant(r, m);
    if (is_granted && r->vote == 0) {
        raft_become_follower(r, r->term, 0);
        raft_set_term(r, r->term, m->from);
        election_reset_timer(r);
    }
    election_answer(r, m, is_granted, is_granted ? raft_hard_state_after(r) : 0);
}

void election_on_reply(struct raft *r, const struct raft_message *m)
{
    bool is_pre = m->type == RAFT_PREVOTE_REPLY;
    raft_term asked = is_pre ? r->term + 1 : r->term;
    bool is_ours = m->u.vote_reply.campaign_term == asked &&
                   r->role == (is_pre ? RAFT_PRE_CANDIDATE : RAFT_CANDIDATE);
    if (m->term > r->term) {
        /* A rejection tells a higher term: take it, or the next pre-vote fails the same way (E10).
         */
        if (!(is_pre && MUT(27))) {
            COVER("raft: the higher term of a rejection is taken over");
            raft_become_follower(r, m->term, 0);
        } else if (is_ours) {
            election_record_vote(r, m->from, false);
            election_tally(r);
        }
        return;
    }
    if (is_ours) {
        election_record_vote(r, m->from, m->u.vote_reply.is_granted);
        election_tally(r);
    }
}

/* A leader whose connection broke is more often dead than not; waiting out the timeout would only lengthen the gap. The deadline
 * comes nearer, spread over half a timeout so that two followers seldom campaign at once, but never before a promised lease
 * ends. If the leader lives, the others refuse the pre-vote and its next heartbeat moves the deadline away again.
 * DEVIATION: §3.4 knows of timeouts only. */
void election_on_leader_lost(struct raft *r, raft_id peer)
{
    if (r->role != RAFT_FOLLOWER || r->leader != peer || peer == 0) {
        return;
    }
    r->is_leader_lost = true;
    uint64_t from = r->promise_until_us > r->now_us ? r->promise_until_us : r->now_us;
    uint64_t deadline = from + prng_below(&r->prng, r->options.election_timeout_us / 2);
    if (deadline < r->election_deadline_us) {
        COVER("raft: a broken connection brings the election nearer");
        r->election_deadline_us = deadline;
    }
}

void election_on_removed(struct raft *r, const struct raft_message *m)
{
    bool is_member = raft_conf_find(raft_conf_of(r), r->options.id) != NULL;
    raft_index own_index = raft_conf_index_of(r);
    /* The same entry, which this node's log holds without knowing that it is committed (it was restarted); or it was added and
     * dropped before it got a configuration. */
    bool is_same = !is_member && (m->u.removed.conf_index == own_index || own_index == 0);
    if ((r->was_member || is_member || is_same) && !r->is_removed && r->role != RAFT_LEADER &&
        (m->u.removed.conf_index > own_index || is_same)) {
        r->is_removed = true;
        r->step_is_removed = true;
        raft_become_follower(r, r->term, 0);
    }
}
