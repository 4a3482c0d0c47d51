/* The dissertation (Ongaro 2014), one function per rule: chapters 4 (membership), 6 (clients), 9.6
 * (pre-vote), and the checklist's rules for damaged logs. */
#include "base/chunk.h"
#include "solo.h"
#include "tests/test.h"

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

/* Not in the dissertation: a broken connection to the leader (election_on_leader_lost). */
TEST(a_lost_leader_brings_the_election_nearer)
{
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_heartbeat(&s, 2, 2, 1, 0) == ERR_OK);
    uint64_t heard_us = s.now_us;
    CHECK(s.u.wake_at_us >= heard_us + T);
    struct raft_event event = {.type = RAFT_EVENT_LEADER_LOST};
    event.u.lost_peer = 3; /* not the leader: nothing */
    REQUIRE(solo_step(&s, &event) == ERR_OK);
    CHECK(s.u.wake_at_us >= heard_us + T);
    event.u.lost_peer = 2;
    REQUIRE(solo_step(&s, &event) == ERR_OK);
    CHECK(s.u.wake_at_us < heard_us + T / 2);
    /* Others may be voted for at once. */
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 3, 3, 9, 9, false);
    CHECK(sent(&s, RAFT_PREVOTE_REPLY, 3).u.vote_reply.is_granted);
    /* It is heard again: all as before. */
    REQUIRE(solo_heartbeat(&s, 2, 2, 2, 0) == ERR_OK);
    CHECK(s.u.wake_at_us >= s.now_us + T);
    solo_vote_request(&s, RAFT_PREVOTE_REQUEST, 3, 3, 9, 9, false);
    CHECK(!sent(&s, RAFT_PREVOTE_REPLY, 3).u.vote_reply.is_granted);
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

/* The answer to a heartbeat of an older term tells the own term, but must not pass for an
 * acknowledgement of a round of that term: the old leader may lead it by then. */
TEST(s6_4_an_answer_to_an_older_term_acknowledges_no_round)
{
    struct solo s;
    solo_three(&s);
    REQUIRE(solo_heartbeat(&s, 2, 1, 77, 0) == ERR_OK);
    CHECK_EQ_UINT(sent(&s, RAFT_HEARTBEAT_ACK, 2).term, 2);
    CHECK_EQ_UINT(sent(&s, RAFT_HEARTBEAT_ACK, 2).u.heartbeat_ack.round, 0);
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

/* A leader of term 2 with leases of 200 ms. */
static void lease_leader(struct solo *s)
{
    static const raft_term term[] = {1, 1, 2};
    struct raft_options options = cluster_options();
    options.lease_us = 200000;
    options.lease_drift_ppm = 10000;
    solo_start(s, options, (struct raft_hard_state){.term = 2}, 0xe, term, 3);
    solo_ready_leader(s);
}

TEST(s6_4_1_lease_runs_from_the_send_time_of_an_acknowledged_round)
{
    struct solo s;
    lease_leader(&s);
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

/* Reads start rounds as fast as they come; an acknowledgement on its way for a while still counts from when its round was sent. */
TEST(s6_4_1_a_thousand_rounds_do_not_wear_out_a_lease)
{
    struct solo s;
    lease_leader(&s);
    solo_tick(&s, 50000);
    uint64_t sent_us = s.now_us;
    uint64_t round = sent(&s, RAFT_HEARTBEAT, 2).u.heartbeat.round;
    uint64_t newest = round;
    for (uint64_t i = 0; newest < round + 1000; i++) {
        REQUIRE(i < 5000);
        s.now_us += 20;
        REQUIRE(solo_read(&s, i + 1, RAFT_READ_QUORUM) == ERR_OK);
        newest = has_sent(&s, RAFT_HEARTBEAT, 3) ? sent(&s, RAFT_HEARTBEAT, 3).u.heartbeat.round : newest;
    }
    CHECK(!raft_lease_holds(s.raft, s.now_us));
    solo_heartbeat_ack(&s, 2, round + 1);
    CHECK(raft_lease_holds(s.raft, sent_us + 197999));
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

TEST(p9_a_damaged_log_waits_for_what_was_committed_without_it)
{
    /* Its snapshot is of the present term; that is not a leader's word. */
    struct solo s;
    const raft_term more[] = {2, 2};
    solo_damaged(&s);
    CHECK(solo_status(&s).is_tainted);
    solo_heartbeat(&s, 2, 2, 1, 3);
    solo_persisted(&s);
    CHECK(solo_status(&s).is_tainted);
    /* Nor is an append that it can't take, however much is committed. */
    solo_append(&s, 2, 2, 5, 2, 5, NULL, 0);
    CHECK(solo_status(&s).is_tainted);
    /* It holds what matches, committed as far as it goes; two entries that it had acknowledged are missing. */
    solo_append(&s, 2, 2, 3, 2, 5, NULL, 0);
    CHECK_EQ_UINT(solo_status(&s).commit, 3);
    CHECK(solo_status(&s).is_tainted);
    solo_append(&s, 2, 2, 3, 2, 6, more, 2);
    CHECK_EQ_UINT(solo_status(&s).commit, 5);
    CHECK(solo_status(&s).is_tainted); /* not on its disk yet */
    solo_persisted(&s);
    CHECK(!solo_status(&s).is_tainted && solo_status(&s).can_vote);
    solo_end(&s);
}

TEST(p9_a_new_leader_must_have_committed_in_its_own_term)
{
    /* What a leader of term 3 had committed when it first reached this node may be less than others before it had. */
    struct solo s;
    const raft_term own = 3;
    solo_damaged(&s);
    solo_append(&s, 2, 2, 3, 2, 3, NULL, 0);
    CHECK(!solo_status(&s).is_tainted);
    solo_end(&s);
    solo_damaged(&s);
    solo_append(&s, 2, 3, 3, 2, 3, NULL, 0);
    solo_persisted(&s);
    CHECK(solo_status(&s).is_tainted);
    solo_append(&s, 2, 3, 3, 2, 3, &own, 1);
    solo_persisted(&s);
    CHECK(solo_status(&s).is_tainted);
    solo_append(&s, 2, 3, 4, 3, 4, NULL, 0);
    CHECK(!solo_status(&s).is_tainted);
    solo_end(&s);
}

TEST_MAIN()
