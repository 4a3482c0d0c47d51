#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "check/history.h"
#include "node/client.h"
#include "node/node.h"
#include "sim_disk.h"
#include "world.h"

/* A whole cluster in one process and one thread: N hosts (clock, disk, one node that runs the server's own objects), the network between
 * them, clients, faults, and checkers that look after every event. */

#define SIM_HOSTS 7
#define SIM_CLIENTS 15
#define SIM_LINKS 512
#define SIM_ADMINS 16

struct sim;
struct ghost;
struct oracle;
struct churn;
struct faults;
struct script;
struct blocking;
struct observers;

enum cut_shape { CUT_ONE, CUT_LEADER, CUT_SIDES, CUT_ONE_WAY, CUT_LINK, CUT_BRIDGE, CUT_RING, CUT_FLAP, CUT_SWIZZLE, CUT_SHAPES };

/* What a seed decided: the swarm. Rates in millionths per message or per second as said. */
struct sim_plan {
    uint32_t host_count;
    uint32_t spare_count;         /* of them, the last ones: not among the founders */
    uint32_t client_count;
    uint64_t duration_us;
    uint32_t key_count;
    uint64_t think_us;            /* mean pause of a client between commands */
    uint64_t latency_us;          /* mean, one way */
    uint32_t drop;                /* per message, millionths */
    uint32_t duplicate;
    uint32_t reorder;
    uint32_t reset;               /* connection reset, per message */
    uint64_t partition_every_us;  /* mean; 0: never */
    uint64_t crash_every_us;
    uint64_t power_every_us;
    uint64_t pause_every_us;
    uint64_t slow_every_us;       /* a node's loop has little processor time */
    uint64_t all_down_every_us;   /* all nodes lose power at once */
    uint64_t clock_jump_every_us; /* wall clock */
    uint64_t disk_full_every_us;
    uint64_t disk_stall_every_us;
    uint64_t sync_error_every_us;
    uint64_t rot_every_us;
    uint64_t received_rot_every_us; /* of a snapshot that is being received */
    uint64_t log_damage_every_us; /* the end of one node's log, at rest (trouble.c) */
    uint64_t aim_every_us;        /* looks for nodes in the middle of something, and sometimes strikes (trouble.c) ... */
    uint32_t aims;                /* ... in these ways */
    uint64_t change_every_us;     /* commands about membership (churn.c) */
    uint64_t disk_error_every_us; /* EIO from write or read */
    uint64_t abort_every_us;      /* the process ends inside an iteration */
    uint64_t transfer_every_us;   /* RAFT TRANSFER */
    uint64_t memory_out_every_us; /* an allocation inside a node fails */
    uint32_t cut_shapes;          /* bits of enum cut_shape */
    uint64_t leader_isolation_us; /* mean time after which a new leader falls; 0: never (profile fig8) */
    uint64_t append_bytes;
    uint32_t clock_rate_ppm;      /* largest rate error of a node's clock */
    uint64_t disk_us;             /* mean fsync time */
    uint32_t sector_bytes;
    uint64_t segment_bytes;
    uint64_t log_memory_bytes;
    uint32_t read_level_mix;      /* bits: 1 quorum, 2 lease, 4 stale */
    uint64_t window_bytes;        /* of what may be under way: commands of a node, uncommitted entries, appends to a peer; 0: as the server has it */
    bool has_expiry;
    bool has_big_values;
    bool has_transactions;
    bool has_blocking;            /* clients wait for elements of lists (blocking.c) */
    bool has_observers;           /* clients subscribe, publish, and watch the change feed (observers.c); transactions on lists */
    uint64_t snapshot_log_bytes;  /* 0: as the server has it, that is never here */
    uint32_t retention_entries;
    uint64_t stream_window;       /* connections are streams of bytes (stream.c): so many are under way at most; 0: of whole messages */
    bool has_crash_in_write;      /* power fails in the middle of a disk call */
};

struct sim_host {
    struct sim *sim;
    uint32_t slot;
    char address[LIMIT_ADDRESS_BYTES];
    struct sim_disk *disk;
    struct node_env env;
    struct options options;
    struct node *node;            /* NULL while down */
    uint64_t life;                /* grows with every start; events of older lives are void */
    uint64_t boot_us;             /* world time of the (machine's) boot */
    int64_t rate_ppm;             /* of its monotonic clock */
    int64_t wall_offset_ms;
    uint64_t paused_until_us;     /* SIGSTOP */
    bool is_iterating;            /* an iterate event is scheduled */
    uint64_t wake_scheduled_us;
    struct list jobs;             /* disk jobs waiting */
    bool is_disk_busy;
    uint64_t disk_stalled_until_us;
    bool has_quota;               /* its disk is full, or nearly */
    bool fatal_expected;          /* a disk fault was injected that allows the process to end */
    const char *fatal_reason;     /* node called fatal: it is taken down after the event */
    char fatal_text[256];
    uint64_t allocations_left;    /* so many more and memory has run out (allocation.c); 0: there is enough */
    uint64_t slow_us;             /* each turn of its loop takes so much longer */
    uint64_t calls_left;          /* it ends after so many more calls to the outside; 0: no such end is near */
};

