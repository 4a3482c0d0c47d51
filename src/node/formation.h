#ifndef NODE_FORMATION_H
#define NODE_FORMATION_H

#include "node/env.h"
#include "raft/conf.h"

#define GENESIS_VERSION 2  /* with settings of the cluster; 1: without */
#define FORMATION_ENTRIES 2 /* that every log begins with: the configuration, GENESIS */

/* How a BLANK node gets its cluster (DESIGN §4 Formation). formation.c holds the essay. */
struct probe {
    char address[LIMIT_ADDRESS_BYTES];
    link_id id;                 /* under way; 0: none */
    uint64_t close_us;          /* answered: hang up then, not before the other side could learn who called; 0: not yet */
    uint64_t retry_us;
    uint64_t answered_us;       /* 0: never, or not reachable now */
    struct peer_hello hello;    /* its answer */
    bool is_self;
};
struct formation {
    uint32_t probe_count;       /* of the --cluster list, sorted; 0: lone */
    struct probe probe[LIMIT_MEMBERS];
    uint64_t list_hash;
    char own_address[LIMIT_ADDRESS_BYTES]; /* "" until known */
    bool is_probing;            /* some probe was dialled */
    bool is_forming;            /* the record is on its way to the disk */
    bool is_wanted;             /* lone: a write came */
    uint64_t missed_us;         /* when a cluster's node last called here for the node that was here before; 0: never ... */
    char missed_by[LIMIT_ADDRESS_BYTES]; /* ... and which */
    struct raft_conf conf;      /* of the entry 1 being made durable */
    uint64_t formed_us;         /* since when a listed node is known to be in a cluster; 0: none is */
    uint64_t log_us;            /* when waiting was last logged ... */
    char logged[320];           /* ... and what */
    struct chunk *chunk;        /* entries 1 and 2 while they are made durable */
    struct slice entry[2];
    link_id adopter;            /* to tell that it is done */
    bool was_adopted;
    bool is_taken_in;           /* the record on its way to the disk holds no entries (join.c) */
};

struct node;
/* Parses --cluster. False: an error was logged. */
bool formation_init(struct node *n);
uint64_t formation_tick(struct node *n);
/* A probe was answered, or ended. True if `id` is one. */
bool formation_probe_up(struct node *n, link_id id, const struct peer_hello *theirs);
bool formation_probe_down(struct node *n, link_id id, const char *why);
/* A lone BLANK node has a first write. */
void formation_want(struct node *n);
/* The identity is durable. */
void formation_done(struct node *n);
/* PEER_ADOPT from whoever has a control link. */
struct peer;
void formation_receive_adopt(struct node *n, struct peer *p, struct slice body);
/* Hand entries 1 and 2 to a member that is BLANK. */
void formation_send_adopt(struct node *n, struct peer *p);
/* join.c: the node belongs to that cluster, without any entry. */
void formation_taken_in(struct node *n, uint64_t cluster_id, const uint64_t seed[2], const char *own_address);
bool formation_is_lone(const struct node *n);
/* A node of a cluster, at `address`, looks here for one with another id (N5). */
void formation_missed(struct node *n, const char *address);
bool formation_is_missed(const struct node *n);
/* What GENESIS says: the hash seed and, into `k` unless that is NULL, settings. False: nonsense, or of a newer version. */
struct proposal;
struct keyspace;
bool genesis_read(const struct proposal *p, uint64_t seed[2], struct keyspace *k);
/* One sentence, or NULL. */
const char *formation_trouble(struct node *n);

/* formation_probe.c, for formation.c: */
uint64_t formation_probe_tick(struct node *n, struct probe *p);
/* Answered lately. */
bool formation_probe_is_fresh(const struct node *n, const struct probe *p);
/* A listed node that is in a cluster, NULL if none said so. */
const struct probe *formation_probe_in_cluster(const struct node *n);
/* That cluster had time to take this node in and did not: it is not the one that was here. */
bool formation_looks_wiped(const struct node *n);

/* address.c: "Host" -> "host:port" in a normal form. False: not an address. */
bool address_normalise(struct slice text, int64_t default_port, char out[LIMIT_ADDRESS_BYTES]);

#endif
