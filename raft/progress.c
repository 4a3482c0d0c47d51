#include "raft/progress.h"

#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

void progress_init(struct raft_peer *peer, raft_id id, uint32_t window_messages)
{
    memset(peer, 0, sizeof(*peer));
    peer->id = id;
    peer->next = 1;
    peer->window_capacity = window_messages > 0 ? window_messages : 1;
    peer->window = mem_alloc_array(peer->window_capacity, sizeof(*peer->window));
}

void progress_deinit(struct raft_peer *peer)
{
    mem_free(peer->window);
    memset(peer, 0, sizeof(*peer));
}

void progress_probe(struct raft_peer *peer, raft_index next)
{
    ASSERT(next > peer->match);
    peer->state = PROGRESS_PROBE;
    peer->next = next;
    peer->is_probing = false;
    peer->is_fetching = false;
    peer->fetch_us = 0;
    peer->window_start = 0;
    peer->window_count = 0;
    peer->window_bytes = 0;
}

void progress_reset(struct raft_peer *peer, raft_index next, uint64_t now_us)
{
    peer->match = 0;
    peer->commit_sent = 0;
    peer->acked_round = 0;
    peer->last_ack_us = now_us;
    peer->poke_us = now_us;
    peer->may_have_lost = false;
    peer->starved_us = 0;
    progress_probe(peer, next);
}

static void progress_free_window(struct raft_peer *peer)
{
    while (peer->window_count > 0 && peer->window[peer->window_start].last <= peer->match) {
        peer->window_bytes -= peer->window[peer->window_start].bytes;
        peer->window_start = (peer->window_start + 1) % peer->window_capacity;
        peer->window_count--;
    }
}

bool progress_accept(struct raft_peer *peer, raft_index match, uint64_t now_us)
{
    bool has_grown = match > peer->match;
    if (has_grown) {
        peer->match = match;
        peer->poke_us = now_us;
        peer->starved_us = 0;
    }
    if (peer->state == PROGRESS_PROBE && match >= peer->match) {
        progress_probe(peer, peer->match + 1);
        peer->state = PROGRESS_REPLICATE;
        peer->may_have_lost = false;
        return true;
    }
    progress_free_window(peer);
    if (peer->next <= peer->match) {
        peer->next = peer->match + 1;
    }
    return has_grown;
}

bool progress_window_full(const struct raft_peer *peer, uint64_t limit_bytes)
{
    return peer->window_count == peer->window_capacity || peer->window_bytes >= limit_bytes;
}

bool progress_burst_full(struct raft_peer *peer, uint64_t limit_bytes, uint64_t now_us)
{
    if (now_us >= peer->burst_us + RAFT_BURST_US) {
        peer->burst_us = now_us;
        peer->burst_bytes = 0;
    }
    return limit_bytes != 0 && peer->burst_bytes >= limit_bytes;
}

void progress_sent(struct raft_peer *peer, raft_index last, uint64_t bytes, uint64_t now_us)
{
    ASSERT(peer->state == PROGRESS_REPLICATE && last >= peer->next);
    ASSERT(peer->window_count < peer->window_capacity);
    if (peer->window_count == 0) {
        peer->poke_us = now_us;
    }
    uint32_t at = (peer->window_start + peer->window_count++) % peer->window_capacity;
    peer->window[at] = (struct inflight){last, bytes};
    peer->window_bytes += bytes;
    peer->burst_bytes += bytes;
    peer->next = last + 1;
}
