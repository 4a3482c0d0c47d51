#include "node/membership.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mutant.h"
#include "keyspace/used_ids.h"
#include "node/node_internal.h"

/* The leader carries out one change of membership at a time (dissertation §4; raft/membership.c has the consensus).
 *
 *   IDLE --request--> CALLING --all new nodes said who they are--> TAKING_IN --each made the cluster durable-->
 *     LEARNING --entry committed--> CATCHING_UP --each held a round shorter than an election timeout-->
 *       SWITCHING --C_old,new and C_new committed--> done
 *   a change without new nodes or promotions goes from IDLE to SWITCHING.
 *   CALLING, TAKING_IN --anything wrong--> not done: nothing was appended
 *   LEARNING, CATCHING_UP --unreachable, too slow, CANCEL--> DROPPING --entry without the learners committed--> not done
 *   SWITCHING --CANCEL, or C_new's majority is gone (Raft does it)--> C_old again --> DROPPING or not done
 *
 * E1  Only one change at a time, and only from a committed configuration that is not joint.
 * E2  A node is told the cluster, and has it on disk, before a configuration names it; so an id in a configuration is the id of a
 *     data directory that belongs to the cluster. An id that ever was in one is never used again (used_ids.h).
 * E3  Nobody votes before it has caught up, so a change to new voters doesn't stop writes.
 * E4  The answer "done" is given only when the wanted configuration is committed and not joint.
 * E5  The state here is a leader's and dies with its leadership. The asker asks the next leader, and says that it does; that one
 *     compares the wish with the configuration: done, or it goes on from what it finds (a learner that is there already). Of
 *     a request that a former leader knew and this one can't place, the answer is UNKNOWN. */

#define PHASE_POLL_US 20000
#define PROPOSE_MOST_US 10000000
#define ADDRESS_EVERY_US 500000

static const struct raft_conf *settled_conf(const struct node *n)
{
    raft_index index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &index);
    bool is_settled = !conf->is_joint && index <= n->driver.commit && n->driver.commit >= n->driver.status.term_start;
    return is_settled || MUT(10) ? conf : NULL; /* The mutant takes this look away, too: Raft's is the one that must hold. */
}

/* --- answers ------------------------------------------------------------------------------------- */

static void membership_remember(struct membership *m, raft_id id, uint64_t number, enum ask_state state, const char *text)
{
    uint32_t at = m->outcome_at++ % CHANGE_OUTCOMES_MAX;
    m->outcome[at].id = id;
    m->outcome[at].number = number;
    m->outcome[at].state = state;
    snprintf(m->outcome[at].text, sizeof m->outcome[at].text, "%s", text);
}

static void membership_finish(struct node *n, enum ask_state state, const char *text)
{
    struct membership *m = &n->membership;
    struct buf what = {0};
    change_plan_describe(&m->plan, &what);
    buf_append_byte(&what, 0);
    const char *blank = strchr(text, ' ');
    log_line(&n->env.log, state == ASK_DONE ? LOG_NOTICE : LOG_WARNING, "Membership: %s: %s", (const char *)buf_slice(&what).p,
             state == ASK_DONE ? "done." : blank ? blank + 1 : text);
    buf_deinit(&what);
    membership_end_calls(n);
    m->phase = CHANGE_IDLE;
    uint32_t count = m->asker_count;
    m->asker_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        membership_remember(m, m->asker[i].id, m->asker[i].number, state, text);
        membership_tell(n, m->asker[i].id, m->asker[i].number, state, &m->plan, text);
    }
}

void membership_enter(struct node *n, enum change_phase phase)
{
    struct membership *m = &n->membership;
    m->phase = phase;
    m->phase_us = n->now_us;
    m->is_proposed = false;
}