struct sim_link {
    bool is_used;
    bool is_up[2];                /* as the two ends see it: 0 dialler, 1 acceptor */
    uint32_t host[2];
    uint64_t life[2];
    link_id id[2];
    enum link_role role;
    uint64_t last_delivery_us[2]; /* per direction, keeps the order */
    uint64_t serial;              /* which use of this slot */
};

struct sim {
    struct world world;
    uint64_t seed;
    struct sim_plan plan;
    const struct command_table *table;
    struct sim_host host[SIM_HOSTS];
    struct sim_link link[SIM_LINKS];
    uint64_t link_serial;
    bool is_cut[SIM_HOSTS][SIM_HOSTS]; /* [from][to] */
    uint64_t delay_us[SIM_HOSTS][SIM_HOSTS]; /* [from][to]: on top of the latency, of what is sent from now on */
    bool has_alias[SIM_HOSTS];    /* this host's address leads to another host */
    uint32_t alias[SIM_HOSTS];
    struct faults *faults;        /* NULL: nothing strikes by chance */
    struct script *script;        /* NULL: none is played */
    FILE *record;                 /* each strike becomes a line of a script (script.h); NULL: none does */
    bool is_calm;                 /* no new faults: the liveness phase */
    bool is_quiet;                /* clients stop sending */
    uint32_t touched;             /* bits of hosts that the present event did something to */
    struct ghost *ghost;
    struct history history;       /* what clients saw */
    struct sim_client *client;    /* plan.client_count of them */
    uint64_t value_counter;       /* unique values */
    struct blocking *blocking;    /* NULL: no client waits */
    struct observers *observers;  /* NULL: nobody subscribes or watches */
    struct churn *churn;          /* NULL: no membership commands */
    struct sim_client *admin[SIM_ADMINS]; /* NULL: free */
    uint64_t admin_life[SIM_ADMINS];
};

/* host.c */
void host_init(struct sim *s, uint32_t slot, const char *cluster_list);
void host_set_newcomer(struct sim_host *h); /* no list; perhaps --join */
void host_start(struct sim_host *h);
enum host_end { HOST_KILL, HOST_POWER_LOSS, HOST_WIPE, HOST_CLEAN };
void host_stop(struct sim_host *h, enum host_end how);
void host_deinit(struct sim_host *h);
/* Something was fed to the node: let it iterate soon. */
void host_kick(struct sim_host *h);
uint64_t host_clock_us(const struct sim_host *h);
bool host_is_running(const struct sim_host *h); /* up and not paused */

/* net.c */
void net_dial(struct sim_host *from, link_id id, const char *address, const struct peer_hello *mine);
void net_send(struct sim_host *from, link_id id, const struct slice *part, size_t part_count);
void net_hang_up(struct sim_host *from, link_id id, const char *reason);
void net_host_died(struct sim_host *h, bool was_power_loss);
void net_heal(struct sim *s);
void net_teardown(struct sim *s);

/* client.c */
void sim_clients_start(struct sim *s);
void sim_clients_stop(struct sim *s);
void sim_clients_host_resumed(struct sim *s, uint32_t slot); /* what came while it was paused */
void sim_clients_host_died(struct sim *s, uint32_t slot);
void sim_clients_collect(struct sim_host *h); /* after an iterate: output of dirty clients */
void sim_clients_read_all(struct sim *s); /* at the end: every key on every node, into the history */
bool sim_clients_are_idle(const struct sim *s);
void sim_clients_free(struct sim *s);

/* A client driven by hand: it must be closed before its host is stopped. */
struct sim_client *manual_open(struct sim *s, uint32_t slot);
void manual_say(struct sim_client *c, const char *line); /* words split at blanks */
struct slice manual_output(const struct sim_client *c);
void manual_close(struct sim_client *c);

/* churn.c: membership commands at random */
void churn_start(struct sim *s);
void churn_free(struct churn *c);
/* A command, and the host that is told; false: not now. */
bool churn_draw(struct sim *s, struct prng *p, uint32_t *slot, char *line, size_t size);
void churn_ask(struct sim *s, uint32_t slot, const char *line); /* its answer must come, and be true */
void churn_poll(struct sim *s);
bool churn_is_idle(const struct sim *s);
void churn_host_died(struct sim *s, uint32_t slot);
bool churn_on_fatal(struct sim *s, uint32_t slot); /* true: it ended because it was removed, and that is so */

