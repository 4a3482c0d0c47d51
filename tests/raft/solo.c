#include "solo.h"

#include "base/chunk.h"
#include "tests/test.h"

/* Node 1 of `voters` (bit set), with a log of entries of the given terms; entry 1 is the
 * configuration. `start` says the rest. */
static void solo_build(struct solo *s,
                       struct raft_options options,
                       struct raft_start start,
                       uint32_t voters,
                       const raft_term *term,
                       uint32_t count)
{
    struct raft_conf conf;
    const raft_index conf_index = 1;
    struct raft_entry entry[16];
    size_t at[16];
    struct buf payload = {0};
    start.first_index = 1;
    start.last_index = count;
    start.conf_count = 1;
    start.conf = &conf;
    memset(s, 0, sizeof(*s));
    cluster_conf(&conf, voters, 0);
    raft_conf_encode(&conf, &payload);
    for (uint32_t i = 0; i < count; i++) {
        size_t n = i == 0 ? buf_size(&payload) : 1;
        uint8_t *p = buf_reserve(&s->log, ENTRY_HEADER_BYTES + n);
        entry_begin(p, i == 0 ? RAFT_ENTRY_CONF : RAFT_ENTRY_COMMAND, 0, n);
        memcpy(p + ENTRY_HEADER_BYTES, i == 0 ? (const void *)payload.data : "x", n);
        entry_seal(p, i + 1, term[i]);
        at[i] = buf_size(&s->log);
        buf_commit(&s->log, ENTRY_HEADER_BYTES + n);
        start.last_term = term[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        struct slice bytes = slice_skip(buf_slice(&s->log), at[i]);
        REQUIRE(entry_decode(bytes, &entry[i]) == ERR_OK);
    }
    start.entry = entry;
    start.entry_count = count;
    start.conf_index = &conf_index;
    options.id = 1;
    options.seed = 1;
    s->now_us = 1000000;
    s->raft = raft_new(&options, &start, s->now_us);
    buf_deinit(&payload);
}

void solo_start(struct solo *s,
                struct raft_options options,
                struct raft_hard_state hard,
                uint32_t voters,
                const raft_term *term,
                uint32_t count)
{
    solo_build(s, options, (struct raft_start){.hard_state = hard}, voters, term, count);
}

static const raft_term three[] = {1, 1, 2};

/* Three nodes, a log of three entries of terms 1, 1, 2; the node is in term 2. */
void solo_three(struct solo *s)
{
    solo_start(s, cluster_options(), (struct raft_hard_state){.term = 2}, 0xe, three, 3);
}

void solo_damaged(struct solo *s)
{
    const struct raft_start start = {.hard_state = {.term = 2}, .may_not_vote = true, .commit = 3};
    solo_build(s, cluster_options(), start, 0xe, three, 3);
}

void solo_end(struct solo *s)
{
    raft_free(s->raft);
    buf_deinit(&s->log);
}

enum err solo_step(struct solo *s, struct raft_event *event)
{
    event->now_us = s->now_us;
    enum err e = raft_step(s->raft, event, &s->u);
    raft_check(s->raft);
    if (s->u.has_persist) {
        CHECK(s->u.token > s->token);
        s->token = s->u.token;
    }
    return e;
}

void solo_persisted(struct solo *s)
{
    struct raft_event event = {.type = RAFT_EVENT_PERSISTED, .u.persisted_token = s->token};
    REQUIRE(solo_step(s, &event) == ERR_OK);
}

void solo_tick(struct solo *s, uint64_t us)
{
    struct raft_event event = {.type = RAFT_EVENT_TICK};
    s->now_us += us;
    REQUIRE(solo_step(s, &event) == ERR_OK);
}

struct raft_status solo_status(const struct solo *s)
{
    struct raft_status status;
    raft_get_status(s->raft, &status);
    return status;
}

struct raft_message from(enum raft_message_type type, raft_id id, raft_term term)
{
    return (struct raft_message){.type = type, .term = term, .from = id, .to = 1};
}

enum err solo_receive(struct solo *s, struct raft_message m)
{
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE};
    event.u.message = &m;
    return solo_step(s, &event);
}

/* The only message of that type to `to` in the update; a zero one if there is none. */
struct raft_message sent(const struct solo *s, enum raft_message_type type, raft_id to)
{
    for (uint32_t i = 0; i < s->u.outgoing_count; i++) {
        if (s->u.outgoing[i].message.type == type && s->u.outgoing[i].message.to == to) {
            return s->u.outgoing[i].message;
        }
    }
    return (struct raft_message){0};
}

bool has_sent(const struct solo *s, enum raft_message_type type, raft_id to)
{
    return sent(s, type, to).to != 0;
}

uint64_t sent_after(const struct solo *s, enum raft_message_type type)
{
    for (uint32_t i = 0; i < s->u.outgoing_count; i++) {
        if (s->u.outgoing[i].message.type == type) {
            return s->u.outgoing[i].after_token;
        }
    }
    return UINT64_MAX;
}

