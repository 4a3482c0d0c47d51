#include "node/log_time.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mutant.h"
#include "keyspace/waiters.h"
#include "node/node_internal.h"

/* Log time (DESIGN §6).
 *
 *   base_us + (now - base_mono_us)        the continued time: any node that heard a leader since its start
 *
 * A leader continues it the same way, but bends it towards its own wall clock by at most one part in ten of the time that
 * passed, so a jump of the wall clock never jumps log time. A follower sets the base to what the leader's envelopes say.
 * A new leader goes on from what it continued as a follower; if it heard none since its start, from what a voter continued;
 * if nobody did (all nodes were stopped), it steps at once to the median of the wall clocks it knows, its own among them, so that
 * one clock a year ahead expires nothing. With two clocks the median is the lower one.
 *
 * T1  A stamp is never lower than any stamp before it in this node's log, and never lower than any applied.
 * T2  Only a leader stamps; a follower's time is used for nothing but to continue it, and in the envelope. */

#define SECOND_US 1000000
#define PULSE_READ_US 20000
#define PULSE_KEYS_US 100000

static int64_t log_time_at(const struct log_time *t, uint64_t now_us)
{
    return t->base_us + (int64_t)(now_us - t->base_mono_us);
}

static void log_time_set(struct node *n, int64_t time_us)
{
    n->log_time.is_known = true;
    n->log_time.base_us = time_us;
    n->log_time.base_mono_us = n->now_us;
}

void log_time_heard(struct node *n, int64_t time_ms)
{
    struct log_time *t = &n->log_time;
    if (time_ms <= 0)
        return;
    /* Envelopes travel: the newest one wins only if it is ahead of what was continued, or the difference is more than
     * the network explains (a leader that went on from an earlier time). */
    int64_t heard_us = time_ms * 1000;
    if (!t->is_known || heard_us > log_time_at(t, n->now_us) || heard_us < log_time_at(t, n->now_us) - SECOND_US)
        log_time_set(n, heard_us);
}

void log_time_seen(struct node *n, int64_t time_ms)
{
    if (time_ms > n->log_time.last_stamp_ms)
        n->log_time.last_stamp_ms = time_ms;
}

int64_t log_time_continued(const struct node *n)
{
    if (!n->log_time.is_known)
        return 0;
    return log_time_at(&n->log_time, n->now_us) / 1000;
}

