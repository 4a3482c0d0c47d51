#ifndef TESTS_NODE_RIG_H
#define TESTS_NODE_RIG_H

#include "node/client.h"
#include "node/clients.h"
#include "node/node.h"
#include "tests/sim/sim_disk.h"

/* Whole nodes in one process and one thread, with everything a test wants to decide in its hand: time, the network message by
 * message, the disk job by job. No chance anywhere: that is the simulator's part. */
#define RIG_NODES 5
#ifdef CORACLE_FUZZ
#define RIG_LINKS 64 /* each round looks at all */
#else
#define RIG_LINKS 256
#endif

struct rig_host {
    struct rig *rig;
    int slot;
    char address[32];
    struct sim_disk *disk;
    struct node_env env;
    struct options options;
    struct node *node;
    struct list jobs;
    bool is_disk_held;     /* jobs wait */
    bool is_paused;        /* the process is stopped: nothing runs */
    int64_t wall_offset_ms;
    uint64_t random;
    char fatal[512];       /* reason of env->fatal; "" none */
    char warning[512];     /* the last log line of that level; "" none ... */
    unsigned warnings;     /* ... and how many there were */
};

struct rig_message {
    struct rig_message *next;
    size_t n;
    uint8_t bytes[];
};

struct rig_link {
    bool is_used;
    bool is_up;
    enum link_role role;
    int host[2];           /* dialler, acceptor */
    link_id id[2];
    struct peer_hello hello; /* the dialler's */
    char address[LIMIT_ADDRESS_BYTES];
    struct rig_message *first[2]; /* to host[i] */
    struct rig_message **last[2];
    bool is_closing[2];    /* the other end hung up: host[i] learns it after its messages */
    char reason[256];
    bool is_refused;
};

struct rig {
    uint64_t now_us;
    struct rig_host host[RIG_NODES];
    int count;
    struct rig_link link[RIG_LINKS];
    struct command_table *table;
    bool is_cut[RIG_NODES][RIG_NODES];      /* [from][to]: nothing is delivered, nothing can be dialled */
    bool is_bulk_cut[RIG_NODES][RIG_NODES]; /* the same for bulk links only, silently */
    /* Called for each message before it is delivered; false: it is lost. */
    bool (*filter)(struct rig *rig, int from, int to, enum link_role role, struct slice message);
    uint64_t delivered;
    const char *alias;     /* one more address ... */
    int alias_slot;        /* ... of this node */
    bool is_loud;          /* print log lines */
};

struct rig *rig_new(int count, const char *cluster);
/* Three, with a leader; the test ends if they find none. */
struct rig *rig_three(void);
void rig_free(struct rig *r);
void rig_start(struct rig *r, int slot);
enum rig_end { RIG_KILL, RIG_POWER_LOSS, RIG_WIPE };
void rig_stop(struct rig *r, int slot, enum rig_end how);
/* One round of messages, jobs and iterations; true when something happened. */
bool rig_round(struct rig *r);
/* Let `ms` milliseconds pass, one at a time, until nothing more happens in each. */
void rig_run(struct rig *r, int ms);
/* Until done(ctx) or `ms` passed; whether it came true. */
bool rig_until(struct rig *r, bool (*done)(struct rig *r), int ms);
bool rig_has_leader(struct rig *r);  /* one, known to all that run, with open sessions everywhere */
int rig_leader(struct rig *r);       /* slot, -1: none */
void rig_isolate(struct rig *r, int slot, bool yes);
struct node_status rig_status(struct rig *r, int slot);
struct node_snapshot_status rig_snapshot(struct rig *r, int slot);
bool rig_has_snapshots(struct rig *r); /* all that run, and none is being taken */
bool rig_is_equal(struct rig *r);      /* all that run applied the same and hold the same */

/* A client connection to a node. */
struct rig_client {
    struct rig *rig;
    int slot;
    struct client *client;
    char text[65536];      /* everything answered so far, NUL-terminated */
    size_t size;
};
void rig_connect(struct rig *r, int slot, struct rig_client *c);
void rig_disconnect(struct rig_client *c);
/* Inline commands or raw RESP; lines end with \n or \r\n. */
void rig_say(struct rig_client *c, const char *text);
/* Says it and runs up to `ms` until something is answered; returns that. */
const char *rig_ask(struct rig_client *c, const char *text, int ms);
/* SET key<i> value<i>, each answered OK before the next; without a client over a connection of its own. */
void rig_client_write_keys(struct rig_client *c, int from, int to);
void rig_write_keys(struct rig *r, int slot, int from, int to);
void rig_collect(struct rig *r);
void rig_forget(struct rig_client *c); /* drop what was answered */

#endif
