#ifndef NODE_LATENCY_H
#define NODE_LATENCY_H

#include "base/slice.h"
#include "base/buf.h"
#include "resp/reply.h"

/* LATENCY: per event the last 160 seconds with a spike past latency-monitor-threshold, as Redis keeps them. Events here: "command" and
 * "fast-command" (by the row's flag). */
#define LATENCY_EVENTS_MAX 8
#define LATENCY_SAMPLES 160

struct latency_sample {
    int64_t wall_s;
    uint64_t ms;
};
struct latency_event {
    const char *name; /* static */
    struct latency_sample sample[LATENCY_SAMPLES]; /* a ring */
    size_t next;
    size_t count;
    uint64_t max_ms;
};
struct latency {
    struct latency_event event[LATENCY_EVENTS_MAX];
    size_t event_count;
};

/* Spikes of one second count once, with the longest. */
void latency_add(struct latency *l, const char *event, int64_t wall_s, uint64_t ms);
const struct latency_event *latency_find(const struct latency *l, struct slice name); /* NULL */
/* How many of the named event's data were dropped; n == 0: all. */
size_t latency_reset(struct latency *l, struct slice name);
void latency_reply_latest(const struct latency *l, struct reply *reply);
void latency_reply_history(const struct latency *l, struct slice name, struct reply *reply);
/* LATENCY GRAPH and DOCTOR. Append. */
void latency_append_graph(const struct latency_event *e, int64_t wall_s, struct buf *out);
void latency_append_report(const struct latency *l, bool is_enabled, bool logs_slow_commands, struct buf *out);

#endif
