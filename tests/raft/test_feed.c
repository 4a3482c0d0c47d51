#include <string.h>

#include "solo.h"
#include "tests/test.h"

/* How a leader feeds a member that lags: answers that come late, entries that are asked from the disk again, chunks of another snapshot. */

static struct raft_peer_status peer(const struct solo *s, raft_id id)
{
    struct raft_peer_status status;
    REQUIRE(raft_get_peer(s->raft, id, &status));
    return status;
}

static void reject(struct solo *s, raft_id id, raft_index rejected, raft_index hint, raft_term hint_term)
{
    struct raft_message m = from(RAFT_APPEND_ACK, id, 3);
    m.u.append_ack.prev_index = rejected;
    m.u.append_ack.hint_index = hint;
    m.u.append_ack.hint_term = hint_term;
    REQUIRE(solo_receive(s, m) == ERR_OK);
}

/* R4: of a peer that keeps up, a rejection counts only between what it acknowledged and what was sent. */
TEST(a_rejection_of_what_was_never_sent_moves_nothing)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    solo_ack(&s, 3, 3, 2);
    raft_index next = peer(&s, 3).next;
    REQUIRE(next > 3);
    static const raft_index late[] = {1, 2};
    for (size_t i = 0; i < 2; i++) {
        reject(&s, 3, late[i], 1, 1);
        CHECK_EQ_UINT(peer(&s, 3).next, next);
        CHECK_EQ_UINT(peer(&s, 3).match, 2);
    }
    reject(&s, 3, next, 1, 1);
    reject(&s, 3, next + 40, 1, 1);
    CHECK_EQ_UINT(peer(&s, 3).next, next);
    CHECK_EQ_UINT(peer(&s, 3).match, 2);
    CHECK(!peer(&s, 3).is_probing);
    solo_end(&s);
}

/* A leader of three, everything applied and nothing of it kept in memory. */
static void lead_without_memory(struct solo *s, uint32_t entries)
{
    static const raft_term term[] = {1, 1, 2};
    struct raft_options options = cluster_options();
    options.memory_bytes = 0;
    solo_start(s, options, (struct raft_hard_state){.term = 2}, 0xe, term, 3);
    solo_ready_leader(s);
    for (uint32_t i = 0; i < entries; i++) {
        REQUIRE(solo_propose(s, 1) == ERR_OK);
        solo_persisted(s);
    }
    solo_ack(s, 2, 3, 4 + entries);
    struct raft_event event = {.type = RAFT_EVENT_APPLIED, .u.applied = 4 + entries};
    REQUIRE(solo_step(s, &event) == ERR_OK);
}

/* C6: one request at a time, asked again after an election timeout; one that was of no use not before the next heartbeat. */
TEST(entries_are_asked_from_the_disk_once_and_again_in_time)
{
    struct solo s;
    lead_without_memory(&s, 1);
    solo_ack(&s, 3, 3, 1);
    REQUIRE(s.u.fetch_count == 1);
    CHECK_EQ_UINT(s.u.fetch[0].peer, 3);
    CHECK_EQ_UINT(s.u.fetch[0].first, 2);
    for (int i = 0; i < 4; i++) { /* 240 ms; 2 keeps it leader */
        solo_tick(&s, 60000);
        CHECK_EQ_UINT(s.u.fetch_count, 0);
        solo_ack(&s, 2, 3, 5);
        CHECK_EQ_UINT(s.u.fetch_count, 0);
    }
    solo_tick(&s, 60000);
    REQUIRE(solo_status(&s).role == RAFT_LEADER);
    REQUIRE(s.u.fetch_count == 1);
    CHECK_EQ_UINT(s.u.fetch[0].first, 2);
    /* The disk had nothing of use. */
    struct raft_event event = {.type = RAFT_EVENT_FETCHED};
    event.u.fetched.peer = 3;
    event.u.fetched.prev_index = 1;
    REQUIRE(solo_step(&s, &event) == ERR_OK);
    CHECK_EQ_UINT(s.u.fetch_count, 0);
    solo_tick(&s, 10000);
    CHECK_EQ_UINT(s.u.fetch_count, 0);
    REQUIRE(solo_propose(&s, 1) == ERR_OK); /* something for everybody, and for 3 still nothing */
    CHECK_EQ_UINT(s.u.fetch_count, 0);
    solo_persisted(&s);
    solo_tick(&s, 50000);
    CHECK_EQ_UINT(s.u.fetch_count, 1);
    solo_end(&s);
}

