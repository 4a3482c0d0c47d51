/* Replication and commitment: dissertation §3.5, §3.6, §10.2.1; checklist P3-P5, R1-R8.
 *
 *   C1  The leader sends appends and writes its own disk at the same time; it counts itself only
 *       for what is durable (P3). So does a follower: its acknowledgement waits for the disk, and
 *       names prev + count of the message it answers, never its own last index (P4).
 *   C2  Only an entry of the leader's own term is committed by counting (Figure 3.7, E2).
 *   C3  A follower commits min(highest commit heard in this term, highest index verified by an
 *       append of this term), whenever either grows: heartbeats carry no prev, so they verify
 *       nothing (P5, DESIGN §4).
 *   C4  A follower truncates only at a real conflict (R2), never at or below its commit index.
 *   C5  An append lost without a trace is found by an empty one: sent when nothing moved for a
 *       heartbeat interval, also when the window is full (R5). It is accepted, and acknowledges all
 *       before it, or rejected with a hint.
 *   C6  Entries that are no longer in memory are asked from the driver, one request per peer at a
 *       time.
 *   C7  A window that opens is not filled at once: burst_bytes, then the next tick, RAFT_BURST_US
 *       later (burst_due_us). A turn of the driver's loop is what heartbeats are late. Nor is more
 *       sent while the link doesn't take what was (is_link_full): it would pile up in the driver.
 */
#include <string.h>

#include "base/assert.h"
#include "raft/raft_internal.h"

void replication_start(struct raft *r)
{
    for (uint32_t i = 0; i < r->peers.count; i++) {
        progress_reset(&r->peers.item[i], r->log.last_index + 1, r->now_us);
    }
    r->uncommitted_bytes = 0;
    raft_index index = raft_log_memory_first(&r->log);
    for (index = index > r->commit ? index : r->commit + 1; index <= r->log.last_index; index++) {
        r->uncommitted_bytes += raft_log_entry(&r->log, index)->bytes.n;
    }
}

/* How many entries in memory from `first` on one append takes: at least one (R6). */
static uint32_t replication_batch(const struct raft *r, raft_index first, uint64_t *bytes)
{
    const struct raft_entry *entry = raft_log_entry(&r->log, first);
    uint64_t available = r->log.last_index - first + 1;
    uint32_t count = 0;
    *bytes = 0;
    while (count < available && count < RAFT_APPEND_ENTRIES &&
           (count == 0 || *bytes + entry[count].bytes.n <= r->options.append_bytes)) {
        *bytes += entry[count++].bytes.n;
    }
    return count;
}

/* The entries are found when the update is put together: until then the tail may move. */
static struct raft_message *
replication_send_append(struct raft *r, struct raft_peer *peer, uint32_t count)
{
    struct raft_message *m = raft_send(r, RAFT_APPEND, peer->id, 0);
    m->u.append.prev_index = peer->next - 1;
    m->u.append.prev_term = raft_log_term(&r->log, peer->next - 1);
    m->u.append.commit = r->commit;
    m->u.append.entry_count = count;
    peer->commit_sent = r->commit;
    return m;
}

static void replication_probe(struct raft *r, struct raft_peer *peer, bool has_entries)
{
    uint64_t bytes;
    uint32_t count = 0;
    ASSERT(peer->next >= r->log.first_index);
    if (has_entries && peer->next <= r->log.last_index &&
        peer->next >= raft_log_memory_first(&r->log)) {
        count = replication_batch(r, peer->next, &bytes);
    }
    peer->is_probing = true;
    peer->poke_us = r->now_us;
    replication_send_append(r, peer, count);
}

static void replication_fetch(struct raft *r, struct raft_peer *peer)
{
    if (peer->is_fetching ||
        (peer->fetch_us != 0 && r->now_us < peer->fetch_us + r->options.heartbeat_us)) {
        return;
    }
    COVER("raft: a lagging peer is fed from disk");
    peer->is_fetching = true;
    peer->fetch_us = r->now_us;
    *VECTOR_PUSH(&r->fetches) = (struct raft_fetch){peer->id, peer->next, r->options.append_bytes};
}

