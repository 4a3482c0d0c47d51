/* The dissertation (Ongaro 2014), one function per rule: of the summary in Figure 3.1 and of
 * chapters 3, 4, 6 and 9, 10 as far as they say "must". Names carry the section. One raft is looked
 * at; its peers are messages made by hand. */
#include <stdio.h>

#include "base/buf.h"
#include "base/chunk.h"
#include "base/mem.h"
#include "cluster.h"
#include "tests/test.h"

#define T 300000u

struct solo {
    struct raft *raft;
    struct raft_update u;
    uint64_t now_us;
    uint64_t token; /* newest handed out */
    struct buf log; /* what the start entries live in */
};

/* Node 1 of `voters` (bit set), with a log of entries of the given terms; entry 1 is the
 * configuration. */
static void solo_start(struct solo *s,
                       struct raft_options options,
                       struct raft_hard_state hard,
                       uint32_t voters,
                       const raft_term *term,
                       uint32_t count)
{
    struct raft_conf conf;
    const raft_index conf_index = 1;
    struct raft_start start = {
        .hard_state = hard, .first_index = 1, .last_index = count, .conf_count = 1, .conf = &conf};
    struct raft_entry entry[16];
    size_t at[16];
    struct buf payload = {0};
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

/* Three nodes, a log of three entries of terms 1, 1, 2; the node is in term 2. */
static void solo_three(struct solo *s)
{
    static const raft_term term[] = {1, 1, 2};
    solo_start(s, cluster_options(), (struct raft_hard_state){.term = 2}, 0xe, term, 3);
}

static void solo_end(struct solo *s)
{
    raft_free(s->raft);
    buf_deinit(&s->log);
}

static enum err solo_step(struct solo *s, struct raft_event *event)
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

static void solo_persisted(struct solo *s)
{
    struct raft_event event = {.type = RAFT_EVENT_PERSISTED, .u.persisted_token = s->token};
    REQUIRE(solo_step(s, &event) == ERR_OK);
}

static void solo_tick(struct solo *s, uint64_t us)
{
    struct raft_event event = {.type = RAFT_EVENT_TICK};
    s->now_us += us;
    REQUIRE(solo_step(s, &event) == ERR_OK);
}

static struct raft_status solo_status(const struct solo *s)
{
    struct raft_status status;
    raft_get_status(s->raft, &status);
    return status;
}

static struct raft_message from(enum raft_message_type type, raft_id id, raft_term term)
{
    return (struct raft_message){.type = type, .term = term, .from = id, .to = 1};
}

static enum err solo_receive(struct solo *s, struct raft_message m)
{
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE};
    event.u.message = &m;
    return solo_step(s, &event);
}

/* The only message of that type to `to` in the update; a zero one if there is none. */
static struct raft_message sent(const struct solo *s, enum raft_message_type type, raft_id to)
{
    for (uint32_t i = 0; i < s->u.outgoing_count; i++) {
        if (s->u.outgoing[i].message.type == type && s->u.outgoing[i].message.to == to) {
            return s->u.outgoing[i].message;
        }
    }
    return (struct raft_message){0};
}

static bool has_sent(const struct solo *s, enum raft_message_type type, raft_id to)
{
    return sent(s, type, to).to != 0;
}

static uint64_t sent_after(const struct solo *s, enum raft_message_type type)
{
    for (uint32_t i = 0; i < s->u.outgoing_count; i++) {
        if (s->u.outgoing[i].message.type == type) {
            return s->u.outgoing[i].after_token;
        }
    }
    return UINT64_MAX;
}

static void solo_vote_request(struct solo *s,
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

static bool vote_granted(const struct solo *s, raft_id to)
{
    return sent(s, RAFT_VOTE_REPLY, to).u.vote_reply.is_granted;
}

static void solo_vote_reply(struct solo *s,
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

static enum err
solo_heartbeat(struct solo *s, raft_id id, raft_term term, uint64_t round, raft_index commit)
{
    struct raft_message m = from(RAFT_HEARTBEAT, id, term);
    m.u.heartbeat.round = round;
    m.u.heartbeat.commit = commit;
    return solo_receive(s, m);
}

/* Entries prev + 1 .. of the given terms. */
static enum err solo_append(struct solo *s,
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

static void solo_ack(struct solo *s, raft_id id, raft_term term, raft_index match)
{
    struct raft_message m = from(RAFT_APPEND_ACK, id, term);
    m.u.append_ack.is_success = true;
    m.u.append_ack.match = match;
    REQUIRE(solo_receive(s, m) == ERR_OK);
}

static enum err solo_propose(struct solo *s, uint32_t count)
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
static void solo_candidate(struct solo *s)
{
    solo_tick(s, 2 * T);
    solo_vote_reply(s, RAFT_PREVOTE_REPLY, 2, 2, 3, true);
    REQUIRE(solo_status(s).role == RAFT_CANDIDATE);
}

/* To leader of term 3, its no-op at 4 durable here and not committed. */
static void solo_leader(struct solo *s)
{
    solo_candidate(s);
    solo_persisted(s);
    solo_vote_reply(s, RAFT_VOTE_REPLY, 2, 3, 3, true);
    REQUIRE(solo_status(s).role == RAFT_LEADER);
    solo_persisted(s);
}

/* The same with the no-op committed. */
static void solo_ready_leader(struct solo *s)
{
    solo_leader(s);
    solo_ack(s, 2, 3, 4);
    REQUIRE(solo_status(s).commit == 4);
}

/* §3.3 */

TEST(s3_3_starts_as_follower_and_knows_no_leader)
{
    struct solo s;
    solo_three(&s);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    CHECK_EQ_UINT(solo_status(&s).leader, 0);
    CHECK_EQ_UINT(solo_status(&s).commit, 0);
    solo_end(&s);
}

TEST(s3_3_higher_term_in_a_message_is_taken_over_and_makes_a_follower)
{
    static const enum raft_message_type type[] = {RAFT_HEARTBEAT, RAFT_HEARTBEAT_ACK,
                                                  RAFT_APPEND_ACK, RAFT_VOTE_REPLY, RAFT_COMMIT};
    for (size_t i = 0; i < sizeof(type) / sizeof(type[0]); i++) {
        struct solo s;
        solo_three(&s);
        solo_leader(&s);
        test_context("type %d", (int)type[i]);
        REQUIRE(solo_receive(&s, from(type[i], 3, 9)) == ERR_OK);
        CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
        CHECK_EQ_UINT(solo_status(&s).term, 9);
        CHECK_EQ_UINT(solo_status(&s).vote, 0);
        CHECK(s.u.has_hard_state && s.u.hard_state.term == 9);
        solo_end(&s);
    }
}

TEST(s3_3_stale_terms_are_refused)
{
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_heartbeat(&s, 2, 1, 5, 3) == ERR_OK);
    CHECK_EQ_UINT(solo_status(&s).leader, 0);
    CHECK_EQ_UINT(sent(&s, RAFT_HEARTBEAT_ACK, 2).term, 2);
    REQUIRE(solo_append(&s, 2, 1, 3, 1, 3, NULL, 0) == ERR_OK);
    CHECK(!sent(&s, RAFT_APPEND_ACK, 2).u.append_ack.is_success);
    CHECK_EQ_UINT(sent(&s, RAFT_APPEND_ACK, 2).term, 2);
    CHECK_EQ_UINT(solo_status(&s).commit, 0);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 1, 9, 9, false);
    CHECK(!vote_granted(&s, 2));
    CHECK_EQ_UINT(sent(&s, RAFT_VOTE_REPLY, 2).term, 2);
    solo_end(&s);
}

/* §3.4 */

TEST(s3_4_timeouts_are_uniform_in_T_to_2T)
{
    uint32_t early = 0;
    uint32_t late = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        static const raft_term term[] = {1};
        struct solo s;
        struct raft_options options = cluster_options();
        solo_start(&s, options, (struct raft_hard_state){.term = 1}, 0xe, term, 1);
        for (uint64_t i = 0; i < seed % 7; i++) {
            REQUIRE(solo_heartbeat(&s, 2, 1, 1, 0) == ERR_OK);
        }
        REQUIRE(solo_heartbeat(&s, 2, 1, 1, 0) == ERR_OK);
        uint64_t wait = s.u.wake_at_us - s.now_us;
        CHECK(wait >= T && wait < 2 * T);
        early += wait < T + T / 2 ? 1 : 0;
        late += wait >= T + T / 2 ? 1 : 0;
        s.now_us += wait - 1;
        solo_tick(&s, 0);
        CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
        solo_tick(&s, 1);
        CHECK_EQ_INT(solo_status(&s).role, RAFT_PRE_CANDIDATE);
        solo_end(&s);
    }
    CHECK(early > 0 && late > 0);
}

