#ifndef SIM_GHOST_SESSIONS_H
#define SIM_GHOST_SESSIONS_H

#include "node/proposal.h"
#include "world.h"

/* I12: in the committed log each session's commands stand once each, in order, without a gap. Told of each entry once, in order. */
#define GHOST_SESSIONS 512

struct ghost_session { /* of a member, as the committed log says */
    raft_id member;
    uint64_t session;
    bool is_open;
    uint64_t last;
};

struct ghost_sessions {
    struct ghost_session session[GHOST_SESSIONS];
    size_t count;
};

/* The next committed command: whether it takes effect; a gap fails the run. */
bool ghost_sessions_take(struct ghost_sessions *g, struct world *w, const struct proposal *p, raft_index index);
/* The next committed configuration, encoded. A session ends with its member's membership: what was appended of it behind that takes no
 * effect. */
void ghost_sessions_end(struct ghost_sessions *g, struct slice encoded);

#endif
