#include "node/discovery.h"

#include <stdio.h>

#include "node/node_internal.h"

/* What clients are told about leader and members.
 *
 *   leader ---- its link breaks, it is silent, it steps down ---> the same leader, not alive
 *      ^                                                             |
 *      '-------- another (or the same) leader committed an entry of its term: it is the leader, alive
 *
 * Y1  The leader that clients are told changes only when this node knows that the new one has committed an entry of its term: before
 *     that it might be deposed without having done anything, and a client sent there would come back.
 * Y2  "Not alive" is told at once, on the first sign: the control link is closed, nothing was heard for two election timeouts, or Raft
 *     knows no leader or another one. Answers that clients act on by connecting elsewhere are held meanwhile (client_wait.c).
 * Y3  Every node says of itself, once per control link, under which addresses clients reach it; others repeat that. Of a member
 *     that never said anything its member address is told. */

void discovery_tick(struct node *n)
{
    struct discovery *d = &n->discovery;

    if (!n->raft) {
        return;
    }
    const struct raft_status *s = &n->driver.status;
    bool has_committed = s->role == RAFT_LEADER ? n->driver.commit >= s->term_start
                                                : raft_get_term(n->raft, n->driver.commit) == s->term;
    if (s->leader != 0 && s->leader != d->leader && has_committed) { /* Y1 */
        d->leader = s->leader;
    }
    d->is_alive = d->leader != 0 && s->leader == d->leader && has_committed;
    if (d->is_alive && d->leader != n->identity.node_id) { /* Y2 */
        const struct peer *p = peers_find(n, d->leader);

        d->is_alive = p && peers_is_heard(n, p);
    }
}

static void own_announce(const struct node *n, struct announce *a)
{
    const struct options *o = n->options;

    *a = (struct announce){.port = (uint16_t)o->announce_port, .sentinel_port = (uint16_t)options_sentinel_port(o)};
    (void)snprintf(a->host, sizeof a->host, "%s", o->announce_ip);
    (void)snprintf(a->networks, sizeof a->networks, "%s", o->announce_networks);
}

void discovery_tell(struct node *n)
{
    for (uint32_t i = 0; i < n->peers.count; i++) {
        struct peer *p = &n->peers.peer[i];
        struct announce a;

        if (!p->is_member || p->is_blank || !peer_is_up(p, PEER_CONTROL) || p->announced_on == p->link[PEER_CONTROL].id) {
            continue;
        }
        own_announce(n, &a);
        announce_encode(&a, peers_begin(n));
        peers_send(n, p, PEER_CONTROL, PEER_ANNOUNCE);
        p->announced_on = p->link[PEER_CONTROL].id;
    }
}

void discovery_receive(struct node *n, struct peer *p, struct slice body)
{
    struct discovery *d = &n->discovery;
    struct announce a;
    uint32_t at = 0;

    if (!announce_decode(body, &a)) {
        return;
    }
    while (at < d->known_count && d->known[at].id != p->id) {
        at++;
    }
    if (at == sizeof d->known / sizeof d->known[0]) {
        at = 0; /* Members that are long gone make room. */
    } else if (at == d->known_count) {
        d->known_count++;
    }
    d->known[at].id = p->id;
    d->known[at].announce = a;
}

void node_find_leader(struct node *n, struct node_leader *leader)
{
    const struct discovery *d = &n->discovery;

    if (node_is_blank(n)) {
        *leader = (struct node_leader){.id = n->identity.node_id, .is_self = true, .is_alive = true};
        return;
    }
    discovery_tick(n);
    bool is_self = d->leader == n->identity.node_id;
    *leader = (struct node_leader){.id = d->leader, .is_self = is_self, .is_alive = d->is_alive};
}

void node_find_place(struct node *n, raft_id id, const char *client, struct place *place)
{
    const struct discovery *d = &n->discovery;
    const char *address = n->formation.own_address;
    struct announce a = {0};

    if (id == n->identity.node_id) {
        own_announce(n, &a);
    } else {
        const struct peer *p = peers_find(n, id);

        address = p ? p->address : "";
        for (uint32_t i = 0; i < d->known_count; i++) {
            a = d->known[i].id == id ? d->known[i].announce : a;
        }
    }
    announce_find(&a, address, client, place);
    if (place->port == 0) {
        place->port = (uint16_t)n->options->port;
    }
}
