#ifndef SIM_SCENARIOS_H
#define SIM_SCENARIOS_H

#include "sim.h"

/* What stories have in common; scenarios.c. */
#define SECOND 1000000u
#define REPLY_BYTES 512

struct story {
    struct sim *sim;
    const struct command_table *table;
    bool is_verbose;
    char reply[REPLY_BYTES];
};

extern const struct sim_plan calm_plan;

void story_begin(struct story *t, uint64_t seed, const struct sim_plan *plan);
void story_end(struct story *t);
void story_fail(struct story *t, const char *what);
/* Asks one command of a node on a fresh connection; its raw reply is in t->reply ("" after 12 s without one). */
const char *story_ask(struct story *t, uint32_t slot, const char *line);
void story_expect(struct story *t, uint32_t slot, const char *line, const char *reply);
uint32_t story_leader(struct story *t);
void story_cut(struct story *t, uint32_t slot);
struct raft_status story_status(struct story *t, uint32_t slot);
/* Nodes of the same group (a digit per node) talk, others do not. */
void story_groups(struct story *t, const char *group);
/* Runs until one of the nodes in `slots` (a bit each) leads a term above `above`; looks so often that nothing it sent has arrived yet. */
uint32_t story_await_leader(struct story *t, uint32_t slots, raft_term above);

struct scenario {
    const char *name;
    void (*run)(struct story *t);
    bool is_long; /* only when it is named in full */
};
/* scenarios_elections.c, scenarios_members.c */
extern const struct scenario scenarios_elections[];
extern const size_t scenarios_elections_count;
extern const struct scenario scenarios_members[];
extern const size_t scenarios_members_count;

/* scenarios_reads.c */
extern const struct scenario scenarios_reads[];
extern const size_t scenarios_reads_count;

/* scenarios_snapshots.c */
extern const struct scenario scenarios_snapshots[];
extern const size_t scenarios_snapshots_count;

#endif
