#include "base/assert.h"
#include "base/codec.h"
#include "base/limits.h"
#include "keyspace/ahead.h"
#include "node/node_internal.h"

/* What the next entries will look up is loaded into the processor's cache while they wait: nearly every command's first argument is its
 * key. A guess, and only for speed: nothing follows from it. */

STATIC_ASSERT(APPLY_AHEAD <= KEYSPACE_AHEAD_MAX, "keyspace_load_ahead takes no more at once");

#define AHEAD_KEY_BYTES 256u /* a longer one takes longer to hash than to load */

static bool ahead_key(const struct raft_entry *e, struct keyspace_ahead *ahead)
{
    struct proposal p;
    if (e->type != RAFT_ENTRY_COMMAND || proposal_decode(e->payload, &p) != ERR_OK || p.seq == 0 || p.arg_count == 0 ||
        p.number == PROPOSAL_EXEC || p.db >= LIMIT_DATABASES)
        return false;
    struct reader r = reader_of(p.args);
    *ahead = (struct keyspace_ahead){.db = p.db, .key = read_blob(&r)};
    return !r.failed && ahead->key.n <= AHEAD_KEY_BYTES;
}

void apply_ahead(struct node *n)
{
    struct keyspace_ahead ahead[APPLY_AHEAD];
    size_t count = 0;
    for (raft_index i = n->apply.applied + 1; i <= n->driver.commit && i <= n->apply.applied + APPLY_AHEAD; i++) {
        struct raft_entry e;
        if (!raft_get_entry(n->raft, i, &e))
            return;
        count += ahead_key(&e, &ahead[count]);
    }
    if (count > 1)
        keyspace_load_ahead(n->keyspace, ahead, count);
}
