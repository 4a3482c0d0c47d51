#ifndef NODE_DRIVER_H
#define NODE_DRIVER_H

#include "raft/raft.h"

/* The driver's contract of raft.h: one step, then its update becomes effects. */
struct driver_held {
    struct raft_message message; /* control messages only: nothing borrowed */
    uint64_t after_token;
};
struct driver {
    struct raft_status status;   /* as of the last step */
    uint64_t wake_us;
    raft_index commit;
    uint64_t persisted_token;
    struct driver_held *held;
    uint32_t held_count;
    uint32_t held_capacity;
    raft_index first_proposed;   /* of the last PROPOSE step */
    enum raft_change_result change_result;
};

struct node;
/* Steps Raft at n->now_us and carries out the update. Never called from within an effect. */
MUST_CHECK enum err driver_step(struct node *n, struct raft_event *event);
/* The disk finished everything up to this token: PERSISTED, and the messages that waited for it. */
void driver_persisted(struct node *n, uint64_t token);
void driver_deinit(struct driver *d);

#endif
