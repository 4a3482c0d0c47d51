#include "node/latency.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct latency_sample *sample_at(struct latency_event *e, size_t age)
{
    return &e->sample[(e->next + LATENCY_SAMPLES - 1 - age) % LATENCY_SAMPLES];
}

static const struct latency_sample *sample_of(const struct latency_event *e, size_t age)
{
    return &e->sample[(e->next + LATENCY_SAMPLES - 1 - age) % LATENCY_SAMPLES];
}

const struct latency_event *latency_find(const struct latency *l, struct slice name)
{
    for (size_t i = 0; i < l->event_count; i++) {
        if (slice_equal(name, slice_from_cstr(l->event[i].name))) {
            return &l->event[i];
        }
    }
    return NULL;
}

void latency_add(struct latency *l, const char *event, int64_t wall_s, uint64_t ms)
{
    struct latency_event *e = NULL;

    for (size_t i = 0; i < l->event_count && !e; i++) {
        e = strcmp(l->event[i].name, event) == 0 ? &l->event[i] : NULL;
    }
    if (!e) {
        if (l->event_count == LATENCY_EVENTS_MAX) {
            return;
        }
        e = &l->event[l->event_count++];
        memset(e, 0, sizeof *e);
        e->name = event;
    }
    e->max_ms = ms > e->max_ms ? ms : e->max_ms;
    if (e->count > 0 && sample_at(e, 0)->wall_s == wall_s) {
        struct latency_sample *last = sample_at(e, 0);

        last->ms = ms > last->ms ? ms : last->ms;
        return;
    }
    e->sample[e->next] = (struct latency_sample){wall_s, ms};
    e->next = (e->next + 1) % LATENCY_SAMPLES;
    e->count += e->count < LATENCY_SAMPLES ? 1 : 0;
}

size_t latency_reset(struct latency *l, struct slice name)
{
    size_t kept = 0;
    size_t dropped = 0;

    for (size_t i = 0; i < l->event_count; i++) {
        if (name.n == 0 || slice_equal(name, slice_from_cstr(l->event[i].name))) {
            dropped++;
        } else {
            if (kept != i) {
                l->event[kept] = l->event[i];
            }
            kept++;
        }
    }
    l->event_count = kept;
    return dropped;
}

void latency_reply_latest(const struct latency *l, struct reply *reply)
{
    reply_array(reply, l->event_count);
    for (size_t i = 0; i < l->event_count; i++) {
        const struct latency_event *e = &l->event[i];

        reply_array(reply, 4);
        reply_bulk_cstr(reply, e->name);
        reply_int(reply, sample_of(e, 0)->wall_s);
        reply_int(reply, (int64_t)sample_of(e, 0)->ms);
        reply_int(reply, (int64_t)e->max_ms);
    }
}

void latency_reply_history(const struct latency *l, struct slice name, struct reply *reply)
{
    const struct latency_event *e = latency_find(l, name);
    size_t count = e ? e->count : 0;

    reply_array(reply, count);
    for (size_t i = 0; e && i < count; i++) {
        const struct latency_sample *s = sample_of(e, count - 1 - i);

        reply_array(reply, 2);
        reply_int(reply, s->wall_s);
        reply_int(reply, (int64_t)s->ms);
    }
}

/* --- GRAPH ------------------------------------------------------------------------------------- */

#define GRAPH_ROWS 4

/* Redis's sparkline: four rows of "_-`" (three heights each), then the ages, top to bottom. */
static void graph_row(const struct latency_event *e, int row, uint64_t min, uint64_t range, struct buf *out)
{
    static const char height[] = "_-`";
    int steps = GRAPH_ROWS * 3;

    for (size_t i = 0; i < e->count; i++) {
        double relative = range > 0 ? (double)(sample_of(e, e->count - 1 - i)->ms - min) / (double)range : 0;
        int step = (int)(relative * steps);

        step = step >= steps ? steps - 1 : step;
        int in_row = step - (GRAPH_ROWS - row - 1) * 3;
        buf_append_byte(out, in_row >= 0 && in_row < 3 ? (uint8_t)height[in_row] : ' ');
    }
    buf_append_byte(out, '\n');
}