void replication_send(struct raft *r, struct raft_peer *peer)
{
    if (peer->is_link_down || peer->state == PROGRESS_SNAPSHOT) {
        return;
    }
    if (peer->next < r->log.first_index) {
        snapshot_begin(r, peer);
        return;
    }
    if (peer->state == PROGRESS_PROBE) {
        if (!peer->is_probing) {
            replication_probe(r, peer, true);
        }
        return;
    }
    while (peer->next <= r->log.last_index && !peer->is_link_full &&
           !progress_window_full(peer, r->options.inflight_bytes)) {
        uint64_t bytes;
        if (progress_burst_full(peer, r->options.burst_bytes, r->now_us)) { /* C7 */
            uint64_t again_us = peer->burst_us + RAFT_BURST_US;
            r->burst_due_us = again_us < r->burst_due_us ? again_us : r->burst_due_us;
            return;
        }
        if (peer->next < raft_log_memory_first(&r->log)) {
            replication_fetch(r, peer);
            return;
        }
        uint32_t count = replication_batch(r, peer->next, &bytes);
        replication_send_append(r, peer, count);
        progress_sent(peer, peer->next + count - 1, bytes, r->now_us);
    }
}

void replication_broadcast(struct raft *r)
{
    for (uint32_t i = 0; i < r->peers.count; i++) {
        replication_send(r, &r->peers.item[i]);
    }
}

static void replication_send_commit(struct raft *r, struct raft_peer *peer)
{
    if (peer->commit_sent < r->commit) {
        raft_send(r, RAFT_COMMIT, peer->id, 0)->u.commit.commit = r->commit;
        peer->commit_sent = r->commit;
    }
}

void replication_broadcast_commit(struct raft *r)
{
    for (uint32_t i = 0; i < r->peers.count; i++) {
        replication_send_commit(r, &r->peers.item[i]);
    }
}

void replication_nudge(struct raft *r, raft_id id)
{
    struct raft_peer *peer = members_find(r, id);
    if (r->role == RAFT_LEADER && peer != NULL) {
        replication_send_commit(r, peer);
    }
}

/* C5, and what else may have been lost or left waiting. */
static void replication_maintain_peer(struct raft *r, struct raft_peer *peer)
{
    if (peer->is_link_down) {
        peer->starved_us = peer->match == r->log.last_index ? 0
                           : peer->starved_us == 0          ? r->now_us
                                                            : peer->starved_us;
        return;
    }
    if (peer->state == PROGRESS_SNAPSHOT) {
        snapshot_maintain(r, peer);
        return;
    }
    if (peer->is_fetching && r->now_us >= peer->fetch_us + r->options.election_timeout_us) {
        COVER("raft: a fetch is asked for again");
        peer->is_fetching = false;
    }
    bool is_waiting =
        peer->state == PROGRESS_PROBE ? peer->is_probing : peer->next - 1 > peer->match;
    bool is_full =
        peer->state == PROGRESS_REPLICATE && progress_window_full(peer, r->options.inflight_bytes);
    if (is_waiting && peer->next >= r->log.first_index && r->now_us >= peer->poke_us + r->options.heartbeat_us &&
        !(MUT(29) && is_full)) {
        if (is_full) {
            COVER("raft: a full window is probed");
        }
        bool is_probing = peer->is_probing;
        replication_probe(r, peer, false);
        peer->is_probing = is_probing;
    }
    replication_send(r, peer);
}

void replication_maintain(struct raft *r)
{
    for (uint32_t i = 0; i < r->peers.count; i++) {
        replication_maintain_peer(r, &r->peers.item[i]);
    }
}

void replication_try_commit(struct raft *r)
{
    uint64_t match[LIMIT_MEMBERS];
    raft_index own = MUT(3) ? r->log.last_index : r->log.durable_index;
    if (r->role != RAFT_LEADER) {
        return;
    }
    members_collect(r, PEER_MATCH, own, match);
    raft_index index = quorum_value(raft_conf_of(r), match);
    if (MUT(6)) {
        struct raft_conf only_new;
        uint64_t new_match[LIMIT_MEMBERS] = {0};
        raft_conf_leave(raft_conf_of(r), &only_new);
        for (uint32_t i = 0; i < only_new.member_count; i++) {
            new_match[i] = match[raft_conf_position(raft_conf_of(r), only_new.member[i].id)];
        }
        index = quorum_value(&only_new, new_match);
    }
    if (index > r->commit && (MUT(4) || raft_log_term(&r->log, index) == r->term)) {
        raft_advance_commit(r, index);
    }
}

