/* The hot path allocates nothing once it runs: a leader that proposes batches, a follower that
 * takes them, acknowledgements, heartbeats, reads. This program brings its own mem.h functions,
 * which count. */
#include <stdlib.h>

#include "base/chunk.h"
#include "base/mem.h"
#include "raft/raft.h"
#include "tests/test.h"

static uint64_t allocations;

void *mem_alloc(size_t size)
{
    allocations++;
    return malloc(size > 0 ? size : 1);
}
void *mem_alloc_zero(size_t size)
{
    allocations++;
    return calloc(1, size > 0 ? size : 1);
}
void *mem_realloc(void *p, size_t size)
{
    allocations++;
    return realloc(p, size > 0 ? size : 1);
}
void *mem_alloc_array(size_t count, size_t size)
{
    return mem_alloc(count * size);
}
void *mem_realloc_array(void *p, size_t count, size_t size)
{
    return mem_realloc(p, count * size);
}
void mem_free(void *p)
{
    free(p);
}
void *mem_map(size_t size)
{
    return mem_alloc_zero(size);
}
void mem_unmap(void *p, size_t size)
{
    (void)size;
    free(p);
}
char *mem_copy_string(const void *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    memcpy(copy, p, n);
    copy[n] = 0;
    return copy;
}
size_t mem_used(void)
{
    return 0;
}

#define BATCH 16
#define PAYLOAD 100
#define ROUNDS 20000

struct pair {
    struct raft *node[3]; /* [1], [2] */
    uint64_t now_us;
    struct chunk
        *chunk; /* proposals, used again and again: the bytes of one round are done with in it */
};

static void pair_step(struct pair *x, raft_id id, struct raft_event *event);

/* The driver: persists are done at once, messages delivered at once, everything applied at once. */
static void pair_handle(struct pair *x, raft_id id, const struct raft_update *u)
{
    struct raft_outgoing out[16];
    uint32_t count = u->outgoing_count;
    uint64_t token = u->has_persist ? u->token : 0;
    raft_index commit = u->commit;
    REQUIRE(count <= 16);
    if (count > 0) {
        memcpy(out, u->outgoing, count * sizeof(*out));
    }
    /* Appends borrow the sender's entries until its next step: so they go first. */
    for (uint32_t i = 0; i < count; i++) {
        if (out[i].message.type == RAFT_APPEND) {
            struct raft_event event = {.type = RAFT_EVENT_RECEIVE, .u.message = &out[i].message};
            struct raft_message m = out[i].message;
            event.u.message = &m;
            event.now_us = x->now_us;
            struct raft_update reply;
            REQUIRE(raft_step(x->node[m.to], &event, &reply) == ERR_OK);
            pair_handle(x, m.to, &reply);
        }
    }
    if (token != 0) {
        struct raft_event event = {.type = RAFT_EVENT_PERSISTED, .u.persisted_token = token};
        pair_step(x, id, &event);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (out[i].message.type != RAFT_APPEND) {
            struct raft_event event = {.type = RAFT_EVENT_RECEIVE, .u.message = &out[i].message};
            pair_step(x, out[i].message.to, &event);
        }
    }
    struct raft_status status;
    raft_get_status(x->node[id], &status);
    if (status.applied < commit) {
        struct raft_event event = {.type = RAFT_EVENT_APPLIED, .u.applied = commit};
        pair_step(x, id, &event);
    }
}

static void pair_step(struct pair *x, raft_id id, struct raft_event *event)
{
    struct raft_update u;
    event->now_us = x->now_us;
    REQUIRE(raft_step(x->node[id], event, &u) == ERR_OK);
    pair_handle(x, id, &u);
}

