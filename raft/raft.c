/* The state machine of one member: dispatch, roles, and the update that a step leaves behind.
 *
 * A step checks its event first; after that it can't fail. While it runs, rooms note what must
 * become durable (hard state, truncation, entries), what to send and what was decided; raft_finish
 * puts the update together. One step makes at most one persist, whose token rooms may name before
 * it exists (raft_step_token).
 *
 *   S1  first_index - 1 <= applied <= commit <= last_index, all but last_index never falling (R14).
 *   S2  term never falls; vote changes only from none, or with a growing term (P2).
 *   S3  One leader per term: a follower hears of one only, a leader of none but itself (E8). */
#include "raft/raft.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "raft/raft_internal.h"

static const struct raft_conf no_conf;

void *vector_grow(void *item, uint32_t *capacity, size_t item_size)
{
    *capacity = *capacity == 0 ? 16 : *capacity * 2;
    return mem_realloc_array(item, *capacity, item_size);
}

/* MUT(8): the configuration acts when it is committed. */
static const struct raft_conf_record *raft_effective(const struct raft *r)
{
    const struct raft_conf_record *record =
        raft_log_conf_at(&r->log, MUT(8) ? r->commit : UINT64_MAX);
    return record == NULL && r->log.conf_count > 0 ? &r->log.conf[0] : record;
}

const struct raft_conf *raft_conf_of(const struct raft *r)
{
    const struct raft_conf_record *record = raft_effective(r);
    return record == NULL ? &no_conf : &record->conf;
}

raft_index raft_conf_index_of(const struct raft *r)
{
    const struct raft_conf_record *record = raft_effective(r);
    return record == NULL ? 0 : record->index;
}

/* Durable state and messages. */

uint64_t raft_step_token(struct raft *r)
{
    r->step_has_persist = true;
    return r->token_issued + 1;
}

uint64_t raft_hard_state_after(const struct raft *r)
{
    return r->hard_state_token <= r->token_durable ? 0 : r->hard_state_token;
}

void raft_set_term(struct raft *r, raft_term term, raft_id vote)
{
    ASSERT(term > r->term || (term == r->term && r->vote == 0)); /* S2 */
    if (term > r->term) {
        r->heard_commit = 0;
        r->verified_index = 0;
        r->is_matched = false;
    }
    r->term = term;
    r->vote = vote;
    if (!MUT(1)) {
        r->hard_state_token = raft_step_token(r);
        r->step_has_hard_state = true;
    }
}

struct raft_message *
raft_send(struct raft *r, enum raft_message_type type, raft_id to, uint64_t after_token)
{
    struct raft_outgoing *out = VECTOR_PUSH(&r->outgoing);
    memset(out, 0, sizeof(*out));
    out->after_token = after_token;
    out->message.type = type;
    out->message.term = r->term;
    out->message.from = r->options.id;
    out->message.to = to;
    return &out->message;
}

void raft_append_own(struct raft *r, enum raft_entry_type type, struct slice payload)
{
    size_t size = ENTRY_HEADER_BYTES + payload.n;
    uint8_t *at = raft_log_room(&r->log, size);
    entry_begin(at, type, 0, payload.n);
    if (payload.n > 0) {
        memcpy(at + ENTRY_HEADER_BYTES, payload.p, payload.n);
    }
    entry_seal(at, r->log.last_index + 1, r->term);
    raft_log_append(&r->log, at, NULL);
    r->uncommitted_bytes += size;
    if (r->step_append_first == 0) {
        r->step_append_first = r->log.last_index;
    }
    raft_step_token(r);
}

/* Roles. */

static void raft_stop_leading(struct raft *r)
{
    read_fail_all(r);
    r->term_start = 0;
    r->uncommitted_bytes = 0;
    r->transfer_to = 0;
    if (r->is_changing) {
        r->is_changing = false;
        r->step_change_result = RAFT_CHANGE_FAILED;
    }
    election_reset_timer(r);
}

void raft_become_follower(struct raft *r, raft_term term, raft_id leader)
{
    ASSERT(term >= r->term);
    if (r->role == RAFT_LEADER) {
        raft_stop_leading(r);
    }
    if (term > r->term) {
        raft_set_term(r, term, 0);
    }
    r->role = RAFT_FOLLOWER;
    r->leader = leader;
}

