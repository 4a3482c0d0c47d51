#include "node/client_internal.h"

#include "base/number.h"
#include "node/client_http.h"

/* PUBLISH and SPUBLISH. The number they answer is the cluster's, so it is usually known a round trip later (publish.c): until then the
 * reply is one with holes. A PUBLISH of its own takes a slot of the FIFO that lacks everything; one in a transaction leaves a hole in the
 * EXEC's reply. The messages themselves are with this node's subscribers at once. */

void client_holes_drop(struct client_slot *slot)
{
    struct slot_holes *holes = slot->holes;

    if (!holes) {
        return;
    }
    slot->holes = NULL;
    while (!list_empty(&holes->hole)) {
        struct publish_hole *hole = CONTAINER_OF(holes->hole.next, struct publish_hole, in_slot);

        list_remove(&hole->in_slot);
        hole->slot = NULL;
        if (hole->is_told) {
            mem_free(hole);
        }
    }
    mem_free(holes);
}

static void slot_add_hole(struct client_slot *slot, struct publish_hole *hole, bool is_publish)
{
    if (!slot->holes) {
        slot->holes = mem_alloc_zero(sizeof *slot->holes);
        list_init(&slot->holes->hole);
        slot->holes->is_publish = is_publish;
        slot->holes->missing = is_publish ? 0 : 1; /* what of the EXEC is not made yet */
    }
    hole->slot = slot;
    hole->offset = buf_size(&slot->reply);
    list_append(&slot->holes->hole, &hole->in_slot);
    slot->holes->missing++;
}

/* All numbers are here: put them where they belong. */
static void slot_fill(struct client_slot *slot)
{
    struct buf whole = {0};
    struct reply reply = {.out = &whole, .protocol = slot->protocol};
    struct slice made = buf_slice(&slot->reply);
    bool is_publish = slot->holes->is_publish;
    struct client *c = slot->request.client;
    size_t at = 0;

    for (struct list *l = slot->holes->hole.next; l != &slot->holes->hole; l = l->next) {
        const struct publish_hole *hole = CONTAINER_OF(l, struct publish_hole, in_slot);

        buf_append_slice(&whole, (struct slice){made.p + at, hole->offset - at});
        at = hole->offset;
        reply_int(&reply, (int64_t)hole->count);
    }
    buf_append_slice(&whole, slice_skip(made, at));
    buf_deinit(&slot->reply);
    slot->reply = whole;
    client_holes_drop(slot);
    if (is_publish) {
        client_note_call(c, slot->request.row, NULL, slot->started_us, buf_slice(&slot->reply), false);
        if (slot->is_muted) {
            buf_clear(&slot->reply, 0);
        }
    }
    client_slot_filled(slot);
}

void client_holes_less(struct client_slot *slot)
{
    if (--slot->holes->missing == 0) {
        slot_fill(slot);
    }
}

void client_publish_told(struct publish_hole *hole)
{
    struct client_slot *slot = hole->slot;

    if (!slot) {
        mem_free(hole);
        return;
    }
    hole->is_told = true;
    client_holes_less(slot);
}

uint64_t clients_deliver(struct clients *cs, enum pubsub_kind kind, struct slice channel, struct slice message)
{
    return pubsub_deliver(&cs->pubsub[0], kind, channel, message);
}

/* To this node's subscribers; its own message to a client comes before the reply, as in Redis, but not into an EXEC's. */
static uint64_t publish_here(struct client *c, enum pubsub_kind kind, const struct command *command, struct reply *reply)
{
    struct pubsub *ps = &c->clients->pubsub[c->info.is_sentinel];

    if (c->is_in_exec || reply->protocol == REPLY_DISCARD) {
        return pubsub_deliver(ps, kind, command->arg[1], command->arg[2]);
    }
    size_t before = buf_size(reply->out);
    c->is_replying = false;
    uint64_t count = pubsub_deliver(ps, kind, command->arg[1], command->arg[2]);
    c->is_replying = true;
    c->pushed_in_front = buf_size(reply->out) - before;
    return count;
}

static void publish(struct client *c, enum pubsub_kind kind, const struct command *command, struct reply *reply)
{
    if (command->arg[1].n + command->arg[2].n > LIMIT_PUBLISH_BYTES) {
        reply_errorf(reply, "ERR channel and message are longer than %u bytes together, nothing was published", LIMIT_PUBLISH_BYTES);
        return;
    }
    struct publish_hole *hole = mem_alloc_zero(sizeof *hole);
    hole->count = publish_here(c, kind, command, reply);
    list_init(&hole->in_slot);
    if (c->info.is_sentinel || !node_publish(c->node, kind, command->arg[1], command->arg[2], hole)) {
        reply_int(reply, (int64_t)hole->count);
        mem_free(hole);
        return;
    }
    if (c->is_in_exec) {
        if (c->exec_slot && reply->protocol != REPLY_DISCARD) {
            slot_add_hole(c->exec_slot, hole, false);
        }
        return;
    }
    struct client_slot *slot = client_slot_new(c, reply->protocol);
    slot->exchange = c->http ? http_exchange_keep(c->http->exchange) : NULL;
    slot->request.client = c;
    slot->request.row = c->last_row;
    slot->started_us = c->now_us;
    slot->is_muted = c->is_muted;
    c->did_submit = true;
    slot_add_hole(slot, hole, true);
}

void row_publish(struct client *c, const struct command *command, struct reply *reply)
{
    publish(c, PUBSUB_CHANNEL, command, reply);
}

void row_spublish(struct client *c, const struct command *command, struct reply *reply)
{
    publish(c, PUBSUB_SHARD, command, reply);
}
