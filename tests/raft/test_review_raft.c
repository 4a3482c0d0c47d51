/* Single rules of the checklist against one raft, stepped by hand: what the scripts' clusters don't
 * reach. */
#include "base/buf.h"
#include "base/chunk.h"
#include "base/prng.h"
#include "raft/raft.h"
#include "tests/test.h"

#define SECOND 1000000u

struct lone {
    struct raft *raft;
    struct raft_options options;
    struct raft_update update;
    uint64_t now_us;
};

static void conf_of(struct raft_conf *conf, uint32_t voters)
{
    memset(conf, 0, sizeof(*conf));
    for (uint32_t id = 1; id < 32; id++) {
        if ((voters >> id & 1) != 0) {
            conf->member[conf->member_count++] =
                (struct raft_member){.id = id, .flags = RAFT_VOTER_NEW, .address = "h:1"};
        }
    }
}

static uint8_t *entry_make(struct chunk *chunk,
                           enum raft_entry_type type,
                           struct slice payload,
                           uint64_t index,
                           uint64_t term)
{
    uint8_t *at = chunk->data + chunk->used;
    entry_begin(at, type, 0, payload.n);
    if (payload.n > 0) {
        memcpy(at + ENTRY_HEADER_BYTES, payload.p, payload.n);
    }
    entry_seal(at, index, term);
    chunk->used += ENTRY_HEADER_BYTES + payload.n;
    return at;
}

static void lone_step(struct lone *x, struct raft_event *event, enum err expected)
{
    event->now_us = x->now_us;
    CHECK_EQ_INT(raft_step(x->raft, event, &x->update), expected);
    raft_check(x->raft);
}

/* Node 1 of 1, 2, 3. Its log: the configuration, then no-ops of the given terms; durable. `start`
 * may hold restrictions. */
static void
lone_init(struct lone *x, struct raft_start *start, const raft_term *terms, uint32_t count)
{
    struct raft_conf conf;
    raft_index conf_index = 1;
    struct buf encoded = {0};
    struct raft_entry entry[16];
    struct chunk *chunk = chunk_new(8192);
    conf_of(&conf, 2 + 4 + 8);
    raft_conf_encode(&conf, &encoded);
    entry_view(entry_make(chunk, RAFT_ENTRY_CONF, buf_slice(&encoded), 1, 1), &entry[0]);
    for (uint32_t i = 0; i < count; i++) {
        entry_view(entry_make(chunk, RAFT_ENTRY_NOOP, (struct slice){NULL, 0}, i + 2, terms[i]),
                   &entry[i + 1]);
    }
    start->first_index = 1;
    start->last_index = count + 1;
    start->last_term = count > 0 ? terms[count - 1] : 1;
    start->entry = entry;
    start->entry_count = count + 1;
    start->conf_count = 1;
    start->conf = &conf;
    start->conf_index = &conf_index;
    if (x->options.id == 0) {
        x->options = (struct raft_options){
            .id = 1,
            .seed = 1,
            .heartbeat_us = 50000,
            .election_timeout_us = 300000,
            .memory_bytes = 1u << 20,
            .uncommitted_bytes = 1u << 20,
            .inflight_messages = 16,
            .inflight_bytes = 1u << 20,
            .append_bytes = 4096,
        };
    }
    x->now_us = SECOND;
    x->raft = raft_new(&x->options, start, x->now_us);
    buf_deinit(&encoded);
    chunk_unref(chunk);
    struct raft_event tick = {.type = RAFT_EVENT_TICK};
    lone_step(x, &tick, ERR_OK);
}

static void lone_receive(struct lone *x, struct raft_message *m, enum err expected)
{
    struct raft_event event = {.type = RAFT_EVENT_RECEIVE, .u.message = m};
    m->to = 1;
    lone_step(x, &event, expected);
}

/* All that was handed out is durable. */
static void lone_persist(struct lone *x)
{
    while (x->update.has_persist) {
        struct raft_event event = {.type = RAFT_EVENT_PERSISTED,
                                   .u.persisted_token = x->update.token};
        lone_step(x, &event, ERR_OK);
    }
}