void raft_become_leader(struct raft *r)
{
    ASSERT(r->role == RAFT_CANDIDATE && (raft_hard_state_after(r) == 0));
    r->role = RAFT_LEADER;
    r->leader = r->options.id;
    r->term_start = r->log.last_index + 1;
    r->round = 0;
    r->sample_count = 0;
    r->has_sent_timeout_now = false;
    r->transfer_to = 0;
    r->maintain_due_us = r->now_us + r->options.heartbeat_us;
    r->burst_due_us = UINT64_MAX;
    replication_start(r);
    raft_append_own(r, RAFT_ENTRY_NOOP, (struct slice){NULL, 0});
    read_start_round(r);
    replication_broadcast(r);
    if (MUT(3)) {
        replication_try_commit(r);
    }
}

void raft_follow(struct raft *r, raft_id leader)
{
    ASSERT(r->role != RAFT_LEADER && (r->leader == 0 || r->leader == leader)); /* S3 */
    raft_become_follower(r, r->term, leader);
    r->leader_contact_us = r->now_us;
    r->is_leader_lost = false;
    election_reset_timer(r);
}

void raft_note_membership(struct raft *r, raft_index committed)
{
    for (size_t i = 0; i < r->log.conf_count && r->log.conf[i].index <= committed; i++) {
        bool is_member = raft_conf_find(&r->log.conf[i].conf, r->options.id) != NULL;
        r->was_member = r->was_member || is_member;
    }
}

void raft_advance_commit(struct raft *r, raft_index index)
{
    raft_index before = r->commit;
    ASSERT(index > before && index <= r->log.last_index);
    r->commit = index;
    if (r->role == RAFT_LEADER) {
        raft_index first = raft_log_memory_first(&r->log);
        for (first = first > before ? first : before + 1; first <= index; first++) {
            uint64_t size = raft_log_entry(&r->log, first)->bytes.n;
            r->uncommitted_bytes -= size < r->uncommitted_bytes ? size : r->uncommitted_bytes;
        }
    }
    raft_note_membership(r, index);
    raft_log_conf_prune(&r->log, index);
    bool is_first_of_term =
        r->role == RAFT_LEADER && before < r->term_start && index >= r->term_start;
    membership_on_commit(r, before);
    members_refresh(r);
    election_lift_taint(r);
    if (is_first_of_term && r->role == RAFT_LEADER) {
        read_on_term_commit(r);
    }
}

static void raft_tick(struct raft *r)
{
    if (r->role != RAFT_LEADER) {
        election_tick(r);
        return;
    }
    if (r->now_us >= r->maintain_due_us) {
        r->maintain_due_us = r->now_us + r->options.heartbeat_us;
        members_check_quorum(r);
        if (r->role != RAFT_LEADER) {
            return;
        }
        membership_transfer_tick(r);
        replication_maintain(r);
    }
    if (r->now_us >= r->heartbeat_due_us) {
        read_start_round(r);
    }
    if (r->now_us >= r->burst_due_us) {
        r->burst_due_us = UINT64_MAX;
        replication_broadcast(r);
    }
}

/* Events. */

#define TERM_MAX (UINT64_MAX / 2) /* no counting from 0 gets there */

static enum err raft_check_message(const struct raft *r, const struct raft_message *m)
{
    bool is_known = m->type >= RAFT_PREVOTE_REQUEST && m->type <= RAFT_SNAPSHOT_ACK;
    if (!is_known || m->from == 0 || m->from == r->options.id || m->to != r->options.id ||
        m->term > TERM_MAX) {
        return ERR_INVALID;
    }
    switch (m->type) {
    case RAFT_PREVOTE_REQUEST:
        return m->u.vote_request.campaign_term == m->term + 1 ? ERR_OK : ERR_INVALID;
    case RAFT_VOTE_REQUEST:
        return m->term > 0 && m->u.vote_request.campaign_term == m->term ? ERR_OK : ERR_INVALID;
    case RAFT_APPEND:
        return m->term > 0 ? replication_check_append(r, m) : ERR_INVALID;
    case RAFT_HEARTBEAT_ACK: {
        bool is_future =
            m->term == r->term && r->role == RAFT_LEADER && m->u.heartbeat_ack.round > r->round;
        return m->term > 0 && !is_future ? ERR_OK : ERR_INVALID;
    }
    case RAFT_APPEND_ACK: {
        bool is_ours = m->term == r->term && r->role == RAFT_LEADER;
        bool is_beyond =
            is_ours && m->u.append_ack.is_success && m->u.append_ack.match > r->log.last_index;
        return m->term > 0 && !is_beyond ? ERR_OK : ERR_INVALID;
    }
    case RAFT_HEARTBEAT:
    case RAFT_COMMIT:
    case RAFT_TIMEOUT_NOW:
        return m->term > 0 ? ERR_OK : ERR_INVALID;
    case RAFT_SNAPSHOT:
        return snapshot_check(r, m);
    case RAFT_SNAPSHOT_ACK:
        return m->term > 0 ? ERR_OK : ERR_INVALID;
    case RAFT_PREVOTE_REPLY:
    case RAFT_VOTE_REPLY:
    case RAFT_REMOVED:
        return ERR_OK;
    }
    return ERR_INVALID;
}

