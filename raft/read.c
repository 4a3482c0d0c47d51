/* Linearizable reads and leases: dissertation §6.4, checklist L1-L6.
 *
 *   A round is a number that grows with every heartbeat broadcast of a term. An acknowledgement of
 * round n proves that its sender had not left the term when it got the heartbeat, so after round n
 * was sent.
 *
 *   Q1  A read takes the commit index, then a NEW round is sent; it is ready when a quorum
 * acknowledged that round or a later one (L1, L2). Before an entry of the leader's own term is
 * committed its commit index may be old: such reads wait, and take index and round when that
 * happens. Q2  Reads wait in the order of their rounds, so confirming looks only at the front. Q3
 * The lease begins when the newest round that a quorum acknowledged was SENT, and is as long as
 * that round's heartbeats said (L5). Whoever acknowledged promised not to vote for that long,
 * counted from a later time. Q4  Leases end before a leadership transfer starts. Once a TIMEOUT_NOW
 * was sent they stay off for the rest of the term: the message, and the vote requests it permits,
 * may arrive at any later time. DEVIATION: checklist L6 lets them resume after a timeout; a stopped
 * process can be slower than any timeout. */
#include "base/assert.h"
#include "raft/raft_internal.h"

#include <string.h>

static uint32_t read_lease_us(const struct raft *r)
{
    bool is_off = (r->transfer_to != 0 || r->has_sent_timeout_now) && !MUT(18);
    return is_off ? 0 : r->options.lease_us;
}

static void read_add_sample(struct raft *r, uint32_t lease_us)
{
    uint64_t spacing = r->options.election_timeout_us / (ROUND_SAMPLES / 2);
    if (r->sample_count > 0) {
        const struct round_sample *newest = &r->sample[(r->sample_count - 1) % ROUND_SAMPLES];
        if (newest->lease_us == lease_us && r->now_us < newest->sent_us + spacing) {
            return;
        }
    }
    r->sample[r->sample_count++ % ROUND_SAMPLES] =
        (struct round_sample){r->round, r->now_us, lease_us};
}

void read_start_round(struct raft *r)
{
    uint32_t lease_us = read_lease_us(r);
    r->round++;
    read_add_sample(r, lease_us);
    r->heartbeat_due_us = r->now_us + r->options.heartbeat_us;
    for (uint32_t i = 0; i < r->peers.count; i++) {
        struct raft_peer *peer = &r->peers.item[i];
        struct raft_message *m = raft_send(r, RAFT_HEARTBEAT, peer->id, 0);
        m->u.heartbeat.round = r->round;
        m->u.heartbeat.commit = r->commit;
        m->u.heartbeat.lease_us = lease_us;
        peer->commit_sent = r->commit;
    }
    read_confirm(r);
}

void read_on_heartbeat(struct raft *r, const struct raft_message *m)
{
    uint64_t promise = r->now_us + m->u.heartbeat.lease_us;
    raft_follow(r, m->from);
    if (m->u.heartbeat.lease_us > 0 && promise > r->promise_until_us) {
        r->promise_until_us = promise;
    }
    raft_send(r, RAFT_HEARTBEAT_ACK, m->from, 0)->u.heartbeat_ack.round = m->u.heartbeat.round;
    replication_on_control_commit(r, m->u.heartbeat.commit);
}

void read_on_heartbeat_ack(struct raft *r, const struct raft_message *m)
{
    struct raft_peer *peer = members_find(r, m->from);
    if (r->role != RAFT_LEADER || peer == NULL) {
        return;
    }
    uint64_t round = MUT(17) ? r->round : m->u.heartbeat_ack.round;
    if (round > peer->acked_round) {
        peer->acked_round = round;
        read_confirm(r);
    }
}

static void
read_finish(struct raft *r, uint64_t context, raft_index index, enum raft_read_status status)
{
    *VECTOR_PUSH(&r->read_results) = (struct raft_read){context, index, status};
}