TEST(s3_4_candidate_increments_term_votes_for_itself_and_asks_all)
{
    struct solo s;
    solo_three(&s);
    solo_candidate(&s);
    CHECK_EQ_UINT(solo_status(&s).term, 3);
    CHECK_EQ_UINT(solo_status(&s).vote, 1);
    CHECK(s.u.has_hard_state && s.u.hard_state.term == 3 && s.u.hard_state.vote == 1);
    CHECK(has_sent(&s, RAFT_VOTE_REQUEST, 2) && has_sent(&s, RAFT_VOTE_REQUEST, 3));
    CHECK_EQ_UINT(sent(&s, RAFT_VOTE_REQUEST, 2).u.vote_request.last_index, 3);
    CHECK_EQ_UINT(sent(&s, RAFT_VOTE_REQUEST, 2).u.vote_request.last_term, 2);
    solo_end(&s);
}

TEST(s3_4_one_vote_per_term_first_come_first_served)
{
    struct solo s;
    solo_three(&s);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 5, 2, 3, false);
    CHECK(vote_granted(&s, 2));
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 5, 9, 9, false);
    CHECK(!vote_granted(&s, 3));
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 5, 2, 3, false);
    CHECK(vote_granted(&s, 2));
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 6, 9, 9, false);
    CHECK(vote_granted(&s, 3));
    solo_end(&s);
}

TEST(s3_4_doubled_votes_count_once)
{
    static const raft_term term[] = {1};
    struct solo s;
    solo_start(&s, cluster_options(), (struct raft_hard_state){.term = 1}, 0x3e, term, 1);
    solo_tick(&s, 2 * T);
    solo_vote_reply(&s, RAFT_PREVOTE_REPLY, 2, 1, 2, true);
    solo_vote_reply(&s, RAFT_PREVOTE_REPLY, 2, 1, 2, true);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_PRE_CANDIDATE);
    solo_vote_reply(&s, RAFT_PREVOTE_REPLY, 3, 1, 2, true);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_CANDIDATE);
    solo_persisted(&s);
    solo_vote_reply(&s, RAFT_VOTE_REPLY, 4, 2, 2, true);
    solo_vote_reply(&s, RAFT_VOTE_REPLY, 4, 2, 2, true);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_CANDIDATE);
    /* An answer to an older campaign, and one of nobody in the configuration, are none. */
    solo_vote_reply(&s, RAFT_VOTE_REPLY, 5, 1, 1, true);
    solo_vote_reply(&s, RAFT_VOTE_REPLY, 7, 2, 2, true);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_CANDIDATE);
    solo_vote_reply(&s, RAFT_VOTE_REPLY, 5, 2, 2, true);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_LEADER);
    solo_end(&s);
}

TEST(s3_4_candidate_yields_to_a_leader_of_its_term)
{
    for (int is_append = 0; is_append < 2; is_append++) {
        struct solo s;
        solo_three(&s);
        solo_candidate(&s);
        solo_persisted(&s);
        enum err e = is_append != 0 ? solo_append(&s, 3, 3, 3, 2, 0, NULL, 0)
                                    : solo_heartbeat(&s, 3, 3, 1, 0);
        REQUIRE(e == ERR_OK);
        CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
        CHECK_EQ_UINT(solo_status(&s).leader, 3);
        CHECK_EQ_UINT(solo_status(&s).vote, 1);
        solo_end(&s);
    }
}

TEST(s3_4_leader_sends_heartbeats_at_once_and_then_regularly)
{
    struct solo s;
    solo_three(&s);
    solo_candidate(&s);
    solo_persisted(&s);
    solo_vote_reply(&s, RAFT_VOTE_REPLY, 2, 3, 3, true);
    CHECK(has_sent(&s, RAFT_HEARTBEAT, 2) && has_sent(&s, RAFT_HEARTBEAT, 3));
    CHECK(s.u.wake_at_us <= s.now_us + 50000);
    solo_tick(&s, 50000);
    CHECK(has_sent(&s, RAFT_HEARTBEAT, 2) && has_sent(&s, RAFT_HEARTBEAT, 3));
    solo_end(&s);
}

