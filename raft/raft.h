#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include "raft/message.h"
#include "raft/types.h"

/* Consensus as one function: raft_step(event) -> update. Pure: no I/O, no clock, no rand(), no threads; time and
 * entropy come in with events and options, so a run is replayed from its events.
 *
 * The driver's contract, in this order for each update:
 *   1. messages with after_token == 0 may be sent at once, also before anything is durable;
 *   2. persist (if has_persist) is handed to the disk; when it is durable the driver steps PERSISTED with its token.
 *      Tokens strictly increase; a PERSISTED(t) says that all of tokens <= t are durable, in order;
 *   3. messages with after_token == t are sent once PERSISTED(t) was seen by the driver, unless raft_message_is_stale says that the
 *      term has moved on (E19);
 *   4. entries up to `commit` may be applied (they may not be locally durable yet); step APPLIED now and then;
 *   5. wake_at_us: step TICK no later than that.
 * Slices and pointers in an update are borrowed until the next raft_step on the same object; entries' bytes live
 * as long as their chunk: whoever needs them longer takes a chunk_ref (a persist job does).
 */

struct raft;

enum raft_role { RAFT_FOLLOWER, RAFT_PRE_CANDIDATE, RAFT_CANDIDATE, RAFT_LEADER };

/* How long burst_bytes last. */
#define RAFT_BURST_US 1000

struct raft_options {
    raft_id id;
    uint64_t seed;                  /* for election timeouts only */
    uint32_t heartbeat_us;          /* default 50,000 */
    uint32_t election_timeout_us;   /* T: timeouts are uniform in [T, 2T); default 300,000 */
    uint32_t lease_us;              /* 0: no leases given. Else < election_timeout * (1 - drift) */
    uint32_t lease_drift_ppm;       /* clock rate error assumed between any two nodes */
    uint32_t lease_wait_us;         /* longest lease that any node may give: a restarted voter waits for it, whatever its own
                                     * lease_us (E14); 0: its own decides */
    uint64_t memory_bytes;          /* bound of the tail kept in memory beyond what must be kept */
    uint64_t uncommitted_bytes;     /* proposals beyond it: ERR_BUSY (no-op and configuration exempt) */
    uint32_t inflight_messages;     /* per peer window */
    uint64_t inflight_bytes;
    uint32_t append_bytes;          /* cap of one append's entries, at least one entry always fits */
    uint32_t burst_bytes;           /* entries to one peer within RAFT_BURST_US, whatever its window: copying and sealing 16 MiB in
                                     * one turn of the driver's loop would delay heartbeats; 0: no bound */
};

/* What the log held when the node started. */
struct raft_start {
    struct raft_hard_state hard_state;
    raft_index first_index;           /* of the first entry on disk; 1 for a log never compacted */
    raft_index last_index;            /* 0: empty */
    raft_term last_term;
    raft_term prev_term;              /* term of entry first_index - 1; 0 when first_index is 1 */
    const struct raft_entry *entry;   /* the newest entries, contiguous, ending at last_index: the first memory tail */
    uint32_t entry_count;
    uint32_t term_run_count;          /* runs of equal terms over [first_index, last_index], oldest first; may be 0 when `entry` reaches back to first_index */
    const struct raft_term_run *term_run;
    uint32_t conf_count;              /* every configuration in the log (and before it), oldest first */
    const struct raft_conf *conf;
    const raft_index *conf_index;
    raft_index commit;                /* known to be committed: the index of the node's snapshot; 0: nothing */
    bool may_not_vote;                /* tainted log (P9): no vote, no campaign until caught up */
    raft_term vote_only_above;        /* SUSPECT log (amended P9): votes only in terms above this; 0: no limit */
    raft_term vote_last_term;         /* SUSPECT log: votes (also its own) only for logs whose (last term, last index) */
    raft_index vote_last_index;       /* ... is at least this, the bad batch's end; 0: no limit */
};

/* A member's first life: an empty log and no configuration (it waits), or, through raft_new with a configuration
 * entry 1 already durable, a formed cluster. Copies what it needs. Returns owned. `now_us`: CLOCK_BOOTTIME. The driver
 * steps TICK once right after it, to learn when to wake. */
struct raft *raft_new(const struct raft_options *options, const struct raft_start *start, uint64_t now_us);
void raft_free(struct raft *r);