enum err replication_propose(struct raft *r, const struct raft_event *event)
{
    struct chunk *chunk = event->u.propose.chunk;
    uint64_t bytes = 0;
    struct raft_entry entry;
    if (r->role != RAFT_LEADER) {
        return ERR_NOT_LEADER;
    }
    size_t at = event->u.propose.offset;
    for (uint32_t i = 0; i < event->u.propose.count; i++) {
        entry_view(chunk->data + at, &entry);
        ASSERT(entry.type != RAFT_ENTRY_CONF && entry.bytes.n <= chunk->used - at);
        at += entry.bytes.n;
        bytes += entry.bytes.n;
    }
    bool is_over =
        r->uncommitted_bytes > 0 && r->uncommitted_bytes + bytes > r->options.uncommitted_bytes;
    if (r->transfer_to != 0 || (is_over && !event->u.propose.is_exempt)) {
        return ERR_BUSY;
    }
    if (event->u.propose.count > 0) {
        r->step_append_first = r->log.last_index + 1;
        raft_step_token(r);
    }
    uint8_t *p = chunk->data + event->u.propose.offset;
    for (uint32_t i = 0; i < event->u.propose.count; i++) {
        entry_seal(p, r->log.last_index + 1, r->term);
        raft_log_append(&r->log, p, chunk);
        p += raft_log_entry(&r->log, r->log.last_index)->bytes.n;
    }
    r->uncommitted_bytes += bytes;
    replication_broadcast(r);
    if (MUT(3)) {
        replication_try_commit(r);
    }
    return ERR_OK;
}

/* The follower's side. */

