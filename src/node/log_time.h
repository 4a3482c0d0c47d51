#ifndef NODE_LOG_TIME_H
#define NODE_LOG_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Log time: the one clock that decides what is due (DESIGN §6 Time). Unix ms, stamped into each proposal by the leader, never
 * going back. log_time.c holds the essay. */
struct log_time {
    bool is_known;        /* this node continued or set a log time since its start */
    int64_t base_us;      /* log time ... */
    uint64_t base_mono_us; /* ... at this instant of the monotonic clock */
    int64_t last_stamp_ms; /* highest put into or seen in an entry */
    bool is_far_off;      /* warned: more than a second away from the wall clock */
    uint64_t pulse_us;    /* when the last pulse was proposed or asked for */
    int64_t wanted_ms;    /* a read met a due key: an entry must reach this time; 0: none */
};

struct node;

/* Follower: the leader's envelope said `time_ms`. */
void log_time_heard(struct node *n, int64_t time_ms);
/* An entry with this time is in the log or was applied. */
void log_time_seen(struct node *n, int64_t time_ms);
/* This node has just become leader: decide where time goes on. */
void log_time_lead(struct node *n);
/* The continued time for an envelope, 0 if not known. */
int64_t log_time_continued(const struct node *n);
/* Leader: the time now, slewed towards the wall clock. */
int64_t log_time_now(struct node *n);
/* Leader: the time of the entry being proposed now. Never lower than any before. */
int64_t log_time_stamp(struct node *n);
/* A read cannot be answered before an entry with a time >= time_ms was applied. */
void log_time_want(struct node *n, int64_t time_ms);
/* Proposes or asks for pulses that are due; returns when to be called again, µs. */
uint64_t log_time_tick(struct node *n);

#endif
