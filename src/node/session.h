#ifndef NODE_SESSION_H
#define NODE_SESSION_H

#include "base/list.h"
#include "node/proposal.h"

/* The origin's side of sessions: this node's own clients' writes, from UNSENT to decided. session.c holds the essay. */
enum session_phase {
    SESSION_NONE,    /* no cluster yet */
    SESSION_DRAWING, /* the number is being made durable */
    SESSION_OPENING, /* OPEN is proposed until it is seen applied */
    SESSION_OPEN,
    SESSION_ENDED,   /* CLOSE was proposed at a clean shutdown: nothing more is sent */
};

struct request;
struct session {
    enum session_phase phase;
    uint64_t number;
    struct list unsent;        /* requests without a seq, FIFO */
    struct list window;        /* requests with a seq, ascending: SENT and GIVEN_UP */
    uint64_t next_seq;         /* for the next request that is sent */
    uint64_t last_seq;         /* highest decided */
    /* Told by the present leader: its tail of this session. */
    raft_term told_term;
    uint64_t told_session;
    struct list *cursor;       /* first of the window not yet sent to this leader; &window: none */
    /* Timeouts. */
    uint64_t cancel_to;        /* CANCEL is proposed up to here */
    struct list *timeout_at;   /* first of the window beyond cancel_to; &window: none */
    struct list *giveup_at;    /* first of the window that is not GIVEN_UP; &window: none */
    uint64_t propose_retry_us; /* OPEN, CANCEL, CLOSE: when to propose again */
    uint64_t progress_us;      /* when the window last moved, or the leader last told the tail */
    size_t window_bytes;       /* of everything sent and undecided */
    size_t unsent_bytes;
    uint64_t window_count;
};

struct node;
/* Its bytes are not needed by the request any more. */
void request_release(struct request *r);
void session_init(struct session *s);
/* The node belongs to a cluster: draw a number and open. */
void session_start(struct node *n);
/* While OPENING: draws again if the state holds a number that is not lower. */
void session_draw_past(struct node *n);
/* The leader (maybe this node) of `term` says: the highest seq of your session in my log is `tail`. */
void session_told(struct node *n, raft_term term, uint64_t session, uint64_t tail);
/* Sends what can be sent. */
void session_pump(struct node *n);
/* Timeouts and repeated proposals; returns when to be called again. */
uint64_t session_tick(struct node *n);
/* Another leader or term. */
void session_on_role_change(struct node *n);

/* From apply, in log order, for entries of this node's present session: */
/* The request this entry is the copy of, first of the window. It stays there until session_decided. */
struct request *session_first(struct node *n, uint64_t seq);
/* Removes it from the window; the caller answers it. */
void session_decided(struct node *n, struct request *request);
void session_on_opened(struct node *n, uint64_t number);
/* The session is closed with `last` as its final word. */
void session_on_closed(struct node *n, uint64_t number, uint64_t last);
/* For node_abandon, with a request in UNSENT. */
void session_forget_unsent(struct node *n, struct request *request);
/* A clean shutdown: propose CLOSE; true once it is applied or pointless. */
bool session_end(struct node *n);
/* Nobody will decide anything for this node any more: what was sent and isn't decided is answered UNKNOWN. */
void session_abandon(struct node *n);
/* Proposes something without a seq: appended when leader, sent to the leader otherwise. False: nobody to send it to. */
bool session_propose(struct node *n, const struct proposal *head, const struct slice *arg, size_t arg_count);
/* A definite answer: it did not and will not take effect. Frees it. */
void session_refuse(struct node *n, struct request *request, const char *text);
/* The answer UNKNOWN; the request stays in the window. */
void session_give_up(struct node *n, struct request *request);
/* Why no write can be sent now: a phrase for errors. */
const char *session_why_waiting(struct node *n);

#endif
