#include "node/publish.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* PUBLISH across the cluster.
 *
 *   PUBLISH -> own subscribers at once
 *           -> items of this iteration, one PEER_PUBLISH to every other member -> its subscribers -> PEER_PUBLISHED, one count per item
 *           -> all counts here, or the time is up -> the sum is the reply
 *
 * B1  A message goes once to each member whose control link is up, and is never sent again: each subscriber gets it at most once.
 *     What one node publishes arrives everywhere in the order in which it published it; messages of two nodes have no common order.
 * B2  The count is the number of messages put into subscribers' outputs on this node and on the members that said so within one
 *     election timeout. A member that is cut off is not counted; one that did not answer in time is not waited for again before it was
 *     heard of (followers hear little of each other, so silence alone says nothing). The count is never too high.
 * B3  Bounded: a message of more than LIMIT_PUBLISH_BYTES is refused; a member whose control link has more than LINK_FULL_BYTES
 *     unsent gets nothing until it drains (counted as dropped); batches waiting for counts hold no payload, and each count belongs to a
 *     slot of a client, of which there are CLIENT_SLOTS_MAX at most.
 * B4  Not logged, no part of any state: a node that applies a log again publishes nothing. */

#define BATCH_BYTES 65536u
#define LINK_FULL_BYTES (16u * 1024u * 1024u)
#define AWAITED_MAX (2 * LIMIT_MEMBERS)

struct publish_batch {
    struct list in_publish;
    uint64_t id;
    uint64_t deadline_us;
    raft_id awaited[AWAITED_MAX];
    uint32_t awaited_count;
    uint32_t hole_count;
    struct publish_hole *hole[];
};

static struct publish_batch *batch_of(struct list *in_publish)
{
    return CONTAINER_OF(in_publish, struct publish_batch, in_publish);
}

void publish_init(struct publish *p)
{
    *p = (struct publish){0};
    list_init(&p->batches);
}

/* Everybody who waits is told what is known. */
static void batch_end(struct publish_batch *batch)
{
    list_remove(&batch->in_publish);
    for (uint32_t i = 0; i < batch->hole_count; i++) {
        client_publish_told(batch->hole[i]);
    }
    mem_free(batch);
}

void publish_deinit(struct publish *p)
{
    while (!list_empty(&p->batches)) {
        batch_end(batch_of(p->batches.next));
    }
    for (uint32_t i = 0; i < p->hole_count; i++) {
        client_publish_told(p->hole[i]);
    }
    mem_free(p->hole);
    buf_deinit(&p->out);
    *p = (struct publish){0};
    list_init(&p->batches);
}

static bool peer_takes_messages(const struct peer *p)
{
    return p->is_member && !p->is_blank && peer_is_up(p, PEER_CONTROL);
}

bool publish_add(struct node *n, enum pubsub_kind kind, struct slice channel, struct slice message, struct publish_hole *hole)
{
    struct publish *p = &n->publish;
    bool has_peer = false;

    for (uint32_t i = 0; i < n->peers.count; i++) {
        has_peer |= peer_takes_messages(&n->peers.peer[i]);
    }
    if (!has_peer || node_is_blank(n)) {
        return false;
    }
    if (buf_size(&p->out) >= BATCH_BYTES) {
        publish_flush(n); /* Not with the new one: it belongs to no reply yet. */
    }
    write_u8(&p->out, kind == PUBSUB_SHARD);
    write_blob(&p->out, channel);
    write_blob(&p->out, message);
    if (p->hole_count == p->hole_capacity) {
        p->hole_capacity = p->hole_capacity ? 2 * p->hole_capacity : 64;
        p->hole = mem_realloc_array(p->hole, p->hole_capacity, sizeof p->hole[0]);
    }
    p->hole[p->hole_count++] = hole;
    p->sent++;
    return true;
}

/* False: its link is full. */
static bool batch_send(struct node *n, struct peer *peer, const struct publish_batch *batch, struct slice items)
{
    if (n->env.unsent_bytes && n->env.unsent_bytes(n->env.ctx, peer->link[PEER_CONTROL].id) > LINK_FULL_BYTES) {
        COVER("publish: a member's link is full");
        return false;
    }
    struct buf *head = peers_begin(n);
    write_u64(head, batch->id);
    write_u32(head, batch->hole_count);
    peers_add_part(n, items);
    return peers_send(n, peer, PEER_CONTROL, PEER_PUBLISH);
}