enum raft_event_type {
    RAFT_EVENT_TICK,
    RAFT_EVENT_RECEIVE,
    RAFT_EVENT_PROPOSE,
    RAFT_EVENT_READ,
    RAFT_EVENT_PERSISTED,
    RAFT_EVENT_APPLIED,
    RAFT_EVENT_FETCHED,       /* older entries read from disk for a lagging peer */
    RAFT_EVENT_CHUNK,         /* of the snapshot file, read for a peer */
    RAFT_EVENT_STORED,        /* a received chunk was written */
    RAFT_EVENT_INSTALLED,     /* the received snapshot is loaded, and its file has its name durably. Its index must be above commit */
    RAFT_EVENT_COMPACTED,     /* the log on disk begins at `first_index` now */
    RAFT_EVENT_PEER_LINK,     /* a peer's bulk link came up or went down: probe anew / stop the window */
    RAFT_EVENT_PEER_ROOM,     /* a peer's bulk link takes no more for now, or again: append no further / go on. A new link has room */
    RAFT_EVENT_NUDGE,         /* tell `peer` the commit index now if it wasn't told yet */
    RAFT_EVENT_TRANSFER,
    RAFT_EVENT_CHANGE,        /* membership */
    RAFT_EVENT_CANCEL,        /* back from a joint phase of this leader's making that isn't committed: ERR_INVALID if there is none */
    RAFT_EVENT_LEADER_LOST,   /* the leader's connection broke: its process has probably ended. A hint, pre-vote asks the others */
    RAFT_EVENT_STEP_DOWN,     /* leader only: its disk stalls or the node wants out; becomes follower, does not campaign for one timeout */
};

enum raft_read_level { RAFT_READ_QUORUM, RAFT_READ_LEASE };

struct raft_event {
    enum raft_event_type type;
    uint64_t now_us; /* CLOCK_BOOTTIME, never decreasing */
    union {
        const struct raft_message *message; /* RECEIVE; borrowed */
        struct {
            struct chunk *chunk; /* encoded entries (entry_begin), contiguous from `offset`; raft takes its own references */
            size_t offset;
            uint32_t count;
            bool is_exempt; /* not refused for uncommitted_bytes (CANCEL) */
        } propose;
        struct {
            uint64_t context; /* returned with the result; the driver's batch number */
            enum raft_read_level level;
        } read;
        uint64_t persisted_token;
        raft_index applied;
        struct {
            raft_id peer;
            raft_index prev_index;
            raft_term prev_term;
            const struct raft_entry *entry; /* borrowed; count 0 = could not be read, try later */
            uint32_t entry_count;
        } fetched;
        struct {
            raft_id peer;
            struct raft_snapshot_id id; /* the file it is of; index 0: there is none now, try later */
            uint64_t offset;            /* as asked */
            struct slice data;          /* borrowed; empty at the end of the file */
        } chunk;
        struct {
            struct raft_snapshot_id id;
            uint64_t offset;            /* that this node has */
        } stored;
        struct {
            struct raft_snapshot_id id;
            const struct raft_conf *conf; /* in force at its index */
            raft_index conf_index;
        } installed;
        raft_index first_index; /* COMPACTED: at most applied + 1 */
        struct {
            raft_id peer;
            bool is_up;
            bool is_starved; /* is_up: bytes outstanding and no progress (from received-bytes counts) for check-quorum */
        } peer_link;
        struct {
            raft_id peer;
            bool has_room;
        } peer_room;
        raft_id nudge_peer;
        raft_id lost_peer;
        raft_id transfer_to; /* 0: the best follower */
        const struct raft_conf *change_to; /* the wanted final configuration, not joint */
    } u;
};

struct raft_outgoing {
    struct raft_message message;
    uint64_t after_token; /* 0: at once */
};

enum raft_read_status {
    RAFT_READ_READY,  /* serve when applied >= index */
    RAFT_READ_FAILED, /* leadership lost before it was confirmed: retry elsewhere (L4) */
};
struct raft_read {
    uint64_t context;
    raft_index index;
    enum raft_read_status status;
};

struct raft_fetch {
    raft_id peer;
    raft_index first; /* wanted: entries from here, and the term of first - 1 */
    uint32_t max_bytes;
};

/* A chunk of the node's snapshot file for a peer: of `id`, or of the newest if that is gone (index 0: of any). Answered by
 * RAFT_EVENT_CHUNK; one with index 0 says that there is none for now, and Raft asks again after a heartbeat. */
struct raft_chunk_request {
    raft_id peer;
    struct raft_snapshot_id id;
    uint64_t offset;
};

