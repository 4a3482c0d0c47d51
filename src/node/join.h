#ifndef NODE_JOIN_H
#define NODE_JOIN_H

#include "node/env.h"
#include "node/formation.h"

/* How a node comes into a cluster that exists: by --join, or because somebody's add-node named it. join.c holds the essay. */

#define JOIN_CALLERS_MAX 8
struct join {
    /* --join: the node that wants in. */
    struct probe probe;        /* of the member it asks; address "" without --join */
    bool was_blank;            /* it came in during this life */
    uint64_t ask_number;       /* its own ask to be promoted, when nobody else cares */
    uint64_t ask_us;
    char said[384];            /* what was last logged */
    /* The other side: BLANK nodes on probe links. */
    struct {
        link_id link;
        raft_id id;
        char address[LIMIT_ADDRESS_BYTES];
    } caller[JOIN_CALLERS_MAX];
    uint32_t caller_at;
};

struct node;
struct peer;
/* Why a BLANK node with --join is not in yet. */
const char *join_trouble(const struct node *n);
/* False: an error was logged. */
bool join_init(struct node *n);
static inline bool join_is_wanted(const struct join *j) { return j->probe.address[0] != '\0'; }
uint64_t join_tick(struct node *n);
bool join_probe_up(struct node *n, link_id id, const struct peer_hello *theirs);
bool join_link_down(struct node *n, link_id id); /* its probe, or a caller's link */
void join_note_caller(struct node *n, link_id id, const struct peer_hello *theirs);
/* A message on a link that is no peer's. */
void join_receive(struct node *n, link_id id, struct slice message);
/* Tells a BLANK node that this cluster takes it in; it answers PEER_ADOPTED when that is durable. */
void join_send_take_in(struct node *n, struct peer *p);
void join_receive_take_in(struct node *n, struct peer *p, struct slice body);

#endif