/* Messages between a leader and its followers, in the present term. */
static void raft_receive_current(struct raft *r, const struct raft_message *m)
{
    struct raft_peer *peer = members_find(r, m->from);
    if (peer != NULL) {
        peer->last_ack_us = r->now_us;
    }
    switch (m->type) {
    case RAFT_HEARTBEAT:
        read_on_heartbeat(r, m);
        break;
    case RAFT_HEARTBEAT_ACK:
        read_on_heartbeat_ack(r, m);
        break;
    case RAFT_COMMIT:
        raft_follow(r, m->from);
        replication_on_control_commit(r, m->u.commit.commit);
        break;
    case RAFT_APPEND:
        replication_on_append(r, m);
        break;
    case RAFT_APPEND_ACK:
        replication_on_ack(r, m);
        break;
    case RAFT_TIMEOUT_NOW:
        membership_on_timeout_now(r, m);
        break;
    case RAFT_SNAPSHOT:
        snapshot_on_received(r, m);
        break;
    case RAFT_SNAPSHOT_ACK:
        snapshot_on_ack(r, m);
        break;
    case RAFT_PREVOTE_REQUEST:
    case RAFT_PREVOTE_REPLY:
    case RAFT_VOTE_REQUEST:
    case RAFT_VOTE_REPLY:
    case RAFT_REMOVED:
        UNREACHABLE();
    }
}

static enum err raft_receive(struct raft *r, const struct raft_message *m)
{
    enum err e = raft_check_message(r, m);
    if (e != ERR_OK) {
        return e;
    }
    if (m->type == RAFT_PREVOTE_REQUEST || m->type == RAFT_VOTE_REQUEST) {
        election_on_request(r, m);
    } else if (m->type == RAFT_PREVOTE_REPLY || m->type == RAFT_VOTE_REPLY) {
        election_on_reply(r, m);
    } else if (m->type == RAFT_REMOVED) {
        election_on_removed(r, m);
    } else if (m->term >= r->term) {
        if (m->term > r->term) {
            raft_become_follower(r, m->term, 0);
        }
        raft_receive_current(r, m);
    } else if (m->type == RAFT_HEARTBEAT) {
        /* E13: the answer's term deposes its sender; else a node at a higher term never gets back
         * in. No round: it would be one of our term's leader, which may be the sender by now. */
        raft_send(r, RAFT_HEARTBEAT_ACK, m->from, 0);
    } else if (m->type == RAFT_APPEND) {
        replication_on_append(r, m);
    }
    return ERR_OK;
}

static void raft_on_persisted(struct raft *r, uint64_t token)
{
    ASSERT(token <= r->token_issued);
    if (token <= r->token_durable) {
        return;
    }
    r->token_durable = token;
    raft_log_persisted(&r->log, token);
    election_on_persisted(r);
    election_lift_taint(r);
    replication_try_commit(r);
}

static void raft_on_applied(struct raft *r, raft_index applied)
{
    ASSERT(applied <= r->commit);
    r->applied = applied > r->applied ? applied : r->applied;
    raft_log_trim(&r->log, r->applied, r->options.memory_bytes);
}

