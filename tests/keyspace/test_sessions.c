#include "keyspace/sessions.h"

#include "base/prng.h"
#include "tests/test.h"

static const struct siphash_key seed = {{1}};

static struct keyspace *new_keyspace(void)
{
    return keyspace_new(&seed, NULL);
}

TEST(every_verdict)
{
    struct keyspace *k = new_keyspace();
    CHECK_EQ_INT(sessions_take(k, 1, 1, 1), SESSION_NOT_OPEN); /* never opened */
    CHECK(sessions_find(k, 1) == NULL);
    CHECK(sessions_open(k, 1, 5));
    CHECK_EQ_INT(sessions_take(k, 1, 4, 1), SESSION_NOT_OPEN); /* an older number */
    CHECK_EQ_INT(sessions_take(k, 1, 6, 1), SESSION_NOT_OPEN); /* one not opened yet */
    CHECK_EQ_INT(sessions_take(k, 2, 5, 1), SESSION_NOT_OPEN); /* another member */
    CHECK_EQ_INT(sessions_take(k, 1, 5, 0), SESSION_DONE_BEFORE);
    CHECK_EQ_INT(sessions_take(k, 1, 5, 2), SESSION_GAP);
    CHECK_EQ_UINT(sessions_find(k, 1)->last, 0);
    CHECK_EQ_INT(sessions_take(k, 1, 5, 1), SESSION_TAKES_EFFECT);
    CHECK_EQ_INT(sessions_take(k, 1, 5, 1), SESSION_DONE_BEFORE);
    CHECK_EQ_INT(sessions_take(k, 1, 5, 3), SESSION_GAP);
    CHECK_EQ_INT(sessions_take(k, 1, 5, 2), SESSION_TAKES_EFFECT);
    CHECK_EQ_INT(sessions_take(k, 1, 5, UINT64_MAX), SESSION_GAP);
    CHECK_EQ_UINT(sessions_find(k, 1)->last, 2);
    CHECK(sessions_close(k, 1, 5));
    CHECK_EQ_INT(sessions_take(k, 1, 5, 3), SESSION_NOT_OPEN);
    CHECK_EQ_UINT(sessions_find(k, 1)->last, 2); /* final */
    keyspace_free(k);
}

TEST(an_open_takes_effect_only_with_a_greater_number)
{
    struct keyspace *k = new_keyspace();
    CHECK(sessions_open(k, 7, 3));
    CHECK_EQ_INT(sessions_take(k, 7, 3, 1), SESSION_TAKES_EFFECT);
    CHECK(!sessions_open(k, 7, 3)); /* seen again: last stays (M33) */
    CHECK_EQ_UINT(sessions_find(k, 7)->last, 1);
    CHECK(!sessions_open(k, 7, 2)); /* older (M34) */
    CHECK_EQ_UINT(sessions_find(k, 7)->number, 3);
    CHECK(sessions_find(k, 7)->is_open);
    sessions_set_suspended(k, 7, 3, true);
    CHECK(sessions_find(k, 7)->is_suspended);
    sessions_set_suspended(k, 7, 2, false);
    CHECK(sessions_find(k, 7)->is_suspended);
    CHECK(sessions_open(k, 7, 9)); /* closes the older one */
    CHECK_EQ_UINT(sessions_find(k, 7)->number, 9);
    CHECK_EQ_UINT(sessions_find(k, 7)->last, 0);
    CHECK(!sessions_find(k, 7)->is_suspended);
    CHECK_EQ_INT(sessions_take(k, 7, 3, 2), SESSION_NOT_OPEN);
    CHECK_EQ_INT(sessions_take(k, 7, 9, 1), SESSION_TAKES_EFFECT);
    CHECK_EQ_UINT(sessions_count(k), 1);
    keyspace_free(k);
}

TEST(a_close_names_its_number)
{
    struct keyspace *k = new_keyspace();
    CHECK(!sessions_close(k, 7, 1));
    CHECK(sessions_open(k, 7, 3));
    CHECK(!sessions_close(k, 7, 2)); /* M34 */
    CHECK(!sessions_close(k, 7, 4));
    CHECK(sessions_find(k, 7)->is_open);
    CHECK(sessions_close(k, 7, 3));
    CHECK(!sessions_find(k, 7)->is_open);
    CHECK(!sessions_close(k, 7, 3));
    CHECK(!sessions_open(k, 7, 3)); /* a copy of the old OPEN does not open it again */
    CHECK(!sessions_find(k, 7)->is_open);
    CHECK(sessions_open(k, 7, 4));
    keyspace_free(k);
}

