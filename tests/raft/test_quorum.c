#include "raft/quorum.h"

#include <stdlib.h>

#include "base/prng.h"
#include "tests/test.h"

/* Every definition here is the plainest there is: count, for each set and each candidate value. */

static bool is_majority(const struct raft_conf *conf, uint32_t set, const bool *is_in)
{
    uint32_t size = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < conf->member_count; i++) {
        if ((conf->member[i].flags & set) != 0) {
            size++;
            count += is_in[i] ? 1 : 0;
        }
    }
    return 2 * count > size;
}

static bool is_quorum(const struct raft_conf *conf, const bool *is_in)
{
    return is_majority(conf, RAFT_VOTER_NEW, is_in) &&
           (!conf->is_joint || is_majority(conf, RAFT_VOTER_OLD, is_in));
}

static uint64_t brute_value(const struct raft_conf *conf, const uint64_t *value)
{
    uint64_t best = 0;
    for (uint32_t candidate = 0; candidate < conf->member_count; candidate++) {
        bool has[LIMIT_MEMBERS];
        for (uint32_t i = 0; i < conf->member_count; i++) {
            has[i] = value[i] >= value[candidate];
        }
        if (value[candidate] > best && is_quorum(conf, has)) {
            best = value[candidate];
        }
    }
    return best;
}

static enum quorum_result brute_votes(const struct raft_conf *conf, const enum quorum_vote *vote)
{
    bool granted[LIMIT_MEMBERS];
    bool possible[LIMIT_MEMBERS];
    for (uint32_t i = 0; i < conf->member_count; i++) {
        granted[i] = vote[i] == QUORUM_VOTE_GRANTED;
        possible[i] = vote[i] != QUORUM_VOTE_REJECTED;
    }
    if (is_quorum(conf, granted)) {
        return QUORUM_WON;
    }
    return is_quorum(conf, possible) ? QUORUM_PENDING : QUORUM_LOST;
}

static void random_conf(struct prng *prng, struct raft_conf *conf)
{
    static const uint32_t plain[] = {RAFT_VOTER_NEW, RAFT_VOTER_NEW, RAFT_LEARNER};
    static const uint32_t joint[] = {
        RAFT_VOTER_OLD, RAFT_VOTER_NEW, (uint32_t)RAFT_VOTER_OLD | (uint32_t)RAFT_VOTER_NEW,
        RAFT_LEARNER, (uint32_t)RAFT_VOTER_OLD | (uint32_t)RAFT_LEARNER};
    do {
        memset(conf, 0, sizeof(*conf));
        conf->is_joint = prng_below(prng, 2) == 0;
        uint64_t most = prng_below(prng, 20) == 0 ? LIMIT_MEMBERS : 9;
        conf->member_count = 1 + (uint32_t)prng_below(prng, most);
        for (uint32_t i = 0; i < conf->member_count; i++) {
            conf->member[i].id = i + 1;
            conf->member[i].flags =
                conf->is_joint ? joint[prng_below(prng, 5)] : plain[prng_below(prng, 3)];
        }
    } while (raft_conf_check(conf) != ERR_OK);
}

static uint64_t vectors(void)
{
    const char *text = getenv("QUORUM_VECTORS");
    return text != NULL ? strtoull(text, NULL, 0) : 1000000;
}

TEST(value_equals_brute_force_on_random_vectors)
{
    static struct raft_conf conf;
    struct prng prng;
    uint64_t wrong = 0;
    prng_seed(&prng, 1);
    for (uint64_t n = 0; n < vectors(); n++) {
        uint64_t value[LIMIT_MEMBERS];
        if (n % 8 == 0) {
            random_conf(&prng, &conf);
        }
        uint64_t range = 1 + prng_below(&prng, 12);
        for (uint32_t i = 0; i < conf.member_count; i++) {
            value[i] = prng_below(&prng, 40) == 0 ? UINT64_MAX - prng_below(&prng, 2)
                                                  : prng_below(&prng, range);
        }
        wrong += quorum_value(&conf, value) != brute_value(&conf, value) ? 1 : 0;
    }
    CHECK_EQ_UINT(wrong, 0);
}