static struct raft_status lone_status(const struct lone *x)
{
    struct raft_status status;
    raft_get_status(x->raft, &status);
    return status;
}

static const struct raft_message *
lone_sent(const struct lone *x, enum raft_message_type type, raft_id to)
{
    for (uint32_t i = 0; i < x->update.outgoing_count; i++) {
        const struct raft_message *m = &x->update.outgoing[i].message;
        if (m->type == type && m->to == to) {
            return m;
        }
    }
    return NULL;
}

static void
lone_vote(struct lone *x, raft_id from, raft_term term, raft_term last_term, raft_index last_index)
{
    struct raft_message m = {.type = RAFT_VOTE_REQUEST, .term = term, .from = from};
    m.u.vote_request.campaign_term = term;
    m.u.vote_request.last_term = last_term;
    m.u.vote_request.last_index = last_index;
    lone_receive(x, &m, ERR_OK);
}

static bool lone_granted(const struct lone *x, raft_id to)
{
    const struct raft_message *m = lone_sent(x, RAFT_VOTE_REPLY, to);
    return CHECK(m != NULL) && m->u.vote_reply.is_granted;
}

static void lone_heartbeat(struct lone *x, raft_id from, raft_term term, uint32_t lease_us)
{
    struct raft_message m = {.type = RAFT_HEARTBEAT, .term = term, .from = from};
    m.u.heartbeat.round = 1;
    m.u.heartbeat.lease_us = lease_us;
    lone_receive(x, &m, ERR_OK);
}

/* Makes node 1 the leader of term `last term + 1`, its no-op durable. */
static void lone_lead(struct lone *x)
{
    struct raft_event tick = {.type = RAFT_EVENT_TICK};
    x->now_us += 2 * SECOND;
    lone_step(x, &tick, ERR_OK);
    struct raft_message m = {.type = RAFT_PREVOTE_REPLY, .from = 2, .term = lone_status(x).term};
    m.u.vote_reply.campaign_term = m.term + 1;
    m.u.vote_reply.is_granted = true;
    lone_receive(x, &m, ERR_OK);
    lone_persist(x);
    m.type = RAFT_VOTE_REPLY;
    m.term = lone_status(x).term;
    lone_receive(x, &m, ERR_OK);
    REQUIRE(lone_status(x).role == RAFT_LEADER);
    lone_persist(x);
}

/* P9, T1: entry 5 may be lost here. A leader that does not know that yet hands over; what this node
 * then asks for in a later term could be given to it by the one that never had entry 5. */
TEST(a_suspect_node_ignores_timeout_now)
{
    struct raft_start start = {
        .hard_state = {.term = 2}, .vote_only_above = 2, .vote_last_term = 2, .vote_last_index = 5};
    struct lone x = {0};
    lone_init(&x, &start, (raft_term[]){2, 2}, 2);
    lone_heartbeat(&x, 2, 2, 0);
    struct raft_message m = {.type = RAFT_TIMEOUT_NOW, .term = 2, .from = 2};
    lone_receive(&x, &m, ERR_OK);
    CHECK_EQ_INT(lone_status(&x).role, RAFT_FOLLOWER);
    CHECK_EQ_UINT(lone_status(&x).term, 2);
    raft_free(x.raft);
}

/* P9: votes only above the footer's term, and only for logs that reach the footer. */
TEST(what_a_suspect_node_votes_for)
{
    static const struct {
        raft_term term;
        raft_term last_term;
        raft_index last_index;
        bool is_granted;
    } row[] = {
        {2, 2, 5, false}, {2, 2, 9, false}, {3, 2, 4, false},
        {3, 1, 9, false}, {3, 2, 5, true},  {4, 3, 4, true},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct raft_start start = {.hard_state = {.term = 2},
                                   .vote_only_above = 2,
                                   .vote_last_term = 2,
                                   .vote_last_index = 5};
        struct lone x = {0};
        test_context("row %d", (int)i);
        lone_init(&x, &start, (raft_term[]){2, 2}, 2);
        lone_vote(&x, 3, row[i].term, row[i].last_term, row[i].last_index);
        CHECK_EQ_INT(lone_granted(&x, 3), row[i].is_granted);
        raft_free(x.raft);
    }
    test_context("%s", "");
}