/* However much the disk had, a message is as long as a receiver takes it. */
TEST(a_fetch_of_too_much_is_cut)
{
    enum { FETCHED = RAFT_APPEND_ENTRIES + 2 };
    static struct raft_entry entry[FETCHED];
    struct solo s;
    lead_without_memory(&s, FETCHED);
    solo_ack(&s, 3, 3, 1);
    REQUIRE(s.u.fetch_count == 1 && s.u.fetch[0].first == 2);
    for (raft_index i = 0; i < FETCHED; i++) {
        entry[i] = (struct raft_entry){.index = i + 2, .term = i + 2 == 2 ? 1 : i + 2 == 3 ? 2 : 3, .bytes = SLICE_LITERAL("bytes")};
    }
    struct raft_event event = {.type = RAFT_EVENT_FETCHED};
    event.u.fetched.peer = 3;
    event.u.fetched.prev_index = 1;
    event.u.fetched.prev_term = 1;
    event.u.fetched.entry = entry;
    event.u.fetched.entry_count = FETCHED;
    REQUIRE(solo_step(&s, &event) == ERR_OK);
    CHECK_EQ_UINT(sent(&s, RAFT_APPEND, 3).u.append.entry_count, RAFT_APPEND_ENTRIES);
    CHECK_EQ_UINT(peer(&s, 3).next, 2 + RAFT_APPEND_ENTRIES);
    solo_end(&s);
}

/* What was read for a peer comes when the log in front of it is gone and it is sent a snapshot, for which something is read as well. */
TEST(a_fetch_comes_late_for_a_snapshot)
{
    static const raft_term term[] = {1, 2, 3, 3, 3};
    struct raft_entry entry[5];
    struct solo s;
    lead_without_memory(&s, 2);
    solo_ack(&s, 3, 3, 1);
    REQUIRE(s.u.fetch_count == 1 && s.u.fetch[0].first == 2);
    struct raft_event compacted = {.type = RAFT_EVENT_COMPACTED, .u.first_index = 6};
    REQUIRE(solo_step(&s, &compacted) == ERR_OK);
    solo_tick(&s, 60000);
    REQUIRE(s.u.chunk_request_count == 1);
    for (raft_index i = 0; i < 5; i++) {
        entry[i] = (struct raft_entry){.index = i + 2, .term = term[i], .bytes = SLICE_LITERAL("bytes")};
    }
    struct raft_event event = {.type = RAFT_EVENT_FETCHED};
    event.u.fetched.peer = 3;
    event.u.fetched.prev_index = 1;
    event.u.fetched.entry = entry;
    event.u.fetched.entry_count = 5;
    REQUIRE(solo_step(&s, &event) == ERR_OK);
    CHECK(!has_sent(&s, RAFT_APPEND, 3));
    solo_end(&s);
}

