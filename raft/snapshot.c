/* Snapshots in the protocol: dissertation §5.1-5.3, checklist S1-S5, S8.
 *
 *   leader, for a peer whose next entry was compacted away:
 *
 *     PROGRESS_SNAPSHOT --- chunk wanted ---> driver reads it from its file ---> RAFT_SNAPSHOT
 *           ^                                                                        |
 *           |      stored up to offset                                               v
 *           '---------------------------------- RAFT_SNAPSHOT_ACK <---- driver writes it to a file
 *           |      installed                                            and, at the end, loads it
 *           v
 *     PROGRESS_PROBE at index + 1
 *
 * One chunk is under way at a time; the bytes come from the driver and go to the driver, this file
 * only decides. A transfer is named by (index, term, crc, size) of the file and goes on where the
 * receiver says (its offset), also after the link broke; a new leader, or a newer snapshot of the
 * same one, is another name and begins at 0.
 *
 *   I1  A snapshot at or below the commit index is never loaded: the answer is "installed" at once
 *       (S3). So is one whose last entry this log has already: it is committed, for the leader says
 *       so, and everything before it matches (log matching); the entries are kept (S2).
 *   I2  "Installed" is said only when the state was loaded, the file has its name durably, and the
 *       log begins behind it, durably (S1, S4; M30).
 *   I3  Installing keeps term and vote (P2, S2), and the entries behind the snapshot if the log has
 *       its last one; else the log is emptied (M14).
 *   I4  The log is compacted only up to what is applied; the term of the entry before the first one
 *       is kept (S8).
 *   I5  Chunks and their answers are worth nothing outside the term they were sent in.
 */
#include <string.h>

#include "base/assert.h"
#include "raft/raft_internal.h"

static bool snapshot_is_same(const struct raft_snapshot_id *a, const struct raft_snapshot_id *b)
{
    return a->index == b->index && a->term == b->term && a->crc == b->crc && a->size == b->size;
}

/* --- the leader's side --- */

static void snapshot_want_chunk(struct raft *r, struct raft_peer *peer)
{
    peer->is_fetching = true;
    peer->fetch_us = r->now_us;
    *VECTOR_PUSH(&r->chunk_requests) =
        (struct raft_chunk_request){peer->id, peer->snapshot, peer->snapshot_offset};
}

void snapshot_begin(struct raft *r, struct raft_peer *peer)
{
    COVER("raft: a peer needs a snapshot");
    raft_index next = peer->next;
    progress_probe(peer, next);
    peer->state = PROGRESS_SNAPSHOT;
    peer->snapshot = (struct raft_snapshot_id){.index = 0};
    peer->snapshot_offset = 0;
    snapshot_want_chunk(r, peer);
}

/* A chunk, or its answer, or the file itself was not to be had: ask again. */
void snapshot_maintain(struct raft *r, struct raft_peer *peer)
{
    uint64_t wait =
        peer->is_fetching || peer->is_probing ? r->options.election_timeout_us
                                              : r->options.heartbeat_us;
    if (r->now_us >= peer->fetch_us + wait && r->now_us >= peer->poke_us + wait) {
        COVER("raft: a chunk of a snapshot is asked for again");
        peer->is_probing = false;
        snapshot_want_chunk(r, peer);
    }
}

void snapshot_on_chunk(struct raft *r, const struct raft_event *event)
{
    struct raft_peer *peer = members_find(r, event->u.chunk.peer);
    const struct raft_snapshot_id *id = &event->u.chunk.id;
    if (r->role != RAFT_LEADER || peer == NULL || peer->state != PROGRESS_SNAPSHOT ||
        !peer->is_fetching || event->u.chunk.offset != peer->snapshot_offset) {
        return; /* For another leadership, or given up since. */
    }
    peer->is_fetching = false;
    peer->fetch_us = r->now_us;
    if (id->index == 0 || id->index > r->commit) {
        return; /* There is none yet. */
    }
    if (!snapshot_is_same(id, &peer->snapshot)) {
        peer->snapshot = *id;
        if (peer->snapshot_offset != 0) {
            COVER("raft: a newer snapshot takes the place of the one under way");
            peer->snapshot_offset = 0;
            snapshot_want_chunk(r, peer);
            return;
        }
    }
    if (peer->is_link_down) {
        return;
    }
    struct raft_message *m = raft_send(r, RAFT_SNAPSHOT, peer->id, 0);
    m->u.snapshot.id = *id;
    m->u.snapshot.offset = event->u.chunk.offset;
    m->u.snapshot.data = event->u.chunk.data;
    peer->is_probing = true;
    peer->poke_us = r->now_us;
}