static void pair_start(struct pair *x)
{
    struct raft_conf conf = {.member_count = 2};
    raft_index one = 1;
    struct raft_entry entry;
    uint8_t bytes[256];
    for (uint32_t i = 0; i < 2; i++) {
        conf.member[i] =
            (struct raft_member){.id = i + 1, .flags = RAFT_VOTER_NEW, .address = "h:1"};
    }
    entry_begin(bytes, RAFT_ENTRY_NOOP, 0, 0);
    entry_seal(bytes, 1, 1);
    entry_view(bytes, &entry);
    struct raft_start start = {.hard_state = {.term = 1},
                               .first_index = 1,
                               .last_index = 1,
                               .last_term = 1,
                               .entry = &entry,
                               .entry_count = 1,
                               .conf_count = 1,
                               .conf = &conf,
                               .conf_index = &one};
    x->now_us = 1000000;
    for (raft_id id = 1; id <= 2; id++) {
        struct raft_options options = {
            .id = id,
            .seed = id,
            .heartbeat_us = 50000,
            .election_timeout_us = 300000,
            .memory_bytes = 1u << 20,
            .uncommitted_bytes = 1u << 20,
            .inflight_messages = 64,
            .inflight_bytes = 1u << 20,
            .append_bytes = 1u << 18,
        };
        x->node[id] = raft_new(&options, &start, x->now_us);
    }
    x->now_us += 600000;
    struct raft_event event = {.type = RAFT_EVENT_TICK};
    pair_step(x, 1, &event);
    struct raft_status status;
    raft_get_status(x->node[1], &status);
    REQUIRE(status.role == RAFT_LEADER && status.commit == 2);
}

static void pair_round(struct pair *x, uint64_t n)
{
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    struct chunk *chunk = x->chunk;
    if (chunk_room(chunk) < (PAYLOAD + ENTRY_HEADER_BYTES) * BATCH) {
        /* What a driver does with a full chunk; its allocation isn't raft's. */
        chunk_unref(chunk);
        chunk = x->chunk = chunk_new(1u << 20);
        allocations--;
    }
    event.u.propose.offset = chunk->used;
    for (uint32_t i = 0; i < BATCH; i++) {
        entry_begin(chunk->data + chunk->used, RAFT_ENTRY_COMMAND, 1, PAYLOAD);
        memset(chunk->data + chunk->used + ENTRY_HEADER_BYTES, 'x', PAYLOAD);
        chunk->used += ENTRY_HEADER_BYTES + PAYLOAD;
    }
    event.u.propose.chunk = chunk;
    event.u.propose.count = BATCH;
    pair_step(x, 1, &event);
    event = (struct raft_event){.type = RAFT_EVENT_READ};
    event.u.read.context = n;
    pair_step(x, 1, &event);
    x->now_us += 1000;
    event = (struct raft_event){.type = RAFT_EVENT_TICK};
    pair_step(x, 1, &event);
    event = (struct raft_event){.type = RAFT_EVENT_TICK};
    pair_step(x, 2, &event);
}

TEST(hot_path_allocates_only_the_chunks_that_received_entries_fill)
{
    struct pair x = {0};
    pair_start(&x);
    x.chunk = chunk_new(1u << 20);
    for (uint64_t n = 0; n < 2000; n++) {
        pair_round(&x, n);
    }
    uint64_t before = allocations;
    for (uint64_t n = 0; n < ROUNDS; n++) {
        pair_round(&x, n);
    }
    uint64_t per_chunk = LIMIT_LOG_CHUNK_BYTES / (PAYLOAD + ENTRY_HEADER_BYTES);
    uint64_t chunks = (uint64_t)ROUNDS * BATCH / per_chunk + 1;
    test_context("%llu allocations", (unsigned long long)(allocations - before));
    CHECK(allocations - before <= chunks);
    struct raft_status status;
    raft_get_status(x.node[2], &status);
    CHECK(status.last_index == 2 + (2000 + ROUNDS) * BATCH);
    CHECK(status.commit >= status.last_index - BATCH);
    CHECK(status.last_index - status.memory_first < 20000);
    raft_free(x.node[1]);
    raft_free(x.node[2]);
    chunk_unref(x.chunk);
}

TEST_MAIN()