/* E1: every pair of short logs, against the definition. */
TEST(a_log_is_compared_by_term_first)
{
    for (raft_term term = 1; term <= 4; term++) {
        for (raft_index last = 1; last <= 6; last++) {
            struct raft_start start = {.hard_state = {.term = 4}};
            struct lone x = {0};
            test_context("candidate %d/%d", (int)last, (int)term);
            lone_init(&x, &start, (raft_term[]){2, 2, 3}, 3); /* ends 4/3 */
            lone_vote(&x, 2, 9, term, last);
            CHECK_EQ_INT(lone_granted(&x, 2), term > 3 || (term == 3 && last >= 4));
            raft_free(x.raft);
        }
    }
    test_context("%s", "");
}

/* P2: a vote outlives a leader's coming and going within the term, and the leader's own stepping
 * down. */
TEST(a_vote_is_not_given_twice_in_a_term)
{
    struct raft_start start = {.hard_state = {.term = 2}};
    struct lone x = {0};
    lone_init(&x, &start, (raft_term[]){2}, 1);
    lone_vote(&x, 2, 3, 2, 2);
    CHECK(lone_granted(&x, 2));
    lone_persist(&x);
    lone_heartbeat(&x, 2, 3, 0);
    x.now_us += 2 * SECOND;
    lone_vote(&x, 3, 3, 2, 9);
    CHECK(!lone_granted(&x, 3));
    CHECK_EQ_UINT(lone_status(&x).vote, 2);
    raft_free(x.raft);

    struct lone y = {0};
    lone_init(&y, &start, (raft_term[]){2}, 1);
    lone_lead(&y);
    struct raft_event down = {.type = RAFT_EVENT_STEP_DOWN};
    lone_step(&y, &down, ERR_OK);
    lone_vote(&y, 3, 3, 3, 9);
    CHECK(!lone_granted(&y, 3));
    CHECK_EQ_UINT(lone_status(&y).vote, 1);
    raft_free(y.raft);
}

/* P1: a vote and the term it was given in leave only after they are durable. */
TEST(a_vote_waits_for_the_disk)
{
    struct raft_start start = {.hard_state = {.term = 2}};
    struct lone x = {0};
    lone_init(&x, &start, (raft_term[]){2}, 1);
    lone_vote(&x, 2, 3, 2, 2);
    REQUIRE(x.update.has_persist && x.update.has_hard_state && x.update.outgoing_count == 1);
    CHECK_EQ_UINT(x.update.hard_state.term, 3);
    CHECK_EQ_UINT(x.update.hard_state.vote, 2);
    CHECK_EQ_UINT(x.update.outgoing[0].after_token, x.update.token);
    uint64_t token = x.update.token;
    lone_vote(&x, 2, 3, 2, 2); /* asked again before it is durable */
    REQUIRE(x.update.outgoing_count == 1);
    CHECK_EQ_UINT(x.update.outgoing[0].after_token, token);
    raft_free(x.raft);
}

/* E5: requests that are refused don't keep a node from campaigning. */
TEST(refused_requests_do_not_move_the_timer)
{
    struct raft_start start = {.hard_state = {.term = 2}};
    struct lone x = {0};
    lone_init(&x, &start, (raft_term[]){2, 2}, 2);
    uint64_t wake_us = x.update.wake_at_us;
    for (int i = 0; i < 5; i++) {
        x.now_us += 10000;
        lone_vote(&x, 3, 3 + (raft_term)i, 1, 1);
        CHECK(!lone_granted(&x, 3));
        CHECK_EQ_UINT(x.update.wake_at_us, wake_us);
    }
    x.now_us += 10000;
    lone_vote(&x, 2, 20, 2, 3);
    CHECK(lone_granted(&x, 2));
    CHECK(x.update.wake_at_us > wake_us || x.update.wake_at_us >= x.now_us + 300000);
    raft_free(x.raft);
}

