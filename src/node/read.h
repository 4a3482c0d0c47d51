#ifndef NODE_READ_H
#define NODE_READ_H

#include "base/list.h"
#include "node/options.h"
#include "raft/raft.h"

/* Reads, from arrival to answer. read.c holds the essay. */
struct read_remote {
    raft_id peer;
    uint64_t batch; /* the asker's number */
};
/* Everything that waits for one read index. */
struct read_round {
    bool is_under_way;
    uint64_t context;            /* grows: answers to older rounds are void */
    uint64_t started_us;
    struct list requests;        /* own reads */
    struct read_remote *remote;  /* askers (leader) */
    uint32_t remote_count;
    uint32_t remote_capacity;
};
#define READ_ROUND_KINDS 2       /* quorum, lease */
struct reads {
    struct read_round round[READ_ROUND_KINDS]; /* under way */
    struct read_round next[READ_ROUND_KINDS];  /* what arrived meanwhile */
    uint64_t last_context;
    struct list confirmed;       /* has an index, waits for apply */
    struct list pulse;           /* met a due key: waits for an entry with that time */
    uint64_t pending;            /* reads not answered, all lists */
    size_t bytes;                /* of their arguments: request->size */
    uint64_t served;             /* answered from this node's own state */
};

struct node;
struct request;
struct peer;
void reads_init(struct reads *r);
void reads_deinit(struct reads *r);
void reads_submit(struct node *n, struct request *request);
void reads_forget(struct node *n, struct request *request);
/* Starts rounds: asks Raft when leading, the leader otherwise. */
void reads_pump(struct node *n);
/* Raft's result for a round of this leader. */
void reads_on_result(struct node *n, const struct raft_read *result);
void reads_receive_request(struct node *n, struct peer *peer, struct slice body);
void reads_receive_index(struct node *n, struct peer *peer, struct slice body);
/* Another leader, term, or the control link to the leader was lost: ask again. */
void reads_retry(struct node *n);
/* Answers what apply has reached. */
void reads_serve(struct node *n);
/* The first requests of that client may have become free to run. */
struct client;
void reads_unblock(struct node *n, struct client *c);
/* DESIGN §3: before this node's own write takes effect at apply, the reads that stand before it. */
/* The reads of its connection that stand before `write` are answered this error: what they should have seen was skipped. */
void reads_refuse_before(struct node *n, struct request *write, const char *text);
void reads_serve_before(struct node *n, struct request *write);
uint64_t reads_tick(struct node *n);

#endif
