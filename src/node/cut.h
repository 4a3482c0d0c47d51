#ifndef NODE_CUT_H
#define NODE_CUT_H

#include "base/slice.h"
#include "raft/types.h"

/* Failing a node on request, for tests (test-mode yes); cut.c. */
struct node;
bool node_is_cut(const struct node *n);
void cut_set(struct node *n, bool is_cut);
/* That member, or this node. False: it can't be told now. */
bool cut_ask(struct node *n, raft_id id, bool is_cut);
void cut_receive(struct node *n, struct slice body);

#endif
