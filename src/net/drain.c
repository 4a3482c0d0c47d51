#include <sys/socket.h>

#include "net/clock.h"
#include "net/server_internal.h"

/* The end of a server that was asked to stop (SIGTERM, SHUTDOWN, or its node was removed), so that no client gets an error:
 *
 *   HANDING_OVER  leadership goes to another node; everything is served as before (node_hand_over)
 *   ANSWERING     what waits in the backlog is accepted, then nothing more: no connection, no byte is read. What was read is answered. A
 *                 connection whose last answer is written is shut down for sending, and what it still sends is thrown away, unread,
 *                 until it has seen the end: closing at once would reset it, and might take the last answers with it
 *   ENDING        the session's CLOSE (node_drain), while connections linger
 *
 * So a client that finds the end of file where a reply should be knows that the command was never executed. */

#define HAND_OVER_US 1600000u
#define ANSWER_US 6000000u     /* beyond the request timeout's default: then everything has an answer */
#define ANSWER_AT_ONCE_US 200000u /* SHUTDOWN NOW */
#define TICK_S 0.002

static void on_tick(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop;
    (void)timer;
    (void)events; /* The loop wakes, and server_drain looks. */
}

void server_begin_drain(struct server *s, bool at_once)
{
    if (s->stage != SERVER_SERVES) {
        return;
    }
    s->stage = SERVER_HANDS_OVER;
    s->is_drained_at_once = at_once;
    s->stage_us = clock_boot_us();
    ev_timer_init(&s->drain_tick, on_tick, TICK_S, TICK_S);
    ev_timer_start(s->loop, &s->drain_tick);
}

static void drain_enter(struct server *s, enum server_stage stage)
{
    s->stage = stage;
    s->stage_us = clock_boot_us();
}

static void drain_end(struct server *s, bool is_done)
{
    log_line(&s->env.log, LOG_NOTICE, is_done ? "Everything is answered and on disk; good bye."
                                              : "Stopping although not everything could be finished in time.");
    ev_timer_stop(s->loop, &s->drain_tick);
    ev_break(s->loop, EVBREAK_ALL);
}

void server_drain(struct server *s)
{
    uint64_t for_us = clock_boot_us() - s->stage_us;
    uint64_t answer_us = s->is_drained_at_once ? ANSWER_AT_ONCE_US : ANSWER_US;

    switch (s->stage) {
    case SERVER_SERVES:
        break;
    case SERVER_HANDS_OVER:
        if (!s->is_drained_at_once && for_us < HAND_OVER_US && !node_hand_over(s->node)) {
            break;
        }
        server_accept_waiting(s);
        server_stop_listening(s);
        drain_enter(s, SERVER_ANSWERS);
        connections_stop_reading(s);
        clients_stop_waiting(node_clients(s->node));
        break;
    case SERVER_ANSWERS:
        s->is_answered = connections_linger_answered(s);
        if (s->is_answered || for_us >= answer_us) {
            drain_enter(s, SERVER_ENDS);
        }
        break;
    case SERVER_ENDS: {
        bool is_over = connections_end_lingering(s);

        if (node_drain(s->node) && (is_over || s->is_drained_at_once || !s->is_answered)) {
            drain_end(s, s->is_answered);
        }
        break;
    }
    }
}