TEST(s3_4_only_a_leader_or_a_granted_vote_resets_the_timer)
{
    struct solo s;
    solo_three(&s);
    solo_tick(&s, 0);
    uint64_t deadline = s.u.wake_at_us;
    s.now_us += 100000;
    /* Stale requests, refused votes, old leaders: the deadline stays. */
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 3, 1, 1, false);
    CHECK_EQ_UINT(s.u.wake_at_us, deadline);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 4, 1, 1, false);
    CHECK_EQ_UINT(s.u.wake_at_us, deadline);
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 2, 9, 9, 9, false);
    CHECK_EQ_UINT(s.u.wake_at_us, deadline);
    REQUIRE(solo_heartbeat(&s, 2, 1, 5, 3) == ERR_OK);
    CHECK_EQ_UINT(s.u.wake_at_us, deadline);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 5, 2, 3, false);
    CHECK(vote_granted(&s, 3) && s.u.wake_at_us > s.now_us + T - 1);
    s.now_us += 100000;
    deadline = s.u.wake_at_us;
    REQUIRE(solo_heartbeat(&s, 3, 5, 1, 0) == ERR_OK);
    CHECK(s.u.wake_at_us != deadline && s.u.wake_at_us >= s.now_us + T);
    solo_end(&s);
}

static void second_leader(void *ctx)
{
    struct solo *s = ctx;
    enum err e = solo_heartbeat(s, 2, 3, 1, 0);
    (void)e;
}

TEST(s3_4_two_leaders_of_one_term_stop_the_node)
{
    struct solo s;
    solo_three(&s);
    solo_leader(&s);
    CHECK_ABORTS(second_leader, &s);
    solo_end(&s);
}

/* §3.5 */

TEST(s3_5_leader_appends_and_sends_in_parallel)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    REQUIRE(solo_propose(&s, 2) == ERR_OK);
    CHECK_EQ_UINT(s.u.first_proposed, 5);
    CHECK(s.u.has_persist && s.u.entry_count == 2 && s.u.entry[0].index == 5);
    struct raft_message m = sent(&s, RAFT_APPEND, 2);
    CHECK_EQ_UINT(m.u.append.prev_index, 4);
    CHECK_EQ_UINT(m.u.append.prev_term, 3);
    CHECK_EQ_UINT(m.u.append.entry_count, 2);
    CHECK(m.u.append.entry_count == 2 &&
          m.u.append.entry[0].bytes.p == s.u.entry[0].bytes.p); /* no copy */
    CHECK_EQ_UINT(sent_after(&s, RAFT_APPEND), 0);              /* §10.2.1 */
    solo_end(&s);
}

TEST(s3_5_consistency_check)
{
    static const struct {
        raft_index prev;
        raft_term prev_term;
        bool is_accepted;
    } row[] = {
        {0, 0, true},  {1, 1, true},  {2, 1, true},  {3, 2, true},
        {3, 3, false}, {2, 2, false}, {4, 2, false}, {9, 5, false},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct solo s;
        solo_three(&s);
        test_context("row %zu", i);
        REQUIRE(solo_append(&s, 2, 5, row[i].prev, row[i].prev_term, 0, NULL, 0) == ERR_OK);
        struct raft_message ack = sent(&s, RAFT_APPEND_ACK, 2);
        CHECK_EQ_INT(ack.u.append_ack.is_success, row[i].is_accepted);
        CHECK_EQ_UINT(ack.u.append_ack.prev_index, row[i].prev);
        CHECK_EQ_UINT(ack.u.append_ack.match, row[i].is_accepted ? row[i].prev : 0);
        CHECK_EQ_UINT(solo_status(&s).last_index, 3);
        solo_end(&s);
    }
}

TEST(s3_5_conflicting_entries_are_replaced_others_kept)
{
    static const raft_term same[] = {1, 2};
    static const raft_term other[] = {4, 4};
    struct solo s;
    solo_three(&s);
    /* A late, shorter append takes nothing away (R2). */
    REQUIRE(solo_append(&s, 2, 5, 1, 1, 0, same, 1) == ERR_OK);
    CHECK_EQ_UINT(solo_status(&s).last_index, 3);
    CHECK(s.u.truncate_from == 0 && s.u.entry_count == 0);
    CHECK_EQ_UINT(sent(&s, RAFT_APPEND_ACK, 2).u.append_ack.match, 2); /* P4: not 3 */
    REQUIRE(solo_append(&s, 2, 5, 1, 1, 0, same, 2) == ERR_OK);
    CHECK_EQ_UINT(s.u.truncate_from, 0);
    /* A real conflict. */
    REQUIRE(solo_append(&s, 2, 5, 2, 1, 0, other, 2) == ERR_OK);
    CHECK_EQ_UINT(s.u.truncate_from, 3);
    CHECK_EQ_UINT(s.u.entry_count, 2);
    CHECK_EQ_UINT(raft_get_term(s.raft, 3), 4);
    CHECK_EQ_UINT(raft_get_term(s.raft, 4), 4);
    solo_end(&s);
}

TEST(s3_5_leader_backs_up_by_hint_and_finds_the_match)
{
    struct solo s;
    solo_three(&s);
    solo_leader(&s);
    struct raft_message m = from(RAFT_APPEND_ACK, 3, 3);
    m.u.append_ack.prev_index = 3;
    m.u.append_ack.hint_index = 3;
    m.u.append_ack.hint_term = 1; /* the follower has 1 1 1: its last entry of a term <= 2 */
    REQUIRE(solo_receive(&s, m) == ERR_OK);
    struct raft_message probe = sent(&s, RAFT_APPEND, 3);
    CHECK_EQ_UINT(probe.u.append.prev_index, 2);
    CHECK_EQ_UINT(probe.u.append.entry_count, 2);
    solo_ack(&s, 3, 3, 4);
    struct raft_peer_status peer;
    REQUIRE(raft_get_peer(s.raft, 3, &peer));
    CHECK(peer.match == 4 && peer.next == 5 && !peer.is_probing);
    solo_end(&s);
}

TEST(s3_5_follower_hints_the_last_entry_that_can_match)
{
    static const raft_term term[] = {1, 1, 4, 4, 4, 6};
    struct solo s;
    solo_start(&s, cluster_options(), (struct raft_hard_state){.term = 7}, 0xe, term, 6);
    REQUIRE(solo_append(&s, 2, 8, 6, 5, 0, NULL, 0) == ERR_OK);
    CHECK_EQ_UINT(sent(&s, RAFT_APPEND_ACK, 2).u.append_ack.hint_index, 5);
    CHECK_EQ_UINT(sent(&s, RAFT_APPEND_ACK, 2).u.append_ack.hint_term, 4);
    REQUIRE(solo_append(&s, 2, 8, 5, 3, 0, NULL, 0) == ERR_OK);
    CHECK_EQ_UINT(sent(&s, RAFT_APPEND_ACK, 2).u.append_ack.hint_index, 2);
    REQUIRE(solo_append(&s, 2, 8, 20, 8, 0, NULL, 0) == ERR_OK);
    CHECK_EQ_UINT(sent(&s, RAFT_APPEND_ACK, 2).u.append_ack.hint_index, 6);
    solo_end(&s);
}