/* E14: the leader's heartbeats set the lease, not this node's own options: a restarted voter waits
 * although it gives none. */
TEST(a_restarted_voter_waits_for_leases_of_others)
{
    struct raft_start start = {.hard_state = {.term = 2}};
    struct lone x = {0};
    struct lone y = {0};
    lone_init(&x, &start, (raft_term[]){2}, 1);
    lone_vote(&x, 2, 3, 2, 2);
    CHECK(lone_granted(&x, 2));
    y.options = x.options;
    y.options.lease_wait_us = 300000;
    lone_init(&y, &start, (raft_term[]){2}, 1);
    y.now_us += 299999;
    lone_vote(&y, 2, 3, 2, 2);
    CHECK(!lone_granted(&y, 2));
    y.now_us += 1;
    lone_vote(&y, 2, 3, 2, 2);
    CHECK(lone_granted(&y, 2));
    raft_free(x.raft);
    raft_free(y.raft);
}

/* DESIGN §4: a link that comes up while its peer still counts as starved carries appends again. */
TEST(a_new_link_ends_a_pause_although_the_peer_is_starved)
{
    struct raft_start start = {.hard_state = {.term = 2}};
    struct lone x = {0};
    lone_init(&x, &start, (raft_term[]){2}, 1);
    lone_lead(&x);
    struct raft_event link = {.type = RAFT_EVENT_PEER_LINK};
    link.u.peer_link.peer = 2;
    link.u.peer_link.is_up = true;
    link.u.peer_link.is_starved = true;
    lone_step(&x, &link, ERR_OK);
    link.u.peer_link.is_up = false;
    link.u.peer_link.is_starved = false;
    lone_step(&x, &link, ERR_OK);
    link.u.peer_link.is_up = true;
    link.u.peer_link.is_starved = true;
    lone_step(&x, &link, ERR_OK);
    bool is_fed = lone_sent(&x, RAFT_APPEND, 2) != NULL;
    for (int i = 0; i < 5 && !is_fed; i++) {
        struct raft_event tick = {.type = RAFT_EVENT_TICK};
        x.now_us += 50000;
        lone_step(&x, &tick, ERR_OK);
        is_fed = lone_sent(&x, RAFT_APPEND, 2) != NULL;
    }
    CHECK(is_fed);
    raft_free(x.raft);
}

/* P4: an acknowledgement names what its message verified, not what else the follower holds; P5: nor
 * is more committed. */
TEST(an_empty_append_acknowledges_its_prev_only)
{
    struct raft_start start = {.hard_state = {.term = 2}};
    struct lone x = {0};
    lone_init(&x, &start, (raft_term[]){2, 2, 2}, 3); /* 4 entries */
    struct raft_message m = {.type = RAFT_APPEND, .term = 3, .from = 2};
    m.u.append.prev_index = 2;
    m.u.append.prev_term = 2;
    m.u.append.commit = 4;
    lone_receive(&x, &m, ERR_OK);
    const struct raft_message *ack = lone_sent(&x, RAFT_APPEND_ACK, 2);
    REQUIRE(ack != NULL);
    CHECK(ack->u.append_ack.is_success);
    CHECK_EQ_UINT(ack->u.append_ack.match, 2);
    CHECK_EQ_UINT(lone_status(&x).commit, 2);
    CHECK_EQ_UINT(lone_status(&x).last_index, 4); /* R2: nothing is cut without a conflict */
    raft_free(x.raft);
}

/* Fields at their ends, from a member: refused or harmless, the node's own invariants hold
 * (raft_check after each step). */
