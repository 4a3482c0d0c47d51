#include <stdio.h>

#include "base/assert.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* Catching up by rounds (dissertation §4.2.1). A round takes a newcomer to where the log ended when the round began; when one took less than
 * an election timeout, what is missing is less than one timeout's worth of writes, and its vote will not stop anybody's.
 * A newcomer that makes no progress for STUCK_US, or needs more than ROUNDS_MOST rounds, is given up: the first round copies
 * everything there is and may take as long as it moves. */

#define STUCK_US 5000000
#define ROUNDS_MOST 20
#define ROUND_POLL_US 5000

static void round_begin(struct node *n, struct newcomer *c)
{
    c->goal = n->driver.status.last_index;
    c->round_us = n->now_us;
    c->round++;
}

/* Those whom the plan makes voters, or gives an old member's place. */
static void rounds_begin(struct node *n)
{
    struct membership *m = &n->membership;
    raft_id id[CHANGE_STEPS_MAX];
    raft_index index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &index);
    m->newcomer_count = change_plan_newcomers(&m->plan, conf, id);
    for (uint32_t i = 0; i < m->newcomer_count; i++) {
        struct newcomer *c = &m->newcomer[i];
        *c = (struct newcomer){.id = id[i], .moved_us = n->now_us};
        const struct raft_member *member = raft_conf_find(conf, id[i]);
        snprintf(c->address, sizeof c->address, "%s", member ? member->address : "?");
        round_begin(n, c);
    }
    m->is_proposed = true; /* Of this phase: that the rounds have begun. */
}

/* False: it was given up. */
static bool round_tick(struct node *n, struct newcomer *c)
{
    struct raft_peer_status status = {0};
    const struct peer *p = peers_find(n, c->id);
    char text[CHANGE_TEXT_BYTES];
    (void)raft_get_peer(n->raft, c->id, &status);
    uint64_t bytes = p ? p->acked : 0;
    if (status.match != c->seen_match || bytes != c->seen_bytes) {
        c->seen_match = status.match;
        c->seen_bytes = bytes;
        c->moved_us = n->now_us;
    }
    if (status.match >= c->goal) {
        c->moved_us = n->now_us;
        c->is_ready = n->now_us - c->round_us < node_election_timeout_us(n);
        if (!c->is_ready)
            round_begin(n, c);
    }
    if (n->now_us - c->moved_us > STUCK_US) {
        COVER("membership: a newcomer is stuck");
        bool is_up = p && peers_is_heard(n, p);
        snprintf(text, sizeof text, "ERR Node %s %s; the cluster is unchanged.", c->address,
                 is_up ? "does not take what it is sent" : "can't be reached any more");
        membership_fail(n, text);
        return false;
    }
    if (!c->is_ready && c->round > ROUNDS_MOST) {
        snprintf(text, sizeof text, "ERR Node %s can't keep up with what is being written; the cluster is unchanged.", c->address);
        membership_fail(n, text);
        return false;
    }
    return true;
}

uint64_t membership_catch_up(struct node *n)
{
    struct membership *m = &n->membership;
    bool are_ready = true;
    if (!m->is_proposed)
        rounds_begin(n);
    for (uint32_t i = 0; i < m->newcomer_count; i++) {
        if (!m->newcomer[i].is_ready && !round_tick(n, &m->newcomer[i]))
            return n->now_us;
        are_ready = are_ready && m->newcomer[i].is_ready;
    }
    if (!are_ready)
        return n->now_us + ROUND_POLL_US;
    membership_enter(n, CHANGE_SWITCHING);
    return n->now_us;
}