void read_request(struct raft *r, uint64_t context, enum raft_read_level level)
{
    if (MUT(16) || (level == RAFT_READ_LEASE && r->now_us < read_lease_end(r))) {
        read_finish(r, context, r->commit, RAFT_READ_READY);
        return;
    }
    bool must_wait = r->commit < r->term_start && !MUT(15);
    *VECTOR_PUSH(&r->reads) = (struct pending_read){
        .context = context,
        .index = must_wait ? 0 : r->commit,
        .round = must_wait ? 0 : r->round + 1,
    };
    if (must_wait) {
        COVER("raft: a read waits for the first commit of the term");
    } else {
        read_start_round(r);
    }
}

void read_on_term_commit(struct raft *r)
{
    bool has_waiter = false;
    for (uint32_t i = r->reads_done; i < r->reads.count; i++) {
        if (r->reads.item[i].round == 0) {
            r->reads.item[i].round = r->round + 1;
            r->reads.item[i].index = r->commit;
            has_waiter = true;
        }
    }
    if (has_waiter) {
        read_start_round(r);
    }
}

/* Gives the space of answered reads back once they are most of it. */
static void read_compact(struct raft *r)
{
    uint32_t left = r->reads.count - r->reads_done;
    if (left == 0 || r->reads_done > left) {
        if (left > 0) {
            memmove(r->reads.item, r->reads.item + r->reads_done, left * sizeof(*r->reads.item));
        }
        r->reads.count = left;
        r->reads_done = 0;
    }
}

void read_confirm(struct raft *r)
{
    uint64_t acked[LIMIT_MEMBERS];
    if (r->reads_done == r->reads.count) {
        return;
    }
    members_collect(r, PEER_ROUND, r->round, acked);
    uint64_t confirmed = quorum_value(raft_conf_of(r), acked);
    while (r->reads_done < r->reads.count) {
        const struct pending_read *read = &r->reads.item[r->reads_done];
        if (read->round == 0 || read->round > confirmed) {
            break;
        }
        read_finish(r, read->context, read->index, RAFT_READ_READY);
        r->reads_done++;
    }
    read_compact(r);
}

void read_fail_all(struct raft *r)
{
    for (; r->reads_done < r->reads.count; r->reads_done++) {
        read_finish(r, r->reads.item[r->reads_done].context, 0, RAFT_READ_FAILED);
    }
    read_compact(r);
}

/* The newest sample at or before `round`; NULL if the ring has forgotten it. */
static const struct round_sample *read_find_sample(const struct raft *r, uint64_t round)
{
    uint64_t oldest = r->sample_count > ROUND_SAMPLES ? r->sample_count - ROUND_SAMPLES : 0;
    for (uint64_t i = r->sample_count; i > oldest; i--) {
        const struct round_sample *sample = &r->sample[(i - 1) % ROUND_SAMPLES];
        if (sample->round <= round) {
            return sample;
        }
    }
    return NULL;
}

uint64_t read_lease_end(const struct raft *r)
{
    uint64_t value[LIMIT_MEMBERS];
    if (r->role != RAFT_LEADER || r->commit < r->term_start || read_lease_us(r) == 0) {
        return 0;
    }
    members_collect(r, PEER_ROUND, UINT64_MAX, value);
    uint64_t round = quorum_value(raft_conf_of(r), value);
    if (round == UINT64_MAX) {
        return UINT64_MAX; /* The only voter: nobody is elected without it. */
    }
    const struct round_sample *sample = read_find_sample(r, round);
    if (sample == NULL || sample->lease_us == 0) {
        return 0;
    }
    uint64_t sent_us = sample->sent_us;
    if (MUT(18)) {
        members_collect(r, PEER_CONTACT, r->now_us, value);
        sent_us = quorum_value(raft_conf_of(r), value);
    }
    return sent_us +
           (uint64_t)sample->lease_us * (1000000u - r->options.lease_drift_ppm) / 1000000u;
}
