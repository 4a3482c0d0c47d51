#ifndef NODE_WATCH_INTERNAL_H
#define NODE_WATCH_INTERNAL_H

#include "node/client_internal.h"
#include "node/watch.h"

/* For watch.c (the essay: how changes reach watchers) and watch_open.c (how somebody becomes one). */
struct watcher {
    struct list in_watches;
    struct client *client;
    enum feed_form form;
    bool is_live;             /* /v1/live */
    bool is_started;
    bool is_caught_up;
    bool is_filtered;
    bool is_late;             /* filtered: it had too much to send when the last round began */
    bool is_closing;
    struct slice prefix;      /* owned bytes */
    int64_t db;               /* -1: all */
    raft_index from;          /* wanted; 0: from now on */
    uint32_t from_part;
    raft_index next_index;    /* while catching up: the change to take next is this one or later */
    uint32_t next_part;
    uint64_t at;              /* offset in the ring */
    uint64_t boundary;        /* of a frame, <= at */
    struct ws_reader *reader; /* NULL: SSE */
    uint64_t heard_us;
    uint64_t pinged_us;
    uint64_t closing_us;
};

/* Says that what was asked for is not held any more, with the first index that is, and ends. */
void watcher_compacted(struct watcher *w);

#endif