/* main.c */
void sim_build(struct sim *s, uint64_t seed, const struct sim_plan *plan, const struct command_table *table, bool is_verbose);
uint32_t sim_leader(const struct sim *s); /* the slot of the newest; UINT32_MAX: there is none */
void sim_run(struct sim *s, uint64_t us); /* with every check after every event */
void sim_teardown(struct sim *s);

/* scenarios.c: what happened once, or must never happen, step by step */
/* Runs those whose name contains `pattern`; prints ok or FAIL for each; returns how many failed. */
int scenarios_run(const char *pattern, const struct command_table *table, bool is_verbose);

/* plan.c */
bool plan_of_seed(struct sim_plan *plan, uint64_t seed, const char *profile); /* false: no such profile */
bool plan_set(struct sim_plan *plan, const char *assignment); /* "host_count=3"; false: no such field */
void plan_print(const struct sim_plan *plan, FILE *out);
void plan_print_profiles(FILE *out);

/* faults.c: what strikes by chance */
void faults_start(struct sim *s);
void faults_new_leader(struct sim *s, uint32_t slot);
void faults_stop(struct sim *s); /* heals everything and starts what is down */
void faults_free(struct sim *s);

/* ghost.c: what is checked after every event */
struct ghost *ghost_new(struct sim *s);
void ghost_free(struct ghost *g);
void ghost_check(struct ghost *g);
void ghost_check_host(struct ghost *g, uint32_t slot);
struct oracle *ghost_oracle(const struct ghost *g);
void ghost_host_started(struct ghost *g, uint32_t slot);
void ghost_host_stopped(struct ghost *g, uint32_t slot, bool lost_power, bool lost_disk);
/* From the disk: bytes handed to write(), and a sync that made all of them durable. */
void ghost_host_rots(struct ghost *g, uint32_t slot); /* just before */
struct vfs *ghost_watch_disk(struct ghost *g, uint32_t slot, struct vfs *inner);
void ghost_check_message(struct ghost *g, uint32_t from, uint32_t to, struct slice bytes); /* as it is sent */
void ghost_finish(struct ghost *g); /* end of the run: all nodes equal, everything acknowledged there */
uint64_t ghost_leader_changes(const struct ghost *g);
/* Entry `index` of that node's log, whether it knows it or not; it runs and has left BLANK. 0: nothing, which is. */
bool ghost_is_committed(const struct ghost *g, uint32_t slot, raft_index index);
/* As the newest committed configuration that the ghost has seen says. */
bool ghost_is_member(const struct ghost *g, uint32_t slot);
raft_id ghost_member_id(const struct ghost *g, uint32_t slot); /* 0: it is none */
bool ghost_was_voter(const struct ghost *g, uint32_t slot, uint64_t since_us); /* now, or at some time since */
bool ghost_was_absent(const struct ghost *g, raft_id id, uint64_t since_us);
bool ghost_is_joint(const struct ghost *g);
bool ghost_has_left(const struct ghost *g, uint32_t slot); /* its node was a member, and is none */

/* ghost_conf.c: configurations, for ghost.c */
struct ghost_conf;
struct ghost_conf *ghost_conf_new(struct sim *s);
void ghost_conf_free(struct ghost_conf *c);
void ghost_conf_forget(struct ghost_conf *c);
/* An entry of a node's log was looked at; its log ends at `last` now; its disk is gone. */
void ghost_conf_saw(struct ghost_conf *c, uint32_t slot, const struct raft_entry *e);
/* A snapshot stands for an entry that this node never had: perhaps a configuration. */
void ghost_conf_skipped(struct ghost_conf *c, uint32_t slot, raft_index index, uint32_t crc);
void ghost_conf_wiped(struct ghost_conf *c, uint32_t slot);
/* I8: what node `slot` takes for its configuration is the newest in its log. `crc` is of entry [i] of that log. */
void ghost_conf_check(struct ghost_conf *c, uint32_t slot, const struct raft *r, raft_index last, uint32_t (*crc)(void *ctx, raft_index i),
                      void *ctx);
/* A configuration entry is committed: connected with the one before it? */
void ghost_conf_committed(struct ghost_conf *c, raft_index index, uint32_t crc);
const struct raft_conf *ghost_conf_now(const struct ghost_conf *c); /* NULL: none committed */
uint64_t ghost_conf_voter_until(const struct ghost_conf *c, uint32_t slot);
uint64_t ghost_conf_absent_until(const struct ghost_conf *c, raft_id id);
bool ghost_conf_left(const struct ghost_conf *c, raft_id id);
/* ghost_windows.c: I14 */
void ghost_check_windows(struct sim *s, uint32_t slot, const struct raft_status *status);
uint64_t ghost_changes_under_load(const struct ghost *g);

#endif
