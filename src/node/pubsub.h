#ifndef NODE_PUBSUB_H
#define NODE_PUBSUB_H

#include "base/list.h"
#include "base/name_table.h"

/* Who of this node's clients listens to what, and how a message reaches them. pubsub.c holds the essay; publish.h spreads messages
 * between nodes. Two instances per node: one for the data port, one for the Sentinel port. */
enum pubsub_kind { PUBSUB_CHANNEL, PUBSUB_PATTERN, PUBSUB_SHARD, PUBSUB_KINDS };

struct pubsub {
    struct name_table topic[PUBSUB_KINDS]; /* what at least one client listens to */
    uint64_t delivered;                    /* messages put into clients' outputs */
};

/* A client's part. */
struct pubsub_subscriptions {
    struct pubsub *pubsub;
    struct client *client;
    struct name_table mine[PUBSUB_KINDS];
    struct list in_order[PUBSUB_KINDS]; /* as they were made */
};

void pubsub_init(struct pubsub *ps, const struct siphash_key *key);
void pubsub_deinit(struct pubsub *ps); /* nobody may listen any more */

/* Keeps both; ends with pubsub_close. */
void pubsub_open(struct pubsub_subscriptions *s, struct pubsub *ps, struct client *c);
/* Unsubscribes from everything, silently. The subscriptions may be used again afterwards. */
void pubsub_close(struct pubsub_subscriptions *s);

enum pubsub_result { PUBSUB_DONE, PUBSUB_NO_CHANGE, PUBSUB_TOO_MANY };
enum pubsub_result pubsub_subscribe(struct pubsub_subscriptions *s, enum pubsub_kind kind, struct slice name);
enum pubsub_result pubsub_unsubscribe(struct pubsub_subscriptions *s, enum pubsub_kind kind, struct slice name);
/* The oldest subscription's name, borrowed until it ends; false: none. */
bool pubsub_oldest(const struct pubsub_subscriptions *s, enum pubsub_kind kind, struct slice *name);
size_t pubsub_count_of(const struct pubsub_subscriptions *s, enum pubsub_kind kind);
/* All kinds: is it a subscriber? */
size_t pubsub_count(const struct pubsub_subscriptions *s);

/* To this node's subscribers, `kind` being CHANNEL (patterns too) or SHARD. Returns how many messages that made. */
uint64_t pubsub_deliver(struct pubsub *ps, enum pubsub_kind kind, struct slice channel, struct slice message);
/* To this one subscriber only, if it listens. */
void pubsub_deliver_to(struct pubsub_subscriptions *s, struct slice channel, struct slice message);
/* Does anybody listen to anything but shard channels? */
bool pubsub_has_listeners(const struct pubsub *ps);
size_t pubsub_topics(const struct pubsub *ps, enum pubsub_kind kind);
size_t pubsub_listeners(const struct pubsub *ps, enum pubsub_kind kind, struct slice name);
/* Names of the topics of a kind, in no order, as name_table_first and _next go. */
const struct name_node *pubsub_first_topic(const struct pubsub *ps, enum pubsub_kind kind);
const struct name_node *pubsub_next_topic(const struct pubsub *ps, enum pubsub_kind kind, const struct name_node *topic);

#endif
