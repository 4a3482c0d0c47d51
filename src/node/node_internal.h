#ifndef NODE_NODE_INTERNAL_H
#define NODE_NODE_INTERNAL_H

#include "base/prng.h"
#include "node/apply.h"
#include "node/batch.h"
#include "node/blocked.h"
#include "node/changes.h"
#include "node/cut.h"
#include "node/discovery.h"
#include "node/disk.h"
#include "node/driver.h"
#include "node/events.h"
#include "node/formation.h"
#include "node/forward.h"
#include "node/join.h"
#include "node/leave.h"
#include "node/log_time.h"
#include "node/membership.h"
#include "node/node.h"
#include "node/pace.h"
#include "node/peers.h"
#include "node/publish.h"
#include "node/read.h"
#include "node/request.h"
#include "node/session.h"
#include "node/snapshot.h"
#include "node/stages.h"
#include "node/verify.h"

/* The rooms of one node. Each has its own header and keeps its state in its own struct; this is where they meet. */
struct node {
    struct node_env env;
    struct options *options;
    const struct command_table *table;
    struct clients *clients;
    struct keyspace *keyspace;
    struct wal *wal;
    struct wal_identity identity;
    uint64_t incarnation;        /* starts of the directory << 20 | random bits: unlike any other life, also of a copy of it */
    struct raft *raft;           /* NULL while BLANK */
    struct prng prng;            /* jitter, timeouts, ids: never anything replicated */
    uint64_t now_us;             /* CLOCK_BOOTTIME when this call into the node began */
    uint64_t wake_us;
    uint64_t started_us;
    bool is_dead;                /* env->fatal was called: nothing more happens */
    bool is_closing;             /* node_drain was called */

    struct driver driver;
    struct disk disk;
    struct batch batch;
    struct session session;
    struct blocked blocked;
    struct forward forward;
    struct reads reads;
    struct apply apply;
    struct publish publish;
    struct discovery discovery;
    struct changes changes;      /* who hears of changes of the data */
    struct log_time log_time;
    struct peers peers;
    struct formation formation;
    struct membership membership;
    struct join join;
    struct leave leave;
    struct snapshots snapshots;
    struct verify verify;
    struct pace pace;

    bool is_cut;                 /* cut.h */
    struct events events;        /* newest log lines */
    struct log_sink storage_log; /* the environment's own, for the storage thread */
    struct stages stages;
    uint64_t elections;
    uint64_t no_leader_since_us; /* 0: there is one */
    char reason[256];            /* for error texts; borrowed by the caller until the next one */
    char trouble[320];
    char change_text[512];
};

/* Ends the node through env->fatal, with one plain sentence. */
void node_fatal(struct node *n, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Refresh now_us: the start of every call from outside. */
void node_enter(struct node *n);
/* env.bulk_memory, where there is one. */
void node_bulk_memory(const struct node *n, bool begins);
static inline bool node_is_blank(const struct node *n) { return n->raft == NULL; }
static inline bool node_is_leader(const struct node *n)
{
    return n->raft != NULL && n->driver.status.role == RAFT_LEADER;
}
/* In a cluster, but even the configuration was lost (P9: damage at the front of the log): any member may feed it. */
bool node_lacks_configuration(const struct node *n);
uint64_t node_election_timeout_us(const struct node *n);
/* Role, term or leader changed, seen right after the step that changed it. */
void node_on_role_change(struct node *n, const struct raft_status *before);
void node_on_conf_change(struct node *n);

/* Entries 1 and 2, to hand to members that are still BLANK; kept for ever, if sound and not known yet. */
void node_take_birth(struct node *n, struct slice bytes);
/* Starts Raft on what the log holds: after recovery, or after formation. */
void node_start_raft(struct node *n, const struct raft_start *start);
/* The text of an address of a member, or its id in hexadecimal. Borrowed until the next call. */
const char *node_member_name(struct node *n, raft_id id);

#define NODE_NEVER UINT64_MAX
static inline uint64_t earlier_us(uint64_t a, uint64_t b) { return a < b ? a : b; }

#endif
