#include "node/cut.h"
#include "node/node_internal.h"

/* What cut.c asks for, at the node that is asked. */

void cut_set(struct node *n, bool is_cut)
{
    if (n->is_cut != is_cut)
        log_line(&n->env.log, LOG_WARNING, is_cut ? "This node was asked to fail: it is cut off from peers and clients."
                                                  : "This node was asked to recover: it talks to its peers again.");
    n->is_cut = is_cut;
}

void cut_receive(struct node *n, struct slice body)
{
    if (n->options->test_mode && body.n == 1)
        cut_set(n, body.p[0] != 0);
}
