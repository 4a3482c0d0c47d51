#ifndef TESTS_CLIENT_FAKE_NODE_H
#define TESTS_CLIENT_FAKE_NODE_H

#include "node/changes.h"
#include "node/clients.h"
#include "node/exec_payload.h"
#include "node/options.h"
#include "node/pace.h"
#include "node/publish.h"

/* The node core as clients see it, without a cluster: requests wait in a queue until the test decides them, in any order. It takes
 * the real one's place at link time, so these tests are a folder of their own. */
#define FAKE_REQUESTS_MAX 512

struct fake_request {
    struct request *request; /* NULL: decided */
    struct command_row const *row;
    size_t arg_count;
    struct slice *arg; /* a write's, copied; owned */
    uint8_t *bytes;
};

struct node {
    struct options options;
    struct node_env env;
    struct command_table *table;
    struct keyspace *keyspace;
    struct clients *clients;
    struct fake_request queue[FAKE_REQUESTS_MAX];
    size_t count;
    uint64_t now_us;
    uint64_t command_us; /* the clock goes on so much with each command that begins */
    raft_index index;
    bool has_leader;
    bool is_window_full;
    bool allows_read_now; /* node_try_read_now */
    bool knows_vain;      /* node_is_vain: by what it holds; else none ever is */
    const char *refusal;  /* of writes with DENYOOM */
    size_t abandoned;
    raft_index other_match; /* of the second member */
    bool is_follower;       /* node_find_leader: another one leads */
    bool has_others;        /* node_publish: they will answer */
    struct changes changes;
    struct pace pace;
    struct publish_hole *hole[64];
    size_t hole_count;
};

struct node *fake_new(void);
void fake_free(struct node *n);
/* Decides the request at `position` as the core would: runs it. */
void fake_decide(struct node *n, size_t position);
/* Everything undecided, in order. */
void fake_decide_all(struct node *n);
/* Answers `error` instead of running it. */
void fake_refuse(struct node *n, size_t position, const char *error);
/* The same, but the request stays with the core (outcome unknown); fake_forget ends that. */
void fake_give_up(struct node *n, size_t position, const char *error);
void fake_forget(struct node *n, size_t position);
/* A read that met a due key: begins its reply and takes it back. */
void fake_abort(struct node *n, size_t position);
/* The others said how many of their clients got each message. */
void fake_tell_counts(struct node *n, uint64_t receivers);
size_t fake_undecided(const struct node *n);

/* A client and what it was answered. */
struct client *fake_client(struct node *n);
/* Feeds text and processes it. */
enum client_state fake_feed(struct client *c, const char *text);
enum client_state fake_feed_bytes(struct client *c, const void *p, size_t n);
/* Runs what the driver does after an iteration. */
void fake_poll(struct node *n);
/* The output so far, NUL-terminated, taken away; valid until the next call. */
const char *fake_output(struct client *c);

#endif
