#include "node/cut.h"

#include "node/node_internal.h"

/* A node that is cut off on request (HTTP /fail/N): nothing goes to or comes from its peers but the word to come back, and its clients'
 * commands are refused. It goes on running, elections and all, and loses nothing. */

bool node_is_cut(const struct node *n)
{
    return n->is_cut;
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