TEST(votes_equal_brute_force_on_random_vectors)
{
    static struct raft_conf conf;
    struct prng prng;
    uint64_t wrong = 0;
    uint64_t seen[3] = {0};
    prng_seed(&prng, 2);
    for (uint64_t n = 0; n < vectors(); n++) {
        enum quorum_vote vote[LIMIT_MEMBERS];
        bool is_active[LIMIT_MEMBERS];
        if (n % 8 == 0) {
            random_conf(&prng, &conf);
        }
        for (uint32_t i = 0; i < conf.member_count; i++) {
            vote[i] = (enum quorum_vote)prng_below(&prng, 3);
            is_active[i] = vote[i] == QUORUM_VOTE_GRANTED;
        }
        enum quorum_result result = quorum_votes(&conf, vote);
        seen[result]++;
        wrong += result != brute_votes(&conf, vote) ? 1 : 0;
        wrong += quorum_active(&conf, is_active) != is_quorum(&conf, is_active) ? 1 : 0;
    }
    CHECK_EQ_UINT(wrong, 0);
    CHECK(seen[QUORUM_WON] > 0 && seen[QUORUM_LOST] > 0 && seen[QUORUM_PENDING] > 0);
}

static struct raft_conf plain_conf(uint32_t voters)
{
    struct raft_conf conf = {.member_count = voters};
    for (uint32_t i = 0; i < voters; i++) {
        conf.member[i].id = i + 1;
        conf.member[i].flags = RAFT_VOTER_NEW;
    }
    return conf;
}

TEST(value_of_small_clusters)
{
    static const struct {
        uint32_t voters;
        uint64_t value[5];
        uint64_t expected;
    } row[] = {
        {1, {7}, 7},
        {2, {7, 3}, 3},
        {3, {1, 2, 3}, 2},
        {3, {9, 0, 0}, 0},
        {4, {1, 2, 3, 4}, 2},
        {5, {5, 4, 3, 2, 1}, 3},
        {5, {9, 9, 0, 0, 0}, 0},
        {5, {9, 9, 9, 0, 0}, 9},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct raft_conf conf = plain_conf(row[i].voters);
        test_context("row %zu", i);
        CHECK_EQ_UINT(quorum_value(&conf, row[i].value), row[i].expected);
    }
}

TEST(value_without_members_is_0)
{
    struct raft_conf conf = {0};
    uint64_t value[1] = {5};
    CHECK_EQ_UINT(quorum_value(&conf, value), 0);
}

TEST(joint_takes_the_lower_of_both_sets)
{
    struct raft_conf conf = plain_conf(5);
    uint64_t value[5] = {9, 9, 9, 4, 4};
    conf.is_joint = true;
    conf.member[0].flags = conf.member[1].flags = RAFT_VOTER_OLD;
    conf.member[2].flags |= RAFT_VOTER_OLD;
    CHECK_EQ_UINT(quorum_value(&conf, value), 4);
    value[3] = 8;
    CHECK_EQ_UINT(quorum_value(&conf, value), 8);
}

TEST(learners_never_count)
{
    struct raft_conf conf = plain_conf(3);
    uint64_t value[3] = {5, 9, 9};
    enum quorum_vote vote[3] = {QUORUM_VOTE_NONE, QUORUM_VOTE_GRANTED, QUORUM_VOTE_GRANTED};
    conf.member[1].flags = conf.member[2].flags = RAFT_LEARNER;
    CHECK_EQ_UINT(quorum_value(&conf, value), 5);
    CHECK_EQ_INT(quorum_votes(&conf, vote), QUORUM_PENDING);
}

TEST_MAIN()