void membership_fail(struct node *n, const char *why)
{
    struct membership *m = &n->membership;
    struct raft_conf back;
    raft_index index;
    snprintf(m->why, sizeof m->why, "%s", why);
    change_plan_undo(&m->plan, &m->before, raft_get_conf(n->raft, &index), &back);
    membership_end_calls(n);
    if (raft_conf_equal(&back, raft_get_conf(n->raft, &index))) {
        membership_finish(n, ASK_FAILED, m->why);
        return;
    }
    m->target = back;
    membership_enter(n, CHANGE_DROPPING);
}

/* --- a request ----------------------------------------------------------------------------------- */

static void membership_add_asker(struct membership *m, raft_id id, uint64_t number)
{
    for (uint32_t i = 0; i < m->asker_count; i++)
        if (m->asker[i].id == id && m->asker[i].number == number)
            return;
    if (m->asker_count == CHANGE_ASKERS_MAX)
        return;
    m->asker[m->asker_count].id = id;
    m->asker[m->asker_count++].number = number;
}

static void membership_begin_transfer(struct node *n)
{
    struct membership *m = &n->membership;
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .u.transfer_to = m->plan.step[0].member_id};
    m->former_leader = n->identity.node_id;
    membership_enter(n, CHANGE_HANDING_OVER);
    if (m->plan.step[0].member_id == n->identity.node_id) {
        membership_finish(n, ASK_DONE, "");
        return;
    }
    m->plan.step[0].new_id = n->identity.node_id; /* Whoever is asked next knows who led. */
    enum err e = driver_step(n, &event);
    if (m->phase == CHANGE_HANDING_OVER && e != ERR_OK)
        membership_finish(n, ASK_FAILED, e == ERR_BUSY ? "ERR a leadership transfer or a membership change is under way; try again"
                                                       : "ERR no other voter is there to lead");
}

/* TRANSFER and CANCEL, which need no phases of their own. True: it was one. */
static bool membership_begin_lone(struct node *n, bool is_retry)
{
    struct membership *m = &n->membership;
    const struct change_step *s = &m->plan.step[0];
    if (s->verb == CHANGE_CANCEL) {
        membership_finish(n, is_retry ? ASK_DONE : ASK_FAILED, is_retry ? "" : "ERR no membership change is under way");
        return true;
    }
    if (s->verb != CHANGE_TRANSFER)
        return false;
    bool has_moved = is_retry && (s->member_id ? s->member_id == n->identity.node_id : s->new_id != n->identity.node_id);
    if (has_moved)
        membership_finish(n, ASK_DONE, "");
    else
        membership_begin_transfer(n);
    return true;
}

static bool address_is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "[::1]", 5) == 0 || strncmp(address, "localhost:", 10) == 0;
}

/* Nodes on other machines: with a secret only, and only where they can find this one. NULL: nothing speaks against it. */
static const char *membership_distance_fault(const struct node *n)
{
    const struct membership *m = &n->membership;
    for (uint32_t i = 0; i < m->newcomer_count; i++) {
        if (address_is_loopback(m->newcomer[i].address))
            continue;
        if (n->options->cluster_secret_file[0] == '\0')
            return "ERR nodes on other machines need a cluster-secret-file, the same on all nodes; the cluster is unchanged";
        for (uint32_t k = 0; k < m->before.member_count; k++)
            if (address_is_loopback(m->before.member[k].address))
                return "ERR a member is known by an address of its own machine, where no other finds it: start it again with "
                       "--announce; the cluster is unchanged";
    }
    return NULL;
}

static void membership_note_newcomers(struct node *n)
{
    struct membership *m = &n->membership;
    m->newcomer_count = 0;
    for (uint32_t i = 0; i < m->plan.count; i++) {
        if (!change_step_brings_node(&m->plan.step[i], &m->before))
            continue;
        struct newcomer *c = &m->newcomer[m->newcomer_count++];
        *c = (struct newcomer){0};
        snprintf(c->address, sizeof c->address, "%s", change_step_new_address(&m->plan.step[i]));
    }
}

