#ifndef NODE_PEER_MESSAGE_H
#define NODE_PEER_MESSAGE_H

#include "base/buf.h"
#include "base/err.h"
#include "raft/types.h"

/* What nodes say to each other over a link: an envelope, then what the kind says. One version for all of it; the
 * handshake's feature level guards additions. */
enum peer_kind {
    /* raft_message; on control or bulk as raft_message_is_bulk says */
    PEER_RAFT = 1,
    /* bulk: u64 term meant for, u64 session, u32 count, then encoded entries (header room included) in order of seq */
    PEER_FORWARD,
    /* bulk, leader to origin: u64 term, u64 session, u64 tail */
    PEER_TAIL,
    /* bulk, origin to leader: u64 session. "Tell me my tail again" */
    PEER_TAIL_REQUEST,
    /* control, to the leader: a proposal's payload without a seq (OPEN, CLOSE, CANCEL) */
    PEER_PROPOSE,
    /* control, to the leader: u64 batch, u8 level */
    PEER_READ_REQUEST,
    /* control, leader to asker: u64 batch, u8 is_ready, u64 index, u64 log time ms */
    PEER_READ_INDEX,
    /* control, to the leader: u64 log time ms that must be reached by an entry */
    PEER_PULSE,
    /* control, to a BLANK member: u64 cluster, u64 list hash, u32 count, then encoded entries from index 1 */
    PEER_ADOPT,
    /* control, from an adopted member: u64 cluster */
    PEER_ADOPTED,
    /* control, from the leader: u32 count, then (u64 id, u64 match, u8 flags: 1 in sync, 2 reachable) each */
    PEER_STATUS,
    /* control, to the leader: u64 number, u8 is_retry, plan (change_plan.h) */
    PEER_CHANGE,
    /* control, leader to asker: u64 number, u8 enum ask_state, text (u16 size), u8 has_plan, plan */
    PEER_CHANGED,
    /* probe link, from a BLANK node: empty. "I was started with --join" */
    PEER_JOIN,
    /* probe link, back: text (u16 size); empty: it is under way */
    PEER_JOIN_ANSWER,
    /* control, to a BLANK node: u64 cluster, u64 id meant, 2 u64 hash seed, its address (u16 size). Answered by ADOPTED */
    PEER_TAKE_IN,
    /* control, in test mode only: u8 1 cut yourself off, 0 come back (cut.c) */
    PEER_CUT,
    /* control, to everybody: u64 batch, u32 count, then (u8 is_shard, blob channel, blob message) each; publish.c */
    PEER_PUBLISH,
    /* control, back to its sender: u64 batch, u32 count, then u64 receivers each */
    PEER_PUBLISHED,
    /* control, to all members: u8 enum verify_kind, u64 index, u64 digest of the state there */
    PEER_DIGEST,
    /* control, once per link: where clients reach the sender (announce.c) */
    PEER_ANNOUNCE,
};
#define PEER_KIND_LAST PEER_ANNOUNCE

/* What the sender refuses to append now, or would as a leader. */
enum peer_refusal {
    PEER_REFUSES_MEMORY = 1,
    PEER_REFUSES_DISK = 2,
};

#define PEER_MESSAGE_VERSION 1
#define PEER_ENVELOPE_BYTES 52

/* On every message:
 *
 *    0 u8  kind
 *    1 u8  PEER_MESSAGE_VERSION
 *    2 u8  enum peer_refusal bits
 *    3 u8  zero
 *    4 u64 log time, Unix ms, continued by the sender; 0: it heard no leader since its boot
 *   12 u64 its wall clock, Unix ms
 *   20 u64 bytes it ever put on this pair's present bulk link
 *   28 u64 bytes it ever received on it
 *   36 u64 its applied index
 *   44 u32 its number of that link: grows with each that comes up
 *   48 u32 the receiver's number of it, as heard on the link itself; 0: nothing was heard on it yet
 *
 * The two counts are how a bulk link that is open but carries nothing is noticed (DESIGN §4), in both directions. The
 * numbers say which link they count: an envelope may be older than the link. */
struct peer_envelope {
    enum peer_kind kind;
    uint8_t refuses;
    int64_t log_time_ms;
    int64_t wall_ms;
    uint64_t bulk_sent;
    uint64_t bulk_received;
    raft_index applied;
    uint32_t bulk_number;
    uint32_t bulk_number_heard;
};

void peer_envelope_encode(const struct peer_envelope *envelope, uint8_t at[PEER_ENVELOPE_BYTES]);
/* Splits a message into envelope and body. ERR_CORRUPT, ERR_FORMAT (version or kind not known). */
MUST_CHECK enum err peer_envelope_decode(struct slice message, struct peer_envelope *envelope, struct slice *body);

#endif
