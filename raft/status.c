/* What a raft tells about itself, and what it checks about itself. */
#include <string.h>

#include "base/assert.h"
#include "raft/raft_internal.h"

void raft_get_status(const struct raft *r, struct raft_status *status)
{
    *status = (struct raft_status){
        .id = r->options.id,
        .role = r->role,
        .term = r->term,
        .vote = r->vote,
        .leader = r->leader,
        .first_index = r->log.first_index,
        .memory_first = raft_log_memory_first(&r->log),
        .last_index = r->log.last_index,
        .last_term = raft_log_last_term(&r->log),
        .durable_index = r->log.durable_index,
        .commit = r->commit,
        .applied = r->applied,
        .term_start = r->term_start,
        .uncommitted_bytes = r->uncommitted_bytes,
        .leader_contact_us = r->leader_contact_us,
        .is_transferring = r->transfer_to != 0,
        .can_vote = !r->may_not_vote,
        .is_tainted = election_is_tainted(r),
    };
}

const struct raft_conf *raft_get_conf(const struct raft *r, raft_index *index)
{
    *index = raft_conf_index_of(r);
    return raft_conf_of(r);
}

bool raft_get_peer(const struct raft *r, raft_id id, struct raft_peer_status *status)
{
    for (uint32_t i = 0; r->role == RAFT_LEADER && i < r->peers.count; i++) {
        const struct raft_peer *peer = &r->peers.item[i];
        if (peer->id == id) {
            *status = (struct raft_peer_status){
                .id = id,
                .match = peer->match,
                .next = peer->next,
                .last_ack_us = peer->last_ack_us,
                .inflight_messages = peer->window_count,
                .inflight_bytes = peer->window_bytes,
                .is_probing = peer->state == PROGRESS_PROBE,
            };
            return true;
        }
    }
    return false;
}

bool raft_get_entry(const struct raft *r, raft_index index, struct raft_entry *entry)
{
    if (index < raft_log_memory_first(&r->log) || index > r->log.last_index) {
        return false;
    }
    *entry = *raft_log_entry(&r->log, index);
    return true;
}

raft_term raft_get_term(const struct raft *r, raft_index index)
{
    return raft_log_term(&r->log, index);
}

bool raft_lease_holds(const struct raft *r, uint64_t now_us)
{
    return now_us < read_lease_end(r);
}

/* The newest entries only: the check runs after every step of a simulation. */
#define CHECKED_ENTRIES 64u

static void check_log(const struct raft *r)
{
    const struct raft_log *log = &r->log;
    size_t first = log->slot_count > CHECKED_ENTRIES ? log->slot_count - CHECKED_ENTRIES : 0;
    raft_index index = raft_log_memory_first(log) + first;
    ASSERT(log->first_index - 1 <= log->durable_index); /* G1 */
    ASSERT(log->durable_index <= log->last_index);
    size_t run = log->run_count; /* its term, and those before it, as for raft_log_term */
    while (run > 0 && log->run[run - 1].first > index) {
        run--;
    }
    for (size_t i = first; i < log->slot_count; i++, index++) { /* G2 */
        const struct raft_entry *entry = &log->slot[log->slot_start + i];
        while (run < log->run_count && log->run[run].first <= index) {
            run++;
        }
        ASSERT(entry->index == index && index <= log->last_index);
        ASSERT(run > 0 && entry->term == log->run[run - 1].term);
        ASSERT(entry->chunk->ref_count > 0);
    }
    for (size_t i = 1; i < log->run_count; i++) { /* G4 */
        ASSERT(log->run[i - 1].first < log->run[i].first);
        ASSERT(log->run[i - 1].term < log->run[i].term);
    }
    for (size_t i = 0; i < log->pending_count; i++) { /* G5 */
        const struct raft_persist_record *record = &log->pending[log->pending_start + i];
        ASSERT(record->last <= log->last_index);
        ASSERT(record->token > r->token_durable && record->token <= r->token_issued);
    }
    for (size_t i = 0; i < log->conf_count; i++) { /* G6 */
        ASSERT(log->conf[i].index <= log->last_index || MUT(9));
        ASSERT(raft_conf_check(&log->conf[i].conf) == ERR_OK);
    }
}

static void check_peers(const struct raft *r)
{
    for (uint32_t i = 0; i < r->peers.count; i++) {
        const struct raft_peer *peer = &r->peers.item[i];
        uint64_t bytes = 0;
        uint64_t newest = 0;
        ASSERT(peer->match < peer->next); /* R4 */
        ASSERT(r->role != RAFT_LEADER || peer->next <= r->log.last_index + 1);
        for (uint32_t k = 0; k < peer->window_count; k++) {
            newest = peer->window[(peer->window_start + k) % peer->window_capacity].bytes;
            bytes += newest;
        }
        ASSERT(bytes == peer->window_bytes);
        ASSERT(peer->window_count <= peer->window_capacity); /* I14: full is reached, not passed */
        ASSERT(peer->window_count == 0 || bytes - newest < r->options.inflight_bytes);
    }
}

void raft_check(const struct raft *r)
{
    ASSERT(r->applied <= r->commit); /* S1 */
    ASSERT(r->commit <= r->log.last_index);
    ASSERT(r->log.first_index - 1 <= r->applied);
    ASSERT(r->token_durable <= r->token_issued);
    if (r->role == RAFT_LEADER) {
        ASSERT(r->leader == r->options.id && r->vote == r->options.id);
        ASSERT(r->term_start > 0 && r->term_start <= r->log.last_index);
        ASSERT(raft_log_last_term(&r->log) == r->term);
    } else {
        ASSERT(r->leader != r->options.id && r->term_start == 0);
        ASSERT(r->reads.count == r->reads_done && r->transfer_to == 0);
    }
    ASSERT(r->role == RAFT_FOLLOWER || r->log.durable_index == r->log.last_index ||
           r->role == RAFT_LEADER); /* V4 */
    check_log(r);
    check_peers(r);
}