TEST(extreme_values_break_no_invariant)
{
    static const uint64_t extreme[] = {
        0, 1, 2, 3, 4, 5, UINT64_MAX / 2, UINT64_MAX / 2 + 1, UINT64_MAX - 1, UINT64_MAX};
    struct prng prng;
    prng_seed(&prng, 3);
    for (int role = 0; role < 2; role++) {
        for (int round = 0; round < 3000; round++) {
            struct raft_start start = {.hard_state = {.term = 2}};
            struct lone x = {0};
            lone_init(&x, &start, (raft_term[]){2, 2}, 2);
            if (role == 1) {
                lone_lead(&x);
            }
            struct raft_message m = {
                .type = (enum raft_message_type)(1 + prng_below(&prng, RAFT_SNAPSHOT_ACK)),
                .from = 2,
                .to = 1};
            /* A second leader of one's own term aborts, as it should (E8). */
            m.term = role == 1 && (m.type == RAFT_HEARTBEAT || m.type == RAFT_COMMIT ||
                                   m.type == RAFT_APPEND || m.type == RAFT_SNAPSHOT)
                         ? 4 + prng_below(&prng, 2)
                         : 1 + prng_below(&prng, 4);
            uint64_t *word = (uint64_t *)&m.u;
            struct raft_message filled = m;
            for (size_t i = 0; i < 4; i++) {
                word[i] = extreme[prng_below(&prng, 10)];
            }
            switch (m.type) {
            case RAFT_PREVOTE_REQUEST:
            case RAFT_VOTE_REQUEST:
                filled.u.vote_request.campaign_term =
                    prng_below(&prng, 2) == 0 ? m.term + (m.type == RAFT_PREVOTE_REQUEST) : word[0];
                filled.u.vote_request.last_term = word[1];
                filled.u.vote_request.last_index = word[2];
                break;
            case RAFT_PREVOTE_REPLY:
            case RAFT_VOTE_REPLY:
                filled.u.vote_reply.campaign_term = word[0];
                break;
            case RAFT_HEARTBEAT:
                filled.u.heartbeat.round = word[0];
                filled.u.heartbeat.commit = word[1];
                filled.u.heartbeat.lease_us = (uint32_t)word[2];
                break;
            case RAFT_HEARTBEAT_ACK:
                filled.u.heartbeat_ack.round = word[0];
                break;
            case RAFT_COMMIT:
                filled.u.commit.commit = word[0];
                break;
            case RAFT_APPEND:
                filled.u.append.prev_index = word[0];
                filled.u.append.prev_term = word[1];
                filled.u.append.commit = word[2];
                break;
            case RAFT_APPEND_ACK:
                filled.u.append_ack.is_success = prng_below(&prng, 2) == 0;
                filled.u.append_ack.prev_index = word[0];
                filled.u.append_ack.match = word[1];
                filled.u.append_ack.hint_index = word[2];
                filled.u.append_ack.hint_term = word[3];
                break;
            case RAFT_REMOVED:
                filled.u.removed.conf_index = word[0];
                break;
            case RAFT_SNAPSHOT:
                filled.u.snapshot.id =
                    (struct raft_snapshot_id){word[0], word[1], (uint32_t)word[2], word[3]};
                filled.u.snapshot.offset = word[0] % 1000;
                break;
            case RAFT_SNAPSHOT_ACK:
                filled.u.snapshot_ack.id =
                    (struct raft_snapshot_id){word[0], word[1], (uint32_t)word[2], word[3]};
                filled.u.snapshot_ack.offset = word[1];
                filled.u.snapshot_ack.is_installed = prng_below(&prng, 2) == 0;
                break;
            case RAFT_TIMEOUT_NOW:
                break;
            }
            struct raft_event event = {
                .type = RAFT_EVENT_RECEIVE, .now_us = x.now_us, .u.message = &filled};
            enum err e = raft_step(x.raft, &event, &x.update);
            CHECK(e == ERR_OK || e == ERR_INVALID);
            raft_check(x.raft);
            raft_free(x.raft);
        }
    }
}

TEST_MAIN()
