#ifndef NODE_EVENTS_H
#define NODE_EVENTS_H

#include <stdint.h>

#include "base/log.h"

/* The newest log lines of the node, from NOTICE up, in memory: what the dashboard shows as recent events. A sink in front of the
 * real one; only for the node's own thread. */
#define EVENTS_KEPT 64
#define EVENT_TEXT_BYTES 240

struct event_line {
    int64_t wall_ms;
    enum log_level level;
    char text[EVENT_TEXT_BYTES];
};
struct events {
    struct log_sink to;
    int64_t (*wall_ms)(void *ctx); /* may be NULL */
    void *clock_ctx;
    struct event_line line[EVENTS_KEPT]; /* a ring: number i is at i % EVENTS_KEPT */
    uint64_t count;
};

/* What the node writes its lines to: keeps `events`, which passes them on to `to`. */
struct log_sink events_init(struct events *events, const struct log_sink *to, int64_t (*wall_ms)(void *ctx), void *clock_ctx);

#endif
