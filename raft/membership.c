/* Changes of membership by joint consensus (dissertation §4.3) and leadership transfer (§3.10).
 *
 *      C_old --CHANGE--> C_old,new --committed, own term too--> C_new --committed--> done
 *
 *   J1  A configuration acts from its append, on every node; truncation rolls it back (log.c, G6).
 *   J2  One at a time: no CHANGE while the newest configuration is joint or uncommitted, or before
 * the leader has committed an entry of its own term (J6 of the checklist). J3  C_new is appended by
 * whoever leads once C_old,new is committed (J4, J5), exempt from any quota. J4  A leader outside
 * C_new leads without counting itself, steps down once C_new is committed and that was sent, and
 * asks the best follower to campaign (J7). J5  Removed members are fed until C_new is committed,
 * and are sent that commit (J15). A change of learners alone leaves both majorities as they are, so
 * it needs no joint phase.
 *   J6  A joint entry that isn't committed is cancelled by another joint entry behind it, from C_old to C_old
 * (checklist J14): whoever holds it decides by the majority of C_old. That is sound only while nobody
 * can have appended C_new, whose majority may be another one. C_new needs a committed C_old,new, and
 * of an entry of its own term a leader knows that it isn't: an inherited one can't be cancelled.
 * A leader does it by itself when it hears the majority of C_old but not of C_new for an election
 * timeout, where it would otherwise step down (members_check_quorum) and nobody could follow it. */
#include "base/assert.h"
#include "base/buf.h"
#include "raft/raft_internal.h"

static void membership_append(struct raft *r, const struct raft_conf *conf)
{
    buf_clear(r->scratch, SIZE_MAX);
    raft_conf_encode(conf, r->scratch);
    raft_append_own(r, RAFT_ENTRY_CONF, buf_slice(r->scratch));
    r->transfer_to = 0; /* T1: aborted by a change. */
    members_refresh(r);
    replication_broadcast(r);
}

