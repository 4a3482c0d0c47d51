#include "keyspace/changes.h"
#include "node/clients.h"
#include "node/node_internal.h"
#include "node/watch.h"

/* The node's own part of the change feed: while its clients watch it keeps the feed on, by an entry every LIMIT_CHANGES_IDLE_MS / 3. */

#define RENEW_US ((uint64_t)LIMIT_CHANGES_IDLE_MS * 1000 / 3)
#define RETRY_US 200000u /* until the first one is applied */

uint64_t watch_tick(struct node *n)
{
    if (!n->raft || n->is_closing || !n->clients || !watches_want_feed(n->clients))
        return NODE_NEVER;
    uint64_t *renewed_us = &clients_watches(n->clients)->renewed_us;
    uint64_t wait_us = changes_are_on(n->keyspace) ? RENEW_US : RETRY_US;
    if (*renewed_us == 0 || n->now_us - *renewed_us >= wait_us) {
        struct proposal head = {
            .number = PROPOSAL_WATCH, .version = 1, .member = n->identity.node_id, .session = n->session.number};
        *renewed_us = n->now_us > 0 ? n->now_us : 1;
        (void)session_propose(n, &head, NULL, 0);
    }
    return *renewed_us + wait_us;
}
