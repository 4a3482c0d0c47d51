#include "node/peers.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* Which links should exist, and what is done when one comes or goes. Per pair of members two connections: control and bulk. The
 * node with the smaller id dials both, and the other one too when that hasn't helped for a while (the member has moved to another
 * address, or doesn't know yet that it is one); a member that is still BLANK does not know us yet, so anybody dials its control link
 * to hand it the configuration. A newer link of the same role from the same member replaces the older one.
 *
 * Bulk progress (DESIGN §4): each side says in every envelope how many bytes it put on this bulk link and how many it got. Bytes
 * outstanding and no progress for one election timeout: the link is closed and dialled again. It carries data in both
 * directions (entries, forwards), so both sides watch both. */

#define BACKOFF_FIRST_US 20000
#define BACKOFF_MOST_US 500000
#define ADOPT_RETRY_US 500000
#define BULK_ROOM_US 1000
#define FAULT_LOG_US 10000000
#define LEFT_US 2000000
/* The other side should have dialled by then. Perhaps it doesn't know where this node is, or that it is a member. */
#define DIAL_ANYWAY_US 1500000
#define SILENT_US 3000000

void peers_init(struct node *n)
{
    n->peers = (struct peers){0};
}

void peers_deinit(struct node *n)
{
    struct peers *ps = &n->peers;
    for (uint32_t i = 0; i < ps->count; i++)
        for (int which = 0; which < PEER_LINKS; which++)
            if (ps->peer[i].link[which].id != 0)
                n->env.hang_up(n->env.ctx, ps->peer[i].link[which].id, NULL);
    buf_deinit(&ps->head);
    mem_free(ps->part);
    mem_free(ps->entry);
    *ps = (struct peers){0};
}

struct peer *peers_find(struct node *n, raft_id id)
{
    for (uint32_t i = 0; i < n->peers.count; i++)
        if (n->peers.peer[i].id == id)
            return &n->peers.peer[i];
    return NULL;
}

struct peer *peers_leader(struct node *n)
{
    raft_id leader = n->raft ? n->driver.status.leader : 0;
    return leader != 0 && leader != n->identity.node_id ? peers_find(n, leader) : NULL;
}

struct peer *peers_find_link(struct node *n, link_id id, int *which)
{
    for (uint32_t i = 0; i < n->peers.count; i++)
        for (*which = 0; *which < PEER_LINKS; (*which)++)
            if (n->peers.peer[i].link[*which].id == id)
                return &n->peers.peer[i];
    return NULL;
}

struct peer *peers_add(struct node *n, raft_id id, const char *address)
{
    struct peers *ps = &n->peers;
    struct peer *p = peers_find(n, id);
    if (!p) {
        if (ps->count == sizeof ps->peer / sizeof ps->peer[0])
            return NULL;
        p = &ps->peer[ps->count++];
        *p = (struct peer){.id = id};
        for (int which = 0; which < PEER_LINKS; which++)
            p->link[which].lost_us = n->now_us;
    }
    if (address[0] != '\0')
        snprintf(p->address, sizeof p->address, "%s", address);
    return p;
}

void peers_add_unconfirmed(struct node *n, raft_id id, const char *address)
{
    struct peer *p = peers_add(n, id, address);
    if (p)
        p->is_member = true;
}

/* --- links going down --- */

const char *peers_link_name(int which)
{
    return which == PEER_CONTROL ? "control" : "bulk";
}

/* Not through driver_step when called from an effect of a step: conf changes only drop links of nodes that left. */
static void link_forget(struct node *n, struct peer *p, int which)
{
    struct peer_link *l = &p->link[which];
    uint32_t backoff = l->backoff_us ? 2 * l->backoff_us : BACKOFF_FIRST_US;
    l->backoff_us = backoff > BACKOFF_MOST_US ? BACKOFF_MOST_US : backoff;
    l->retry_us = n->now_us + l->backoff_us / 2 + prng_below(&n->prng, l->backoff_us / 2 + 1);
    l->id = 0;
    l->is_up = false;
    l->lost_us = n->now_us;
}

void peers_link_lost(struct node *n, struct peer *p, int which)
{
    bool was_up = p->link[which].is_up;
    link_forget(n, p, which);
    if (!was_up || node_is_blank(n))
        return;
    if (p->id == n->driver.status.leader) {
        if (which == PEER_CONTROL)
            reads_retry(n);
        else
            n->session.told_term = 0; /* What was under way on it may be lost: wait to be told the tail again. */
    }
    if (which == PEER_BULK && p->is_member) {
        struct raft_event event = {.type = RAFT_EVENT_PEER_LINK};
        event.u.peer_link.peer = p->id;
        enum err e = driver_step(n, &event);
        ASSERT(e == ERR_OK);
    }
}

void peers_hang_up(struct node *n, struct peer *p, int which, const char *reason)
{
    if (p->link[which].id == 0)
        return;
    n->env.hang_up(n->env.ctx, p->link[which].id, reason);
    peers_link_lost(n, p, which);
}

