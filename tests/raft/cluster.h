#ifndef TESTS_RAFT_CLUSTER_H
#define TESTS_RAFT_CLUSTER_H

#include "base/buf.h"
#include "base/prng.h"
#include "raft/raft.h"

/* A cluster of rafts in memory, driven by hand: messages wait in one queue until they are delivered
 * or dropped, persists wait in one queue per node until they are completed, clocks stand until they
 * are moved. Every step is watched by a ghost that knows what must never happen; it reports through
 * cluster_fail and the test ends. */

#define CLUSTER_NODES 7
#define CLUSTER_TERMS 4096

/* A message under way, with its entries' bytes. */
struct wire {
    struct raft_message message;
    struct raft_entry *entry;
    uint8_t *bytes;
    uint64_t after_token; /* while held by its sender */
    uint64_t sent_us;
};

struct disk_entry {
    uint8_t *bytes;
    size_t size;
};

/* What one persist will write. */
struct disk_write {
    uint64_t token;
    bool has_hard_state;
    struct raft_hard_state hard_state;
    raft_index truncate_from;
    raft_index first;
    struct disk_entry *entry;
    uint32_t entry_count;
};

struct cluster_node {
    raft_id id;
    struct raft *raft; /* NULL: down */
    struct raft_options options;
    uint64_t boot_seed;
    int32_t rate_ppm; /* of its clock against the world's */
    uint64_t wake_us;
    bool is_tainted;     /* its next life knows that its log was damaged (P9) */
    bool is_manual_disk; /* persists wait for cluster_persist */

    struct raft_hard_state hard_state; /* durable */
    struct disk_entry *disk;           /* durable entries 1 .. disk_count */
    uint32_t disk_count;
    uint32_t disk_capacity;
    struct disk_write *write; /* handed out, not durable */
    uint32_t write_count;
    struct wire *held; /* messages that wait for a token */
    uint32_t held_count;

    raft_index applied;
    bool was_removed;
    enum raft_change_result change_result;
};

struct ghost_read {
    uint64_t context;
    raft_index floor; /* committed anywhere when it was asked */
    raft_id node;
};

struct read_result {
    uint64_t context;
    raft_id node;
    raft_index index;
    bool is_ready;
};

struct ghost {
    raft_id leader_of[CLUSTER_TERMS];
    raft_id vote_of[CLUSTER_NODES + 1][CLUSTER_TERMS];
    struct {
        raft_term term;
        uint32_t crc;
    } * committed;              /* [index] */
    raft_index committed_count; /* highest committed index */
    raft_index committed_capacity;
    struct ghost_read *read;
    uint32_t read_count;
};

struct cluster {
    uint64_t now_us;
    uint32_t node_count; /* ids 1 .. node_count */
    struct cluster_node node[CLUSTER_NODES + 1];
    struct wire *wire;
    uint32_t wire_count;
    uint32_t wire_capacity;
    struct read_result *result; /* answered reads, oldest first */
    uint32_t result_count;
    struct ghost ghost;
    struct buf trace;                                  /* one line per event worth telling */
    char failure[512];                                 /* first thing that went wrong; "" */
    bool is_cut[CLUSTER_NODES + 1][CLUSTER_NODES + 1]; /* [from][to]: messages delivered are lost */
    bool is_bulk_cut;                                  /* appends delivered are lost */
    bool has_tail_only; /* restarts give raft only the newest entries */
};

/* Nodes 1..node_count, of which the first `voter_count` are the voters of the configuration at
 * index 1 (the others are down and in no configuration until started). `options` gives all but id
 * and seed. */
void cluster_init(struct cluster *c,
                  uint32_t node_count,
                  uint32_t voter_count,
                  const struct raft_options *options,
                  uint64_t seed);
void cluster_deinit(struct cluster *c);
struct raft_options cluster_options(void);
struct cluster_node *cluster_node(struct cluster *c, raft_id id);
/* Its own clock. */
uint64_t cluster_clock(const struct cluster *c, const struct cluster_node *n);

/* Start from what is durable; a node in no configuration starts empty. */
void cluster_start(struct cluster *c, raft_id id);
/* Lose everything that isn't durable, but for the first `surviving` of the waiting persists. */
void cluster_crash(struct cluster *c, raft_id id, uint32_t surviving);

/* A node that is down loses all durable entries beyond `keep`, and knows it. */
void cluster_damage(struct cluster *c, raft_id id, raft_index keep);

enum err cluster_step(struct cluster *c, raft_id id, struct raft_event *event);
void cluster_tick(struct cluster *c, raft_id id);
/* Moves the world's clock and ticks who wants to wake. */
void cluster_advance(struct cluster *c, uint64_t us);
enum err cluster_propose(struct cluster *c, raft_id id, const char *const *payload, uint32_t count);
enum err cluster_read(struct cluster *c, raft_id id, uint64_t context, enum raft_read_level level);
/* Completes the oldest `count` persists of a node. */
void cluster_persist(struct cluster *c, raft_id id, uint32_t count);
void cluster_persist_all(struct cluster *c);
/* The i-th waiting message: to its receiver (nothing happens if that is down), or away. */
void cluster_deliver(struct cluster *c, uint32_t i);
void cluster_drop(struct cluster *c, uint32_t i);
void cluster_duplicate(struct cluster *c, uint32_t i);
/* Delivers and persists (manual disks too if `and_persist`) until nothing moves. */
void cluster_settle(struct cluster *c, bool and_persist);
/* Advances in small steps, delivering all. */
void cluster_run(struct cluster *c, uint64_t us, bool and_persist);
/* Everything committed is applied; called by all of the above. */
void cluster_apply(struct cluster *c, raft_id id);

raft_id cluster_leader(const struct cluster *c); /* of the highest term; 0 */
struct raft_status cluster_status(const struct cluster *c, raft_id id);
/* Campaigns now: moves the clock of no one, makes the election timer of `id` run out by a tick in
 * its future. */
void cluster_campaign(struct cluster *c, raft_id id);
void cluster_fail(struct cluster *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "1>2 append 3/1 +2 c2" */
void cluster_describe(const struct raft_message *m, struct buf *out);
/* A configuration of the ids in `voters` and `learners` (bit i: id i). */
void cluster_conf(struct raft_conf *conf, uint32_t voters, uint32_t learners);

#endif