enum raft_change_result { RAFT_CHANGE_NONE, RAFT_CHANGE_DONE, RAFT_CHANGE_FAILED };

struct raft_update {
    /* 2. durable work: written in this order: hard state, reset, truncation, entries */
    bool has_persist;
    uint64_t token;
    bool has_hard_state;
    struct raft_hard_state hard_state;
    raft_index reset_index;           /* the log is emptied and goes on behind this entry of that term (a snapshot); 0: no */
    raft_term reset_term;
    raft_index truncate_from;         /* entries >= it are replaced (logically); 0: none */
    const struct raft_entry *entry;   /* to append */
    uint32_t entry_count;

    const struct raft_outgoing *outgoing;
    uint32_t outgoing_count;
    const struct raft_read *read;
    uint32_t read_count;
    const struct raft_fetch *fetch;
    uint32_t fetch_count;
    const struct raft_chunk_request *chunk_request;
    uint32_t chunk_request_count;
    const struct raft_message *chunk; /* RECEIVE of RAFT_SNAPSHOT: to be stored; NULL otherwise. Answered by STORED */

    raft_index commit;
    raft_index first_proposed;        /* PROPOSE: index given to the first entry; 0 otherwise */
    bool role_changed;                /* role, term or leader differ from before the step */
    bool conf_changed;                /* the effective configuration differs */
    bool is_removed;                  /* this node learnt that it is no longer a member */
    enum raft_change_result change_result;
    uint64_t wake_at_us;
};

/* One step. On an error nothing has changed and *update is empty but for wake_at_us and commit.
 * PROPOSE: ERR_NOT_LEADER; ERR_BUSY (uncommitted bytes, or a transfer is under way). READ: ERR_NOT_LEADER.
 * CHANGE, TRANSFER: ERR_NOT_LEADER, ERR_BUSY (one at a time, J6), ERR_INVALID. RECEIVE: ERR_INVALID for nonsense a correct
 * peer never sends (the driver closes the link). */
MUST_CHECK enum err raft_step(struct raft *r, const struct raft_event *event, struct raft_update *update);

/* True when a held message (after_token) must be dropped because the term moved on. */
bool raft_message_is_stale(const struct raft *r, const struct raft_message *message);

/* State, for status and the driver. */
struct raft_status {
    raft_id id;
    enum raft_role role;
    raft_term term;
    raft_id vote;
    raft_id leader;          /* 0: none known */
    raft_index first_index;  /* of the log, on disk */
    raft_index memory_first; /* of the tail in memory */
    raft_index last_index;
    raft_term last_term;
    raft_index durable_index; /* own disk */
    raft_index commit;
    raft_index applied;
    raft_index term_start;   /* leader: index of its no-op; 0 otherwise */
    uint64_t uncommitted_bytes;
    uint64_t leader_contact_us; /* when the leader was last heard; 0 never */
    bool is_transferring;
    bool can_vote;
    bool is_tainted; /* the log was damaged and has not caught up: votes are restricted (P9) */
};
void raft_get_status(const struct raft *r, struct raft_status *status);

/* The effective configuration (newest in the log) and its index. Borrowed until the next step. */
const struct raft_conf *raft_get_conf(const struct raft *r, raft_index *index);

/* Leader: what it knows of a peer. False when it isn't one or `id` is no member. */
struct raft_peer_status {
    raft_id id;
    raft_index match;
    raft_index next;
    uint64_t last_ack_us;  /* newest acknowledged message; 0 never */
    uint32_t inflight_messages;
    uint64_t inflight_bytes;
    bool is_probing;
};
bool raft_get_peer(const struct raft *r, raft_id id, struct raft_peer_status *status);

/* The entry at `index`, if the memory tail holds it (every entry above `applied` is held). Borrowed until the next step,
 * longer with a chunk_ref. */
bool raft_get_entry(const struct raft *r, raft_index index, struct raft_entry *entry);
/* The term of entry `index` if known from memory (or the boundary), else 0. */
raft_term raft_get_term(const struct raft *r, raft_index index);

/* Leader: true while its lease holds at now_us (read the clock AFTER the request was read, L5), and an entry of its term is
 * committed; then a read at the commit index is linearizable without a round. */
bool raft_lease_holds(const struct raft *r, uint64_t now_us);

/* Every invariant that one node can check about itself (R..., I9, I14): for debug and simulator builds; asserts. */
void raft_check(const struct raft *r);

#endif
