#include "node/batch.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

/* Each write of the log costs every node the same, whether it holds one entry or a thousand: a flush of the disk, a message, two
 * threads woken. Many clients that each wait for one answer would fall into two halves that take turns, and pay twice. So the
 * leader lets entries wait for the others (the idea of PostgreSQL's commit_delay and commit_siblings):
 *
 * G1  Only while at least BATCH_SIBLINGS entries are under way at once: a few clients that write one by one never wait. (One that
 *     sends a long pipeline and then a single write waits once, G3; after that a single write is what is expected.)
 * G2  Until as many wait, within an eighth, as were under way or waiting when the last group went: those that were answered
 *     come back with their next write.
 * G3  At most for two usual commits (and as finely as the loop's timer goes, a millisecond); and not at all where that is longer
 *     than `commit-delay`, or where a commit takes many times what the disk takes: members are far apart there, and groups on the
 *     way side by side cost no time. */
#define BATCH_SIBLINGS 8u
#define BATCH_DISK_TIMES 5u

void batch_deinit(struct batch *b)
{
    batch_drop(b);
    chunk_unref(b->open);
    mem_free(b->run);
    *b = (struct batch){0};
}

uint8_t *batch_reserve(struct batch *b, size_t size, struct chunk **chunk, size_t *offset)
{
    if (chunk_room(b->open) < size) {
        chunk_unref(b->open);
        b->open = chunk_new(size > LIMIT_LOG_CHUNK_BYTES ? size : LIMIT_LOG_CHUNK_BYTES);
    }
    *chunk = chunk_ref(b->open);
    *offset = b->open->used;
    b->open->used += size;
    return b->open->data + *offset;
}

void batch_add(struct batch *b, struct chunk *chunk, size_t offset, size_t size)
{
    b->count++;
    struct batch_run *last = b->run_count > 0 ? &b->run[b->run_count - 1] : NULL;
    if (last && last->chunk == chunk && last->end == offset) {
        last->end += size;
        last->count++;
        return;
    }
    if (b->run_count == b->run_capacity) {
        b->run_capacity = b->run_capacity ? 2 * b->run_capacity : 8;
        b->run = mem_realloc_array(b->run, b->run_capacity, sizeof b->run[0]);
    }
    b->run[b->run_count++] = (struct batch_run){chunk_ref(chunk), offset, offset + size, 1};
}

static void batch_stamp(struct node *n, const struct batch_run *run)
{
    size_t at = run->offset;
    int64_t time_ms = log_time_stamp(n);
    for (uint32_t i = 0; i < run->count; i++) {
        uint8_t *entry = run->chunk->data + at;
        size_t size = get_u32(entry);
        ASSERT(size >= ENTRY_HEADER_BYTES && at + size <= run->end);
        entry_begin(entry, RAFT_ENTRY_COMMAND, time_ms, size - ENTRY_HEADER_BYTES);
        at += size;
    }
    ASSERT(at == run->end);
}

/* Members whose forwards were in the batch wait for a commit index at or beyond its end. */
static void batch_note_waiting(struct node *n, raft_index last)
{
    for (uint32_t i = 0; i < n->peers.count; i++) {
        struct peer *p = &n->peers.peer[i];
        if (p->has_forwards_in_batch) {
            p->nudge_index = last;
            p->has_forwards_in_batch = false;
        }
    }
}

static void batch_note_commit(struct node *n)
{
    struct batch *b = &n->batch;
    if (b->timed_last != 0 && n->driver.commit >= b->timed_last) {
        uint64_t took = n->now_us - b->timed_us;
        b->commit_us = b->commit_us == 0 ? took : (7 * b->commit_us + took) / 8;
        b->timed_last = 0;
    }
    if (n->driver.commit >= b->group_last)
        b->group_last = 0;
}

static void batch_note_group(struct node *n, uint32_t count, raft_index last)
{
    struct batch *b = &n->batch;
    b->expected = count + (b->group_last != 0 ? b->group_count : 0);
    b->group_count = count;
    b->group_last = last;
    if (b->timed_last == 0) {
        b->timed_last = last;
        b->timed_us = n->now_us;
    }
}

uint64_t batch_wake_us(const struct node *n)
{
    const struct batch *b = &n->batch;
    uint64_t most = 2 * b->commit_us;
    bool is_due = b->since_us == 0 || b->expected < BATCH_SIBLINGS || b->count >= b->expected - b->expected / 8;
    bool pays = most <= (uint64_t)n->options->commit_delay && b->commit_us <= BATCH_DISK_TIMES * n->disk.append_us;
    return !is_due && pays ? b->since_us + most : UINT64_MAX;
}

void batch_flush(struct node *n)
{
    struct batch *b = &n->batch;
    uint32_t done = 0;
    uint32_t count = 0;
    raft_index last = 0;
    batch_note_commit(n);
    if (b->since_us == 0 && b->count > 0)
        b->since_us = n->now_us;
    uint64_t until_us = batch_wake_us(n);
    if (until_us != UINT64_MAX && n->now_us < until_us)
        return;
    while (done < b->run_count && node_is_leader(n)) {
        struct batch_run *run = &b->run[done];
        batch_stamp(n, run);
        struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
        event.u.propose.chunk = run->chunk;
        event.u.propose.offset = run->offset;
        event.u.propose.count = run->count;
        enum err e = driver_step(n, &event);
        if (e != ERR_OK) {
            /* Too many uncommitted bytes, or a transfer under way: it keeps its place and is tried again. */
            COVER("node: a batch has to wait");
            break;
        }
        last = n->driver.first_proposed + run->count - 1;
        count += run->count;
        if (n->stages.sample == SAMPLE_QUEUED)
            stages_proposed(&n->stages, n->driver.first_proposed, n->env.now_us(n->env.ctx));
        chunk_unref(run->chunk);
        done++;
    }
    /* A step can take leadership away; then batch_drop has emptied the list under us. */
    if (b->run_count == 0)
        return;
    ASSERT(done <= b->run_count && count <= b->count);
    b->run_count -= done;
    b->count -= count;
    b->since_us = 0; /* What Raft did not take waits for Raft. */
    if (count > 0)
        batch_note_group(n, count, last);
    if (done > 0 && b->run_count > 0)
        memmove(b->run, b->run + done, b->run_count * sizeof b->run[0]);
    if (last > 0 && b->run_count == 0)
        batch_note_waiting(n, last);
}

void batch_drop(struct batch *b)
{
    for (uint32_t i = 0; i < b->run_count; i++)
        chunk_unref(b->run[i].chunk);
    b->run_count = 0;
    b->count = 0;
    b->since_us = 0;
    b->group_last = 0;
    b->timed_last = 0;
    b->expected = 0;
}

struct slice batch_add_proposal(struct batch *b, const struct proposal *head, const struct slice *arg, size_t arg_count)
{
    size_t payload_size = proposal_size(arg, arg_count);
    size_t size = ENTRY_HEADER_BYTES + payload_size;
    struct chunk *chunk;
    size_t offset;
    uint8_t *at = batch_reserve(b, size, &chunk, &offset);
    entry_begin(at, RAFT_ENTRY_COMMAND, 0, payload_size);
    proposal_encode(at + ENTRY_HEADER_BYTES, head, arg, arg_count);
    batch_add(b, chunk, offset, size);
    chunk_unref(chunk); /* The batch holds its own reference. */
    return (struct slice){at + ENTRY_HEADER_BYTES, payload_size};
}
