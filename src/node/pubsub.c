#include "node/pubsub.h"

#include <string.h>

#include "base/glob.h"
#include "base/mem.h"
#include "node/client_internal.h"

/* Subscriptions and delivery on one node.
 *
 *   topic "news" ----- subscription ----- subscription        (in_topic: order of subscribing)
 *                          |                   |
 *                       client 7            client 9          (in_order: order of the client's subscribing)
 *
 * A topic (a channel, a pattern or a shard channel) exists while at least one client listens to it. Each client finds its own
 * subscriptions by name in a table of its own, so subscribing, unsubscribing and finding a channel's listeners take a constant
 * time each, whatever the other clients do; patterns are all tried for each message, once per distinct pattern.
 *
 * P1  A message is put into the outputs of all listeners before pubsub_deliver returns, and never kept for anybody: a client that
 *     comes later, or whose connection broke, does not get it (at most once).
 * P2  It stands behind everything the client was answered before, and never inside a reply (client_push).
 * P3  A client whose waiting output passes client-output-limit-pubsub is closed; nobody else notices.
 * P4  Nothing here is replicated or written to disk. */

/* Of one client and kind. */
#define SUBSCRIPTIONS_MAX 131072u

struct pubsub_topic {
    struct name_node node;
    struct list subscriptions;
    size_t count;
    uint8_t name[];
};

struct pubsub_subscription {
    struct name_node node; /* in the client's table; its name is the topic's */
    struct list in_topic;
    struct list in_order;
    struct pubsub_topic *topic;
    struct client *client;
};

#define TOPIC_OF(n) CONTAINER_OF(n, struct pubsub_topic, node)

void pubsub_init(struct pubsub *ps, const struct siphash_key *key)
{
    *ps = (struct pubsub){0};
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        name_table_init(&ps->topic[kind], key);
    }
}

void pubsub_deinit(struct pubsub *ps)
{
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        ASSERT(ps->topic[kind].count == 0);
        name_table_deinit(&ps->topic[kind]);
    }
}

void pubsub_open(struct pubsub_subscriptions *s, struct pubsub *ps, struct client *c)
{
    s->pubsub = ps;
    s->client = c;
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        name_table_init(&s->mine[kind], &ps->topic[kind].key);
        list_init(&s->in_order[kind]);
    }
}

/* --- subscribing -------------------------------------------------------------------------------- */

static struct pubsub_topic *topic_make(struct name_table *t, struct slice name)
{
    struct pubsub_topic *topic = mem_alloc(sizeof *topic + name.n);

    if (name.n > 0) {
        memcpy(topic->name, name.p, name.n);
    }
    topic->node.name = (struct slice){topic->name, name.n};
    topic->count = 0;
    list_init(&topic->subscriptions);
    name_table_add(t, &topic->node);
    return topic;
}

enum pubsub_result pubsub_subscribe(struct pubsub_subscriptions *s, enum pubsub_kind kind, struct slice name)
{
    struct name_table *topics = &s->pubsub->topic[kind];

    if (name_table_find(&s->mine[kind], name)) {
        return PUBSUB_NO_CHANGE;
    }
    if (s->mine[kind].count >= SUBSCRIPTIONS_MAX) {
        return PUBSUB_TOO_MANY;
    }
    struct name_node *found = name_table_find(topics, name);
    struct pubsub_topic *topic = found ? TOPIC_OF(found) : topic_make(topics, name);
    struct pubsub_subscription *made = mem_alloc(sizeof *made);
    *made = (struct pubsub_subscription){.node = {.name = topic->node.name}, .topic = topic, .client = s->client};
    list_append(&topic->subscriptions, &made->in_topic);
    list_append(&s->in_order[kind], &made->in_order);
    topic->count++;
    name_table_add(&s->mine[kind], &made->node);
    return PUBSUB_DONE;
}

static void subscription_end(struct pubsub_subscriptions *s, enum pubsub_kind kind, struct pubsub_subscription *over)
{
    struct pubsub_topic *topic = over->topic;

    name_table_remove(&s->mine[kind], &over->node);
    list_remove(&over->in_topic);
    list_remove(&over->in_order);
    mem_free(over);
    if (--topic->count == 0) {
        name_table_remove(&s->pubsub->topic[kind], &topic->node);
        mem_free(topic);
    }
}

enum pubsub_result pubsub_unsubscribe(struct pubsub_subscriptions *s, enum pubsub_kind kind, struct slice name)
{
    struct name_node *found = name_table_find(&s->mine[kind], name);

    if (!found) {
        return PUBSUB_NO_CHANGE;
    }
    subscription_end(s, kind, CONTAINER_OF(found, struct pubsub_subscription, node));
    return PUBSUB_DONE;
}

void pubsub_close(struct pubsub_subscriptions *s)
{
    for (int kind = 0; kind < PUBSUB_KINDS; kind++) {
        while (!list_empty(&s->in_order[kind])) {
            subscription_end(s, (enum pubsub_kind)kind,
                             CONTAINER_OF(s->in_order[kind].next, struct pubsub_subscription, in_order));
        }
    }
}