static int compare_i64(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The median of the wall clocks of those heard lately and of this node; the lower one of two in the middle. */
static int64_t log_time_median_wall(struct node *n)
{
    int64_t wall[2 * LIMIT_MEMBERS + 1];
    size_t count = 0;
    wall[count++] = n->env.wall_ms(n->env.ctx);
    for (uint32_t i = 0; i < n->peers.count; i++) {
        const struct peer *p = &n->peers.peer[i];
        uint64_t age_us = n->now_us - p->heard_us;
        if (p->is_member && p->heard_us != 0 && age_us <= 4 * node_election_timeout_us(n))
            wall[count++] = p->last.wall_ms + (int64_t)(age_us / 1000);
    }
    qsort(wall, count, sizeof wall[0], compare_i64);
    return wall[(count - 1) / 2];
}

/* The newest time that a voter continued; 0: nobody did. */
static int64_t log_time_from_voters(struct node *n)
{
    int64_t newest = 0;
    for (uint32_t i = 0; i < n->peers.count; i++) {
        const struct peer *p = &n->peers.peer[i];
        uint64_t age_us = n->now_us - p->heard_us;
        if (!p->is_member || p->heard_us == 0 || p->last.log_time_ms <= 0 || age_us > 4 * node_election_timeout_us(n))
            continue;
        int64_t continued = p->last.log_time_ms + (int64_t)(age_us / 1000);
        if (continued > newest)
            newest = continued;
    }
    return newest;
}

void log_time_lead(struct node *n)
{
    struct log_time *t = &n->log_time;
    /* The last stamp in this log, applied or not. */
    raft_index first = n->driver.status.memory_first;
    first = first > n->apply.applied ? first : n->apply.applied + 1;
    for (raft_index i = first; i <= n->driver.status.last_index; i++) {
        struct raft_entry e;
        if (raft_get_entry(n->raft, i, &e))
            log_time_seen(n, e.time_ms);
    }
    if (!t->is_known) {
        int64_t voters_ms = log_time_from_voters(n);
        if (voters_ms > 0) {
            COVER("log time: taken from a voter");
            log_time_set(n, voters_ms * 1000);
        } else {
            COVER("log time: stepped to the wall clocks");
            log_time_set(n, log_time_median_wall(n) * 1000);
        }
    }
    if (log_time_at(t, n->now_us) < t->last_stamp_ms * 1000)
        log_time_set(n, t->last_stamp_ms * 1000);
    if (MUT(41)) {
        log_time_set(n, (t->last_stamp_ms - 3600 * 1000) * 1000);
        t->last_stamp_ms = 0;
    }
    int64_t off_ms = log_time_at(t, n->now_us) / 1000 - n->env.wall_ms(n->env.ctx);
    t->is_far_off = off_ms > 1000 || off_ms < -1000;
    if (t->is_far_off)
        log_line(&n->env.log,
                 LOG_WARNING,
                 "The cluster's time is %lld ms %s this node's clock; it follows the clock slowly.",
                 (long long)llabs(off_ms),
                 off_ms > 0 ? "ahead of" : "behind");
}

/* How far the wall clock, which is told in whole milliseconds, is ahead of `continued_us`. Inside the millisecond that it
 * tells there is nothing to correct: whoever aims at its start is behind by half of one, and PTTL tells a client that asked
 * for 10,000 ms from now on 10,001. */
static int64_t log_time_off(int64_t continued_us, int64_t wall_ms)
{
    int64_t first_us = wall_ms * 1000;
    int64_t last_us = first_us + 999;
    return continued_us < first_us ? first_us - continued_us : continued_us > last_us ? last_us - continued_us : 0;
}

/* Leader: continue, bending towards the wall clock by at most a tenth of what passed. */
static void log_time_slew(struct node *n)
{
    struct log_time *t = &n->log_time;
    uint64_t passed_us = n->now_us - t->base_mono_us;
    if (passed_us < 1000)
        return;
    int64_t continued = log_time_at(t, n->now_us);
    int64_t off_us = log_time_off(continued, n->env.wall_ms(n->env.ctx));
    int64_t most = (int64_t)(passed_us / 10);
    bool is_far_off = off_us > SECOND_US || off_us < -SECOND_US;
    if (is_far_off && !t->is_far_off)
        log_line(&n->env.log,
                 LOG_WARNING,
                 "This node's clock is %lld ms off the cluster's time, which now follows it slowly.",
                 (long long)(llabs(off_us) / 1000));
    t->is_far_off = is_far_off;
    int64_t bend = off_us > most ? most : off_us < -most ? -most : off_us;
    log_time_set(n, continued + bend);
}

int64_t log_time_now(struct node *n)
{
    struct log_time *t = &n->log_time;
    ASSERT(t->is_known);
    log_time_slew(n);
    int64_t now_ms = log_time_at(t, n->now_us) / 1000;
    return now_ms > t->last_stamp_ms ? now_ms : t->last_stamp_ms;
}

int64_t log_time_stamp(struct node *n)
{
    int64_t time_ms = log_time_now(n);
    ASSERT(time_ms >= n->log_time.last_stamp_ms); /* T1 */
    n->log_time.last_stamp_ms = time_ms;
    return time_ms;
}

void log_time_want(struct node *n, int64_t time_ms)
{
    if (time_ms > n->log_time.wanted_ms)
        n->log_time.wanted_ms = time_ms;
}

static void log_time_pulse(struct node *n)
{
    struct proposal time = {.number = PROPOSAL_TIME, .version = 1};
    n->log_time.pulse_us = n->now_us;
    if (node_is_leader(n)) {
        /* T1: while this node still reads its log back it does not know the last stamp. */
        if (n->forward.is_ready)
            batch_add_proposal(&n->batch, &time, NULL, 0);
        return;
    }
    struct peer *leader = peers_leader(n);
    if (!leader)
        return;
    write_u64(peers_begin(n), (uint64_t)n->log_time.wanted_ms);
    peers_send(n, leader, PEER_CONTROL, PEER_PULSE);
}

uint64_t log_time_tick(struct node *n)
{
    struct log_time *t = &n->log_time;
    uint64_t next = NODE_NEVER;
    if (node_is_blank(n))
        return next;
    if (t->wanted_ms != 0 && keyspace_time_ms(n->keyspace) >= t->wanted_ms)
        t->wanted_ms = 0;
    if (t->wanted_ms != 0) {
        if (t->pulse_us == 0 || n->now_us - t->pulse_us >= PULSE_READ_US)
            log_time_pulse(n);
        return t->pulse_us + PULSE_READ_US;
    }
    if (!node_is_leader(n) || !t->is_known)
        return next;
    /* Waiters whose time is over, at once; keys that became due without any entry to remove them. */
    const struct waiter *waiter = waiters_first_due(n->keyspace);
    if (waiter && waiter->deadline_ms <= log_time_now(n)) {
        bool is_quiet = n->apply.applied == n->driver.status.last_index && n->batch.run_count == 0;
        if (is_quiet)
            log_time_pulse(n);
        return n->now_us + PULSE_READ_US;
    }
    if (waiter) {
        int64_t left_ms = waiter->deadline_ms - log_time_now(n);
        next = n->now_us + (uint64_t)(left_ms < 3600000 ? left_ms : 3600000) * 1000;
    }
    int64_t due_ms = keyspace_next_due(n->keyspace);
    if (due_ms == KEYSPACE_NO_EXPIRY)
        return next;
    int64_t now_ms = log_time_now(n);
    if (due_ms > now_ms)
        return earlier_us(next, n->now_us + (uint64_t)(due_ms - now_ms < 3600000 ? due_ms - now_ms : 3600000) * 1000);
    if (t->pulse_us != 0 && n->now_us - t->pulse_us < PULSE_KEYS_US)
        return earlier_us(next, t->pulse_us + PULSE_KEYS_US);
    if (n->apply.applied == n->driver.status.last_index && n->batch.run_count == 0)
        log_time_pulse(n);
    return earlier_us(next, n->now_us + PULSE_KEYS_US);
}
