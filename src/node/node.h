#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "commands/command_row.h"
#include "node/env.h"
#include "node/options.h"
#include "raft/raft.h"

/* One cluster member: raft + keyspace + commands + storage, without sockets, threads or clocks. net/ drives it in the server, the
 * simulator in tests; both run the same objects. Single-threaded but for disk jobs.
 *
 * A driver's iteration: feed what arrived (client_process, node_link_message, node_disk_done), then node_iterate once (before the
 * loop sleeps: ev_prepare), which steps Raft with the whole batch, sends, applies, serves reads; then write out every client and
 * link that has output. Sleep no longer than node_wake_us. */
struct node;

/* Opens the data directory (blocking), recovers, starts. The options and table are borrowed for the node's life; the
 * options may change between calls (CONFIG SET). On an error logs one plain sentence and returns NULL with *error. */
struct node *node_open(const struct node_env *env, struct options *options, const struct command_table *table, enum err *error);
/* Stops without ceremony: as after a crash, but in an orderly process. All clients must be closed before. */
void node_close(struct node *n);
/* A clean shutdown, in two parts; call each, with node_iterate between, until it returns true. First leadership goes to another node, where that can
 * be: clients are served meanwhile. */
bool node_hand_over(struct node *n);
/* Then, when no client is served any more: the session's CLOSE. New writes are refused from the first call on. */
bool node_drain(struct node *n);

void node_iterate(struct node *n);
/* When node_iterate must run again at the latest, µs. */
uint64_t node_wake_us(const struct node *n);

void node_disk_done(struct node *n, struct disk_job *job);

/* Links. Hello for an inbound connection of that role: */
void node_get_hello(struct node *n, enum link_role role, struct peer_hello *mine);
/* A handshake completed. Inbound: draws an id into *id. False: refused and logged, `reason` (>= 256 bytes) says why; the environment
 * tells the peer and closes. */
bool node_link_up(struct node *n, link_id *id, bool is_inbound, const struct peer_hello *theirs, char *reason);
void node_link_message(struct node *n, link_id id, struct slice message);
/* So many bytes of the next message are in. Told as they come, so that a big message on a slow link is no silence. */
void node_link_progress(struct node *n, link_id id, size_t pending_bytes);
/* Closed, could not be made, or refused by the peer; why is a plain phrase. */
void node_link_down(struct node *n, link_id id, const char *why, bool was_refused);

/* For rows, INFO and tests. */
const struct options *node_options(const struct node *n);
const struct node_env *node_environment(const struct node *n);
struct keyspace *node_keyspace(struct node *n);
const struct command_table *node_commands(const struct node *n);
const struct raft *node_raft(const struct node *n); /* NULL while BLANK */

/* Who leads, as clients are told (discovery.c): changes only after a new leader's first commit. */
struct node_leader {
    raft_id id;    /* 0: none was ever known */
    bool is_self;
    bool is_alive; /* it is known and heard right now */
};
void node_find_leader(struct node *n, struct node_leader *leader);
/* Where a client at address `client` reaches that member. */
struct place;
void node_find_place(struct node *n, raft_id id, const char *client, struct place *place);

struct node_status {
    bool is_blank;
    uint64_t cluster_id;
    raft_id id;
    uint64_t incarnation;
    struct raft_status raft;         /* zero while BLANK */
    raft_index applied;
    const char *leader_address;      /* "" if none known; borrowed */
    const char *own_address;
    uint64_t session_number;
    bool session_is_open;
    uint64_t forwards_pending;       /* writes of own clients under way */
    uint64_t forward_bytes;
    uint64_t reads_served_locally;   /* answered from this node's own state, all levels */
    uint64_t reads_pending;
    uint64_t disk_syncs;
    uint64_t disk_bytes;
    uint64_t disk_bytes_512;         /* what the same batches take on 512-byte and on 4-KiB sectors */
    uint64_t disk_bytes_4096;
    uint64_t log_file_bytes;
    uint64_t log_record_bytes;
    uint64_t elections;              /* role changes to candidate since start */
    int64_t log_time_ms;             /* of the last applied entry */
    bool is_disk_full;
    const char *change;              /* the membership change that this node leads, or "idle"; borrowed until the next call */
    uint64_t used_ids;               /* ids that ever were in a configuration */
    const char *trouble;             /* NULL, or one sentence: waiting for nodes, wiped disk, no quorum, ... */
};
void node_get_status(struct node *n, struct node_status *status);

/* How it keeps its pace: pace.h. The loop tells its turns. */
struct pace;
struct pace *node_pace(struct node *n);

/* Snapshots of this node. */
struct node_snapshot_status {
    raft_index index;                /* of the newest; 0: none yet */
    uint64_t bytes;
    int64_t saved_ms;                /* wall clock when the newest was durable, or known to be still true; since the start if never */
    bool is_running;
    uint64_t running_us;
    uint64_t last_us;                /* how long the last one took */
    bool last_failed;
    uint64_t taken;
    uint64_t kept_bytes;             /* now kept alive for the one under way ... */
    uint64_t kept_peak_bytes;        /* ... at most, so far ... */
    uint64_t last_kept_bytes;        /* ... and for the last one, at most */
    uint64_t keys_walked, keys_total; /* of the one under way; keys are made and removed meanwhile, so walked may pass total */
    uint64_t keys_loaded;            /* by the last one taken from a file: at start, or received */
    bool is_loading;                 /* at start */
    uint64_t loading_bytes, loading_done, loading_us, loading_memory;
    bool is_replaying;               /* then the log behind it */
    bool is_receiving;
    uint64_t receiving_bytes, receiving_done;
};
void node_get_snapshot(const struct node *n, struct node_snapshot_status *status);
/* Begins one, if there is anything new. False: one is under way, or the data are not there to be saved (blank, loading). */
bool node_snapshot(struct node *n);

/* A backup of this node's data into a file that must not exist yet, while it goes on: a snapshot file, for `coracle restore`. Returns
 * its number, 0 and an error text (with its code word, static or in the node's own buffer) when it can't begin. */
uint64_t node_backup(struct node *n, struct slice path, const char **error);
/* True when that one has ended: *error is NULL if it is good, and was read back. */
bool node_backup_ended(const struct node *n, uint64_t number, const char **error, raft_index *index, uint64_t *bytes);

/* Do all members hold the same (verify.c)? node_verify asks all for a digest; false: nobody to ask now. */
struct node_verify_member {
    raft_id id;
    const char *address;             /* borrowed until the next step */
    bool has_answered, is_equal, is_reachable;
    uint64_t digest;
};
bool node_verify(struct node *n);
/* What is known of the newest digest of an index > `after`; *index 0: this node has none yet. */
uint32_t node_get_verify(struct node *n, raft_index after, struct node_verify_member *member, uint32_t capacity, raft_index *index);
/* NULL, or a sentence: the nodes disagree and no majority agrees. */
const char *node_verify_alarm(const struct node *n);

/* One member as `status`, RAFT MEMBERS and INFO show it. */
struct node_member {
    raft_id id;
    const char *address;
    bool is_self, is_leader, is_voter, is_learner;
    bool is_reachable;               /* self, or heard from within two election timeouts */
    bool is_in_sync;                 /* leader's view, spread with heartbeats: lag below a second's worth or 1,000 entries */
    raft_index match;                /* leader's knowledge; 0 unknown */
    uint64_t last_contact_us;
};
uint32_t node_get_members(struct node *n, struct node_member *member, uint32_t capacity);

#endif