bool pubsub_oldest(const struct pubsub_subscriptions *s, enum pubsub_kind kind, struct slice *name)
{
    const struct list *all = &s->in_order[kind];

    if (list_empty(all)) {
        return false;
    }
    *name = CONTAINER_OF(all->next, struct pubsub_subscription, in_order)->topic->node.name;
    return true;
}

size_t pubsub_count_of(const struct pubsub_subscriptions *s, enum pubsub_kind kind)
{
    return s->mine[kind].count;
}

size_t pubsub_count(const struct pubsub_subscriptions *s)
{
    return s->mine[PUBSUB_CHANNEL].count + s->mine[PUBSUB_PATTERN].count + s->mine[PUBSUB_SHARD].count;
}

/* --- delivering --------------------------------------------------------------------------------- */

struct message {
    const char *word; /* "message", "pmessage", "smessage" */
    struct slice pattern;
    struct slice channel;
    struct slice payload;
    struct buf encoded[2]; /* RESP2, RESP3: made once, when the first client needs it */
};

static struct slice message_encode(struct message *m, enum reply_protocol protocol)
{
    struct buf *out = &m->encoded[protocol == REPLY_RESP3];
    struct reply reply = {.out = out, .protocol = protocol};
    bool has_pattern = m->pattern.p != NULL;

    if (buf_size(out) == 0) {
        reply_push(&reply, has_pattern ? 4 : 3);
        reply_bulk_cstr(&reply, m->word);
        if (has_pattern) {
            reply_bulk(&reply, m->pattern);
        }
        reply_bulk(&reply, m->channel);
        reply_bulk(&reply, m->payload);
    }
    return buf_slice(out);
}

static uint64_t topic_deliver(struct pubsub_topic *topic, struct message *m)
{
    for (struct list *at = topic->subscriptions.next; at != &topic->subscriptions; at = at->next) {
        struct client *c = CONTAINER_OF(at, struct pubsub_subscription, in_topic)->client;

        client_push(c, message_encode(m, c->protocol));
    }
    buf_deinit(&m->encoded[0]);
    buf_deinit(&m->encoded[1]);
    return topic->count;
}

uint64_t pubsub_deliver(struct pubsub *ps, enum pubsub_kind kind, struct slice channel, struct slice message)
{
    struct name_node *found = name_table_find(&ps->topic[kind], channel);
    uint64_t count = 0;

    if (found) {
        struct message m = {kind == PUBSUB_SHARD ? "smessage" : "message", {0}, channel, message, {{0}, {0}}};

        count += topic_deliver(TOPIC_OF(found), &m);
    }
    if (kind == PUBSUB_CHANNEL && ps->topic[PUBSUB_PATTERN].count > 0) {
        const struct name_table *patterns = &ps->topic[PUBSUB_PATTERN];

        for (struct name_node *at = name_table_first(patterns); at; at = name_table_next(patterns, at)) {
            if (glob_match(at->name, channel, false)) {
                struct message m = {"pmessage", at->name, channel, message, {{0}, {0}}};

                count += topic_deliver(TOPIC_OF(at), &m);
            }
        }
    }
    ps->delivered += count;
    return count;
}

static void deliver_one(struct pubsub_subscriptions *s, struct message *m)
{
    client_push(s->client, message_encode(m, s->client->protocol));
    s->pubsub->delivered++;
    buf_deinit(&m->encoded[0]);
    buf_deinit(&m->encoded[1]);
}

void pubsub_deliver_to(struct pubsub_subscriptions *s, struct slice channel, struct slice message)
{
    if (name_table_find(&s->mine[PUBSUB_CHANNEL], channel)) {
        deliver_one(s, &(struct message){"message", {0}, channel, message, {{0}, {0}}});
    }
    for (struct list *at = s->in_order[PUBSUB_PATTERN].next; at != &s->in_order[PUBSUB_PATTERN]; at = at->next) {
        struct slice pattern = CONTAINER_OF(at, struct pubsub_subscription, in_order)->topic->node.name;

        if (glob_match(pattern, channel, false)) {
            deliver_one(s, &(struct message){"pmessage", pattern, channel, message, {{0}, {0}}});
        }
    }
}

/* --- looking ------------------------------------------------------------------------------------ */

bool pubsub_has_listeners(const struct pubsub *ps)
{
    return ps->topic[PUBSUB_CHANNEL].count > 0 || ps->topic[PUBSUB_PATTERN].count > 0;
}

size_t pubsub_topics(const struct pubsub *ps, enum pubsub_kind kind)
{
    return ps->topic[kind].count;
}

size_t pubsub_listeners(const struct pubsub *ps, enum pubsub_kind kind, struct slice name)
{
    struct name_node *found = name_table_find(&ps->topic[kind], name);

    return found ? TOPIC_OF(found)->count : 0;
}

const struct name_node *pubsub_first_topic(const struct pubsub *ps, enum pubsub_kind kind)
{
    return name_table_first(&ps->topic[kind]);
}

const struct name_node *pubsub_next_topic(const struct pubsub *ps, enum pubsub_kind kind, const struct name_node *topic)
{
    return name_table_next(&ps->topic[kind], topic);
}
