#ifndef INTEGRATION_CLUSTER_H
#define INTEGRATION_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "integration/lib/harness.h"
#include "integration/lib/proxy.h"
#include "integration/lib/wire.h"

/* Nodes as real processes on random free ports of 127.0.0.1, each with its own data folder and log file below
 * itest_dir(). They die with the test program, whatever happens to it (PR_SET_PDEATHSIG). When a test has failed the
 * end of every log is printed. */
enum { CLUSTER_MAX = 5 };

struct cluster_node {
    uint16_t port;      /* it listens on */
    uint16_t sentinel_port; /* 0: the usual one. Chosen, as the usual one lies where the kernel takes ports of outgoing connections */
    uint16_t peer_port; /* it is known by: the proxy's in front of it, or `port` */
    char dir[600];
    char log[600];
    pid_t pid;          /* 0: not running */
    bool is_suspended;
};

struct cluster {
    size_t count;
    struct cluster_node node[CLUSTER_MAX];
    char members[600];     /* value of --cluster */
    struct proxy *proxy;   /* NULL unless asked for */
    char secret_file[600]; /* "" without one */
    const char *flags;     /* more flags for every node, separated by blanks; kept */
    char name[32];
};

enum cluster_flag {
    CLUSTER_PROXIED = 1, /* peers reach each other through c->proxy */
    CLUSTER_SECRET = 2,  /* with a cluster-secret-file */
};

/* Chooses ports and folders, starts all nodes, waits until one leads. Ends the test when that takes over 15 s. With
 * ITEST_SERVER=redis: one redis-server, whatever `count` says. The cluster is torn down when the test ends: every
 * running node gets SIGTERM and must exit with 0 within 10 s. */
void cluster_start(struct cluster *c, size_t count, enum cluster_flag flags, const char *more_flags);
/* The same without starting anything. `name` tells clusters of one test apart. */
void cluster_prepare(struct cluster *c, const char *name, size_t count, enum cluster_flag flags, const char *more_flags);

void cluster_node_start(struct cluster *c, size_t i);
/* As the above, but with other values of --cluster and --dir (kept by that process only; members "": without). */
void cluster_node_start_as(struct cluster *c, size_t i, const char *members, const char *dir);
void cluster_node_kill(struct cluster *c, size_t i);    /* SIGKILL, and reaped */
int cluster_node_stop(struct cluster *c, size_t i);     /* SIGTERM; exit status, -1: killed by a signal or after 10 s */
void cluster_node_suspend(struct cluster *c, size_t i); /* SIGSTOP */
void cluster_node_resume(struct cluster *c, size_t i);
void cluster_node_wipe(struct cluster *c, size_t i);    /* its data folder; the node must not run */
/* Has the process ended? Reaps it; *status as from waitpid. */
bool cluster_node_has_exited(struct cluster *c, size_t i, int timeout_ms, int *status);
bool cluster_log_contains(const struct cluster *c, size_t i, const char *text);
bool cluster_log_contains_within(const struct cluster *c, size_t i, const char *text, int timeout_ms);

/* A field of INFO raft; "" / 0 when the node does not answer within 500 ms. */
void cluster_info(const struct cluster *c, size_t i, const char *field, char *out, size_t size);
uint64_t cluster_info_u64(const struct cluster *c, size_t i, const char *field);
/* The node that leads with the highest term; -1 when nobody does within the time. `except`: a node not asked, or -1. */
int cluster_leader(const struct cluster *c, int except, int timeout_ms);
/* Some running node that is not the leader. */
size_t cluster_follower(const struct cluster *c);
/* Waits until all running nodes have applied what the leader has committed now. */
bool cluster_wait_caught_up(const struct cluster *c, int timeout_ms);
/* Node i asks all to compare their data (RAFT VERIFY) until all could answer: a node that has just started may know no leader
 * yet, or have no link to some.
 * Fails the test unless the first complete verdict is that they are equal. */
void cluster_check_equal(const struct cluster *c, size_t i, int timeout_ms);
/* A write on node i is acknowledged within the time (repeated after error replies). */
bool cluster_wait_writable(const struct cluster *c, size_t i, int timeout_ms);
/* CONFIG SET on every running node. */
void cluster_config_set(const struct cluster *c, const char *name, const char *value);

uint16_t cluster_free_port(void);

#endif
