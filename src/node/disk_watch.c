#include "base/err.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* A disk that is full or does not answer: trying again, and who should lead meanwhile. */

/* The voter that holds most of the log durably and reports room; 0: none holds more than `above`. */
static raft_id disk_best_voter(struct node *n, raft_index above)
{
    raft_index conf_index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &conf_index);
    raft_id best = 0;
    for (uint32_t i = 0; i < n->peers.count; i++) {
        const struct peer *p = &n->peers.peer[i];
        struct raft_peer_status status;
        if (peer_is_up(p, PEER_CONTROL) && !(p->last.refuses & PEER_REFUSES_DISK) && raft_conf_is_voter(conf, p->id) &&
            raft_get_peer(n->raft, p->id, &status) && status.match > above) {
            best = p->id;
            above = status.match;
        }
    }
    return best;
}

static void disk_hand_to(struct node *n, raft_id best, const char *why)
{
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .u.transfer_to = best};
    n->disk.handed_over_us = n->now_us;
    if (best != 0 && driver_step(n, &event) == ERR_OK)
        log_line(&n->env.log, LOG_NOTICE, "%s: leadership is handed to %s.", why, node_member_name(n, best));
}

/* P12: leadership goes to a voter that reports room, at most once per election timeout; if none has room it stays. */
static void disk_hand_over(struct node *n)
{
    struct disk *d = &n->disk;
    if (!d->is_full || !node_is_leader(n) || n->now_us - d->handed_over_us < node_election_timeout_us(n))
        return;
    COVER("disk: a full leader hands over");
    disk_hand_to(n, disk_best_voter(n, 0), "The disk is full");
}

/* R10: a leader's stalled disk does not stop commits, its followers' disks make them; but it holds more and more in memory, and is a
 * leader whom a crash would set back. If a follower's disk is ahead, that one should lead: it is asked to after one election
 * timeout; after three, this node steps down in any case. If all disks are slow an election would only add to it. */
static uint64_t disk_watch(struct node *n)
{
    struct disk *d = &n->disk;
    uint64_t limit_us = node_election_timeout_us(n);
    if (!node_is_leader(n) || !d->append.is_submitted)
        return NODE_NEVER;
    uint64_t age_us = n->now_us - d->append.started_us;
    if (age_us <= limit_us)
        return d->append.started_us + limit_us + 1;
    raft_id best = disk_best_voter(n, n->driver.status.durable_index);
    if (best != 0 && age_us > 3 * limit_us) {
        COVER("disk: a stalled leader steps down");
        struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN};
        if (driver_step(n, &event) == ERR_OK)
            log_line(&n->env.log, LOG_WARNING, "The disk has not answered for %llu ms: this node no longer leads.",
                     (unsigned long long)(age_us / 1000));
    } else if (best != 0 && n->now_us - d->handed_over_us > 2 * limit_us) {
        COVER("disk: a stalled leader hands over");
        disk_hand_to(n, best, "The disk does not answer");
    }
    return n->now_us + limit_us;
}

uint64_t disk_tick(struct node *n)
{
    struct disk *d = &n->disk;
    uint64_t next = NODE_NEVER;
    if (d->retry_us != 0 && n->now_us >= d->retry_us) {
        d->retry_us = 0;
        disk_submit_append(n);
    }
    if (d->retry_us != 0)
        next = d->retry_us;
    if (d->is_full && d->retry_us == 0 && n->now_us >= d->look_us && !d->append.is_submitted && !d->prepare.is_submitted) {
        d->look_us = n->now_us + DISK_RETRY_US;
        disk_submit(n, &d->prepare);
    }
    if (d->is_full)
        next = earlier_us(next, d->look_us > n->now_us ? d->look_us : n->now_us + DISK_RETRY_US);
    disk_hand_over(n);
    return earlier_us(next, disk_watch(n));
}