static enum err raft_handle(struct raft *r, const struct raft_event *event)
{
    switch (event->type) {
    case RAFT_EVENT_TICK:
        raft_tick(r);
        return ERR_OK;
    case RAFT_EVENT_RECEIVE:
        return raft_receive(r, event->u.message);
    case RAFT_EVENT_PROPOSE:
        return replication_propose(r, event);
    case RAFT_EVENT_READ:
        if (r->role != RAFT_LEADER) {
            return ERR_NOT_LEADER;
        }
        read_request(r, event->u.read.context, event->u.read.level);
        return ERR_OK;
    case RAFT_EVENT_PERSISTED:
        raft_on_persisted(r, event->u.persisted_token);
        return ERR_OK;
    case RAFT_EVENT_APPLIED:
        raft_on_applied(r, event->u.applied);
        return ERR_OK;
    case RAFT_EVENT_FETCHED:
        replication_on_fetched(r, event);
        return ERR_OK;
    case RAFT_EVENT_CHUNK:
        snapshot_on_chunk(r, event);
        return ERR_OK;
    case RAFT_EVENT_STORED:
        snapshot_on_stored(r, event);
        return ERR_OK;
    case RAFT_EVENT_INSTALLED:
        snapshot_on_installed(r, event);
        return ERR_OK;
    case RAFT_EVENT_COMPACTED:
        snapshot_on_compacted(r, event->u.first_index);
        return ERR_OK;
    case RAFT_EVENT_PEER_LINK:
        replication_on_link(r, event);
        return ERR_OK;
    case RAFT_EVENT_PEER_ROOM:
        replication_on_room(r, event);
        return ERR_OK;
    case RAFT_EVENT_NUDGE:
        replication_nudge(r, event->u.nudge_peer);
        return ERR_OK;
    case RAFT_EVENT_TRANSFER:
        return membership_transfer(r, event->u.transfer_to);
    case RAFT_EVENT_CHANGE:
        return membership_change(r, event->u.change_to);
    case RAFT_EVENT_CANCEL:
        return membership_cancel(r);
    case RAFT_EVENT_LEADER_LOST:
        election_on_leader_lost(r, event->u.lost_peer);
        return ERR_OK;
    case RAFT_EVENT_STEP_DOWN:
        if (r->role != RAFT_LEADER) {
            return ERR_NOT_LEADER;
        }
        raft_become_follower(r, r->term, 0);
        return ERR_OK;
    }
    UNREACHABLE();
}

/* The update. */

static uint64_t raft_wake(const struct raft *r)
{
    if (r->role == RAFT_LEADER) {
        uint64_t due_us =
            r->heartbeat_due_us < r->maintain_due_us ? r->heartbeat_due_us : r->maintain_due_us;
        return due_us < r->burst_due_us ? due_us : r->burst_due_us;
    }
    return raft_conf_of(r)->member_count == 0 || r->is_removed ? UINT64_MAX
                                                               : r->election_deadline_us;
}

static void raft_begin(struct raft *r)
{
    r->outgoing.count = 0;
    r->read_results.count = 0;
    r->fetches.count = 0;
    r->chunk_requests.count = 0;
    r->step_has_chunk = false;
    r->step_reset_index = 0;
    r->step_reset_term = 0;
    r->fetched.count = 0;
    r->step_has_persist = false;
    r->step_has_hard_state = false;
    r->step_truncate_from = 0;
    r->step_append_first = 0;
    r->step_change_result = RAFT_CHANGE_NONE;
    r->step_is_removed = false;
}

static void raft_finish_persist(struct raft *r, struct raft_update *update)
{
    if (!r->step_has_persist) {
        return;
    }
    update->has_persist = true;
    update->token = ++r->token_issued;
    update->has_hard_state = r->step_has_hard_state;
    update->hard_state = (struct raft_hard_state){r->term, r->vote};
    update->reset_index = r->step_reset_index;
    update->reset_term = r->step_reset_term;
    update->truncate_from = r->step_truncate_from;
    if (r->step_append_first != 0) {
        update->entry = raft_log_entry(&r->log, r->step_append_first);
        update->entry_count = (uint32_t)(r->log.last_index - r->step_append_first + 1);
    }
    if (r->step_append_first != 0 || r->step_truncate_from != 0) {
        raft_log_persisting(&r->log, update->token);
    }
}

static void raft_finish(struct raft *r, struct raft_update *update)
{
    raft_finish_persist(r, update);
    for (uint32_t i = 0; i < r->outgoing.count; i++) {
        struct raft_message *m = &r->outgoing.item[i].message;
        if (m->type == RAFT_APPEND && m->u.append.entry_count > 0 && m->u.append.entry == NULL) {
            m->u.append.entry = raft_log_entry(&r->log, m->u.append.prev_index + 1);
        }
    }
    update->outgoing = r->outgoing.item;
    update->outgoing_count = r->outgoing.count;
    update->read = r->read_results.item;
    update->read_count = r->read_results.count;
    update->fetch = r->fetches.item;
    update->fetch_count = r->fetches.count;
    update->chunk_request = r->chunk_requests.item;
    update->chunk_request_count = r->chunk_requests.count;
    update->change_result = r->step_change_result;
    update->is_removed = r->step_is_removed;
}

