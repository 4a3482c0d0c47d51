#include "node/cut.h"

#include "node/node_internal.h"

/* A node that is cut off on request (HTTP /fail/N): nothing goes to or comes from its peers but the word to come back, and its clients'
 * commands are refused. It goes on running, elections and all, and loses nothing. */

bool node_is_cut(const struct node *n)
{
    return n->is_cut;
}

void cut_set(struct node *n, bool is_cut)
{
    if (n->is_cut != is_cut)
        log_line(&n->env.log, LOG_WARNING, is_cut ? "This node was asked to fail: it is cut off from peers and clients."
                                                  : "This node was asked to recover: it talks to its peers again.");
    n->is_cut = is_cut;
}

bool cut_ask(struct node *n, raft_id id, bool is_cut)
{
    if (id == n->identity.node_id) {
        cut_set(n, is_cut);
        return true;
    }
    struct peer *p = peers_find(n, id);
    if (!p)
        return false;
    buf_append_byte(peers_begin(n), is_cut);
    return peers_send(n, p, PEER_CONTROL, PEER_CUT);
}

void cut_receive(struct node *n, struct slice body)
{
    if (n->options->test_mode && body.n == 1)
        cut_set(n, body.p[0] != 0);
}
