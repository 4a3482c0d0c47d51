#ifndef RAFT_INTERNAL_H
#define RAFT_INTERNAL_H

#include "base/mutant.h"
#include "base/prng.h"
#include "raft/log.h"
#include "raft/progress.h"
#include "raft/quorum.h"
#include "raft/raft.h"

/* Shared by the rooms of raft/: raft.c (dispatch, roles, the update), members.c, election.c,
 * replication.c, read.c, membership.c. For tests and siblings only. */

/* When a heartbeat round was sent, sparsely: rounds up to the next sample count as sent then, which
 * is never too late (L5). A change of the length always begins a sample. */
struct round_sample {
    uint64_t round;
    uint64_t sent_us;
    uint32_t lease_us;
};
#define ROUND_SAMPLES 64u

struct pending_read {
    uint64_t context;
    raft_index index;
    uint64_t round; /* confirmed once a quorum acknowledged it; 0: waits for the first own-term
                       commit (L1) */
};

#define VECTOR_OF(type)                                                                            \
    struct {                                                                                       \
        type *item;                                                                                \
        uint32_t count;                                                                            \
        uint32_t capacity;                                                                         \
    }

/* Makes room for one more item and returns it, uninitialised. */
#define VECTOR_PUSH(v)                                                                             \
    ((v)->count == (v)->capacity                                                                   \
         ? (void)((v)->item = vector_grow((v)->item, &(v)->capacity, sizeof(*(v)->item)))          \
         : (void)0,                                                                                \
     &(v)->item[(v)->count++])
void *vector_grow(void *item, uint32_t *capacity, size_t item_size);

struct raft {
    struct raft_options options;
    struct prng prng;
    uint64_t now_us;
    struct raft_log log;

    /* The hard state, and the token of the persist that holds it (durable once token_durable
     * reaches it). */
    raft_term term;
    raft_id vote;
    uint64_t hard_state_token;
    uint64_t token_issued;
    uint64_t token_durable;

    enum raft_role role;
    raft_id leader;
    uint64_t leader_contact_us;
    bool is_leader_lost; /* its connection broke since it was last heard */
    uint64_t election_deadline_us;
    uint64_t promise_until_us; /* acknowledged leases: no vote before */
    uint64_t no_vote_until_us; /* promises of an earlier life, unknown (E14) */
    bool may_not_vote;         /* P9 CORRUPT */
    raft_term vote_only_above; /* P9 SUSPECT */
    raft_term vote_last_term;
    raft_index vote_last_index;
    bool was_member; /* of a committed configuration of its log */
    bool is_removed;
    enum quorum_vote vote_of[LIMIT_MEMBERS]; /* parallel to the effective configuration */

    raft_index commit;
    raft_index applied;
    raft_index heard_commit;    /* follower: highest commit heard in this term */
    raft_index verified_index;  /* follower: highest index verified by an append of this term */
    bool is_matched;            /* follower: an append of this term was accepted, in this life ... */
    raft_index matched_commit;  /* ... and what the first one said was committed (P9) */
    uint64_t uncommitted_bytes; /* of entries above commit in memory */

    /* The effective configuration's members but this node, and, until it is committed, those of the
     * one before it (J15). */
    VECTOR_OF(struct raft_peer) peers;
    raft_index peers_conf_index; /* index and term of the configuration that peers was made for */
    raft_term peers_conf_term;
    bool peers_have_previous;
    int32_t member_peer[LIMIT_MEMBERS]; /* position in peers of conf->member[i]; -1: this node */

    /* Leader only. */
    raft_index term_start;
    uint64_t round;
    struct round_sample
        sample[ROUND_SAMPLES]; /* ring, newest at (sample_count - 1) % ROUND_SAMPLES */
    uint64_t sample_count;
    uint64_t heartbeat_due_us;
    uint64_t maintain_due_us;
    uint64_t burst_due_us; /* C7; UINT64_MAX: nobody waits for it */
    raft_id transfer_to;
    uint64_t transfer_deadline_us;
    bool has_sent_timeout_now; /* in this term: leases stay off, since it may arrive at any later
                                  time (L6) */
    bool is_transfer_sent;     /* TIMEOUT_NOW of the present transfer */
    bool is_changing;          /* a CHANGE was accepted and isn't done */
    VECTOR_OF(struct pending_read) reads;
    uint32_t reads_done; /* reads.item[0 .. reads_done) were answered */

    /* The update under construction. */
    VECTOR_OF(struct raft_outgoing) outgoing;
    VECTOR_OF(struct raft_read) read_results;
    VECTOR_OF(struct raft_fetch) fetches;
    VECTOR_OF(struct raft_chunk_request) chunk_requests;
    bool step_has_chunk;
    raft_index step_reset_index;
    raft_term step_reset_term;
    VECTOR_OF(struct raft_entry) fetched; /* entries passed through from FETCHED */
    struct buf *scratch;
    bool step_has_persist;
    bool step_has_hard_state;
    raft_index step_truncate_from;
    raft_index step_append_first;
    enum raft_change_result step_change_result;
    bool step_is_removed;
};

