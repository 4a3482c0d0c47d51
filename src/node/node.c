#include "node/node.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/mutant.h"
#include "node/node_internal.h"
#include "node/watch.h"

/* The order of one iteration. What arrived was fed to Raft message by message; here the batch of writes and reads becomes one
 * step each, what is committed is applied, and the disk gets everything as one job. */

bool node_lacks_configuration(const struct node *n)
{
    raft_index index;
    return n->raft != NULL && raft_get_conf(n->raft, &index)->member_count == 0;
}

uint64_t node_election_timeout_us(const struct node *n)
{
    return (uint64_t)n->options->election_timeout * 1000;
}

const char *node_member_name(struct node *n, raft_id id)
{
    if (id == n->identity.node_id)
        return "this node";
    const struct peer *p = peers_find(n, id);
    if (p && p->address[0] != '\0')
        return p->address;
    snprintf(n->reason, sizeof n->reason, "node %016llx", (unsigned long long)id);
    return n->reason;
}

static void node_log_role(struct node *n, const struct raft_status *before)
{
    const struct raft_status *now = &n->driver.status;
    const struct log_sink *log = &n->env.log;
    unsigned long long term = (unsigned long long)now->term;
    if (now->role != before->role) {
        switch (now->role) {
        case RAFT_LEADER:
            log_line(log, LOG_NOTICE, "This node leads in term %llu.", term);
            break;
        case RAFT_CANDIDATE:
            log_line(log, LOG_NOTICE, "Election: this node asks for votes in term %llu.", term);
            break;
        case RAFT_PRE_CANDIDATE:
            log_line(log, LOG_NOTICE, "No leader is heard: asking whether an election is in order.");
            break;
        case RAFT_FOLLOWER:
            if (before->role == RAFT_LEADER)
                log_line(log, LOG_NOTICE, "This node no longer leads; term %llu.", term);
            break;
        }
    }
    if (now->leader != before->leader && now->leader != 0 && now->leader != now->id)
        log_line(log, LOG_NOTICE, "%s leads in term %llu.", node_member_name(n, now->leader), term);
}

void node_on_role_change(struct node *n, const struct raft_status *before)
{
    const struct raft_status *now = &n->driver.status;
    node_log_role(n, before);
    if (now->role == RAFT_CANDIDATE && (before->role != RAFT_CANDIDATE || now->term != before->term))
        n->elections++;
    stages_forget(&n->stages);
    bool was_leader = before->role == RAFT_LEADER;
    bool is_leader = now->role == RAFT_LEADER;
    if (was_leader && (!is_leader || now->term != before->term)) {
        batch_drop(&n->batch);
        forward_stop(n);
    }
    if (now->leader == 0) {
        if (n->no_leader_since_us == 0)
            n->no_leader_since_us = n->now_us;
    } else {
        n->no_leader_since_us = 0;
    }
    reads_retry(n);
    session_on_role_change(n);
    membership_on_role_change(n);
    if (is_leader && (!was_leader || now->term != before->term)) {
        log_time_lead(n);
        forward_lead(n);
    }
}

void node_on_conf_change(struct node *n)
{
    peers_update(n);
    forward_forget(n);
}

/* --- one iteration --- */

static uint64_t node_timers(struct node *n)
{
    uint64_t next = NODE_NEVER;
    if (n->raft && n->now_us >= n->driver.wake_us) {
        struct raft_event event = {.type = RAFT_EVENT_TICK};
        enum err e = driver_step(n, &event);
        ASSERT(e == ERR_OK);
    }
    next = earlier_us(next, formation_tick(n));
    next = earlier_us(next, leave_tick(n));
    next = earlier_us(next, membership_tick(n));
    next = earlier_us(next, join_tick(n));
    next = earlier_us(next, peers_tick(n));
    next = earlier_us(next, disk_tick(n));
    next = earlier_us(next, snapshots_tick(n));
    next = earlier_us(next, session_tick(n));
    next = earlier_us(next, blocked_tick(n));
    next = earlier_us(next, reads_tick(n));
    next = earlier_us(next, watch_tick(n));
    next = earlier_us(next, publish_tick(n));
    if (n->raft) {
        next = earlier_us(next, forward_tick(n));
        next = earlier_us(next, verify_tick(n));
        peers_spread_status(n);
    }
    return next;
}

void node_iterate(struct node *n)
{
    node_enter(n);
    if (n->is_dead)
        return;
    uint64_t next = node_timers(n);
    if (n->raft) {
        session_pump(n);
        next = earlier_us(next, log_time_tick(n));
        batch_flush(n);
        reads_pump(n);
        apply_run(n);
        apply_report(n);
        forward_catch_up(n);
        /* What apply freed (a session that opened, writes of a closed one) goes out at once. */
        session_pump(n);
        batch_flush(n);
        peers_nudge(n);
        disk_heal(n);
        snapshots_pump(n);
        verify_pump(n);
        next = earlier_us(next, snapshots_tick(n));
        next = earlier_us(next, batch_wake_us(n));
    }
    reads_serve(n);
    publish_flush(n);
    discovery_tick(n);
    if (n->raft)
        discovery_tell(n);
    disk_flush(n);
    if (n->raft)
        next = earlier_us(next, n->driver.wake_us);
    bool may_apply = n->raft && n->apply.applied < n->driver.commit && !n->apply.is_fetching && !apply_is_held(n);
    if (n->apply.has_more || may_apply)
        next = n->now_us;
    n->wake_us = next;
}

uint64_t node_wake_us(const struct node *n)
{
    return n->wake_us;
}

/* --- links --- */

void node_get_hello(struct node *n, enum link_role role, struct peer_hello *mine)
{
    *mine = (struct peer_hello){
        .format = PEER_FORMAT,
        .feature_level = PEER_FEATURE_LEVEL,
        .role = role,
        .id = n->identity.node_id,
        .cluster_id = n->identity.cluster_id,
        .incarnation = n->incarnation,
        .list_hash = n->formation.list_hash,
    };
    snprintf(mine->address, sizeof mine->address, "%s", n->formation.own_address);
}

bool node_link_up(struct node *n, link_id *id, bool is_inbound, const struct peer_hello *theirs, char *reason)
{
    node_enter(n);
    if (n->is_dead) {
        snprintf(reason, 256, "this node is stopping");
        return false;
    }
    return peers_link_up(n, id, is_inbound, theirs, reason);
}

void node_link_message(struct node *n, link_id id, struct slice message)
{
    int which;
    node_enter(n);
    struct peer *p = peers_find_link(n, id, &which);
    if (p && !n->is_dead)
        peers_receive(n, p, which, message);
    else if (!n->is_dead)
        join_receive(n, id, message);
}

void node_link_progress(struct node *n, link_id id, size_t pending_bytes)
{
    int which;
    node_enter(n);
    struct peer *p = peers_find_link(n, id, &which);
    if (p && which == PEER_BULK && pending_bytes != p->bulk_pending) {
        p->bulk_pending = pending_bytes;
        p->in_progress_us = n->now_us;
    }
}

void node_link_down(struct node *n, link_id id, const char *why, bool was_refused)
{
    node_enter(n);
    if (n->is_dead || formation_probe_down(n, id, why) || membership_call_down(n, id, why) || join_link_down(n, id))
        return;
    peers_link_down(n, id, why, was_refused);
}
