#include "node/leave.h"

#include "base/assert.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* Leaving without an error for anybody.
 *
 *   SIGTERM --> node_hand_over: the node goes on serving, as a leader until another has taken over, then as a follower
 *           --> the environment stops reading, and answers all that was read (server.c)
 *           --> node_drain: the session's CLOSE; the process ends
 *
 *   removed --> every command is refused with a sentence that says so, for TELL_US --> the environment ends the process
 *
 * Z1  A leader lets go of its lease before it asks another to lead (raft/read.c Q4), and serves until it has heard of a new term: a
 *     client of its sees a delay of an election that nobody had to wait for.
 * Z2  Nothing that was read from a client is dropped: an end of file without a reply means "never executed".
 * Z3  A removed node answers nothing from its data any more (J15), not even "stale" reads. What it had sent is decided by what it has
 *     applied: its session ended with the entry that removed it, so what that entry's predecessors did not do was not done. If it
 *     only heard of its removal from another node, it doesn't know. */

#define HAND_OVER_MOST_US 1500000
#define TRANSFER_AGAIN_US 50000
#define DRAIN_MOST_US 1500000
#define TELL_US 1000000

/* --- removed ------------------------------------------------------------------------------------- */

void leave_on_removed(struct node *n)
{
    struct leave *l = &n->leave;
    if (l->is_removed)
        return;
    COVER("node: removed from the cluster");
    l->is_removed = true;
    l->removed_us = n->now_us;
    log_line(&n->env.log, LOG_WARNING,
             "This node was removed from the cluster. It tells its clients and ends; its data directory can be put away.");
}

static void leave_end(struct node *n)
{
    n->leave.is_told = true;
    if (n->env.shut_down)
        n->env.shut_down(n->env.ctx, false);
    else
        node_fatal(n, "This node was removed from the cluster.");
}

uint64_t leave_tick(struct node *n)
{
    struct leave *l = &n->leave;
    if (!l->is_removed || l->is_told)
        return NODE_NEVER;
    bool is_over = n->now_us - l->removed_us >= TELL_US;
    if (is_over || n->apply.applied >= n->driver.commit) {
        membership_asks_end(n);
        session_abandon(n); /* Z3 */
    }
    if (!is_over)
        return l->removed_us + TELL_US;
    leave_end(n);
    return NODE_NEVER;
}

/* --- shut down ----------------------------------------------------------------------------------- */

static bool node_reaches_anybody(const struct node *n)
{
    for (uint32_t i = 0; i < n->peers.count; i++)
        if (peer_is_up(&n->peers.peer[i], PEER_CONTROL))
            return true;
    return false;
}

bool node_hand_over(struct node *n)
{
    struct leave *l = &n->leave;
    node_enter(n);
    if (l->hand_over_us == 0)
        l->hand_over_us = n->now_us > 0 ? n->now_us : 1;
    bool is_late = n->now_us - l->hand_over_us > HAND_OVER_MOST_US;
    if (n->is_dead || node_is_blank(n) || is_late || n->peers.count == 0 || !node_reaches_anybody(n))
        return true;
    /* Another leads; or nobody yet, but this node has let go. */
    if (!node_is_leader(n))
        return n->driver.status.leader != 0 || l->transfer_us == 0;
    if (!n->driver.status.is_transferring && n->now_us - l->transfer_us >= TRANSFER_AGAIN_US) {
        struct raft_event event = {.type = RAFT_EVENT_TRANSFER};
        l->transfer_us = n->now_us;
        enum err e = driver_step(n, &event);
        if (e == ERR_INVALID)
            return true; /* No voter is there to lead. ERR_BUSY: a change of membership is being finished. */
    }
    n->wake_us = earlier_us(n->wake_us, n->now_us + 5000);
    return !node_is_leader(n) && n->driver.status.leader != 0;
}

bool node_drain(struct node *n)
{
    struct leave *l = &n->leave;
    node_enter(n);
    if (n->is_dead || node_is_blank(n) || l->is_removed)
        return true;
    if (l->drain_us == 0) {
        l->drain_us = n->now_us > 0 ? n->now_us : 1;
        n->is_closing = true;
    }
    uint64_t for_us = n->now_us - l->drain_us;
    /* All stopped together: nobody is left to commit anything. */
    bool is_alone = for_us > node_election_timeout_us(n) && n->peers.count > 0 && !node_reaches_anybody(n);
    n->wake_us = earlier_us(n->wake_us, n->now_us + 10000);
    return session_end(n) || for_us > DRAIN_MOST_US || is_alone;
}
