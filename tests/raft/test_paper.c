/* The dissertation (Ongaro 2014), one function per rule: of the summary in Figure 3.1 and of
 * chapter 3. Names carry the section. */
#include "base/chunk.h"
#include "solo.h"
#include "tests/test.h"

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
    static const enum raft_message_type typed[] = {RAFT_HEARTBEAT, RAFT_HEARTBEAT_ACK, RAFT_COMMIT, RAFT_TIMEOUT_NOW, RAFT_APPEND, RAFT_APPEND_ACK};
    for (size_t i = 0; i < sizeof(typed) / sizeof(*typed); i++) {
        CHECK_EQ_INT(solo_receive(&s, from(typed[i], 2, 0)), ERR_INVALID); /* nobody has ever been in term 0 */
    }
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

TEST_MAIN()