void solo_vote_request(struct solo *s,
                       enum raft_message_type type,
                       raft_id id,
                       raft_term campaign,
                       raft_term last_term,
                       raft_index last_index,
                       bool is_transfer)
{
    struct raft_message m = from(type, id, type == RAFT_VOTE_REQUEST ? campaign : campaign - 1);
    m.u.vote_request.campaign_term = campaign;
    m.u.vote_request.last_term = last_term;
    m.u.vote_request.last_index = last_index;
    m.u.vote_request.is_transfer = is_transfer;
    REQUIRE(solo_receive(s, m) == ERR_OK);
}

bool vote_granted(const struct solo *s, raft_id to)
{
    return sent(s, RAFT_VOTE_REPLY, to).u.vote_reply.is_granted;
}

void solo_vote_reply(struct solo *s,
                     enum raft_message_type type,
                     raft_id id,
                     raft_term term,
                     raft_term campaign,
                     bool is_granted)
{
    struct raft_message m = from(type, id, term);
    m.u.vote_reply.campaign_term = campaign;
    m.u.vote_reply.is_granted = is_granted;
    REQUIRE(solo_receive(s, m) == ERR_OK);
}

enum err
solo_heartbeat(struct solo *s, raft_id id, raft_term term, uint64_t round, raft_index commit)
{
    struct raft_message m = from(RAFT_HEARTBEAT, id, term);
    m.u.heartbeat.round = round;
    m.u.heartbeat.commit = commit;
    return solo_receive(s, m);
}

/* Entries prev + 1 .. of the given terms. */
enum err solo_append(struct solo *s,
                     raft_id id,
                     raft_term term,
                     raft_index prev,
                     raft_term prev_term,
                     raft_index commit,
                     const raft_term *terms,
                     uint32_t count)
{
    uint8_t bytes[16][48];
    struct raft_entry entry[16];
    struct raft_message m = from(RAFT_APPEND, id, term);
    for (uint32_t i = 0; i < count; i++) {
        entry_begin(bytes[i], RAFT_ENTRY_COMMAND, 0, 1);
        bytes[i][ENTRY_HEADER_BYTES] = (uint8_t)('a' + terms[i]);
        entry_seal(bytes[i], prev + 1 + i, terms[i]);
        REQUIRE(entry_decode((struct slice){bytes[i], 48}, &entry[i]) == ERR_OK);
    }
    m.u.append.prev_index = prev;
    m.u.append.prev_term = prev_term;
    m.u.append.commit = commit;
    m.u.append.entry = count > 0 ? entry : NULL;
    m.u.append.entry_count = count;
    return solo_receive(s, m);
}

void solo_ack(struct solo *s, raft_id id, raft_term term, raft_index match)
{
    struct raft_message m = from(RAFT_APPEND_ACK, id, term);
    m.u.append_ack.is_success = true;
    m.u.append_ack.match = match;
    REQUIRE(solo_receive(s, m) == ERR_OK);
}

enum err solo_propose(struct solo *s, uint32_t count)
{
    struct chunk *chunk = chunk_new(count * (ENTRY_HEADER_BYTES + 1u));
    for (uint32_t i = 0; i < count; i++) {
        entry_begin(chunk->data + chunk->used, RAFT_ENTRY_COMMAND, 0, 1);
        chunk->data[chunk->used + ENTRY_HEADER_BYTES] = 'p';
        chunk->used += ENTRY_HEADER_BYTES + 1;
    }
    struct raft_event event = {.type = RAFT_EVENT_PROPOSE};
    event.u.propose.chunk = chunk;
    event.u.propose.count = count;
    enum err e = solo_step(s, &event);
    chunk_unref(chunk);
    return e;
}

/* To candidate of term 3. */
void solo_candidate(struct solo *s)
{
    solo_tick(s, 2 * T);
    solo_vote_reply(s, RAFT_PREVOTE_REPLY, 2, 2, 3, true);
    REQUIRE(solo_status(s).role == RAFT_CANDIDATE);
}

/* To leader of term 3, its no-op at 4 durable here and not committed. */
void solo_leader(struct solo *s)
{
    solo_candidate(s);
    solo_persisted(s);
    solo_vote_reply(s, RAFT_VOTE_REPLY, 2, 3, 3, true);
    REQUIRE(solo_status(s).role == RAFT_LEADER);
    solo_persisted(s);
}

/* The same with the no-op committed. */
void solo_ready_leader(struct solo *s)
{
    solo_leader(s);
    solo_ack(s, 2, 3, 4);
    REQUIRE(solo_status(s).commit == 4);
}

enum err solo_transfer(struct solo *s, raft_id to)
{
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .u.transfer_to = to};
    return solo_step(s, &event);
}
