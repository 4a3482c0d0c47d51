#include "node/batch.h"

#include <string.h>

#include "base/assert.h"
#include "base/codec.h"
#include "base/mem.h"
#include "base/mutant.h"
#include "node/node_internal.h"

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

void batch_flush(struct node *n)
{
    struct batch *b = &n->batch;
    uint32_t done = 0;
    raft_index last = 0;
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
        if (n->stages.sample == SAMPLE_QUEUED)
            stages_proposed(&n->stages, n->driver.first_proposed, n->env.now_us(n->env.ctx));
        chunk_unref(run->chunk);
        done++;
    }
    /* A step can take leadership away; then batch_drop has emptied the list under us. */
    if (b->run_count == 0)
        return;
    ASSERT(done <= b->run_count);
    b->run_count -= done;
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