TEST(s3_5_nonsense_is_refused_and_changes_nothing)
{
    static const raft_term falling[] = {3, 2};
    static const raft_term future[] = {9};
    struct solo s;
    solo_three(&s);
    CHECK_EQ_INT(solo_append(&s, 2, 5, 3, 2, 0, falling, 2), ERR_INVALID);
    CHECK_EQ_INT(solo_append(&s, 2, 5, 3, 2, 0, future, 1), ERR_INVALID);
    CHECK_EQ_INT(solo_append(&s, 2, 5, 3, 6, 0, NULL, 0), ERR_INVALID);
    CHECK_EQ_INT(solo_append(&s, 2, 5, 0, 1, 0, NULL, 0), ERR_INVALID);
    CHECK_EQ_INT(solo_receive(&s, from(RAFT_HEARTBEAT, 1, 5)), ERR_INVALID);
    CHECK_EQ_INT(solo_receive(&s, from(RAFT_HEARTBEAT, 0, 5)), ERR_INVALID);
    CHECK_EQ_INT(solo_receive(&s, from(RAFT_HEARTBEAT, 2, UINT64_MAX)), ERR_INVALID);
    CHECK_EQ_INT(solo_receive(&s, from((enum raft_message_type)99, 2, 5)), ERR_INVALID);
    CHECK(!s.u.has_persist && s.u.outgoing_count == 0);
    CHECK_EQ_UINT(solo_status(&s).term, 2);
    CHECK_EQ_UINT(solo_status(&s).last_index, 3);
    solo_leader(&s);
    struct raft_message m = from(RAFT_APPEND_ACK, 2, 3);
    m.u.append_ack.is_success = true;
    m.u.append_ack.match = 5;
    CHECK_EQ_INT(solo_receive(&s, m), ERR_INVALID);
    m = from(RAFT_HEARTBEAT_ACK, 2, 3);
    m.u.heartbeat_ack.round = 1000;
    CHECK_EQ_INT(solo_receive(&s, m), ERR_INVALID);
    solo_end(&s);
}

/* §3.6 */

TEST(s3_6_1_vote_needs_an_up_to_date_log)
{
    for (raft_term last_term = 0; last_term <= 4; last_term++) {
        for (raft_index last_index = 0; last_index <= 5; last_index++) {
            struct solo s;
            solo_three(&s); /* last is 3 of term 2 */
            bool expected = last_term > 2 || (last_term == 2 && last_index >= 3);
            test_context("last %d of term %d", (int)last_index, (int)last_term);
            solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 3, 6, last_term, last_index, false);
            CHECK_EQ_INT(sent(&s, RAFT_PREVOTE_REPLY, 3).u.vote_reply.is_granted, expected);
            solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 6, last_term, last_index, false);
            CHECK_EQ_INT(vote_granted(&s, 2), expected);
            CHECK_EQ_UINT(solo_status(&s).term, 6);
            solo_end(&s);
        }
    }
}

TEST(s3_6_2_leader_commits_only_current_term)
{
    struct solo s;
    solo_three(&s);
    solo_leader(&s);
    solo_ack(&s, 2, 3, 3);
    CHECK_EQ_UINT(solo_status(&s).commit, 0);
    solo_ack(&s, 2, 3, 4);
    CHECK_EQ_UINT(solo_status(&s).commit, 4);
    solo_end(&s);
}

TEST(s3_6_2_no_op_at_the_start_of_each_term)
{
    struct solo s;
    solo_three(&s);
    solo_candidate(&s);
    solo_persisted(&s);
    solo_vote_reply(&s, RAFT_VOTE_REPLY, 2, 3, 3, true);
    CHECK_EQ_UINT(s.u.entry_count, 1);
    CHECK(s.u.entry_count == 1 && s.u.entry[0].type == RAFT_ENTRY_NOOP && s.u.entry[0].index == 4 &&
          s.u.entry[0].term == 3);
    CHECK_EQ_UINT(solo_status(&s).term_start, 4);
    CHECK(has_sent(&s, RAFT_APPEND, 2) && has_sent(&s, RAFT_APPEND, 3));
    solo_end(&s);
}

TEST(s3_6_follower_commits_min_of_heard_and_verified)
{
    static const raft_term more[] = {5};
    struct solo s;
    solo_three(&s);
    /* A heartbeat verifies nothing. */
    REQUIRE(solo_heartbeat(&s, 2, 5, 1, 3) == ERR_OK);
    CHECK_EQ_UINT(s.u.commit, 0);
    REQUIRE(solo_append(&s, 2, 5, 1, 1, 0, NULL, 0) == ERR_OK);
    CHECK_EQ_UINT(s.u.commit, 1);
    REQUIRE(solo_append(&s, 2, 5, 3, 2, 9, more, 1) == ERR_OK);
    CHECK_EQ_UINT(s.u.commit, 4);
    /* In the next term nothing is verified yet, and what was heard before doesn't count. */
    REQUIRE(solo_heartbeat(&s, 3, 6, 1, 9) == ERR_OK);
    CHECK_EQ_UINT(s.u.commit, 4);
    solo_end(&s);
}

TEST(s3_6_commit_never_goes_back)
{
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_append(&s, 2, 5, 3, 2, 3, NULL, 0) == ERR_OK);
    CHECK_EQ_UINT(s.u.commit, 3);
    REQUIRE(solo_append(&s, 2, 5, 1, 1, 1, NULL, 0) == ERR_OK);
    CHECK_EQ_UINT(s.u.commit, 3);
    REQUIRE(solo_heartbeat(&s, 2, 5, 2, 0) == ERR_OK);
    CHECK_EQ_UINT(s.u.commit, 3);
    solo_end(&s);
}

TEST(s3_6_committed_entries_are_never_replaced)
{
    static const raft_term other[] = {5};
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_append(&s, 2, 5, 3, 2, 3, NULL, 0) == ERR_OK);
    CHECK_EQ_INT(solo_append(&s, 2, 5, 2, 1, 3, other, 1), ERR_INVALID);
    CHECK_EQ_UINT(raft_get_term(s.raft, 3), 2);
    solo_end(&s);
}

/* §3.7, §3.8 */