TEST(a_cancel_decides_without_effect)
{
    struct keyspace *k = new_keyspace();
    CHECK_EQ_UINT(sessions_cancel(k, 1, 1, 1, 5), 0); /* no session */
    CHECK(sessions_open(k, 1, 1));
    CHECK_EQ_UINT(sessions_cancel(k, 1, 1, 2, 5), 0); /* a gap before it */
    CHECK_EQ_UINT(sessions_cancel(k, 1, 1, 1, 0), 0); /* an empty range */
    CHECK_EQ_UINT(sessions_cancel(k, 1, 2, 1, 5), 0); /* another number */
    CHECK_EQ_UINT(sessions_find(k, 1)->last, 0);
    CHECK_EQ_UINT(sessions_cancel(k, 1, 1, 1, 3), 1);
    CHECK_EQ_UINT(sessions_find(k, 1)->last, 3);
    CHECK_EQ_INT(sessions_take(k, 1, 1, 3),
                 SESSION_DONE_BEFORE); /* cancelled first: never takes effect */
    CHECK_EQ_INT(sessions_take(k, 1, 1, 4), SESSION_TAKES_EFFECT);
    CHECK_EQ_UINT(sessions_cancel(k, 1, 1, 3, 4), 0); /* all decided */
    CHECK_EQ_UINT(sessions_cancel(k, 1, 1, 2, 6), 5); /* 4 took effect, 5 and 6 are cancelled */
    CHECK_EQ_UINT(sessions_find(k, 1)->last, 6);
    CHECK(sessions_close(k, 1, 1));
    CHECK_EQ_UINT(sessions_cancel(k, 1, 1, 7, 8), 0);
    keyspace_free(k);
}

TEST(members_are_sorted_and_can_be_removed)
{
    struct keyspace *k = new_keyspace();
    static const raft_id id[] = {50, 10, UINT64_MAX, 30, 20, 40};
    for (size_t i = 0; i < 6; i++) {
        CHECK(sessions_open(k, id[i], id[i]));
    }
    CHECK_EQ_UINT(sessions_count(k), 6);
    for (size_t i = 1; i < 6; i++) {
        CHECK(sessions_at(k, i)->member > sessions_at(k, i - 1)->member);
    }
    CHECK(sessions_at(k, 6) == NULL);
    sessions_remove(k, 30);
    sessions_remove(k, 31);
    sessions_remove(k, 10);
    sessions_remove(k, UINT64_MAX);
    CHECK_EQ_UINT(sessions_count(k), 3);
    CHECK_EQ_UINT(sessions_at(k, 0)->member, 20);
    CHECK_EQ_UINT(sessions_at(k, 1)->member, 40);
    CHECK_EQ_UINT(sessions_at(k, 2)->member, 50);
    CHECK(sessions_find(k, 30) == NULL);
    CHECK_EQ_UINT(sessions_find(k, 50)->number, 50);
    keyspace_free(k);
}

/* Entries of several sessions, each copied, delayed and reordered at will: every seq is decided at
 * most once and in order. */
TEST(copies_and_reordering_never_decide_twice)
{
    enum { SEQS = 200 };
    struct prng random;
    prng_seed(&random, 5);
    for (int round = 0; round < 50; round++) {
        struct keyspace *k = new_keyspace();
        uint64_t decided = 0;
        CHECK(sessions_open(k, 1, 1));
        for (int i = 0; i < 20000 && decided < SEQS; i++) {
            uint64_t around = decided + prng_below(&random, 6);
            uint64_t seq = around > 3 ? around - 2 : around;
            if (prng_below(&random, 10) == 0) {
                uint64_t to = seq + prng_below(&random, 3);
                uint64_t first = sessions_cancel(k, 1, 1, seq, to);
                if (first) {
                    REQUIRE(first == decided + 1);
                    decided = to;
                }
            } else if (sessions_take(k, 1, 1, seq) == SESSION_TAKES_EFFECT) {
                REQUIRE(seq == decided + 1);
                decided = seq;
            }
            REQUIRE(sessions_find(k, 1)->last == decided);
        }
        CHECK(decided >= SEQS);
        keyspace_free(k);
    }
}

TEST_MAIN()
