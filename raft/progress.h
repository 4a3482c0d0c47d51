#ifndef RAFT_PROGRESS_H
#define RAFT_PROGRESS_H

#include "raft/raft.h"

/* What a leader knows of one other member, and how it feeds it.
 *
 *            rejected / link reset / lost window
 *   PROBE <------------------------------------- REPLICATE
 *     |  one append under way, next stays          ^  next runs ahead of match, bounded by a window
 *     '--------------------------------------------'
 *                  an append was accepted
 *
 *   PROBE, REPLICATE --> SNAPSHOT: what it needs was compacted away; back to PROBE when it is
 *   installed (snapshot.c)
 *
 *   R4  match < next always; match never decreases in a term, but for a peer that lost its log
 * (may_have_lost). */
enum progress_state { PROGRESS_PROBE, PROGRESS_REPLICATE, PROGRESS_SNAPSHOT };

/* One append under way. */
struct inflight {
    raft_index last;
    uint64_t bytes;
};

struct raft_peer {
    raft_id id;
    enum progress_state state;
    raft_index match;       /* durable there */
    raft_index next;        /* the first entry not sent yet (REPLICATE), or to try (PROBE) */
    raft_index commit_sent; /* the highest commit index it was told */
    uint64_t acked_round;   /* newest heartbeat round it answered */
    uint64_t last_ack_us;   /* newest message of this term from it */
    uint64_t poke_us;       /* newest progress, or empty probe, or first append of a window */

    bool is_probing;      /* PROBE: an append, SNAPSHOT: a chunk is under way */
    bool is_link_down;    /* kept over roles and terms */
    bool is_link_full;    /* the same: what was sent waits here, before the link */
    bool may_have_lost;   /* the link is new: perhaps also the log behind it (P9, CORRUPT) */
    bool is_told_starved; /* the driver said so last */
    uint64_t starved_us;  /* since when data waits without progress; 0: it doesn't */

    bool is_fetching;
    uint64_t
        fetch_us; /* when the fetch was asked for, or failed: not again before the retry time */

    /* SNAPSHOT: the one it is sent, index 0 until the driver named it; how much of it the peer has. */
    struct raft_snapshot_id snapshot;
    uint64_t snapshot_offset;

    struct inflight *window; /* ring of window_capacity */
    uint32_t window_start;
    uint32_t window_count;
    uint32_t window_capacity;
    uint64_t window_bytes;

    uint64_t burst_us; /* since when burst_bytes are counted */
    uint64_t burst_bytes;
};

void progress_init(struct raft_peer *peer, raft_id id, uint32_t window_messages);
void progress_deinit(struct raft_peer *peer);
/* A new leader's view: nothing known, try from `next`; counts as heard at now (J16). */
void progress_reset(struct raft_peer *peer, raft_index next, uint64_t now_us);
/* Back to probing, from `next` on; what was under way is forgotten. */
void progress_probe(struct raft_peer *peer, raft_index next);
/* An append up to `match` was accepted. True when match grew or replication begins, so that more
 * can be sent. */
bool progress_accept(struct raft_peer *peer, raft_index match, uint64_t now_us);
bool progress_window_full(const struct raft_peer *peer, uint64_t limit_bytes);
/* Were `limit_bytes` (0: no bound) sent within RAFT_BURST_US? Then no more before burst_us + RAFT_BURST_US. */
bool progress_burst_full(struct raft_peer *peer, uint64_t limit_bytes, uint64_t now_us);
/* An append with entries up to `last` is sent: next moves on. */
void progress_sent(struct raft_peer *peer, raft_index last, uint64_t bytes, uint64_t now_us);

#endif
