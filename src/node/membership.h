#ifndef NODE_MEMBERSHIP_H
#define NODE_MEMBERSHIP_H

#include "node/change_plan.h"
#include "node/env.h"

/* Changes of membership: the leader's half, which carries one out (membership.c, membership_call.c), and the half of the node that
 * was asked for one (membership_ask.c). Essays in both. */

/* --- the asker ----------------------------------------------------------------------------------- */

enum ask_state {
    ASK_PENDING,
    ASK_DONE,
    ASK_FAILED, /* `text` says why, with its code word: NOT done unless that is UNKNOWN */
};

#define ASKS_MAX 16
struct ask {
    uint64_t number;   /* 0: free */
    struct change_plan plan;
    enum ask_state state;
    bool is_watched;   /* somebody will fetch the answer and forget it; else it is dropped when decided */
    bool is_foreign;   /* a node that wants to join asked: its id */
    raft_id joiner;
    bool was_sent;
    bool is_retry;     /* an earlier leader may have begun it */
    raft_id sent_to;
    uint64_t sent_term;
    uint64_t started_us;
    uint64_t sent_us;
    uint64_t heard_us; /* a leader's last word on it */
    char text[CHANGE_TEXT_BYTES];
};
struct asks {
    uint64_t last_number;
    struct ask ask[ASKS_MAX];
};

struct node;
/* Returns the ask's number, 0: too many are under way. */
uint64_t membership_ask(struct node *n, const struct change_plan *plan);
/* `text` is borrowed until the next call. */
enum ask_state membership_answer(struct node *n, uint64_t number, const char **text);
void membership_forget(struct node *n, uint64_t number);
uint64_t membership_asks_tick(struct node *n);
/* This node is no member any more: what was asked of it comes to an end. */
void membership_asks_end(struct node *n);

/* --- the leader ---------------------------------------------------------------------------------- */

enum change_phase {
    CHANGE_IDLE,
    CHANGE_CALLING,     /* new nodes are asked who they are */
    CHANGE_TAKING_IN,   /* BLANK ones are told cluster and seed, durably, before any configuration names them */
    CHANGE_LEARNING,    /* the entry that makes them learners */
    CHANGE_CATCHING_UP, /* rounds */
    CHANGE_SWITCHING,   /* joint phase */
    CHANGE_DROPPING,    /* given up: the entry without the learners */
    CHANGE_HANDING_OVER, /* TRANSFER */
};

/* A new node on its way in. */
struct newcomer {
    char address[LIMIT_ADDRESS_BYTES];
    raft_id id;           /* 0: it hasn't answered */
    link_id probe;        /* under way */
    uint64_t retry_us;
    /* Catching up: the present round. */
    bool is_ready;
    raft_index goal;      /* last index when the round began */
    uint64_t round_us;
    uint32_t round;
    raft_index seen_match;
    uint64_t seen_bytes;
    uint64_t moved_us;    /* it last made progress */
};

#define CHANGE_ASKERS_MAX 8
#define CHANGE_OUTCOMES_MAX 16
struct membership {
    enum change_phase phase;
    struct change_plan plan;
    struct raft_conf before;   /* the configuration it began from */
    struct raft_conf target;
    uint64_t phase_us;         /* when the phase began */
    bool is_proposed;          /* the phase's configuration entry is in the log */
    raft_index proposed_index;
    uint32_t newcomer_count;
    struct newcomer newcomer[CHANGE_STEPS_MAX];
    raft_id former_leader;     /* TRANSFER: this node */
    char why[CHANGE_TEXT_BYTES]; /* DROPPING: the answer */
    uint32_t asker_count;
    struct {
        raft_id id;
        uint64_t number;
    } asker[CHANGE_ASKERS_MAX];
    /* Answers already given, so that one that got lost is given again. */
    uint32_t outcome_at;
    struct {
        raft_id id;
        uint64_t number;
        enum ask_state state;
        char text[CHANGE_TEXT_BYTES];
    } outcome[CHANGE_OUTCOMES_MAX];
    uint64_t address_us;       /* when addresses were last compared */
    struct asks asks;
};

/* A request from node `from`, perhaps this one; leader only. What is known of it goes back through membership_tell. */
void membership_request(struct node *n, raft_id from, uint64_t number, bool is_retry, const struct change_plan *plan);
uint64_t membership_tick(struct node *n);
/* This node ceased to lead, or the configuration changed under it. */
void membership_on_role_change(struct node *n);
/* "idle", or what is under way and how far it is. */
void membership_describe(struct node *n, struct buf *out);

/* For the files of this room. */
void membership_tell(struct node *n, raft_id asker, uint64_t number, enum ask_state state, const struct change_plan *plan,
                     const char *text);
/* Gives up: `why` with its code word. Learners that were added are dropped first. */
void membership_fail(struct node *n, const char *why);
void membership_enter(struct node *n, enum change_phase phase);
/* membership_call.c */
uint64_t membership_call(struct node *n);    /* CALLING */
uint64_t membership_take_in(struct node *n); /* TAKING_IN */
void membership_end_calls(struct node *n);
bool membership_call_up(struct node *n, link_id id, const struct peer_hello *theirs);
bool membership_call_down(struct node *n, link_id id, const char *why);
bool membership_wants_peer(const struct node *n, raft_id id); /* a newcomer that is no member yet */
/* membership_rounds.c */
uint64_t membership_catch_up(struct node *n); /* CATCHING_UP */

/* Messages. */
struct peer;
void membership_receive(struct node *n, struct peer *p, struct slice body);        /* PEER_CHANGE */
void membership_receive_answer(struct node *n, struct peer *p, struct slice body); /* PEER_CHANGED */
void membership_ask_told(struct node *n, uint64_t number, enum ask_state state, const struct change_plan *plan, const char *text);
/* A BLANK node on a probe link wants in: asks for it, unless that is under way. Returns what is known: "" nothing yet. */
const char *membership_join(struct node *n, raft_id joiner, const char *address);

#endif