bool peers_link_down(struct node *n, link_id id, const char *why, bool was_refused)
{
    int which;
    struct peer *p = peers_find_link(n, id, &which);
    if (!p)
        return false;
    bool was_up = p->link[which].is_up;
    if (was_refused && p->is_blank) {
        log_line(&n->env.log, LOG_VERBOSE, "%s refused the %s link: %s.", p->address, peers_link_name(which), why);
    } else if (was_refused && (p->fault_us == 0 || n->now_us - p->fault_us >= FAULT_LOG_US)) {
        p->fault_us = n->now_us;
        log_line(&n->env.log, LOG_WARNING, "%s refused the %s link: %s.", p->address, peers_link_name(which), why);
    } else if (was_up && !was_refused) {
        log_line(&n->env.log, LOG_NOTICE, "The %s link to %s is down: %s.", peers_link_name(which), p->address, why);
    }
    bool is_leader_lost = was_up && !was_refused && which == PEER_CONTROL && !node_is_blank(n) && p->id == n->driver.status.leader;
    peers_link_lost(n, p, which);
    if (is_leader_lost) {
        struct raft_event event = {.type = RAFT_EVENT_LEADER_LOST};
        event.u.lost_peer = p->id;
        enum err e = driver_step(n, &event);
        ASSERT(e == ERR_OK);
    }
    /* Told to go away: no hurry to come back. */
    if (was_refused && !was_up)
        p->link[which].retry_us = n->now_us + BACKOFF_MOST_US;
    return true;
}

/* --- who is wanted --- */

static void peers_drop(struct node *n, uint32_t at)
{
    struct peers *ps = &n->peers;
    for (int which = 0; which < PEER_LINKS; which++)
        if (ps->peer[at].link[which].id != 0)
            n->env.hang_up(n->env.ctx, ps->peer[at].link[which].id, "not a member of this cluster any more");
    ps->peer[at] = ps->peer[--ps->count];
}

/* A member that is one no longer keeps its links for a while, as a guest: it must still get the entry that says so, and the word that it is
 * committed (J15). */
void peers_update(struct node *n)
{
    struct peers *ps = &n->peers;
    raft_index index;
    const struct raft_conf *conf = raft_get_conf(n->raft, &index);
    for (uint32_t i = 0; i < ps->count; i++) {
        struct peer *p = &ps->peer[i];
        if (p->is_member && !raft_conf_find(conf, p->id)) {
            p->is_member = false;
            p->left_us = n->now_us > 0 ? n->now_us : 1;
        }
    }
    for (uint32_t i = 0; i < conf->member_count; i++) {
        if (conf->member[i].id == n->identity.node_id)
            continue;
        struct peer *p = peers_add(n, conf->member[i].id, conf->member[i].address);
        if (p) {
            p->is_member = true;
            p->left_us = 0;
        }
    }
}

/* Guests whose links are gone, and those who left long enough ago, once that can't be undone. */
static void peers_forget_guests(struct node *n)
{
    raft_index conf_index = 0;
    if (n->raft)
        raft_get_conf(n->raft, &conf_index);
    for (uint32_t i = 0; i < n->peers.count;) {
        const struct peer *p = &n->peers.peer[i];
        bool has_left = p->left_us != 0 && n->now_us - p->left_us > LEFT_US && conf_index <= n->driver.commit;
        bool is_gone = p->link[PEER_CONTROL].id == 0 && p->link[PEER_BULK].id == 0 && !membership_wants_peer(n, p->id);
        if (!p->is_member && (is_gone || has_left))
            peers_drop(n, i);
        else
            i++;
    }
}

void peers_mark_blank(struct node *n, struct peer *p)
{
    if (!p->is_blank)
        log_line(&n->env.log, LOG_NOTICE, "%s is blank: it gets the cluster's configuration.", p->address);
    p->is_blank = true;
    if (p->link[PEER_CONTROL].id == 0)
        p->link[PEER_CONTROL].retry_us = n->now_us;
}

static bool link_is_mine_to_dial(const struct node *n, const struct peer *p, int which)
{
    if (p->is_blank)
        return which == PEER_CONTROL;
    return n->identity.node_id < p->id || n->now_us - p->link[which].lost_us > DIAL_ANYWAY_US;
}

static uint64_t link_tick(struct node *n, struct peer *p, int which)
{
    struct peer_link *l = &p->link[which];
    if (l->id != 0)
        return NODE_NEVER;
    if (!link_is_mine_to_dial(n, p, which))
        return l->lost_us + DIAL_ANYWAY_US + 1;
    if (n->now_us < l->retry_us)
        return l->retry_us;
    struct peer_hello mine;
    node_get_hello(n, which == PEER_CONTROL ? LINK_CONTROL : LINK_BULK, &mine);
    mine.expected_id = p->id;
    l->id = ++n->peers.last_link;
    n->env.dial(n->env.ctx, l->id, p->address, &mine);
    return NODE_NEVER;
}