void snapshot_on_ack(struct raft *r, const struct raft_message *m)
{
    struct raft_peer *peer = members_find(r, m->from);
    const struct raft_snapshot_id *id = &m->u.snapshot_ack.id;
    if (r->role != RAFT_LEADER || peer == NULL || peer->state != PROGRESS_SNAPSHOT ||
        !snapshot_is_same(id, &peer->snapshot)) {
        return;
    }
    peer->starved_us = 0;
    if (m->u.snapshot_ack.is_installed) {
        peer->match = id->index > peer->match ? id->index : peer->match;
        progress_probe(peer, peer->match + 1);
        replication_send(r, peer);
        return;
    }
    bool is_late = !peer->is_probing && m->u.snapshot_ack.offset == peer->snapshot_offset;
    if (m->u.snapshot_ack.offset > id->size || is_late || peer->is_fetching) {
        return;
    }
    peer->snapshot_offset = m->u.snapshot_ack.offset;
    peer->poke_us = r->now_us;
    if (peer->snapshot_offset == id->size) {
        peer->is_probing = true; /* It is loading now; asked again after a timeout. */
        return;
    }
    peer->is_probing = false;
    snapshot_want_chunk(r, peer);
}

/* --- the follower's side --- */

static void snapshot_send_ack(struct raft *r,
                              raft_id to,
                              const struct raft_snapshot_id *id,
                              uint64_t offset,
                              bool is_installed,
                              uint64_t after_token)
{
    struct raft_message *ack = raft_send(r, RAFT_SNAPSHOT_ACK, to, after_token);
    ack->u.snapshot_ack.id = *id;
    ack->u.snapshot_ack.offset = offset;
    ack->u.snapshot_ack.is_installed = is_installed;
}

enum err snapshot_check(const struct raft *r, const struct raft_message *m)
{
    const struct raft_snapshot_id *id = &m->u.snapshot.id;
    raft_term known = raft_log_term(&r->log, id->index);
    bool is_contradiction =
        id->index <= r->commit && known != 0 && known != id->term && m->term >= r->term;
    return m->term > 0 && id->index > 0 && id->term > 0 && id->term <= m->term &&
                   m->u.snapshot.offset <= id->size &&
                   m->u.snapshot.data.n <= id->size - m->u.snapshot.offset && !is_contradiction
               ? ERR_OK
               : ERR_INVALID;
}

void snapshot_on_received(struct raft *r, const struct raft_message *m)
{
    const struct raft_snapshot_id *id = &m->u.snapshot.id;
    raft_follow(r, m->from);
    if (id->index > r->commit && raft_log_term(&r->log, id->index) == id->term) {
        COVER("raft: a snapshot of entries that are here already");
        r->verified_index = id->index > r->verified_index ? id->index : r->verified_index;
        replication_on_control_commit(r, id->index);
    }
    if (id->index <= r->commit) { /* I1 */
        uint64_t after = replication_ack_token(r, id->index);
        snapshot_send_ack(r, m->from, id, id->size, true, after);
        return;
    }
    r->step_has_chunk = true;
}

void snapshot_on_stored(struct raft *r, const struct raft_event *event)
{
    if (r->role == RAFT_LEADER || r->leader == 0) {
        return; /* I5 */
    }
    snapshot_send_ack(r, r->leader, &event->u.stored.id, event->u.stored.offset, false, 0);
}

void snapshot_on_installed(struct raft *r, const struct raft_event *event)
{
    const struct raft_snapshot_id *id = &event->u.installed.id;
    ASSERT(id->index > r->commit && r->role != RAFT_LEADER); /* I1: the driver looked */
    /* Another's vote was being asked for with a log that is no more. */
    if (r->role != RAFT_FOLLOWER) {
        raft_become_follower(r, r->term, 0);
    }
    bool is_kept = raft_log_term(&r->log, id->index) == id->term;
    if (MUT(14)) {
        is_kept = !is_kept && id->index <= r->log.last_index;
    }
    if (is_kept) {
        COVER("raft: a snapshot is installed and the entries behind it are kept");
    } else {
        COVER("raft: a snapshot takes the place of the log");
        raft_log_reset(&r->log, id->index, id->term, event->u.installed.conf,
                       event->u.installed.conf_index);
        r->step_reset_index = id->index;
        r->step_reset_term = id->term;
    }
    uint64_t after = raft_step_token(r);
    r->verified_index = id->index > r->verified_index ? id->index : r->verified_index;
    r->heard_commit = id->index > r->heard_commit ? id->index : r->heard_commit;
    r->commit = id->index;
    r->applied = id->index;
    members_refresh(r);
    raft_note_membership(r, r->commit);
    raft_log_conf_prune(&r->log, r->commit);
    election_lift_taint(r);
    uint64_t hard_state = raft_hard_state_after(r);
    after = after > hard_state ? after : hard_state;
    if (r->leader != 0) {
        snapshot_send_ack(r, r->leader, id, id->size, true, after);
    }
}

/* --- compaction --- */

void snapshot_on_compacted(struct raft *r, raft_index first_index)
{
    if (first_index > r->log.first_index) {
        ASSERT(first_index - 1 <= r->applied); /* I4 */
        raft_log_compact(&r->log, first_index);
    }
}
