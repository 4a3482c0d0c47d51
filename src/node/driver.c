#include "node/driver.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* The order below is the contract of raft.h: what may go out at once goes out first, the disk gets its part, what depends
 * on it is held. Nothing here steps Raft again: an effect that needs to (a read index for a follower, a fetch) is
 * queued in its own room and looked at by node_iterate. */

static void driver_hold(struct driver *d, const struct raft_outgoing *outgoing)
{
    ASSERT(!raft_message_is_bulk(outgoing->message.type)); /* It would borrow entries. */
    if (d->held_count == d->held_capacity) {
        d->held_capacity = d->held_capacity ? 2 * d->held_capacity : 16;
        d->held = mem_realloc_array(d->held, d->held_capacity, sizeof d->held[0]);
    }
    d->held[d->held_count++] = (struct driver_held){outgoing->message, outgoing->after_token};
}

static void driver_send(struct node *n, const struct raft_update *update)
{
    for (uint32_t i = 0; i < update->outgoing_count; i++) {
        const struct raft_outgoing *outgoing = &update->outgoing[i];
        if (outgoing->after_token <= n->driver.persisted_token)
            peers_send_raft(n, &outgoing->message);
        else
            driver_hold(&n->driver, outgoing);
    }
}

enum err driver_step(struct node *n, struct raft_event *event)
{
    struct driver *d = &n->driver;
    struct raft_status before = d->status;
    struct raft_update update;
    event->now_us = n->now_us;
    enum err e = raft_step(n->raft, event, &update);
    d->wake_us = update.wake_at_us;
    if (e != ERR_OK)
        return e;
    ASSERT(update.commit >= d->commit); /* R14 */
    d->commit = update.commit;
    if (n->stages.sample == SAMPLE_PROPOSED)
        stages_committed(&n->stages, d->commit, n->now_us);
    d->first_proposed = update.first_proposed;
    raft_get_status(n->raft, &d->status);
    if (update.has_persist)
        disk_add(n, &update);
    driver_send(n, &update);
    for (uint32_t i = 0; i < update.read_count; i++)
        reads_on_result(n, &update.read[i]);
    for (uint32_t i = 0; i < update.fetch_count; i++)
        disk_fetch_for_peer(n, update.fetch[i].peer, update.fetch[i].first, update.fetch[i].max_bytes);
    for (uint32_t i = 0; i < update.chunk_request_count; i++)
        snapshot_serve(n, &update.chunk_request[i]);
    if (update.chunk)
        snapshot_receive(n, update.chunk);
    if (update.role_changed)
        node_on_role_change(n, &before);
    if (update.conf_changed)
        node_on_conf_change(n);
    if (update.is_removed)
        leave_on_removed(n);
    return ERR_OK;
}

void driver_persisted(struct node *n, uint64_t token)
{
    struct driver *d = &n->driver;
    ASSERT(token > d->persisted_token);
    struct raft_event event = {.type = RAFT_EVENT_PERSISTED};
    event.u.persisted_token = token;
    /* Set first: what this step sends may go at once, and must not overtake what was held for the same token. */
    d->persisted_token = token;
    uint32_t held = d->held_count;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < held; i++) {
        if (d->held[i].after_token > token)
            d->held[kept++] = d->held[i];
        else if (!raft_message_is_stale(n->raft, &d->held[i].message))
            peers_send_raft(n, &d->held[i].message);
        else
            COVER("driver: a held message was stale");
    }
    d->held_count = kept;
    enum err e = driver_step(n, &event);
    ASSERT(e == ERR_OK);
}

void driver_deinit(struct driver *d)
{
    mem_free(d->held);
    *d = (struct driver){0};
}
