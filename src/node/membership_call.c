#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mutant.h"
#include "keyspace/used_ids.h"
#include "node/node_internal.h"

/* New nodes are called before anything is appended: who is there, is it BLANK? Then each is told the cluster's id and hash seed,
 * which it makes durable (E2); a node that was told but never added is taken in at the next try. */

#define CALL_MOST_US 3000000
#define CALL_RETRY_US 200000
#define TAKE_IN_MOST_US 10000000
#define CALL_POLL_US 50000

void membership_end_calls(struct node *n)
{
    struct membership *m = &n->membership;
    for (uint32_t i = 0; i < m->newcomer_count; i++) {
        if (m->newcomer[i].probe != 0)
            n->env.hang_up(n->env.ctx, m->newcomer[i].probe, NULL);
        m->newcomer[i].probe = 0;
    }
}

static struct newcomer *newcomer_called(struct node *n, link_id id)
{
    struct membership *m = &n->membership;
    for (uint32_t i = 0; m->phase == CHANGE_CALLING && i < m->newcomer_count; i++)
        if (m->newcomer[i].probe == id)
            return &m->newcomer[i];
    return NULL;
}

/* What speaks against the node that answered; NULL: nothing. */
static const char *answer_fault(struct node *n, const struct newcomer *c, const struct peer_hello *theirs)
{
    const struct membership *m = &n->membership;
    if (theirs->id == n->identity.node_id)
        return "is this node itself, under another address";
    if (raft_conf_find(&m->before, theirs->id))
        return "is a member already, under another address";
    if (theirs->cluster_id != 0 && theirs->cluster_id != n->identity.cluster_id)
        return "holds data of another cluster: start it with an empty data directory";
    if (used_ids_contain(n->keyspace, theirs->id))
        return "was a member before, and an id is never used again: start it with an empty data directory";
    for (uint32_t i = 0; i < m->newcomer_count; i++)
        if (&m->newcomer[i] != c && m->newcomer[i].id == theirs->id)
            return "is the same node as another address of this change";
    return NULL;
}

bool membership_call_up(struct node *n, link_id id, const struct peer_hello *theirs)
{
    struct newcomer *c = newcomer_called(n, id);
    char text[CHANGE_TEXT_BYTES];
    if (!c)
        return false;
    const char *fault = answer_fault(n, c, theirs);
    c->probe = 0;
    n->env.hang_up(n->env.ctx, id, NULL);
    if (fault) {
        snprintf(text, sizeof text, "ERR Node %.200s %s; the cluster is unchanged.", c->address, fault);
        membership_fail(n, text);
        return true;
    }
    c->id = theirs->id;
    return true;
}

bool membership_call_down(struct node *n, link_id id, const char *why)
{
    struct newcomer *c = newcomer_called(n, id);
    if (!c)
        return false;
    c->probe = 0;
    c->retry_us = n->now_us + CALL_RETRY_US;
    snprintf(n->membership.why, sizeof n->membership.why, "%s", why);
    return true;
}

static void membership_note_ids(struct node *n)
{
    struct membership *m = &n->membership;
    for (uint32_t i = 0; i < m->plan.count; i++)
        for (uint32_t k = 0; k < m->newcomer_count; k++)
            if (strcmp(change_step_new_address(&m->plan.step[i]), m->newcomer[k].address) == 0)
                m->plan.step[i].new_id = m->newcomer[k].id;
}

uint64_t membership_call(struct node *n)
{
    struct membership *m = &n->membership;
    bool has_all = true;
    for (uint32_t i = 0; i < m->newcomer_count; i++) {
        struct newcomer *c = &m->newcomer[i];
        has_all = has_all && c->id != 0;
        if (c->id != 0 || c->probe != 0 || n->now_us < c->retry_us)
            continue;
        struct peer_hello mine;
        node_get_hello(n, LINK_PROBE, &mine);
        c->probe = ++n->peers.last_link;
        n->env.dial(n->env.ctx, c->probe, c->address, &mine);
    }
    if (has_all) {
        membership_note_ids(n);
        membership_enter(n, CHANGE_TAKING_IN);
        return n->now_us;
    }
    if (n->now_us - m->phase_us < CALL_MOST_US)
        return n->now_us + CALL_POLL_US;
    for (uint32_t i = 0; i < m->newcomer_count; i++)
        if (m->newcomer[i].id == 0) {
            char text[CHANGE_TEXT_BYTES];
            snprintf(text, sizeof text, "ERR Node %.120s can't be reached (%.160s); the cluster is unchanged.", m->newcomer[i].address,
                     m->why[0] ? m->why : "no answer");
            membership_fail(n, text);
            break;
        }
    return n->now_us;
}

bool membership_wants_peer(const struct node *n, raft_id id)
{
    const struct membership *m = &n->membership;
    bool is_under_way = m->phase == CHANGE_TAKING_IN || m->phase == CHANGE_LEARNING;
    for (uint32_t i = 0; is_under_way && i < m->newcomer_count; i++)
        if (m->newcomer[i].id == id)
            return true;
    return false;
}

uint64_t membership_take_in(struct node *n)
{
    struct membership *m = &n->membership;
    bool has_all = true;
    for (uint32_t i = 0; i < m->newcomer_count; i++) {
        struct peer *p = peers_find(n, m->newcomer[i].id);
        if (!p) {
            p = peers_add(n, m->newcomer[i].id, m->newcomer[i].address);
            if (!p) {
                membership_fail(n, "ERR this node has too many links; the cluster is unchanged.");
                return n->now_us;
            }
            p->is_blank = true; /* Until its greeting says otherwise: then the control link alone is dialled. */
        }
        bool is_in = peer_is_up(p, PEER_CONTROL) && !p->is_blank;
        has_all = has_all && is_in;
        if (is_in || n->now_us - m->phase_us < TAKE_IN_MOST_US)
            continue;
        char text[CHANGE_TEXT_BYTES];
        snprintf(text, sizeof text, "ERR Node %s answered, but did not join in time; the cluster is unchanged.", p->address);
        membership_fail(n, text);
        return n->now_us;
    }
    if (!has_all)
        return n->now_us + CALL_POLL_US;
    membership_enter(n, CHANGE_LEARNING);
    return n->now_us;
}