static void age_text(int64_t age_s, char *text, size_t room)
{
    if (age_s < 60) {
        (void)snprintf(text, room, "%llds", (long long)age_s);
    } else if (age_s < 3600) {
        (void)snprintf(text, room, "%lldm", (long long)(age_s / 60));
    } else if (age_s < 86400) {
        (void)snprintf(text, room, "%lldh", (long long)(age_s / 3600));
    } else {
        (void)snprintf(text, room, "%lldd", (long long)(age_s / 86400));
    }
}

void latency_append_graph(const struct latency_event *e, int64_t wall_s, struct buf *out)
{
    uint64_t min = UINT64_MAX;
    uint64_t max = 0;
    size_t longest = 0;
    char age[24];

    for (size_t i = 0; i < e->count; i++) {
        min = sample_of(e, i)->ms < min ? sample_of(e, i)->ms : min;
        max = sample_of(e, i)->ms > max ? sample_of(e, i)->ms : max;
        age_text(wall_s - sample_of(e, i)->wall_s, age, sizeof age);
        longest = strlen(age) > longest ? strlen(age) : longest;
    }
    buf_printf(out, "%s - high %llu ms, low %llu ms (all time high %llu ms)\n", e->name, (unsigned long long)max,
               (unsigned long long)min, (unsigned long long)e->max_ms);
    for (int i = 0; i < 80; i++) {
        buf_append_byte(out, '-');
    }
    buf_append_byte(out, '\n');
    for (int row = 0; row < GRAPH_ROWS; row++) {
        graph_row(e, row, min, max - min, out);
    }
    for (size_t i = 0; i < e->count; i++) {
        buf_append_byte(out, ' ');
    }
    for (size_t line = 0; line < longest; line++) {
        buf_append_byte(out, '\n');
        for (size_t i = 0; i < e->count; i++) {
            age_text(wall_s - sample_of(e, e->count - 1 - i)->wall_s, age, sizeof age);
            buf_append_byte(out, line < strlen(age) ? (uint8_t)age[line] : ' ');
        }
    }
    buf_append_byte(out, '\n');
}

/* --- DOCTOR ------------------------------------------------------------------------------------ */

static void report_event(const struct latency_event *e, size_t position, struct buf *out)
{
    double sum = 0;
    double deviation = 0;

    for (size_t i = 0; i < e->count; i++) {
        sum += (double)sample_of(e, i)->ms;
    }
    double average = sum / (double)e->count;
    for (size_t i = 0; i < e->count; i++) {
        deviation += fabs((double)sample_of(e, i)->ms - average);
    }
    int64_t span_s = sample_of(e, 0)->wall_s - sample_of(e, e->count - 1)->wall_s;
    double period = (double)(span_s > 0 ? span_s : 1) / (double)e->count;
    buf_printf(out, "%zu. %s: %zu latency spikes (average %llums, mean deviation %llums, period %.2f sec). Worst all time event %llums.\n",
               position, e->name, e->count, (unsigned long long)average, (unsigned long long)(deviation / (double)e->count),
               period, (unsigned long long)e->max_ms);
}

void latency_append_report(const struct latency *l, bool is_enabled, bool logs_slow_commands, struct buf *out)
{
    if (!is_enabled) {
        buf_printf(out, "Latency monitoring is disabled on this node. \"CONFIG SET latency-monitor-threshold <milliseconds>\" enables it.\n");
        return;
    }
    if (l->event_count == 0) {
        buf_printf(out, "No latency spike was observed since this node started or LATENCY RESET was sent.\n");
        return;
    }
    buf_printf(out, "Latency spikes were observed on this node.\n\n");
    for (size_t i = 0; i < l->event_count; i++) {
        report_event(&l->event[i], i + 1, out);
    }
    buf_printf(out, "\nAdvice:\n\n");
    if (!logs_slow_commands) {
        buf_printf(out, "- Slow commands are not logged: set 'slowlog-log-slower-than' to find out which they are.\n");
    }
    buf_printf(out, "- SLOWLOG GET names the commands that took longest. A time counts from the command's arrival to its reply.\n"
                    "- A write waits for the disks of a majority of the nodes: look at the latency of fsync on each.\n"
                    "- RAFT MEMBERS and INFO raft show nodes that are out of sync, elections and full disks.\n");
}
