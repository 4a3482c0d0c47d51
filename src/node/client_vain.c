#include "node/client_internal.h"

/* Writes in vain: LPOP of an empty queue, SET NX of a lock that is held, SADD of a member. Whoever polls sends little else. Such a command
 * changes nothing, so all that its answer needs is what a read needs: that the state is confirmed to be the newest, at some moment between
 * its arrival and its answer. It goes as a read (read.c) and costs no entry, no disk and no follower anything.
 *
 *   arrives, in vain here and now --> read --confirmed, still in vain--> answered
 *                |                      |
 *                |                      +--confirmed, not any more------+
 *                +--not                 +--a write of its client behind it--+--> the log, as if it had never been otherwise
 *
 * N1  What decides is the state that the read is confirmed for, not the one at arrival, which may be an old one.
 * N2  A connection's commands take effect in their order. Behind an undecided write none is tried as a read: the write may change what it
 *     finds. And when a write comes behind it, it goes into the log first.
 * N3  At level `stale` it is confirmed all the same: what it answers is about a write. */

/* Where hardly any is in vain, asking costs more than it saves: after so many that were not, one of so many is asked for. */
#define VAIN_MISSES 8
#define VAIN_SAMPLE 16

static bool client_asks_vain(struct client *c)
{
    return c->vain_misses < VAIN_MISSES || c->vain_misses++ % VAIN_SAMPLE == 0;
}

/* The newest undecided request that is more than a read: a write, a vain one or none (NULL). Of several undecided ones all are writes, or all are
 * in vain (N2); so reads alone are passed over, each once for every command behind it that asks. */
static const struct request *client_newest_write(const struct client *c)
{
    for (struct list *at = c->requests.prev; at != &c->requests; at = at->prev) {
        const struct request *r = CONTAINER_OF(at, struct request, in_client);

        if (r->kind == REQUEST_WRITE || r->is_vain) {
            return r;
        }
    }
    return NULL;
}

bool client_submit_vain(struct client *c, const struct command_row *row, const struct command *command,
                        enum reply_protocol protocol)
{
    if (!row->is_vain || !client_asks_vain(c)) {
        return false;
    }
    const struct request *newest = client_newest_write(c);
    if (newest && !newest->is_vain) {
        return false;
    }
    if (!node_is_vain(c->node, row, c->db, command)) {
        c->vain_misses += c->vain_misses < VAIN_MISSES ? 1 : 0;
        return false;
    }
    COVER("client: a write in vain is tried as a read");
    c->vain_misses = 0;
    client_submit_vain_read(c, row, command, protocol);
    return true;
}

void client_submit_after_all(struct client *c)
{
    const struct request *newest = client_newest_write(c);

    for (struct request *r = newest && newest->is_vain ? client_first_request(c) : NULL, *next; r; r = next) {
        next = client_next_request(r);
        if (r->is_vain) {
            node_submit_after_all(c->node, r);
        }
    }
}