TEST(s3_8_vote_and_term_are_durable_before_the_answer)
{
    struct solo s;
    solo_three(&s);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 5, 2, 3, false);
    CHECK(s.u.has_persist && s.u.has_hard_state && s.u.hard_state.term == 5 &&
          s.u.hard_state.vote == 2);
    CHECK_EQ_UINT(sent_after(&s, RAFT_VOTE_REPLY), s.u.token);
    solo_persisted(&s);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 5, 2, 3, false);
    CHECK(!s.u.has_persist);
    CHECK_EQ_UINT(sent_after(&s, RAFT_VOTE_REPLY), 0);
    solo_end(&s);
}

TEST(s3_8_entries_are_durable_before_the_acknowledgement)
{
    static const raft_term more[] = {2, 2};
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_append(&s, 2, 2, 3, 2, 0, more, 2) == ERR_OK);
    uint64_t first = s.u.token;
    CHECK(s.u.has_persist && !s.u.has_hard_state && s.u.entry_count == 2);
    CHECK_EQ_UINT(sent_after(&s, RAFT_APPEND_ACK), first);
    /* A doubled append depends on the same write; an empty one at 3 on none. */
    REQUIRE(solo_append(&s, 2, 2, 3, 2, 0, more, 1) == ERR_OK);
    CHECK_EQ_UINT(sent_after(&s, RAFT_APPEND_ACK), first);
    REQUIRE(solo_append(&s, 2, 2, 3, 2, 0, NULL, 0) == ERR_OK);
    CHECK_EQ_UINT(sent_after(&s, RAFT_APPEND_ACK), 0);
    /* But heartbeats are answered before any fsync. */
    REQUIRE(solo_heartbeat(&s, 2, 9, 1, 0) == ERR_OK);
    CHECK_EQ_UINT(sent_after(&s, RAFT_HEARTBEAT_ACK), 0);
    /* And an acknowledgement in a new term waits for that term. */
    REQUIRE(solo_append(&s, 2, 9, 3, 2, 0, NULL, 0) == ERR_OK);
    CHECK_EQ_UINT(sent_after(&s, RAFT_APPEND_ACK), s.token);
    solo_end(&s);
}

TEST(s3_8_own_vote_counts_only_when_durable)
{
    struct solo s;
    solo_three(&s);
    solo_candidate(&s);
    CHECK_EQ_UINT(sent_after(&s, RAFT_VOTE_REQUEST), s.u.token);
    solo_end(&s);
    static const raft_term term[] = {1};
    solo_start(&s, cluster_options(), (struct raft_hard_state){.term = 1}, 2, term, 1);
    solo_tick(&s, 0);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_CANDIDATE);
    solo_persisted(&s);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_LEADER);
    CHECK_EQ_UINT(solo_status(&s).commit, 0);
    solo_persisted(&s);
    CHECK_EQ_UINT(solo_status(&s).commit, 2);
    solo_end(&s);
}

TEST(s3_8_leader_counts_itself_only_when_durable)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    REQUIRE(solo_propose(&s, 1) == ERR_OK);
    solo_ack(&s, 2, 3, 5);
    CHECK_EQ_UINT(solo_status(&s).commit, 4);
    solo_persisted(&s);
    CHECK_EQ_UINT(solo_status(&s).commit, 5);
    solo_end(&s);
}

TEST(s3_8_vote_survives_step_down_and_is_cleared_only_by_a_new_term)
{
    struct solo s;
    solo_three(&s);
    solo_leader(&s);
    struct raft_event event = {.type = RAFT_EVENT_STEP_DOWN};
    REQUIRE(solo_step(&s, &event) == ERR_OK);
    CHECK_EQ_UINT(solo_status(&s).vote, 1);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 3, 9, 9, false);
    CHECK(!vote_granted(&s, 2));
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 4, 9, 9, false);
    CHECK(vote_granted(&s, 2));
    solo_end(&s);
}

TEST(s3_8_held_messages_of_an_older_term_are_stale)
{
    struct solo s;
    solo_three(&s);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 5, 2, 3, false);
    struct raft_message held = sent(&s, RAFT_VOTE_REPLY, 2);
    CHECK(!raft_message_is_stale(s.raft, &held));
    REQUIRE(solo_heartbeat(&s, 3, 6, 1, 0) == ERR_OK);
    CHECK(raft_message_is_stale(s.raft, &held));
    solo_end(&s);
}

/* §3.10 */

static enum err solo_transfer(struct solo *s, raft_id to)
{
    struct raft_event event = {.type = RAFT_EVENT_TRANSFER, .u.transfer_to = to};
    return solo_step(s, &event);
}

TEST(s3_10_transfer_waits_for_the_log_then_asks)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    REQUIRE(solo_propose(&s, 1) == ERR_OK);
    REQUIRE(solo_transfer(&s, 2) == ERR_OK);
    CHECK(!has_sent(&s, RAFT_TIMEOUT_NOW, 2));
    CHECK_EQ_INT(solo_propose(&s, 1), ERR_BUSY);
    CHECK_EQ_INT(solo_transfer(&s, 3), ERR_BUSY);
    solo_ack(&s, 2, 3, 5);
    CHECK(has_sent(&s, RAFT_TIMEOUT_NOW, 2));
    CHECK(solo_status(&s).is_transferring);
    /* Given up after an election timeout, if the cluster still listens. */
    REQUIRE(solo_receive(&s, from(RAFT_HEARTBEAT_ACK, 2, 3)) == ERR_OK);
    solo_tick(&s, T - 1);
    REQUIRE(solo_receive(&s, from(RAFT_HEARTBEAT_ACK, 2, 3)) == ERR_OK);
    solo_tick(&s, 50001);
    CHECK(!solo_status(&s).is_transferring);
    CHECK_EQ_INT(solo_propose(&s, 1), ERR_OK);
    solo_end(&s);
}

TEST(s3_10_timeout_now_starts_an_election_without_waiting)
{
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_heartbeat(&s, 2, 2, 1, 0) == ERR_OK);
    REQUIRE(solo_receive(&s, from(RAFT_TIMEOUT_NOW, 2, 2)) == ERR_OK);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_CANDIDATE);
    CHECK(sent(&s, RAFT_VOTE_REQUEST, 3).u.vote_request.is_transfer);
    /* A doubled or old one does nothing. */
    REQUIRE(solo_receive(&s, from(RAFT_TIMEOUT_NOW, 2, 2)) == ERR_OK);
    CHECK_EQ_UINT(solo_status(&s).term, 3);
    solo_end(&s);
}

TEST(s3_10_timeout_now_of_a_stranger_is_ignored)
{
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_heartbeat(&s, 2, 2, 1, 0) == ERR_OK);
    REQUIRE(solo_receive(&s, from(RAFT_TIMEOUT_NOW, 3, 2)) == ERR_OK);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    solo_end(&s);
}

