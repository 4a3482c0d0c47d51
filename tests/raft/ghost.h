#ifndef TESTS_RAFT_GHOST_H
#define TESTS_RAFT_GHOST_H

#include "cluster.h"

/* What must never happen, judged from outside; cluster.c calls these as the driver. */

void ghost_on_commit(struct cluster *c,
                     struct cluster_node *n,
                     const struct raft_conf *conf,
                     raft_index from,
                     raft_index to);
void ghost_on_leader(struct cluster *c, struct cluster_node *n, raft_term term);
void ghost_on_send(struct cluster *c, const struct raft_message *m);
void ghost_on_read(struct cluster *c, struct cluster_node *n, const struct raft_read *read);
void ghost_log_matching(struct cluster *c, struct cluster_node *n);
void ghost_uncommitted(struct cluster *c, struct cluster_node *n);

#endif
