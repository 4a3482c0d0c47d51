#ifndef NODE_PUBLISH_H
#define NODE_PUBLISH_H

#include "base/buf.h"
#include "base/list.h"
#include "node/pubsub.h"

struct clients;
struct client_slot;

/* Messages between nodes: what is published on one reaches the subscribers of all. publish.c holds the essay. */

/* A count that is not known yet: of one PUBLISH, kept by the slot whose reply it is a part of (client_publish.c). */
struct publish_hole {
    struct list in_slot;
    struct client_slot *slot; /* NULL: its client has gone */
    size_t offset;            /* where in the slot's reply the number belongs */
    uint64_t count;           /* receivers so far */
    bool is_told;             /* and that is all */
};

/* What went out to the others together. */
struct publish_batch;
struct publish {
    struct buf out;               /* items for the next batch */
    struct publish_hole **hole;   /* theirs, in order */
    uint32_t hole_count;
    uint32_t hole_capacity;
    struct list batches;          /* sent, not all counts here; oldest first */
    uint64_t last_batch;
    uint64_t sent;                /* messages sent to the others, each counted once */
    uint64_t received;
    uint64_t dropped;             /* messages not sent to a member since its link was full */
};

struct node;
struct peer;
void publish_init(struct publish *p);
void publish_deinit(struct publish *p);
/* Spreads to the other members (clients call node_publish, submit.c). True: `hole` is kept and will be handed to client_publish_told with the others' count added. False:
 * nobody else will answer. Bytes are copied. */
bool node_publish(struct node *n, enum pubsub_kind kind, struct slice channel, struct slice message, struct publish_hole *hole);
bool publish_add(struct node *n, enum pubsub_kind kind, struct slice channel, struct slice message, struct publish_hole *hole);
/* Sends what gathered, once per iteration. */
void publish_flush(struct node *n);
/* Answers whose time is up; when to be called again. */
uint64_t publish_tick(struct node *n);
void publish_receive(struct node *n, struct peer *peer, struct slice body);
void publish_receive_counts(struct node *n, struct peer *peer, struct slice body);

/* The client's side (client_publish.c). */
uint64_t clients_deliver(struct clients *cs, enum pubsub_kind kind, struct slice channel, struct slice message);
void client_publish_told(struct publish_hole *hole);

#endif
