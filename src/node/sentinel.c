#include "node/client_internal.h"

#include <stdio.h>
#include <string.h>

#include "node/announce.h"

/* What Sentinel publishes, on the Sentinel port of every node, when this node sees the leader go and another one come (discovery.c):
 *
 *   +sdown +odown                   it is not alive
 *   +switch-master, then +slave ... another one leads; node-redis wakes at +slave, most others at +switch-master
 *   -sdown -odown                   the same one is back
 *
 * Addresses differ with the network a subscriber comes from (announce-networks), so each message is made for each subscriber. */

static void publish_to(struct client *c, const char *channel, const char *text)
{
    pubsub_deliver_to(&c->subscriptions, slice_from_cstr(channel), slice_from_cstr(text));
}

static void instance_down(struct client *c, raft_id id, bool is_down)
{
    const char *name = node_options(c->node)->sentinel_master_name;
    struct place at;
    char text[2 * LIMIT_ADDRESS_BYTES];

    client_find_place(c, id, &at);
    (void)snprintf(text, sizeof text, "master %s %s %u", name, at.host, at.port);
    publish_to(c, is_down ? "+sdown" : "-sdown", text);
    if (is_down) {
        (void)snprintf(text, sizeof text, "master %s %s %u #quorum 2/2", name, at.host, at.port);
    }
    publish_to(c, is_down ? "+odown" : "-odown", text);
}

static void switched(struct client *c, raft_id from, raft_id to)
{
    const char *name = node_options(c->node)->sentinel_master_name;
    struct node_member member[LIMIT_MEMBERS];
    uint32_t count = node_get_members(c->node, member, LIMIT_MEMBERS);
    struct place old;
    struct place new;
    char text[4 * LIMIT_ADDRESS_BYTES];

    client_find_place(c, from, &old);
    client_find_place(c, to, &new);
    (void)snprintf(text, sizeof text, "%s %s %u %s %u", name, old.host, old.port, new.host, new.port);
    publish_to(c, "+switch-master", text);
    for (uint32_t i = 0; i < count; i++) {
        struct place at;

        if (member[i].id == to) {
            continue;
        }
        client_find_place(c, member[i].id, &at);
        (void)snprintf(text, sizeof text, "slave %s:%u %s %u @ %s %s %u", at.host, at.port, at.host, at.port, name, new.host, new.port);
        publish_to(c, "+slave", text);
    }
}

void sentinel_poll(struct clients *cs)
{
    struct sentinel_seen *seen = &cs->sentinel;
    struct node_leader leader;

    node_find_leader(cs->node, &leader);
    bool is_down = leader.id != 0 && !leader.is_alive;
    bool has_switched = leader.id != seen->leader && seen->leader != 0;
    if (leader.id == seen->leader && is_down == seen->is_down) {
        return;
    }
    for (struct list *at = cs->all.next; at != &cs->all; at = at->next) {
        struct client *c = CONTAINER_OF(at, struct client, in_all);

        if (!c->info.is_sentinel || !client_is_subscriber(c)) {
            continue;
        }
        if (has_switched && !seen->is_down) {
            instance_down(c, seen->leader, true);
        }
        if (has_switched) {
            switched(c, seen->leader, leader.id);
        }
        if (is_down != seen->is_down || has_switched) {
            if (is_down || !has_switched) {
                instance_down(c, leader.id, is_down);
            }
        }
    }
    *seen = (struct sentinel_seen){leader.id, is_down};
}