TEST(s3_10_timeout_now_waits_for_own_disk)
{
    static const raft_term more[] = {2};
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_append(&s, 2, 2, 3, 2, 0, more, 1) == ERR_OK);
    REQUIRE(solo_receive(&s, from(RAFT_TIMEOUT_NOW, 2, 2)) == ERR_OK);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    solo_persisted(&s);
    REQUIRE(solo_receive(&s, from(RAFT_TIMEOUT_NOW, 2, 2)) == ERR_OK);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_CANDIDATE);
    solo_end(&s);
}

/* Chapter 4 */

static enum err solo_change(struct solo *s, uint32_t voters, uint32_t learners)
{
    struct raft_conf to;
    struct raft_event event = {.type = RAFT_EVENT_CHANGE};
    cluster_conf(&to, voters, learners);
    event.u.change_to = &to;
    return solo_step(s, &event);
}

TEST(s4_1_one_change_at_a_time_and_none_before_the_no_op)
{
    struct solo s;
    raft_index index;
    solo_three(&s);
    solo_leader(&s);
    CHECK_EQ_INT(solo_change(&s, 0x1e, 0), ERR_BUSY);
    solo_ack(&s, 2, 3, 4);
    REQUIRE(solo_change(&s, 0x1e, 0) == ERR_OK);
    CHECK_EQ_INT(solo_change(&s, 0x3e, 0), ERR_BUSY);
    /* Also while C_new itself isn't committed. */
    solo_persisted(&s);
    solo_ack(&s, 2, 3, 5);
    CHECK(raft_get_conf(s.raft, &index)->is_joint);
    solo_ack(&s, 3, 3, 5);
    CHECK(!raft_get_conf(s.raft, &index)->is_joint);
    CHECK_EQ_UINT(index, 6);
    CHECK_EQ_INT(solo_change(&s, 0x3e, 0), ERR_BUSY);
    solo_persisted(&s);
    solo_ack(&s, 2, 3, 6);
    solo_ack(&s, 3, 3, 6);
    CHECK_EQ_INT(s.u.change_result, RAFT_CHANGE_DONE);
    CHECK_EQ_INT(solo_change(&s, 0x3e, 0), ERR_OK);
    solo_end(&s);
}

TEST(s4_1_a_configuration_acts_from_its_append)
{
    struct solo s;
    raft_index index;
    solo_three(&s);
    solo_ready_leader(&s);
    REQUIRE(solo_change(&s, 0x1e, 0) == ERR_OK);
    CHECK(s.u.conf_changed);
    const struct raft_conf *conf = raft_get_conf(s.raft, &index);
    CHECK(conf->is_joint && index == 5 && raft_conf_find(conf, 4) != NULL);
    CHECK(has_sent(&s, RAFT_APPEND, 4));
    solo_end(&s);
}

TEST(s4_1_last_voter_and_invalid_changes_are_refused)
{
    struct solo s;
    solo_three(&s);
    CHECK_EQ_INT(solo_change(&s, 0x1e, 0), ERR_NOT_LEADER);
    solo_ready_leader(&s);
    CHECK_EQ_INT(solo_change(&s, 0, 0), ERR_INVALID);
    CHECK_EQ_INT(solo_change(&s, 0, 0xe), ERR_INVALID);
    CHECK_EQ_INT(solo_change(&s, 0xe, 0), ERR_OK); /* nothing to do */
    CHECK_EQ_INT(s.u.change_result, RAFT_CHANGE_DONE);
    CHECK(!s.u.has_persist);
    solo_end(&s);
}

TEST(s4_2_2_leader_outside_the_configuration_steps_down_after_the_commit)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    REQUIRE(solo_change(&s, 0xc, 0) == ERR_OK);
    solo_persisted(&s);
    solo_ack(&s, 2, 3, 5);
    solo_ack(&s, 3, 3, 5); /* joint committed: C_new at 6 */
    CHECK_EQ_INT(solo_status(&s).role, RAFT_LEADER);
    solo_persisted(&s);
    /* Its own disk and one of two don't make a majority of C_new: it doesn't count itself. */
    solo_ack(&s, 2, 3, 6);
    CHECK_EQ_UINT(solo_status(&s).commit, 5);
    solo_ack(&s, 3, 3, 6);
    CHECK_EQ_UINT(solo_status(&s).commit, 6);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    CHECK(s.u.is_removed);
    CHECK(has_sent(&s, RAFT_COMMIT, 2) && has_sent(&s, RAFT_COMMIT, 3));
    CHECK(has_sent(&s, RAFT_TIMEOUT_NOW, 2) || has_sent(&s, RAFT_TIMEOUT_NOW, 3));
    solo_end(&s);
}

TEST(s4_2_3_votes_are_refused_while_a_leader_is_heard)
{
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_heartbeat(&s, 2, 2, 1, 0) == ERR_OK);
    s.now_us += T - 1;
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 5, 9, 9, false);
    CHECK(!vote_granted(&s, 3));
    CHECK_EQ_UINT(solo_status(&s).term, 2);
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 3, 5, 9, 9, false);
    CHECK(!sent(&s, RAFT_PREVOTE_REPLY, 3).u.vote_reply.is_granted);
    /* The leader's own request tells that it isn't one any more (E11). */
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 2, 3, 9, 9, false);
    CHECK(sent(&s, RAFT_PREVOTE_REPLY, 2).u.vote_reply.is_granted);
    /* A transfer is meant to disturb. */
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 5, 9, 9, true);
    CHECK(vote_granted(&s, 3));
    solo_end(&s);
}

TEST(s4_2_3_after_the_minimum_timeout_votes_are_given)
{
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_heartbeat(&s, 2, 2, 1, 0) == ERR_OK);
    s.now_us += T;
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 5, 9, 9, false);
    CHECK(vote_granted(&s, 3));
    solo_end(&s);
}

TEST(s4_2_3_a_leader_refuses_too)
{
    struct solo s;
    solo_three(&s);
    solo_leader(&s);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 9, 9, 9, false);
    CHECK(!vote_granted(&s, 3));
    CHECK_EQ_INT(solo_status(&s).role, RAFT_LEADER);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 9, 9, 9, true);
    CHECK(vote_granted(&s, 3));
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    solo_end(&s);
}

TEST(s4_2_3_removed_candidates_are_told)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 9, 4, 1, 1, false);
    CHECK_EQ_UINT(sent(&s, RAFT_REMOVED, 9).u.removed.conf_index, 1);
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 2, 4, 1, 1, false);
    CHECK(!has_sent(&s, RAFT_REMOVED, 2));
    solo_end(&s);
}

