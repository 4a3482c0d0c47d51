#ifndef NODE_DISCOVERY_H
#define NODE_DISCOVERY_H

#include "node/announce.h"
#include "node/peers.h"

/* Who leads and where everybody is, as clients are told (ROLE, INFO, HELLO, the Sentinel and Cluster APIs). discovery.c holds the essay. */
struct discovery {
    raft_id leader;  /* 0: none was ever known */
    bool is_alive;
    struct {
        raft_id id;
        struct announce announce;
    } known[2 * LIMIT_MEMBERS];
    uint32_t known_count;
};

void discovery_tick(struct node *n);
/* This node's own words, to members whose control link came up. */
void discovery_tell(struct node *n);
void discovery_receive(struct node *n, struct peer *p, struct slice body);

#endif