static bool membership_same_voters(const struct raft_conf *a, const struct raft_conf *b)
{
    for (uint32_t i = 0; i < a->member_count; i++) {
        if (raft_conf_is_voter(a, a->member[i].id) && !raft_conf_is_voter(b, a->member[i].id)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < b->member_count; i++) {
        if (raft_conf_is_voter(b, b->member[i].id) && !raft_conf_is_voter(a, b->member[i].id)) {
            return false;
        }
    }
    return true;
}

/* J3. */
static void membership_try_leave(struct raft *r)
{
    const struct raft_conf *conf = raft_conf_of(r);
    bool is_committed = raft_conf_index_of(r) <= r->commit && r->commit >= r->term_start;
    if (conf->is_joint && (is_committed || MUT(11))) {
        struct raft_conf final;
        raft_conf_leave(conf, &final);
        membership_append(r, &final);
    }
}

enum err membership_change(struct raft *r, const struct raft_conf *to)
{
    const struct raft_conf *conf = raft_conf_of(r);
    struct raft_conf from = *conf;
    struct raft_conf joint;
    if (r->role != RAFT_LEADER) {
        return ERR_NOT_LEADER;
    }
    bool is_settled =
        !conf->is_joint && raft_conf_index_of(r) <= r->commit && r->commit >= r->term_start;
    if (r->transfer_to != 0 || (!is_settled && !MUT(10))) {
        return ERR_BUSY;
    }
    if (conf->is_joint) {
        raft_conf_leave(conf, &from);
    }
    if (to->is_joint || raft_conf_check(to) != ERR_OK ||
        raft_conf_join(&from, to, &joint) != ERR_OK) {
        return ERR_INVALID;
    }
    if (raft_conf_equal(&from, to)) {
        r->step_change_result = RAFT_CHANGE_DONE;
        return ERR_OK;
    }
    r->is_changing = true;
    membership_append(r, membership_same_voters(&from, to) ? to : &joint);
    if (MUT(11)) {
        membership_try_leave(r);
    }
    return ERR_OK;
}

/* J6. */
enum err membership_cancel(struct raft *r)
{
    raft_index index = raft_conf_index_of(r);
    if (r->role != RAFT_LEADER) {
        return ERR_NOT_LEADER;
    }
    if (!raft_conf_of(r)->is_joint || index <= r->commit || index < r->term_start) {
        return ERR_INVALID;
    }
    const struct raft_conf_record *before = raft_log_conf_at(&r->log, index - 1);
    struct raft_conf back;
    struct raft_conf joint;
    if (before == NULL || before->conf.is_joint) {
        return ERR_INVALID; /* Being cancelled already. */
    }
    back = before->conf;
    enum err e = raft_conf_join(&back, &back, &joint);
    ASSERT(e == ERR_OK);
    COVER("raft: a joint phase is cancelled");
    r->is_changing = false;
    r->step_change_result = RAFT_CHANGE_FAILED;
    membership_append(r, &joint);
    return ERR_OK;
}

/* The voter of C_new that has most of the log and was heard lately; 0 if there is none. */
static raft_id membership_best_successor(const struct raft *r)
{
    const struct raft_conf *conf = raft_conf_of(r);
    const struct raft_peer *best = NULL;
    for (uint32_t i = 0; i < r->peers.count; i++) {
        const struct raft_peer *peer = &r->peers.item[i];
        const struct raft_member *member = raft_conf_find(conf, peer->id);
        bool is_candidate = member != NULL && (member->flags & RAFT_VOTER_NEW) != 0 &&
                            r->now_us < peer->last_ack_us + r->options.election_timeout_us;
        if (is_candidate && (best == NULL || peer->match > best->match)) {
            best = peer;
        }
    }
    return best == NULL ? 0 : best->id;
}

static void membership_send_timeout_now(struct raft *r, raft_id to)
{
    r->has_sent_timeout_now = true;
    raft_send(r, RAFT_TIMEOUT_NOW, to, 0);
}

enum err membership_transfer(struct raft *r, raft_id to)
{
    const struct raft_conf *conf = raft_conf_of(r);
    if (r->role != RAFT_LEADER) {
        return ERR_NOT_LEADER;
    }
    if (r->transfer_to != 0 || conf->is_joint) {
        return ERR_BUSY;
    }
    to = to == 0 ? membership_best_successor(r) : to;
    const struct raft_member *member = raft_conf_find(conf, to);
    if (member == NULL || to == r->options.id || (member->flags & RAFT_VOTER_NEW) == 0) {
        return ERR_INVALID;
    }
    r->transfer_to = to; /* From here on leases are off and proposals refused. */
    r->is_transfer_sent = false;
    r->transfer_deadline_us = r->now_us + r->options.election_timeout_us;
    membership_transfer_progress(r);
    return ERR_OK;
}

void membership_transfer_progress(struct raft *r)
{
    if (r->transfer_to == 0 || r->is_transfer_sent) {
        return;
    }
    const struct raft_peer *peer = members_find(r, r->transfer_to);
    if (peer != NULL && peer->match == r->log.last_index) {
        r->is_transfer_sent = true;
        membership_send_timeout_now(r, r->transfer_to);
    }
}

void membership_transfer_tick(struct raft *r)
{
    if (r->transfer_to == 0) {
        return;
    }
    if (r->now_us >= r->transfer_deadline_us) {
        COVER("raft: a transfer is given up");
        r->transfer_to = 0;
        return;
    }
    r->is_transfer_sent = false; /* It may be lost: once more with each heartbeat. */
    membership_transfer_progress(r);
}

void membership_on_timeout_now(struct raft *r, const struct raft_message *m)
{
    /* P16; the leader asks again. A doubled or late one finds another role, leader or term. */
    if (r->role == RAFT_FOLLOWER && r->leader == m->from && election_may_campaign(r) &&
        r->log.durable_index == r->log.last_index) {
        election_campaign(r, true);
    }
}

/* J4. */
static void membership_leave_lead(struct raft *r)
{
    raft_id successor = membership_best_successor(r);
    COVER("raft: a leader outside its configuration steps down");
    if (successor != 0) {
        membership_send_timeout_now(r, successor);
    }
    raft_become_follower(r, r->term, 0);
}

void membership_on_commit(struct raft *r, raft_index before)
{
    raft_index index = raft_conf_index_of(r);
    const struct raft_conf *conf = raft_conf_of(r);
    if (conf->member_count == 0 || index > r->commit) {
        return;
    }
    if (conf->is_joint) {
        if (r->role == RAFT_LEADER) {
            membership_try_leave(r);
        }
        return;
    }
    if (r->role == RAFT_LEADER && before < index) {
        replication_broadcast_commit(r);
        if (r->is_changing) {
            r->is_changing = false;
            r->step_change_result = RAFT_CHANGE_DONE;
        }
    }
    if (r->role == RAFT_LEADER && r->commit >= r->term_start &&
        !raft_conf_is_voter(conf, r->options.id)) {
        membership_leave_lead(r);
    }
    if (r->was_member && !r->is_removed && r->role != RAFT_LEADER &&
        raft_conf_find(conf, r->options.id) == NULL) {
        r->is_removed = true;
        r->step_is_removed = true;
        raft_become_follower(r, r->term, r->leader);
    }
}