enum err raft_step(struct raft *r, const struct raft_event *event, struct raft_update *update)
{
    enum raft_role role = r->role;
    raft_term term = r->term;
    raft_id leader = r->leader;
    raft_index last_index = r->log.last_index;
    raft_index conf_index = raft_conf_index_of(r);
    raft_term conf_term = raft_log_term(&r->log, conf_index);
    ASSERT(event->now_us >= r->now_us);
    r->now_us = event->now_us;
    memset(update, 0, sizeof(*update));
    raft_begin(r);
    enum err e = raft_handle(r, event);
    if (e == ERR_OK) {
        raft_finish(r, update);
        update->chunk = r->step_has_chunk ? event->u.message : NULL;
        update->role_changed = role != r->role || term != r->term || leader != r->leader;
        update->conf_changed = conf_index != raft_conf_index_of(r) ||
                               conf_term != raft_log_term(&r->log, raft_conf_index_of(r));
        if (event->type == RAFT_EVENT_PROPOSE && event->u.propose.count > 0) {
            update->first_proposed = last_index + 1;
        }
    }
    update->commit = r->commit;
    update->wake_at_us = raft_wake(r);
    ASSERT_SLOW((raft_check(r), true));
    return e;
}

bool raft_message_is_stale(const struct raft *r, const struct raft_message *message)
{
    return message->term != r->term;
}

/* Life. */

static bool raft_is_only_voter(const struct raft *r)
{
    bool is_only = r->log.conf_count > 0;
    for (size_t i = 0; i < r->log.conf_count; i++) {
        const struct raft_conf *conf = &r->log.conf[i].conf;
        for (uint32_t k = 0; k < conf->member_count; k++) {
            bool is_voter = raft_conf_is_voter(conf, conf->member[k].id);
            is_only = is_only && is_voter == (conf->member[k].id == r->options.id);
        }
    }
    return is_only;
}

struct raft *
raft_new(const struct raft_options *options, const struct raft_start *start, uint64_t now_us)
{
    struct raft *r = mem_alloc_zero(sizeof(*r));
    uint64_t timeout = options->election_timeout_us;
    ASSERT(options->id != 0 && options->heartbeat_us > 0 && timeout > 0 &&
           options->lease_drift_ppm < 1000000u);
    ASSERT(options->lease_us == 0 ||
           options->lease_us < timeout - timeout * options->lease_drift_ppm / 1000000u);
    r->options = *options;
    r->now_us = now_us;
    prng_seed(&r->prng, options->seed);
    raft_log_init(&r->log, start);
    raft_log_reserve(&r->log, r->options.memory_bytes + r->options.uncommitted_bytes);
    r->scratch = mem_alloc_zero(sizeof(*r->scratch));
    /* A SUSPECT log's footer may know a newer term than the record that was lost with the batch
     * (P9, amended). */
    r->term = start->hard_state.term;
    r->vote = start->hard_state.vote;
    if (start->vote_only_above > r->term) {
        r->term = start->vote_only_above;
        r->vote = 0;
    }
    ASSERT(r->term >= raft_log_last_term(&r->log) || MUT(1));
    r->may_not_vote = start->may_not_vote;
    r->vote_only_above = start->vote_only_above;
    r->vote_last_term = start->vote_last_term;
    r->vote_last_index = start->vote_last_index;
    r->commit = r->log.first_index - 1; /* P17: anything more is learnt from a quorum ... */
    r->commit = start->commit > r->commit ? start->commit : r->commit; /* ... or was, before. */
    ASSERT(r->commit <= r->log.last_index);
    r->applied = r->commit;
    r->role = RAFT_FOLLOWER;
    members_refresh(r);
    election_reset_timer(r);
    if (r->log.conf_count > 1) {
        /* One change at a time (J6): all configurations but the newest are committed. */
        raft_note_membership(r, r->log.conf[r->log.conf_count - 2].index);
    }
    if (raft_is_only_voter(r)) {
        r->election_deadline_us = now_us;
    } else if (start->hard_state.term > 0) {
        /* E14: what its former life promised is not known, and the leader's heartbeats set the
         * length. */
        uint64_t wait = options->lease_us > 0 ? timeout : 0;
        wait = options->lease_us > wait ? options->lease_us : wait;
        wait = options->lease_wait_us > wait ? options->lease_wait_us : wait;
        r->no_vote_until_us = now_us + wait;
    }
    return r;
}

void raft_free(struct raft *r)
{
    if (r == NULL) {
        return;
    }
    for (uint32_t i = 0; i < r->peers.count; i++) {
        progress_deinit(&r->peers.item[i]);
    }
    raft_log_deinit(&r->log);
    buf_deinit(r->scratch);
    mem_free(r->scratch);
    mem_free(r->peers.item);
    mem_free(r->reads.item);
    mem_free(r->outgoing.item);
    mem_free(r->read_results.item);
    mem_free(r->fetches.item);
    mem_free(r->chunk_requests.item);
    mem_free(r->fetched.item);
    mem_free(r);
}
