#include "base/prng.h"
#include "keyspace/sessions.h"
#include "keyspace/waiters.h"
#include "tests/test.h"

static const struct siphash_key seed = {{1, 2}};

static struct keyspace *keyspace_with_sessions(void)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    CHECK(sessions_open(k, 1, 10));
    CHECK(sessions_open(k, 2, 20));
    return k;
}

/* A list's waiter for `count` keys, whose timeout argument stands behind them. */
static struct waiter *
add(struct keyspace *k, uint64_t order, raft_id member, int64_t deadline_ms, const char *const *key, uint32_t count)
{
    struct slice arg[10] = {SLICE_LITERAL("blpop")};
    for (uint32_t i = 0; i < count; i++) {
        arg[1 + i] = slice_from_cstr(key[i]);
    }
    arg[1 + count] = SLICE_LITERAL("0");
    struct waiter like = {.order = order, .member = member, .session = member * 10, .seq = order, .number = 145, .version = 1,
                          .type = VALUE_LIST, .deadline_ms = deadline_ms, .arg_count = count + 2, .first_key = 1, .key_count = count};
    return waiters_add(k, &like, arg);
}

static const char *const a[] = {"a"};
static const char *const ab[] = {"a", "b"};
static const char *const aab[] = {"a", "a", "b"};

TEST(waiters_stand_in_log_order)
{
    struct keyspace *k = keyspace_with_sessions();
    struct waiter *first = add(k, 5, 1, WAITER_NO_DEADLINE, aab, 3);
    struct waiter *second = add(k, 6, 2, WAITER_NO_DEADLINE, a, 1);
    CHECK(waiters_count(k) == 2 && waiters_next(k, NULL) == first && waiters_next(k, first) == second && !waiters_next(k, second));
    CHECK(waiters_first_for(k, 0, SLICE_LITERAL("a"), VALUE_LIST) == first);
    CHECK(waiters_first_for(k, 0, SLICE_LITERAL("b"), VALUE_LIST) == first);
    CHECK(!waiters_first_for(k, 1, SLICE_LITERAL("a"), VALUE_LIST)); /* another database */
    CHECK(!waiters_first_for(k, 0, SLICE_LITERAL("a"), VALUE_ZSET)); /* another type */
    CHECK(waiters_find(k, 2, 20, 6) == second && !waiters_find(k, 2, 21, 6));
    waiters_remove(k, first); /* from each of its queues, where it stood once */
    CHECK(waiters_first_for(k, 0, SLICE_LITERAL("a"), VALUE_LIST) == second);
    CHECK(!waiters_first_for(k, 0, SLICE_LITERAL("b"), VALUE_LIST));
    waiters_remove(k, second);
    CHECK(waiters_count(k) == 0 && !waiters_first_for(k, 0, SLICE_LITERAL("a"), VALUE_LIST));
    keyspace_free(k);
}

TEST(waiters_of_a_suspended_session_are_passed_over_and_keep_their_place)
{
    struct keyspace *k = keyspace_with_sessions();
    struct waiter *first = add(k, 5, 1, WAITER_NO_DEADLINE, ab, 2);
    struct waiter *second = add(k, 6, 2, WAITER_NO_DEADLINE, a, 1);
    uint32_t db;
    struct slice key;
    sessions_set_suspended(k, 1, 10, true);
    CHECK(waiters_first_for(k, 0, SLICE_LITERAL("a"), VALUE_LIST) == second);
    sessions_set_suspended(k, 1, 10, false);
    CHECK(waiters_first_for(k, 0, SLICE_LITERAL("a"), VALUE_LIST) == first);
    waiters_note_session(k, 1, 10);
    CHECK(waiters_take_ready(k, &db, &key) && db == 0);
    CHECK_EQ_SLICE(key, "a");
    CHECK(waiters_take_ready(k, &db, &key));
    CHECK_EQ_SLICE(key, "b");
    CHECK(!waiters_take_ready(k, &db, &key));
    keyspace_free(k);
}

TEST(keys_are_ready_once_and_in_the_order_in_which_they_changed)
{
    struct keyspace *k = keyspace_with_sessions();
    struct waiter *w = add(k, 5, 1, WAITER_NO_DEADLINE, ab, 2);
    uint32_t db;
    struct slice key;
    waiters_note(k, 0, SLICE_LITERAL("b"));
    waiters_note(k, 0, SLICE_LITERAL("nobody waits for it"));
    waiters_note(k, 0, SLICE_LITERAL("a"));
    waiters_note(k, 0, SLICE_LITERAL("b"));
    CHECK(waiters_take_ready(k, &db, &key));
    CHECK_EQ_SLICE(key, "b");
    waiters_remove(k, w); /* while its other key is ready */
    CHECK(!waiters_take_ready(k, &db, &key));
    keyspace_free(k);
}

/* The earliest of them, whichever leave: beside a search through all. */
TEST(deadlines_come_in_their_order)
{
    enum { MANY = 400 };
    static struct waiter *w[MANY];
    struct keyspace *k = keyspace_with_sessions();
    struct prng random;
    prng_seed(&random, 4);
    for (uint64_t i = 0; i < MANY; i++) {
        bool has_deadline = prng_below(&random, 4) > 0;
        w[i] = add(k, i + 1, 1, has_deadline ? (int64_t)prng_below(&random, 100) : WAITER_NO_DEADLINE, a, 1);
    }
    for (size_t left = MANY; left > 0; left--) {
        struct waiter *least = NULL;
        for (size_t i = 0; i < MANY; i++) {
            if (w[i] && w[i]->deadline_ms != WAITER_NO_DEADLINE && (!least || w[i]->deadline_ms < least->deadline_ms)) {
                least = w[i]; /* of equal ones the older */
            }
        }
        CHECK(waiters_first_due(k) == least);
        size_t gone = (size_t)prng_below(&random, MANY);
        while (!w[gone]) {
            gone = (gone + 1) % MANY;
        }
        waiters_remove(k, w[gone]);
        w[gone] = NULL;
    }
    CHECK(!waiters_first_due(k));
    keyspace_free(k);
}

TEST(waiters_are_part_of_snapshots)
{
    struct keyspace *k = keyspace_with_sessions();
    struct keyspace *other = keyspace_with_sessions();
    struct buf bytes = {0};
    struct buf again = {0};
    add(k, 5, 1, 77, aab, 3);
    add(k, 9, 2, WAITER_NO_DEADLINE, a, 1);
    waiters_encode(k, &bytes);
    REQUIRE(waiters_decode(other, buf_slice(&bytes)) == ERR_OK);
    waiters_encode(other, &again);
    CHECK(slice_equal(buf_slice(&bytes), buf_slice(&again)));
    CHECK(waiters_digest(k) == waiters_digest(other) && waiters_digest(k) != 0);
    CHECK(waiters_first_for(other, 0, SLICE_LITERAL("b"), VALUE_LIST)->order == 5);
    for (size_t n = 0; n < buf_size(&bytes); n++) { /* cut short anywhere */
        struct keyspace *half = keyspace_with_sessions();
        CHECK(waiters_decode(half, (struct slice){buf_slice(&bytes).p, n}) == ERR_CORRUPT);
        keyspace_free(half);
    }
    buf_deinit(&bytes);
    buf_deinit(&again);
    keyspace_free(other);
    keyspace_free(k);
}

TEST_MAIN()