static void membership_begin(struct node *n, const struct raft_conf *conf, bool is_retry)
{
    struct membership *m = &n->membership;
    char text[CHANGE_TEXT_BYTES];
    struct raft_conf target;
    m->before = *conf;
    if (!change_plan_resolve(&m->plan, conf, is_retry, text)) {
        char unknown[CHANGE_TEXT_BYTES + 96];
        snprintf(unknown, sizeof unknown, "UNKNOWN the leader changed meanwhile, and now: %s RAFT MEMBERS shows what is.", text + 4);
        membership_finish(n, ASK_FAILED, is_retry ? unknown : text);
        return;
    }
    if (change_plan_is_done(&m->plan, conf)) {
        membership_finish(n, ASK_DONE, "");
        return;
    }
    if (membership_begin_lone(n, is_retry))
        return;
    membership_note_newcomers(n);
    const char *fault = membership_distance_fault(n);
    if (fault) {
        membership_finish(n, ASK_FAILED, fault);
        return;
    }
    if (m->newcomer_count > 0) {
        m->why[0] = '\0';
        membership_enter(n, CHANGE_CALLING);
        return;
    }
    if (change_plan_target(&m->plan, conf, &target) != ERR_OK) {
        membership_finish(n, ASK_FAILED, "ERR the last voter can't be removed or demoted; the cluster is unchanged");
        return;
    }
    membership_enter(n, CHANGE_CATCHING_UP);
}

static void membership_cancel(struct node *n, raft_id from, uint64_t number)
{
    struct membership *m = &n->membership;
    struct raft_event event = {.type = RAFT_EVENT_CANCEL};
    bool is_begun = m->phase == CHANGE_SWITCHING && m->is_proposed;
    if (m->phase == CHANGE_DROPPING || m->phase == CHANGE_HANDING_OVER) {
        membership_tell(n, from, number, ASK_FAILED, NULL, "ERR it is too late to cancel: the change is coming to its end already");
        return;
    }
    if (is_begun && driver_step(n, &event) != ERR_OK) {
        membership_tell(n, from, number, ASK_FAILED, NULL,
                        "ERR it is too late to cancel: the joint phase is committed and will be finished");
        return;
    }
    membership_remember(m, from, number, ASK_DONE, "");
    membership_tell(n, from, number, ASK_DONE, NULL, "");
    if (!is_begun) /* Else the tick sees the configuration come back. */
        membership_fail(n, "ERR the change was cancelled; the cluster is unchanged");
}

/* Known already: answered as before. */
static bool membership_repeats(struct node *n, raft_id from, uint64_t number)
{
    struct membership *m = &n->membership;
    for (uint32_t i = 0; i < CHANGE_OUTCOMES_MAX; i++)
        if (m->outcome[i].id == from && m->outcome[i].number == number && from != 0) {
            membership_tell(n, from, number, m->outcome[i].state, NULL, m->outcome[i].text);
            return true;
        }
    return false;
}

void membership_request(struct node *n, raft_id from, uint64_t number, bool is_retry, const struct change_plan *plan)
{
    struct membership *m = &n->membership;
    if (!node_is_leader(n) || membership_repeats(n, from, number))
        return;
    if (m->phase != CHANGE_IDLE && change_plan_same(&m->plan, plan)) {
        membership_add_asker(m, from, number);
        membership_tell(n, from, number, ASK_PENDING, &m->plan, "");
        return;
    }
    if (m->phase != CHANGE_IDLE && plan->step[0].verb == CHANGE_CANCEL) {
        membership_cancel(n, from, number);
        return;
    }
    if (m->phase != CHANGE_IDLE && !MUT(10)) {
        struct buf text = {0};
        buf_printf(&text, "ERR another change is under way (");
        change_plan_describe(&m->plan, &text);
        buf_printf(&text, "): wait for it, or RAFT CANCEL");
        buf_append_byte(&text, 0);
        membership_tell(n, from, number, is_retry ? ASK_PENDING : ASK_FAILED, plan, (const char *)buf_slice(&text).p);
        buf_deinit(&text);
        return;
    }
    const struct raft_conf *conf = settled_conf(n);
    if (!conf || n->apply.applied < n->driver.status.term_start) {
        /* A change of a former leader is being finished, or this one has just begun: soon. */
        membership_tell(n, from, number, ASK_PENDING, plan, "");
        return;
    }
    m->plan = *plan;
    m->asker_count = 0;
    membership_add_asker(m, from, number);
    membership_begin(n, conf, is_retry);
    if (m->phase != CHANGE_IDLE)
        membership_tell(n, from, number, ASK_PENDING, &m->plan, "");
}

