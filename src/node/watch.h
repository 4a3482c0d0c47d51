#ifndef NODE_WATCH_H
#define NODE_WATCH_H

#include "http/exchange.h"
#include "http/feed.h"
#include "node/clients.h"

/* Watchers: connections that get the change feed as it is applied here, over a WebSocket or as Server-Sent Events, and those that
 * get this node's state once a second (/v1/live). watch.c holds the essay. */
struct watcher;
struct http_request;

struct watches {
    struct list all;                   /* of the feed */
    struct list live;                  /* of the node's state */
    size_t count;                      /* in `all` */
    size_t readers;                    /* Redis clients that wait for changes */
    size_t filtered;                   /* in `all`, with frames of their own choice */
    struct watch_ring {
        struct buf bytes;              /* frames, whole ones */
        uint64_t base;                 /* offset of its first byte */
        uint64_t told;                 /* its end when the round began */
        size_t users;
    } ring[FEED_FORMS];
    uint64_t seen;                     /* position in the history up to which frames were made */
    uint64_t generation;               /* of the history ... */
    const void *history;               /* ... of this keyspace; only compared */
    raft_index seen_index;             /* everything up to this entry was taken */
    uint64_t frames;                   /* made since the start */
    uint64_t slow;                     /* watchers closed because they were */
    bool has_news;                     /* frames made since the last round began */
    size_t untold;                     /* of this round: at the front of `all` */
    uint64_t told_us;                  /* when it began */
    uint64_t renewed_us;               /* when the feed was last asked for */
};

void watches_init(struct watches *w);
void watches_deinit(struct watches *w);
/* Once per iteration, before clients are written to: makes frames of what was applied. */
void watches_pump(struct clients *cs);
/* When it has something to do at the latest; UINT64_MAX: never. */
uint64_t watches_wake_us(const struct watches *w);
/* Is the feed wanted by this node's clients? */
bool watches_want_feed(const struct clients *cs);
void watches_add_reader(struct clients *cs, int change); /* +1, -1 */
const struct watches *watches_of(const struct clients *cs);
/* The node tells: has it been applied so far. */
struct node;
/* Leader or not: asks for the feed while it is wanted (watch_node.c). */
uint64_t watch_tick(struct node *n);

/* A request for a stream. False: `response` holds the refusal. True: a watcher waits on the client for watch_start. */
bool watch_open(struct client *c, const struct http_exchange *x, const struct http_request *r, struct http_response *response);
/* CHANGES WATCH was answered: the stream begins, or (false) `response` says why not. /v1/live: reply is empty. */
bool watch_start(struct client *c, struct slice reply, struct http_response *response);
void watch_close(struct client *c); /* also when there is none */
/* More of the history for a watcher that hasn't caught up, before it is written to. */
void watch_fill(struct client *c);
/* The client's bytes. Always false. */
bool watch_step(struct client *c);
struct slice watch_output(const struct client *c);
void watch_output_sent(struct client *c, size_t n);
void watch_each_second(struct client *c, uint64_t now_us);
/* Sends `json` to everybody on /v1/live. */
void watches_tell_live(struct clients *cs, struct slice json);

#endif