void publish_flush(struct node *n)
{
    struct publish *p = &n->publish;

    if (p->hole_count == 0) {
        return;
    }
    struct publish_batch *batch = mem_alloc(sizeof *batch + p->hole_count * sizeof batch->hole[0]);
    batch->id = ++p->last_batch;
    batch->deadline_us = n->now_us + node_election_timeout_us(n);
    batch->awaited_count = 0;
    batch->hole_count = p->hole_count;
    memcpy(batch->hole, p->hole, p->hole_count * sizeof batch->hole[0]);
    for (uint32_t i = 0; i < n->peers.count; i++) {
        struct peer *peer = &n->peers.peer[i];

        if (!peer_takes_messages(peer)) {
            continue;
        }
        if (!batch_send(n, peer, batch, buf_slice(&p->out))) {
            p->dropped += batch->hole_count;
        } else if (peer->publish_missed_us == 0 || peer->heard_us > peer->publish_missed_us) {
            batch->awaited[batch->awaited_count++] = peer->id;
        }
    }
    p->hole_count = 0;
    buf_clear(&p->out, BATCH_BYTES);
    list_append(&p->batches, &batch->in_publish);
    if (batch->awaited_count == 0) {
        batch_end(batch);
    }
}

static void batch_give_up(struct node *n, struct publish_batch *batch)
{
    COVER("publish: a member did not say its count in time");
    for (uint32_t i = 0; i < batch->awaited_count; i++) {
        struct peer *peer = peers_find(n, batch->awaited[i]);

        if (peer) {
            peer->publish_missed_us = n->now_us;
        }
    }
    batch_end(batch);
}

uint64_t publish_tick(struct node *n)
{
    struct publish *p = &n->publish;

    while (!list_empty(&p->batches) && batch_of(p->batches.next)->deadline_us <= n->now_us) {
        batch_give_up(n, batch_of(p->batches.next));
    }
    return list_empty(&p->batches) ? NODE_NEVER : batch_of(p->batches.next)->deadline_us;
}

/* --- the other side ------------------------------------------------------------------------------- */

void publish_receive(struct node *n, struct peer *peer, struct slice body)
{
    struct reader r = reader_of(body);
    uint64_t id = read_u64(&r);
    uint32_t count = read_u32(&r);
    struct buf counts = {0};

    for (uint32_t i = 0; i < count && !r.failed; i++) {
        enum pubsub_kind kind = read_u8(&r) != 0 ? PUBSUB_SHARD : PUBSUB_CHANNEL;
        struct slice channel = read_blob(&r);
        struct slice message = read_blob(&r);

        if (!r.failed) {
            n->publish.received++;
            write_u64(&counts, clients_deliver(n->clients, kind, channel, message));
        }
    }
    if (reader_done(&r)) {
        struct buf *head = peers_begin(n);

        write_u64(head, id);
        write_u32(head, count);
        buf_append_slice(head, buf_slice(&counts));
        peers_send(n, peer, PEER_CONTROL, PEER_PUBLISHED);
    }
    buf_deinit(&counts);
}

static struct publish_batch *batch_find(struct publish *p, uint64_t id)
{
    for (struct list *at = p->batches.next; at != &p->batches; at = at->next) {
        if (batch_of(at)->id >= id) {
            return batch_of(at)->id == id ? batch_of(at) : NULL;
        }
    }
    return NULL;
}

/* Each awaited member's answer counts once. */
static bool batch_strike(struct publish_batch *batch, raft_id id)
{
    for (uint32_t i = 0; i < batch->awaited_count; i++) {
        if (batch->awaited[i] == id) {
            batch->awaited[i] = batch->awaited[--batch->awaited_count];
            return true;
        }
    }
    return false;
}

void publish_receive_counts(struct node *n, struct peer *peer, struct slice body)
{
    struct reader r = reader_of(body);
    struct publish_batch *batch = batch_find(&n->publish, read_u64(&r));
    uint32_t count = read_u32(&r);

    if (!batch || r.failed || count != batch->hole_count || r.n != (size_t)count * 8 || !batch_strike(batch, peer->id)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        batch->hole[i]->count += read_u64(&r);
    }
    if (batch->awaited_count == 0) {
        batch_end(batch);
    }
}