TEST(s4_2_3_removed_needs_a_newer_configuration)
{
    struct solo s;
    solo_three(&s);
    struct raft_message m = from(RAFT_REMOVED, 2, 2);
    m.u.removed.conf_index = 1;
    REQUIRE(solo_receive(&s, m) == ERR_OK);
    CHECK(!s.u.is_removed);
    m.u.removed.conf_index = 2;
    REQUIRE(solo_receive(&s, m) == ERR_OK);
    CHECK(s.u.is_removed);
    solo_tick(&s, 3 * T);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    solo_end(&s);
}

TEST(s4_3_joint_decisions_take_both_majorities)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    REQUIRE(solo_change(&s, 0x70, 0) == ERR_OK); /* 1,2,3 -> 4,5,6 */
    solo_persisted(&s);
    solo_ack(&s, 2, 3, 5);
    CHECK_EQ_UINT(solo_status(&s).commit, 4);
    solo_ack(&s, 4, 3, 5);
    CHECK_EQ_UINT(solo_status(&s).commit, 4);
    solo_ack(&s, 5, 3, 5);
    CHECK_EQ_UINT(solo_status(&s).commit, 5);
    solo_end(&s);
}

/* Chapter 6 */

static enum err solo_read(struct solo *s, uint64_t context, enum raft_read_level level)
{
    struct raft_event event = {.type = RAFT_EVENT_READ};
    event.u.read.context = context;
    event.u.read.level = level;
    return solo_step(s, &event);
}

static void solo_heartbeat_ack(struct solo *s, raft_id id, uint64_t round)
{
    struct raft_message m = from(RAFT_HEARTBEAT_ACK, id, solo_status(s).term);
    m.u.heartbeat_ack.round = round;
    REQUIRE(solo_receive(s, m) == ERR_OK);
}

TEST(s6_4_read_waits_for_a_round_sent_after_it)
{
    struct solo s;
    solo_three(&s);
    CHECK_EQ_INT(solo_read(&s, 1, RAFT_READ_QUORUM), ERR_NOT_LEADER);
    solo_ready_leader(&s);
    REQUIRE(solo_read(&s, 7, RAFT_READ_QUORUM) == ERR_OK);
    uint64_t round = sent(&s, RAFT_HEARTBEAT, 3).u.heartbeat.round;
    CHECK_EQ_UINT(s.u.read_count, 0);
    solo_heartbeat_ack(&s, 3, round - 1);
    CHECK_EQ_UINT(s.u.read_count, 0);
    /* The commit index grows meanwhile; the read keeps its own. */
    REQUIRE(solo_propose(&s, 1) == ERR_OK);
    solo_persisted(&s);
    solo_ack(&s, 2, 3, 5);
    solo_heartbeat_ack(&s, 3, round);
    REQUIRE(s.u.read_count == 1);
    CHECK(s.u.read[0].context == 7 && s.u.read[0].index == 4 &&
          s.u.read[0].status == RAFT_READ_READY);
    solo_heartbeat_ack(&s, 2, round);
    CHECK_EQ_UINT(s.u.read_count, 0);
    solo_end(&s);
}

TEST(s6_4_read_waits_for_the_first_commit_of_the_term)
{
    struct solo s;
    solo_three(&s);
    solo_leader(&s);
    REQUIRE(solo_read(&s, 7, RAFT_READ_QUORUM) == ERR_OK);
    CHECK(!has_sent(&s, RAFT_HEARTBEAT, 2));
    solo_heartbeat_ack(&s, 2, 1);
    CHECK_EQ_UINT(s.u.read_count, 0);
    solo_ack(&s, 2, 3, 4);
    uint64_t round = sent(&s, RAFT_HEARTBEAT, 2).u.heartbeat.round;
    CHECK(round > 1 && s.u.read_count == 0);
    solo_heartbeat_ack(&s, 2, round);
    REQUIRE(s.u.read_count == 1);
    CHECK_EQ_UINT(s.u.read[0].index, 4);
    solo_end(&s);
}

TEST(s6_4_reads_fail_when_leadership_is_lost)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    REQUIRE(solo_read(&s, 1, RAFT_READ_QUORUM) == ERR_OK);
    REQUIRE(solo_read(&s, 2, RAFT_READ_QUORUM) == ERR_OK);
    REQUIRE(solo_heartbeat(&s, 3, 9, 1, 0) == ERR_OK);
    REQUIRE(s.u.read_count == 2);
    CHECK(s.u.read[0].status == RAFT_READ_FAILED && s.u.read[1].status == RAFT_READ_FAILED);
    solo_end(&s);
}

TEST(s6_4_learners_do_not_confirm_reads)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    REQUIRE(solo_change(&s, 0xe, 0x30) == ERR_OK);
    solo_persisted(&s);
    solo_ack(&s, 2, 3, 5);
    REQUIRE(solo_read(&s, 1, RAFT_READ_QUORUM) == ERR_OK);
    uint64_t round = sent(&s, RAFT_HEARTBEAT, 4).u.heartbeat.round;
    solo_heartbeat_ack(&s, 4, round);
    solo_heartbeat_ack(&s, 5, round);
    CHECK_EQ_UINT(s.u.read_count, 0);
    solo_heartbeat_ack(&s, 2, round);
    CHECK_EQ_UINT(s.u.read_count, 1);
    solo_end(&s);
}

TEST(s6_4_1_lease_runs_from_the_send_time_of_an_acknowledged_round)
{
    static const raft_term term[] = {1, 1, 2};
    struct solo s;
    struct raft_options options = cluster_options();
    options.lease_us = 200000;
    options.lease_drift_ppm = 10000;
    solo_start(&s, options, (struct raft_hard_state){.term = 2}, 0xe, term, 3);
    solo_ready_leader(&s);
    CHECK(!raft_lease_holds(s.raft, s.now_us));
    solo_tick(&s, 50000);
    uint64_t sent_us = s.now_us;
    uint64_t round = sent(&s, RAFT_HEARTBEAT, 2).u.heartbeat.round;
    CHECK_EQ_UINT(sent(&s, RAFT_HEARTBEAT, 2).u.heartbeat.lease_us, 200000);
    s.now_us += 40000;
    solo_heartbeat_ack(&s, 2, round);
    CHECK(raft_lease_holds(s.raft, s.now_us));
    CHECK(raft_lease_holds(s.raft, sent_us + 197999));
    CHECK(!raft_lease_holds(s.raft, sent_us + 198000));
    REQUIRE(solo_read(&s, 1, RAFT_READ_LEASE) == ERR_OK);
    CHECK_EQ_UINT(s.u.read_count, 1);
    /* Dropped before a transfer, and for the rest of the term once TIMEOUT_NOW was sent (L6). */
    REQUIRE(solo_transfer(&s, 2) == ERR_OK);
    CHECK(has_sent(&s, RAFT_TIMEOUT_NOW, 2));
    CHECK(!raft_lease_holds(s.raft, s.now_us));
    solo_tick(&s, 50000);
    CHECK_EQ_UINT(sent(&s, RAFT_HEARTBEAT, 2).u.heartbeat.lease_us, 0);
    solo_end(&s);
}