/* raft.c */
/* The effective configuration: newest in the log; an empty one when there is none. */
const struct raft_conf *raft_conf_of(const struct raft *r);
raft_index raft_conf_index_of(const struct raft *r);
/* The token this step's persist will have; says that there is one. */
uint64_t raft_step_token(struct raft *r);
/* 0 if the hard state is durable, else the token that makes it so. */
uint64_t raft_hard_state_after(const struct raft *r);
void raft_set_term(struct raft *r, raft_term term, raft_id vote);
struct raft_message *
raft_send(struct raft *r, enum raft_message_type type, raft_id to, uint64_t after_token);
/* Follower of `leader` (0: unknown) in `term` >= the present one. */
void raft_become_follower(struct raft *r, raft_term term, raft_id leader);
void raft_become_leader(struct raft *r);
/* Follower: a valid message of the present term's leader came (E5). */
void raft_follow(struct raft *r, raft_id leader);
/* Commit grows to `index`; drops what only uncommitted configurations needed. */
void raft_advance_commit(struct raft *r, raft_index index);
/* Configurations up to `committed` can't be rolled back any more: was this node in one of them? */
void raft_note_membership(struct raft *r, raft_index committed);
/* Append an entry of the leader's own making. */
void raft_append_own(struct raft *r, enum raft_entry_type type, struct slice payload);

/* members.c */
struct raft_peer *members_find(struct raft *r, raft_id id);
/* The configuration stack or the commit index changed: peers follow. */
void members_refresh(struct raft *r);
/* value[i] for each member of the effective configuration, from its peer or `own`. */
enum peer_value { PEER_MATCH, PEER_ROUND, PEER_CONTACT };
void members_collect(const struct raft *r, enum peer_value kind, uint64_t own, uint64_t *value);
/* Leader: steps down if it has not heard from a quorum for an election timeout (E12). */
void members_check_quorum(struct raft *r);

/* election.c */
void election_reset_timer(struct raft *r);
void election_tick(struct raft *r);
void election_campaign(struct raft *r, bool is_transfer);
bool election_may_campaign(const struct raft *r);
void election_on_persisted(struct raft *r);
void election_on_request(struct raft *r, const struct raft_message *m);
void election_on_reply(struct raft *r, const struct raft_message *m);
void election_on_leader_lost(struct raft *r, raft_id peer);
void election_on_removed(struct raft *r, const struct raft_message *m);
/* The vote restriction of a damaged log lifts once it has caught up (P9). */
bool election_is_tainted(const struct raft *r);
void election_lift_taint(struct raft *r);

/* replication.c */
void replication_start(struct raft *r);
void replication_send(struct raft *r, struct raft_peer *peer);
void replication_broadcast(struct raft *r);
void replication_broadcast_commit(struct raft *r);
void replication_maintain(struct raft *r);
void replication_try_commit(struct raft *r);
enum err replication_propose(struct raft *r, const struct raft_event *event);
enum err replication_check_append(const struct raft *r, const struct raft_message *m);
void replication_on_append(struct raft *r, const struct raft_message *m);
void replication_on_ack(struct raft *r, const struct raft_message *m);
/* A commit index came over a control message. */
void replication_on_control_commit(struct raft *r, raft_index commit);
void replication_on_fetched(struct raft *r, const struct raft_event *event);
void replication_on_link(struct raft *r, const struct raft_event *event);
void replication_on_room(struct raft *r, const struct raft_event *event);
void replication_nudge(struct raft *r, raft_id id);

/* The token after which entries up to `match`, and the term they were accepted in, are durable; 0:
 * they are. */
uint64_t replication_ack_token(struct raft *r, raft_index match);

/* snapshot.c */
/* The peer's next entry is no longer in the log. */
void snapshot_begin(struct raft *r, struct raft_peer *peer);
void snapshot_maintain(struct raft *r, struct raft_peer *peer);
void snapshot_on_chunk(struct raft *r, const struct raft_event *event);
void snapshot_on_ack(struct raft *r, const struct raft_message *m);
enum err snapshot_check(const struct raft *r, const struct raft_message *m);
void snapshot_on_received(struct raft *r, const struct raft_message *m);
void snapshot_on_stored(struct raft *r, const struct raft_event *event);
void snapshot_on_installed(struct raft *r, const struct raft_event *event);
void snapshot_on_compacted(struct raft *r, raft_index first_index);

/* read.c */
/* A new round: heartbeats to all peers, now. */
void read_start_round(struct raft *r);
void read_on_heartbeat(struct raft *r, const struct raft_message *m);
void read_on_heartbeat_ack(struct raft *r, const struct raft_message *m);
void read_request(struct raft *r, uint64_t context, enum raft_read_level level);
/* The first entry of the leader's own term was committed. */
void read_on_term_commit(struct raft *r);
void read_confirm(struct raft *r);
void read_fail_all(struct raft *r);
/* End of the lease, 0 when there is none. */
uint64_t read_lease_end(const struct raft *r);

/* membership.c */
enum err membership_change(struct raft *r, const struct raft_conf *to);
enum err membership_cancel(struct raft *r);
enum err membership_transfer(struct raft *r, raft_id to);
void membership_on_commit(struct raft *r, raft_index before);
void membership_transfer_tick(struct raft *r);
void membership_transfer_progress(struct raft *r);
void membership_on_timeout_now(struct raft *r, const struct raft_message *m);

#endif
