#include "node/events.h"

#include <stdio.h>

static void events_write(void *ctx, enum log_level level, const char *text)
{
    struct events *events = ctx;
    if (level >= LOG_NOTICE) {
        struct event_line *line = &events->line[events->count++ % EVENTS_KEPT];
        line->wall_ms = events->wall_ms ? events->wall_ms(events->clock_ctx) : 0;
        line->level = level;
        (void)snprintf(line->text, sizeof line->text, "%s", text);
    }
    if (level >= events->to.level && events->to.write_fn) {
        events->to.write_fn(events->to.ctx, level, text);
    }
}

struct log_sink events_init(struct events *events, const struct log_sink *to, int64_t (*wall_ms)(void *ctx), void *clock_ctx)
{
    events->to = *to;
    events->wall_ms = wall_ms;
    events->clock_ctx = clock_ctx;
    enum log_level level = to->level < LOG_NOTICE ? to->level : LOG_NOTICE;
    return (struct log_sink){level, events_write, events};
}