TEST(s6_4_1_an_acknowledged_lease_binds_the_follower)
{
    struct solo s;
    solo_three(&s);
    struct raft_message m = from(RAFT_HEARTBEAT, 2, 2);
    m.u.heartbeat.round = 1;
    m.u.heartbeat.lease_us = 5 * T; /* longer than its own settings would have it */
    REQUIRE(solo_receive(&s, m) == ERR_OK);
    solo_tick(&s, 4 * T);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 9, 9, 9, false);
    CHECK(!vote_granted(&s, 3));
    s.now_us += T;
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 9, 9, 9, false);
    CHECK(vote_granted(&s, 3));
    solo_end(&s);
}

TEST(s6_4_1_a_restarted_voter_waits_for_the_longest_lease)
{
    static const raft_term term[] = {1, 1, 2};
    struct solo s;
    struct raft_options options = cluster_options();
    options.lease_us = 200000;
    solo_start(&s, options, (struct raft_hard_state){.term = 2}, 0xe, term, 3);
    s.now_us += T - 1;
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 9, 9, 9, false);
    CHECK(!vote_granted(&s, 3));
    s.now_us += 1;
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 3, 9, 9, 9, false);
    CHECK(vote_granted(&s, 3));
    solo_end(&s);
}

TEST(s6_2_leader_without_a_quorum_steps_down)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    for (int i = 0; i < 5; i++) {
        solo_tick(&s, 50000);
        CHECK_EQ_INT(solo_status(&s).role, RAFT_LEADER);
    }
    solo_tick(&s, 50000);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    CHECK_EQ_UINT(solo_status(&s).term, 3);
    CHECK_EQ_UINT(solo_status(&s).leader, 0);
    CHECK(!has_sent(&s, RAFT_HEARTBEAT, 2)); /* nothing that renews anybody's patience */
    CHECK(s.u.wake_at_us >= s.now_us + T);
    solo_end(&s);
}

/* §9.6 */

TEST(s9_6_prevote_changes_no_term_and_no_vote)
{
    struct solo s;
    solo_three(&s);
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 3, 9, 9, 9, false);
    CHECK(sent(&s, RAFT_PREVOTE_REPLY, 3).u.vote_reply.is_granted);
    CHECK_EQ_UINT(sent(&s, RAFT_PREVOTE_REPLY, 3).u.vote_reply.campaign_term, 9);
    CHECK_EQ_UINT(solo_status(&s).term, 2);
    CHECK_EQ_UINT(solo_status(&s).vote, 0);
    CHECK(!s.u.has_persist);
    solo_tick(&s, 2 * T);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_PRE_CANDIDATE);
    CHECK_EQ_UINT(solo_status(&s).term, 2);
    CHECK(!s.u.has_persist);
    CHECK_EQ_UINT(sent(&s, RAFT_PREVOTE_REQUEST, 2).u.vote_request.campaign_term, 3);
    solo_end(&s);
}

TEST(s9_6_prevote_of_a_stale_term_is_answered_with_the_own_term)
{
    struct solo s;
    solo_three(&s);
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 3, 2, 9, 9, false);
    CHECK(has_sent(&s, RAFT_PREVOTE_REPLY, 3));
    CHECK(!sent(&s, RAFT_PREVOTE_REPLY, 3).u.vote_reply.is_granted);
    CHECK_EQ_UINT(sent(&s, RAFT_PREVOTE_REPLY, 3).term, 2);
    solo_end(&s);
}

TEST(s9_6_a_rejection_with_a_higher_term_is_taken_over)
{
    struct solo s;
    solo_three(&s);
    solo_tick(&s, 2 * T);
    solo_vote_reply(&s, RAFT_PREVOTE_REPLY, 2, 8, 3, false);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    CHECK_EQ_UINT(solo_status(&s).term, 8);
    solo_tick(&s, 2 * T);
    CHECK_EQ_UINT(sent(&s, RAFT_PREVOTE_REQUEST, 2).u.vote_request.campaign_term, 9);
    solo_end(&s);
}

/* P9: damaged logs */

TEST(p9_a_suspect_log_votes_only_above_its_footer)
{
    /* The scripts damaged*.txt show a CORRUPT log's life; this is the vote rule of a SUSPECT one.
     */
    struct solo s;
    struct raft_conf conf;
    raft_index one = 1;
    uint8_t bytes[512];
    struct buf payload = {0};
    struct raft_entry entry;
    cluster_conf(&conf, 0xe, 0);
    raft_conf_encode(&conf, &payload);
    entry_begin(bytes, RAFT_ENTRY_CONF, 0, buf_size(&payload));
    memcpy(bytes + ENTRY_HEADER_BYTES, buf_slice(&payload).p, buf_size(&payload));
    entry_seal(bytes, 1, 1);
    REQUIRE(entry_decode((struct slice){bytes, sizeof(bytes)}, &entry) == ERR_OK);
    struct raft_options options = cluster_options();
    options.id = 1;
    struct raft_start suspect = {
        .hard_state = {.term = 2, .vote = 3},
        .first_index = 1,
        .last_index = 1,
        .last_term = 1,
        .entry = &entry,
        .entry_count = 1,
        .conf_count = 1,
        .conf = &conf,
        .conf_index = &one,
        .vote_only_above = 4,
        .vote_last_term = 4,
        .vote_last_index = 6,
    };
    memset(&s, 0, sizeof(s));
    s.now_us = 1000000;
    s.raft = raft_new(&options, &suspect, s.now_us);
    CHECK_EQ_UINT(solo_status(&s).term, 4);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 4, 9, 9, false);
    CHECK(!vote_granted(&s, 2));
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 5, 4, 5, false);
    CHECK(!vote_granted(&s, 2));
    solo_tick(&s, 3 * T);
    CHECK_EQ_INT(solo_status(&s).role, RAFT_FOLLOWER);
    solo_vote_request(&s, RAFT_VOTE_REQUEST, 2, 6, 4, 6, false);
    CHECK(vote_granted(&s, 2));
    buf_deinit(&payload);
    solo_end(&s);
}

TEST_MAIN()
