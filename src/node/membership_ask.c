#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* The asker's half: a wish for another membership, on the node whose client (or whose blank neighbour) has it. It is sent to whoever
 * leads, again and again, until one answers for good; the leader forgets with its leadership, the asker doesn't (membership.c E5).
 *
 * K1  "Not done" without a leader's word is said only while nothing was ever sent. Afterwards silence means UNKNOWN.
 * K2  The wish is sent with what the last leader found out (ids), so that the next one can tell what is done already. */

#define ASK_AGAIN_US 250000

static struct ask *ask_find(struct node *n, uint64_t number)
{
    for (uint32_t i = 0; i < ASKS_MAX; i++)
        if (n->membership.asks.ask[i].number == number && number != 0)
            return &n->membership.asks.ask[i];
    return NULL;
}

static struct ask *ask_new(struct node *n, const struct change_plan *plan)
{
    struct asks *asks = &n->membership.asks;
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        if (asks->ask[i].number != 0)
            continue;
        /* Unlike any of another life of this node. */
        uint64_t number = n->incarnation << 24 | ++asks->last_number;
        asks->ask[i] = (struct ask){.number = number, .plan = *plan, .started_us = n->now_us, .heard_us = n->now_us};
        return &asks->ask[i];
    }
    return NULL;
}

uint64_t membership_ask(struct node *n, const struct change_plan *plan)
{
    struct ask *a = ask_new(n, plan);
    if (!a)
        return 0;
    a->is_watched = true;
    formation_want(n); /* A lone blank node becomes a cluster of one first. */
    n->wake_us = n->now_us;
    return a->number;
}

enum ask_state membership_answer(struct node *n, uint64_t number, const char **text)
{
    struct ask *a = ask_find(n, number);
    *text = a ? a->text : "UNKNOWN the outcome of this change is not known";
    return a ? a->state : ASK_FAILED;
}

void membership_forget(struct node *n, uint64_t number)
{
    struct ask *a = ask_find(n, number);
    if (!a)
        return;
    a->is_watched = false;
    if (a->state != ASK_PENDING)
        a->number = 0;
}

static void ask_decide(struct ask *a, enum ask_state state, const char *text)
{
    a->state = state;
    snprintf(a->text, sizeof a->text, "%s", text);
    if (!a->is_watched && !a->is_foreign)
        a->number = 0;
}

void membership_ask_told(struct node *n, uint64_t number, enum ask_state state, const struct change_plan *plan, const char *text)
{
    struct ask *a = ask_find(n, number);
    if (!a || a->state != ASK_PENDING)
        return;
    a->heard_us = n->now_us;
    if (plan && change_plan_same(plan, &a->plan))
        a->plan = *plan; /* K2 */
    if (state != ASK_PENDING)
        ask_decide(a, state, text);
}

static void ask_send(struct node *n, struct ask *a)
{
    const struct raft_status *status = &n->driver.status;
    bool is_other = a->was_sent && (a->sent_to != status->leader || a->sent_term != status->term);
    if (!is_other && a->was_sent && n->now_us - a->sent_us < ASK_AGAIN_US)
        return;
    a->is_retry = a->is_retry || is_other;
    if (!node_is_leader(n)) {
        struct peer *leader = peers_leader(n);
        if (!leader || !peer_is_up(leader, PEER_CONTROL))
            return;
        struct buf *head = peers_begin(n);
        write_u64(head, a->number);
        write_u8(head, a->is_retry ? 1 : 0);
        change_plan_encode(&a->plan, head);
        if (!peers_send(n, leader, PEER_CONTROL, PEER_CHANGE))
            return;
    }
    a->was_sent = true;
    a->sent_to = status->leader;
    a->sent_term = status->term;
    a->sent_us = n->now_us;
    if (node_is_leader(n)) {
        struct change_plan plan = a->plan;
        membership_request(n, n->identity.node_id, a->number, a->is_retry, &plan);
    }
}

static void ask_expire(struct node *n, struct ask *a)
{
    char text[CHANGE_TEXT_BYTES];
    if (n->now_us - a->heard_us <= (uint64_t)n->options->request_timeout * 1000)
        return;
    if (!a->was_sent)
        snprintf(text, sizeof text, "CLUSTERDOWN %s; the cluster is unchanged", session_why_waiting(n));
    else
        snprintf(text, sizeof text, "UNKNOWN the outcome of this change is not known: %s; RAFT MEMBERS shows what is",
                 session_why_waiting(n));
    ask_decide(a, ASK_FAILED, text);
}