/* C6: what has been sent a moment ago is not asked about, however long nothing was sent before. */
TEST(a_probe_waits_a_heartbeat_from_the_first_of_a_window)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    solo_ack(&s, 2, 3, 4);
    solo_ack(&s, 3, 3, 4);
    for (int i = 0; i < 4; i++) { /* at rest; 2 keeps it leader */
        solo_tick(&s, 60000);
        solo_ack(&s, 2, 3, 4);
    }
    solo_tick(&s, 30000); /* in the middle between two heartbeats */
    REQUIRE(solo_propose(&s, 1) == ERR_OK);
    REQUIRE(has_sent(&s, RAFT_APPEND, 3));
    solo_tick(&s, 25000);
    REQUIRE(has_sent(&s, RAFT_HEARTBEAT, 3));
    CHECK(!has_sent(&s, RAFT_APPEND, 3));
    solo_tick(&s, 50000);
    CHECK(has_sent(&s, RAFT_APPEND, 3));
    solo_end(&s);
}

/* Only a proposal's update names a first entry. */
TEST(no_other_event_proposes)
{
    struct solo s;
    solo_three(&s);
    solo_ready_leader(&s);
    struct raft_event event = {.type = RAFT_EVENT_TICK};
    event.u.propose.count = 1; /* what the union holds is no business of a tick */
    REQUIRE(solo_step(&s, &event) == ERR_OK);
    CHECK_EQ_UINT(s.u.first_proposed, 0);
    REQUIRE(solo_propose(&s, 1) == ERR_OK);
    CHECK_EQ_UINT(s.u.first_proposed, 5);
    solo_end(&s);
}

/* A leader that has asked for the first chunk of its snapshot of entry 5, for 3. */
static void lead_with_a_snapshot_to_send(struct solo *s)
{
    lead_without_memory(s, 1);
    struct raft_event event = {.type = RAFT_EVENT_COMPACTED, .u.first_index = 6};
    REQUIRE(solo_step(s, &event) == ERR_OK);
    solo_ack(s, 3, 3, 1);
    REQUIRE(s->u.chunk_request_count == 1);
}

static void answer_with_a_chunk(struct solo *s, struct raft_snapshot_id id)
{
    struct raft_event event = {.type = RAFT_EVENT_CHUNK};
    event.u.chunk.peer = 3;
    event.u.chunk.id = id;
    event.u.chunk.data = SLICE_LITERAL("the first piece");
    REQUIRE(solo_step(s, &event) == ERR_OK);
}

/* S4: there is no snapshot yet, or one of what this leader has not committed: neither is sent. */
TEST(a_snapshot_that_is_not_there_is_not_sent)
{
    static const raft_index index[] = {0, 6, 5}; /* the last one is */
    for (size_t i = 0; i < 3; i++) {
        struct solo s;
        lead_with_a_snapshot_to_send(&s);
        answer_with_a_chunk(&s, (struct raft_snapshot_id){.index = index[i], .term = 3, .crc = 77, .size = 1000});
        CHECK_EQ_INT(has_sent(&s, RAFT_SNAPSHOT, 3), i == 2);
        solo_end(&s);
    }
}

/* S4: a snapshot is known by index, term, checksum and size: an answer about any other moves nothing. */
TEST(an_answer_about_another_snapshot_moves_nothing)
{
    struct solo s;
    const struct raft_snapshot_id id = {.index = 5, .term = 3, .crc = 77, .size = 1000};
    lead_with_a_snapshot_to_send(&s);
    answer_with_a_chunk(&s, id);
    REQUIRE(has_sent(&s, RAFT_SNAPSHOT, 3));
    for (int i = 0; i < 5; i++) {
        struct raft_message m = from(RAFT_SNAPSHOT_ACK, 3, 3);
        m.u.snapshot_ack.id = id;
        m.u.snapshot_ack.offset = id.size;
        m.u.snapshot_ack.is_installed = true;
        m.u.snapshot_ack.id.index -= i == 0;
        m.u.snapshot_ack.id.term -= i == 1;
        m.u.snapshot_ack.id.crc -= i == 2;
        m.u.snapshot_ack.id.size -= i == 3;
        REQUIRE(solo_receive(&s, m) == ERR_OK);
        CHECK_EQ_UINT(peer(&s, 3).match, i == 4 ? 5 : 1);
    }
    solo_end(&s);
}

TEST_MAIN()