/* Nonsense that no correct leader sends, found before anything changes. */
enum err replication_check_append(const struct raft *r, const struct raft_message *m)
{
    raft_index prev_index = m->u.append.prev_index;
    raft_term term = m->u.append.prev_term;
    if (term > m->term || (prev_index == 0) != (term == 0)) {
        return ERR_INVALID;
    }
    raft_term known = raft_log_term(&r->log, prev_index);
    if (prev_index <= r->commit && known != 0 && known != term && m->term >= r->term) {
        return ERR_INVALID;
    }
    for (uint32_t i = 0; i < m->u.append.entry_count; i++) {
        const struct raft_entry *entry = &m->u.append.entry[i];
        struct raft_conf conf;
        if (entry->index != prev_index + 1 + i || entry->term < term || entry->term == 0 ||
            entry->term > m->term) {
            return ERR_INVALID;
        }
        term = entry->term;
        known = raft_log_term(&r->log, entry->index);
        if (entry->index <= r->commit && known != 0 && known != term && m->term >= r->term) {
            return ERR_INVALID;
        }
        if (entry->type == RAFT_ENTRY_CONF && raft_conf_decode(entry->payload, &conf) != ERR_OK) {
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

static void replication_truncate(struct raft *r, raft_index from)
{
    ASSERT(from > r->commit); /* C4 */
    COVER("raft: a conflicting suffix is replaced");
    raft_log_truncate(&r->log, from);
    r->step_truncate_from = from;
    raft_step_token(r);
    members_refresh(r);
}

static void replication_reject(struct raft *r, const struct raft_message *m)
{
    struct raft_message *ack = raft_send(r, RAFT_APPEND_ACK, m->from, 0);
    ack->u.append_ack.is_success = false;
    ack->u.append_ack.prev_index = m->u.append.prev_index;
    if (m->term == r->term) {
        raft_index hint =
            raft_log_last_at_most(&r->log, m->u.append.prev_index, m->u.append.prev_term);
        ack->u.append_ack.hint_index = hint;
        ack->u.append_ack.hint_term = raft_log_term(&r->log, hint);
    }
}

uint64_t replication_ack_token(struct raft *r, raft_index match)
{
    uint64_t after = raft_log_token_of(&r->log, match);
    uint64_t hard_state = raft_hard_state_after(r);
    if (MUT(2)) {
        return 0;
    }
    after = after == UINT64_MAX ? raft_step_token(r) : after;
    return after > hard_state ? after : hard_state;
}

static void replication_follower_commit(struct raft *r)
{
    raft_index index = r->heard_commit < r->verified_index ? r->heard_commit : r->verified_index;
    if (index > r->commit) {
        raft_advance_commit(r, index);
    }
}

/* Appends what is new of the message's entries: all of them are there already, or a conflict begins
 * at one of them, or they reach beyond the log. */
static void replication_take_entries(struct raft *r, const struct raft_message *m)
{
    const struct raft_entry *entry = m->u.append.entry;
    uint32_t count = m->u.append.entry_count;
    uint32_t i = 0;
    while (
        i < count && !MUT(13) && entry[i].index <= r->log.last_index &&
        (entry[i].index <= r->commit || raft_log_term(&r->log, entry[i].index) == entry[i].term)) {
        i++;
    }
    if ((i == count && !MUT(13)) ||
        (MUT(13) && m->u.append.prev_index >= r->log.last_index && count == 0)) {
        return;
    }
    raft_index from = m->u.append.prev_index + 1 + i;
    if (from <= r->log.last_index) {
        replication_truncate(r, from);
    }
    if (i == count) {
        return;
    }
    r->step_append_first = from;
    raft_step_token(r);
    for (; i < count; i++) {
        raft_log_append_copy(&r->log, &entry[i]);
    }
    members_refresh(r);
}

void replication_on_append(struct raft *r, const struct raft_message *m)
{
    raft_index prev_index = m->u.append.prev_index;
    raft_index match = prev_index + m->u.append.entry_count;
    if (m->term < r->term) {
        replication_reject(r, m); /* E13: the answer tells the sender our term. */
        return;
    }
    raft_follow(r, m->from);
    bool is_matching =
        prev_index <= r->commit || (prev_index <= r->log.last_index &&
                                    raft_log_term(&r->log, prev_index) == m->u.append.prev_term);
    if (!is_matching) {
        replication_reject(r, m);
        return;
    }
    replication_take_entries(r, m);
    if (MUT(12)) {
        match = r->log.last_index;
    }
    r->verified_index = match > r->verified_index ? match : r->verified_index;
    r->heard_commit = m->u.append.commit > r->heard_commit ? m->u.append.commit : r->heard_commit;
    if (!r->is_matched) {
        r->is_matched = true;
        r->matched_commit = m->u.append.commit;
    }
    match = prev_index + m->u.append.entry_count;
    uint64_t after = replication_ack_token(r, match);
    struct raft_message *ack = raft_send(r, RAFT_APPEND_ACK, m->from, after);
    ack->u.append_ack.is_success = true;
    ack->u.append_ack.prev_index = prev_index;
    ack->u.append_ack.match = match;
    replication_follower_commit(r);
    election_lift_taint(r);
}

void replication_on_control_commit(struct raft *r, raft_index commit)
{
    r->heard_commit = commit > r->heard_commit ? commit : r->heard_commit;
    if (MUT(39)) {
        r->verified_index = r->log.last_index;
    }
    replication_follower_commit(r);
}

/* The leader's side again. */

/* Where to try next after a rejection: the last entry that can be common to both logs, by index and
 * term (R3). */
static void
replication_on_reject(struct raft *r, struct raft_peer *peer, const struct raft_message *m)
{
    raft_index rejected = m->u.append_ack.prev_index;
    bool is_current = peer->state == PROGRESS_REPLICATE
                          ? rejected > peer->match && rejected < peer->next
                          : rejected == peer->next - 1;
    if (!is_current || rejected == 0) {
        return; /* A late answer: what it rejects was accepted, or given up, since (R4). */
    }
    if (rejected <= peer->match) {
        if (!peer->may_have_lost) {
            return;
        }
        COVER("raft: a peer came back without what it had acknowledged");
        peer->match = 0;
    }
    raft_index next =
        raft_log_last_at_most(&r->log, m->u.append_ack.hint_index, m->u.append_ack.hint_term) + 1;
    next = next < rejected ? next : rejected;
    next = next > peer->match ? next : peer->match + 1;
    progress_probe(peer, next);
    replication_send(r, peer);
}

void replication_on_ack(struct raft *r, const struct raft_message *m)
{
    struct raft_peer *peer = members_find(r, m->from);
    if (r->role != RAFT_LEADER || peer == NULL || peer->state == PROGRESS_SNAPSHOT) {
        return;
    }
    if (!m->u.append_ack.is_success) {
        replication_on_reject(r, peer, m);
        return;
    }
    if (peer->may_have_lost && m->u.append_ack.prev_index != peer->next - 1) {
        return; /* From before the link was new. */
    }
    progress_accept(peer, m->u.append_ack.match, r->now_us);
    replication_try_commit(r);
    if (r->role == RAFT_LEADER) {
        membership_transfer_progress(r);
        peer = members_find(r, m->from); /* The commit may have removed it. */
        if (peer != NULL) {
            replication_send(r, peer);
        }
    }
}

/* The fetched entries are what the log holds there: then they match its terms at both ends (log
 * matching). */
static bool replication_fetched_is_sound(const struct raft *r, const struct raft_event *event)
{
    uint32_t count = event->u.fetched.entry_count;
    const struct raft_entry *entry = event->u.fetched.entry;
    raft_index prev_index = event->u.fetched.prev_index;
    if (count == 0 || entry[0].index != prev_index + 1 ||
        entry[count - 1].index != prev_index + count ||
        entry[count - 1].index > r->log.last_index) {
        return false;
    }
    return raft_log_term(&r->log, prev_index) == event->u.fetched.prev_term &&
           raft_log_term(&r->log, entry[count - 1].index) == entry[count - 1].term;
}

void replication_on_fetched(struct raft *r, const struct raft_event *event)
{
    struct raft_peer *peer = members_find(r, event->u.fetched.peer);
    if (r->role != RAFT_LEADER || peer == NULL || peer->state != PROGRESS_REPLICATE ||
        !peer->is_fetching || event->u.fetched.prev_index != peer->next - 1) {
        return; /* For another leadership, or given up since, perhaps for a snapshot. */
    }
    peer->is_fetching = false;
    if (peer->is_link_down || progress_window_full(peer, r->options.inflight_bytes) ||
        !replication_fetched_is_sound(r, event)) {
        COVER("raft: a fetch is of no use");
        peer->fetch_us = r->now_us;
        return;
    }
    peer->fetch_us = 0;
    uint64_t bytes = 0;
    uint32_t count = 0;
    while (count < event->u.fetched.entry_count && count < RAFT_APPEND_ENTRIES) {
        *VECTOR_PUSH(&r->fetched) = event->u.fetched.entry[count];
        bytes += event->u.fetched.entry[count++].bytes.n;
    }
    replication_send_append(r, peer, count)->u.append.entry = r->fetched.item;
    progress_sent(peer, peer->next + count - 1, bytes, r->now_us);
    replication_send(r, peer);
}

/* A new link is no progress yet, or a black hole that is redialled would never be noticed; but it
 * gets two heartbeat intervals to make some. */
static void replication_keep_starved(const struct raft *r, struct raft_peer *peer)
{
    uint64_t forgiven = r->now_us + 2 * (uint64_t)r->options.heartbeat_us;
    forgiven -=
        forgiven < r->options.election_timeout_us ? forgiven : r->options.election_timeout_us;
    if (peer->starved_us != 0 && peer->starved_us < forgiven) {
        peer->starved_us = forgiven;
    }
}

void replication_on_link(struct raft *r, const struct raft_event *event)
{
    struct raft_peer *peer = members_find(r, event->u.peer_link.peer);
    if (peer == NULL) {
        return;
    }
    /* Starvation of a link that was up; on one that was down it is the news that counts. */
    if (event->u.peer_link.is_up && event->u.peer_link.is_starved && !peer->is_link_down) {
        peer->starved_us = peer->starved_us == 0 ? r->now_us : peer->starved_us;
        peer->is_told_starved = true;
        return;
    }
    bool is_relief = event->u.peer_link.is_up && !peer->is_link_down && peer->is_told_starved;
    peer->is_told_starved = false;
    peer->is_link_full = is_relief && peer->is_link_full;
    peer->is_link_down = !event->u.peer_link.is_up;
    if (is_relief || r->role != RAFT_LEADER) {
        peer->starved_us = 0;
        return;
    }
    if (peer->starved_us == 0 && peer->match < r->log.last_index) {
        peer->starved_us = r->now_us;
    }
    /* Nothing of it is known in this term yet: its log most likely ends where ours does, not at entry 1. */
    progress_probe(peer, peer->match == 0 ? r->log.last_index + 1 : peer->match + 1);
    if (event->u.peer_link.is_up) {
        replication_keep_starved(r, peer);
        peer->may_have_lost = true;
        replication_send(r, peer);
    }
}

void replication_on_room(struct raft *r, const struct raft_event *event)
{
    struct raft_peer *peer = members_find(r, event->u.peer_room.peer);
    if (peer == NULL) {
        return;
    }
    peer->is_link_full = !event->u.peer_room.has_room;
    if (peer->is_link_full) {
        COVER("raft: a link takes no more for now");
    } else if (r->role == RAFT_LEADER) {
        replication_send(r, peer);
    }
}