uint64_t membership_asks_tick(struct node *n)
{
    uint64_t next = NODE_NEVER;
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        struct ask *a = &n->membership.asks.ask[i];
        if (a->number == 0 || a->state != ASK_PENDING)
            continue;
        if (n->raft && n->driver.status.leader != 0)
            ask_send(n, a);
        if (a->number != 0 && a->state == ASK_PENDING)
            ask_expire(n, a);
        next = n->now_us + ASK_AGAIN_US / 5;
    }
    return next;
}

/* Whether it is so in the very configuration that removed this node, the last that it knows: an older one may have been overtaken. */
static bool ask_is_so(struct node *n, const struct ask *a)
{
    raft_index index = 0;
    char text[CHANGE_TEXT_BYTES];
    struct change_plan plan = a->plan;
    const struct raft_conf *conf = n->raft ? raft_get_conf(n->raft, &index) : NULL;
    return conf && conf->member_count > 0 && !raft_conf_find(conf, n->identity.node_id) && !conf->is_joint && index <= n->driver.commit && change_plan_resolve(&plan, conf, true, text) &&
           change_plan_is_done(&plan, conf);
}

void membership_asks_end(struct node *n)
{
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        struct ask *a = &n->membership.asks.ask[i];
        if (a->number == 0 || a->state != ASK_PENDING)
            continue;
        if (!a->was_sent)
            ask_decide(a, ASK_FAILED, "CLUSTERDOWN " LEAVE_REMOVED_TEXT "; the cluster is unchanged");
        else if (ask_is_so(n, a))
            ask_decide(a, ASK_DONE, "");
        else
            ask_decide(a, ASK_FAILED, "UNKNOWN the outcome of this change is not known: " LEAVE_REMOVED_TEXT " before it learnt it");
    }
}

/* --- messages ------------------------------------------------------------------------------------ */

void membership_tell(struct node *n, raft_id asker, uint64_t number, enum ask_state state, const struct change_plan *plan,
                     const char *text)
{
    if (asker == n->identity.node_id) {
        membership_ask_told(n, number, state, plan, text);
        return;
    }
    struct peer *p = peers_find(n, asker);
    if (!p)
        return;
    struct buf *head = peers_begin(n);
    write_u64(head, number);
    write_u8(head, (uint8_t)state);
    write_u16(head, (uint16_t)strlen(text));
    buf_append(head, text, strlen(text));
    write_u8(head, plan ? 1 : 0);
    if (plan)
        change_plan_encode(plan, head);
    peers_send(n, p, PEER_CONTROL, PEER_CHANGED);
}

void membership_receive(struct node *n, struct peer *p, struct slice body)
{
    struct reader r = reader_of(body);
    struct change_plan plan;
    uint64_t number = read_u64(&r);
    uint8_t is_retry = read_u8(&r);
    if (change_plan_decode(&r, &plan) && reader_done(&r) && number != 0)
        membership_request(n, p->id, number, is_retry != 0, &plan);
}

void membership_receive_answer(struct node *n, struct peer *p, struct slice body)
{
    struct reader r = reader_of(body);
    struct change_plan plan;
    char text[CHANGE_TEXT_BYTES];
    uint64_t number = read_u64(&r);
    uint8_t state = read_u8(&r);
    uint16_t size = read_u16(&r);
    struct slice bytes = read_bytes(&r, size);
    uint8_t has_plan = read_u8(&r);
    const struct ask *a = ask_find(n, number);
    if (r.failed || size >= sizeof text || state > ASK_FAILED || !a || a->sent_to != p->id)
        return;
    if (has_plan && (!change_plan_decode(&r, &plan) || !reader_done(&r)))
        return;
    snprintf(text, sizeof text, "%.*s", (int)size, size > 0 ? (const char *)bytes.p : "");
    membership_ask_told(n, number, (enum ask_state)state, has_plan ? &plan : NULL, text);
}

/* --- for nodes that join by themselves ----------------------------------------------------------- */

const char *membership_join(struct node *n, raft_id joiner, const char *address)
{
    struct change_plan plan;
    for (uint32_t i = 0; i < ASKS_MAX; i++) {
        struct ask *a = &n->membership.asks.ask[i];
        if (a->number == 0 || !a->is_foreign || a->joiner != joiner)
            continue;
        if (a->state != ASK_PENDING)
            a->number = 0; /* Asked anew next time. */
        return a->text;
    }
    change_plan_one(CHANGE_ADD, address, &plan);
    struct ask *a = ask_new(n, &plan);
    if (!a)
        return "ERR this node has too many changes under way";
    a->is_foreign = true;
    a->joiner = joiner;
    n->wake_us = n->now_us;
    return "";
}