/* --- bulk progress --- */

void peers_report_bulk(struct node *n, struct peer *p, bool is_starved)
{
    p->is_starved = is_starved;
    struct raft_event event = {.type = RAFT_EVENT_PEER_LINK};
    event.u.peer_link.peer = p->id;
    event.u.peer_link.is_up = p->link[PEER_BULK].is_up;
    event.u.peer_link.is_starved = is_starved;
    enum err e = driver_step(n, &event);
    ASSERT(e == ERR_OK);
}

/* A link that is slower than the log: what it was sent waits in its output, which a leader that goes on would make ever larger, megabytes
 * copied at once. Looked at as often as messages go out. */
static uint64_t bulk_room_tick(struct node *n, struct peer *p)
{
    if (!p->is_member || !n->env.unsent_bytes || (!p->is_full && !node_is_leader(n)))
        return NODE_NEVER;
    size_t unsent = n->env.unsent_bytes(n->env.ctx, p->link[PEER_BULK].id);
    bool is_full = unsent > (p->is_full ? LIMIT_UNSENT_BYTES / 2 : LIMIT_UNSENT_BYTES);
    if (is_full != p->is_full) {
        p->is_full = is_full;
        struct raft_event event = {.type = RAFT_EVENT_PEER_ROOM};
        event.u.peer_room.peer = p->id;
        event.u.peer_room.has_room = !is_full;
        enum err e = driver_step(n, &event);
        ASSERT(e == ERR_OK);
    }
    return is_full ? n->now_us + BULK_ROOM_US : NODE_NEVER;
}

static uint64_t bulk_tick(struct node *n, struct peer *p)
{
    if (!peer_is_up(p, PEER_BULK))
        return NODE_NEVER;
    uint64_t room_us = bulk_room_tick(n, p);
    uint64_t limit_us = node_election_timeout_us(n);
    uint64_t stuck_us = earlier_us(p->progress_us, p->in_progress_us);
    bool is_out = p->bulk_sent > p->acked;
    bool is_in = p->offered > p->bulk_received + p->bulk_pending;
    if (!is_out)
        p->progress_us = n->now_us;
    if (!is_in)
        p->in_progress_us = n->now_us;
    stuck_us = earlier_us(p->progress_us, p->in_progress_us);
    if (n->now_us - stuck_us <= limit_us)
        return is_out || is_in ? earlier_us(room_us, stuck_us + limit_us + 1) : room_us;
    /* Only a peer that still talks on the control link proves that the bulk link is the trouble. */
    if (n->now_us - p->heard_us > limit_us)
        return n->now_us + limit_us;
    COVER("peers: a bulk link without progress is closed");
    log_line(&n->env.log,
             LOG_WARNING,
             "The bulk link to %s made no progress for %llu ms: dialling again.",
             p->address,
             (unsigned long long)(limit_us / 1000));
    if (is_out)
        peers_report_bulk(n, p, true);
    peers_hang_up(n, p, PEER_BULK, "no progress");
    p->link[PEER_BULK].retry_us = n->now_us;
    return n->now_us;
}

/* A node that hears of no leader and has nothing to say (a learner, one that was left out) would never find out that its links lead nowhere. */
static uint64_t control_tick(struct node *n, struct peer *p)
{
    bool is_lost = n->raft && n->driver.status.leader == 0 && n->no_leader_since_us != 0;
    if (!is_lost || !peer_is_up(p, PEER_CONTROL))
        return NODE_NEVER;
    uint64_t since_us = p->heard_us > n->no_leader_since_us ? p->heard_us : n->no_leader_since_us;
    if (n->now_us - since_us <= SILENT_US)
        return since_us + SILENT_US + 1;
    COVER("peers: a silent control link is dialled again");
    peers_hang_up(n, p, PEER_CONTROL, "no leader, and not a word");
    return n->now_us;
}

uint64_t peers_tick(struct node *n)
{
    uint64_t next = NODE_NEVER;
    peers_forget_guests(n);
    for (uint32_t i = 0; i < n->peers.count; i++) {
        struct peer *p = &n->peers.peer[i];
        if (!p->is_member && !membership_wants_peer(n, p->id))
            continue;
        for (int which = 0; which < PEER_LINKS; which++)
            next = earlier_us(next, link_tick(n, p, which));
        next = earlier_us(next, bulk_tick(n, p));
        next = earlier_us(next, control_tick(n, p));
        if (p->is_blank && peer_is_up(p, PEER_CONTROL)) {
            if (n->now_us >= p->link[PEER_CONTROL].retry_us) {
                formation_send_adopt(n, p);
                p->link[PEER_CONTROL].retry_us = n->now_us + ADOPT_RETRY_US;
            }
            next = earlier_us(next, p->link[PEER_CONTROL].retry_us);
        }
    }
    return next;
}