/* --- phases that wait for an entry --------------------------------------------------------------- */

/* Proposes `to`; true when it is committed, false: not yet, or the phase has ended otherwise. */
static bool membership_reach(struct node *n, const struct raft_conf *to)
{
    struct membership *m = &n->membership;
    enum change_phase phase = m->phase;
    if (!m->is_proposed) {
        struct raft_event event = {.type = RAFT_EVENT_CHANGE, .u.change_to = to};
        enum err e = settled_conf(n) ? driver_step(n, &event) : ERR_BUSY;
        if (m->phase != phase || !node_is_leader(n))
            return false;
        if (e == ERR_OK) {
            m->is_proposed = true;
            raft_get_conf(n->raft, &m->proposed_index);
        } else if (e != ERR_BUSY || n->now_us - m->phase_us > PROPOSE_MOST_US) {
            if (phase == CHANGE_DROPPING)
                membership_finish(n, ASK_FAILED, m->why);
            else
                membership_fail(n, "ERR the change could not be begun; the cluster is unchanged");
        }
        return false;
    }
    const struct raft_conf *conf = settled_conf(n);
    return conf && raft_conf_equal(conf, to);
}

static void membership_learn(struct node *n)
{
    struct membership *m = &n->membership;
    struct raft_conf to;
    if (change_plan_learners(&m->plan, &m->before, &to) != ERR_OK) {
        membership_fail(n, "ERR a cluster has at most 31 members; the cluster is unchanged");
        return;
    }
    if (membership_reach(n, &to))
        membership_enter(n, CHANGE_CATCHING_UP);
}

static void membership_switch(struct node *n)
{
    struct membership *m = &n->membership;
    raft_index index;
    if (!m->is_proposed) {
        const struct raft_conf *conf = settled_conf(n);
        if (conf && change_plan_target(&m->plan, conf, &m->target) != ERR_OK) {
            membership_fail(n, "ERR the last voter can't be removed or demoted; the cluster is unchanged");
            return;
        }
    }
    if (membership_reach(n, &m->target)) {
        membership_finish(n, ASK_DONE, "");
        return;
    }
    /* Back in a settled configuration that is not the wanted one: the joint phase was cancelled. */
    if (m->phase == CHANGE_SWITCHING && m->is_proposed && settled_conf(n) && raft_get_conf(n->raft, &index) && index > m->proposed_index &&
        !raft_conf_equal(settled_conf(n), &m->target))
        membership_fail(n, "ERR the change was cancelled: a majority of the new voters could not be reached, or RAFT CANCEL; the "
                           "cluster is unchanged");
}

static void membership_drop(struct node *n)
{
    if (membership_reach(n, &n->membership.target))
        membership_finish(n, ASK_FAILED, n->membership.why);
}

static void membership_watch_transfer(struct node *n)
{
    if (!n->driver.status.is_transferring)
        membership_finish(n, ASK_FAILED, "ERR the other node did not take over within the election timeout; the leader is the same");
}

/* --- addresses ----------------------------------------------------------------------------------- */

