#ifndef RAFT_MESSAGE_H
#define RAFT_MESSAGE_H

#include "base/err.h"
#include "raft/conf.h"
#include "raft/entry.h"

/* Messages between members. Control messages travel on the control connection and never queue behind data; bulk ones
 * on the bulk connection (DESIGN §4). The node's envelope adds sender, receiver and incarnation; a message whose
 * sender is not who the link says never gets here (R13). Every message carries its sender's term. */
enum raft_message_type {
    /* control */
    RAFT_PREVOTE_REQUEST = 1,
    RAFT_PREVOTE_REPLY,
    RAFT_VOTE_REQUEST,
    RAFT_VOTE_REPLY,
    RAFT_HEARTBEAT,       /* leader: round, commit, lease length. No prev (DESIGN §4) */
    RAFT_HEARTBEAT_ACK,   /* echoes the round; a promise not to vote for lease_us */
    RAFT_COMMIT,          /* leader: commit advance, between heartbeats */
    RAFT_APPEND_ACK,      /* follower: sent only when what it acknowledges is durable */
    RAFT_TIMEOUT_NOW,     /* leadership transfer, §3.10 */
    RAFT_REMOVED,         /* "you are not a member since index" (E15) */
    /* bulk */
    RAFT_APPEND,          /* prev, entries, commit */
    RAFT_SNAPSHOT,        /* a chunk of a snapshot file */
    /* control */
    RAFT_SNAPSHOT_ACK,    /* how far the receiver is with it */
};

/* An append never carries more entries than this: the capacity that a receiver needs for decoding. */
#define RAFT_APPEND_ENTRIES 4096u

struct raft_message {
    enum raft_message_type type;
    raft_term term;
    raft_id from;
    raft_id to;
    union {
        struct {
            raft_term campaign_term; /* term asked for: pre-vote asks for term + 1 without having it */
            raft_term last_term;
            raft_index last_index;
            bool is_transfer;        /* bypasses leader stickiness */
        } vote_request;
        struct {
            raft_term campaign_term; /* echoed */
            bool is_granted;
        } vote_reply;
        struct {
            uint64_t round;          /* strictly increasing per leader term; acks of older rounds never confirm newer reads (L2) */
            raft_index commit;
            uint32_t lease_us;       /* how long the ack promises not to vote */
            uint64_t bulk_sent;      /* bytes the leader ever put on this peer's bulk link; filled by the node */
        } heartbeat;
        struct {
            uint64_t round;
            uint64_t bulk_received;  /* bytes ever received on the bulk link; filled by the node */
        } heartbeat_ack;
        struct {
            raft_index commit;
        } commit;
        struct {
            raft_index prev_index;
            raft_term prev_term;
            raft_index commit;
            uint32_t entry_count;
            const struct raft_entry *entry; /* borrowed: valid during the step that made or takes it */
        } append;
        struct {
            bool is_success;
            raft_index prev_index;    /* echoed from the append (R4) */
            raft_index match;         /* success: prev + count of that message, durable (P4) */
            raft_index hint_index;    /* rejection: where to try next (R3) */
            raft_term hint_term;
        } append_ack;
        struct {
            raft_index conf_index;
        } removed;
        struct {
            struct raft_snapshot_id id;
            uint64_t offset;
            struct slice data;        /* borrowed: valid during the step that made or takes it; may be empty */
        } snapshot;
        struct {
            struct raft_snapshot_id id;
            uint64_t offset;          /* what the receiver has of the file, and wants next */
            bool is_installed;        /* loaded, durable; the receiver's log goes on behind it */
        } snapshot_ack;
    } u;
};

static inline bool raft_message_is_bulk(enum raft_message_type type) { return type == RAFT_APPEND || type == RAFT_SNAPSHOT; }

/* Encoding, version byte first. An append's entries follow its head as they are in memory:
 * raft_message_encode_head writes all but the entries, so that they are sent from where they live; the same goes for the data of
 * a snapshot's chunk. */
struct buf;
void raft_message_encode_head(const struct raft_message *message, struct buf *out);
/* Decodes from foreign bytes; the entries of an append are decoded (and their checksums verified) into
 * entry[0..capacity), borrowing `bytes`. ERR_CORRUPT, ERR_FORMAT, ERR_TOO_BIG (more than `capacity` entries). `from` and `to` are left 0. */
MUST_CHECK enum err raft_message_decode(struct slice bytes, struct raft_message *message,
                                        struct raft_entry *entry, uint32_t capacity);

#endif
