#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the parts of the loader share: load.c (a steady load on one address), failover.c (writes that go on while nodes die),
 * syncs.c and pauses.c (the disk and the machine without any server). */
enum load_workload {
    LOAD_PING,
    LOAD_SET,
    LOAD_GET,
    LOAD_INCR,
    LOAD_MSET,
    LOAD_ZADD, /* of one sorted set, hash or list with --keys elements */
    LOAD_HSET,
    LOAD_LSET,
    LOAD_ZADD_MANY,
    LOAD_HSET_MANY,
    LOAD_RPUSH_MANY,
};

enum { LOAD_MAX_NODES = 16 };

struct load_address {
    char host[64];
    uint16_t port;
};

struct load_options {
    struct load_address node[LOAD_MAX_NODES]; /* the first is the only one of a steady load */
    size_t node_count;
    size_t clients;
    size_t pipeline;
    enum load_workload workload;
    size_t value_size;
    uint64_t keys;      /* random keys are drawn from 0..keys-1 */
    uint64_t requests;  /* 0: until the time is over */
    double seconds;     /* of measuring, after warmup */
    double warmup;
    uint64_t seed;
    bool fill;          /* write every key once first (GET then never meets a missing key) */
    bool sequential;    /* keys 0, 1, 2, ... instead of random ones: every key unique */
    bool tab;           /* one line name=value ... for scripts */
    bool failover;
    const char *syncs_dir; /* not a load: what the disk asks for there; NULL: no */
    uint64_t pauses_mib;   /* not a load: what the machine asks for, with so much memory; 0: no */
    const char *password;
};

uint64_t load_now_ns(void);
double load_cpu_seconds(void);
uint64_t load_random(uint64_t *state);
/* A connected non-blocking socket with TCP_NODELAY; -1 and errno when it fails. With `wait` the connection is
 * finished before it returns, else it may still be in progress. */
int load_connect(const struct load_address *address, bool wait);
/* Prints `what` and what errno says; exits with 2. */
void load_die(const char *what);
/* Fills *o, which holds the defaults; --help and wrong options end the program. */
void load_parse_options(struct load_options *o, int argc, char **argv);
/* 0 when every check held, 1 when the run is invalid. Prints the result. */
int failover_run(const struct load_options *options);
/* Files below `dir`, removed at once. Prints the result; 0. */
int syncs_run(const char *dir);
/* Five seconds, and so much memory. Prints the result; 0. */
int pauses_run(size_t mib);

#endif