/* A member that was started with another --announce says so in its greeting; the configuration follows. */
static bool address_is_new(const struct raft_conf *conf, uint32_t i, const char *announced)
{
    if (announced[0] == '\0' || strcmp(conf->member[i].address, announced) == 0)
        return false;
    for (uint32_t k = 0; k < conf->member_count; k++)
        if (k != i && strcmp(conf->member[k].address, announced) == 0)
            return false;
    return true;
}

static void membership_follow_addresses(struct node *n)
{
    const struct raft_conf *conf = settled_conf(n);
    n->membership.address_us = n->now_us + ADDRESS_EVERY_US;
    for (uint32_t i = 0; conf && i < conf->member_count; i++) {
        bool is_self = conf->member[i].id == n->identity.node_id;
        const struct peer *p = is_self ? NULL : peers_find(n, conf->member[i].id);
        const char *announced = is_self ? n->formation.own_address : p && peer_is_up(p, PEER_CONTROL) ? p->announced : "";
        if (!address_is_new(conf, i, announced))
            continue;
        COVER("membership: a member's address has changed");
        log_line(&n->env.log, LOG_NOTICE, "Membership: %s is at %s now.", conf->member[i].address, announced);
        struct raft_conf to = *conf;
        struct raft_event event = {.type = RAFT_EVENT_CHANGE, .u.change_to = &to};
        snprintf(to.member[i].address, sizeof to.member[i].address, "%s", announced);
        if (driver_step(n, &event) != ERR_OK)
            COVER("membership: an address must wait");
        return;
    }
}

/* --- once per iteration -------------------------------------------------------------------------- */

static uint64_t membership_step(struct node *n)
{
    switch (n->membership.phase) {
    case CHANGE_IDLE:
        if (n->now_us >= n->membership.address_us)
            membership_follow_addresses(n);
        return n->membership.address_us;
    case CHANGE_CALLING:
        return membership_call(n);
    case CHANGE_TAKING_IN:
        return membership_take_in(n);
    case CHANGE_LEARNING:
        membership_learn(n);
        break;
    case CHANGE_CATCHING_UP:
        return membership_catch_up(n);
    case CHANGE_SWITCHING:
        membership_switch(n);
        break;
    case CHANGE_DROPPING:
        membership_drop(n);
        break;
    case CHANGE_HANDING_OVER:
        membership_watch_transfer(n);
        break;
    }
    return n->now_us + PHASE_POLL_US;
}

uint64_t membership_tick(struct node *n)
{
    uint64_t next = membership_asks_tick(n);
    if (node_is_leader(n) && !n->leave.is_removed)
        next = earlier_us(next, membership_step(n));
    return next;
}

void membership_on_role_change(struct node *n)
{
    struct membership *m = &n->membership;
    if (node_is_leader(n) || m->phase == CHANGE_IDLE)
        return;
    raft_index index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &index);
    /* A leader that removed itself steps down in the very step that commits it (E4). */
    if (m->phase == CHANGE_SWITCHING && index <= n->driver.commit && change_plan_is_done(&m->plan, conf)) {
        membership_finish(n, ASK_DONE, "");
        return;
    }
    COVER("membership: a change outlives its leader");
    membership_end_calls(n);
    m->phase = CHANGE_IDLE;
    m->asker_count = 0;
}

void membership_describe(struct node *n, struct buf *out)
{
    static const char *const phase[] = {
        "idle", "calling the new nodes", "taking the new nodes in", "adding learners", "waiting for the new nodes to catch up",
        "switching", "taking it back", "handing over",
    };
    const struct membership *m = &n->membership;
    if (m->phase != CHANGE_IDLE) {
        change_plan_describe(&m->plan, out);
        buf_printf(out, ": ");
    }
    buf_printf(out, "%s", phase[m->phase]);
    for (uint32_t i = 0; m->phase == CHANGE_CATCHING_UP && i < m->newcomer_count; i++)
        buf_printf(out, "%s round %u", i > 0 ? "," : ",", m->newcomer[i].round);
}
