#ifndef TESTS_RAFT_SOLO_H
#define TESTS_RAFT_SOLO_H

#include "base/buf.h"
#include "cluster.h"

/* One raft, node 1, that is looked at from close by: its peers are messages made by hand. The
 * functions REQUIRE what they don't return. */

#define T 300000u

struct solo {
    struct raft *raft;
    struct raft_update u;
    uint64_t now_us;
    uint64_t token; /* newest handed out */
    struct buf log; /* what the start entries live in */
};

/* solo_start: node 1 of `voters` (bit set), with a log of entries of the given terms, of which the
 * first is the configuration. solo_three: of three voters, in term 2, with entries of terms 1,
 * 1, 2. solo_candidate, solo_leader, solo_ready_leader: then candidate of term 3; its leader, the
 * no-op at 4 durable here; and committed. sent: the first message of a type to a peer in the last
 * update. */
void solo_start(struct solo *s,
                struct raft_options options,
                struct raft_hard_state hard,
                uint32_t voters,
                const raft_term *term,
                uint32_t count);
void solo_three(struct solo *s);
void solo_damaged(struct solo *s); /* solo_three, but the log is damaged (P9), and its snapshot says that all it has left is committed */
void solo_end(struct solo *s);
enum err solo_step(struct solo *s, struct raft_event *event);
void solo_persisted(struct solo *s);
void solo_tick(struct solo *s, uint64_t us);
struct raft_status solo_status(const struct solo *s);
struct raft_message from(enum raft_message_type type, raft_id id, raft_term term);
enum err solo_receive(struct solo *s, struct raft_message m);
struct raft_message sent(const struct solo *s, enum raft_message_type type, raft_id to);
bool has_sent(const struct solo *s, enum raft_message_type type, raft_id to);
uint64_t sent_after(const struct solo *s, enum raft_message_type type);
void solo_vote_request(struct solo *s,
                       enum raft_message_type type,
                       raft_id id,
                       raft_term campaign,
                       raft_term last_term,
                       raft_index last_index,
                       bool is_transfer);
bool vote_granted(const struct solo *s, raft_id to);
void solo_vote_reply(struct solo *s,
                     enum raft_message_type type,
                     raft_id id,
                     raft_term term,
                     raft_term campaign,
                     bool is_granted);
enum err
solo_heartbeat(struct solo *s, raft_id id, raft_term term, uint64_t round, raft_index commit);
enum err solo_append(struct solo *s,
                     raft_id id,
                     raft_term term,
                     raft_index prev,
                     raft_term prev_term,
                     raft_index commit,
                     const raft_term *terms,
                     uint32_t count);
void solo_ack(struct solo *s, raft_id id, raft_term term, raft_index match);
enum err solo_propose(struct solo *s, uint32_t count);
void solo_candidate(struct solo *s);
void solo_leader(struct solo *s);
void solo_ready_leader(struct solo *s);
enum err solo_transfer(struct solo *s, raft_id to);

#endif
