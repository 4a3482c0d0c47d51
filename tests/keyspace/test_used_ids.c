#include "keyspace/used_ids.h"

#include <string.h>

#include "base/prng.h"
#include "tests/test.h"

static const struct siphash_key seed = {{1}};

TEST(ids_only_come_and_are_sorted)
{
    struct keyspace *k = keyspace_new(&seed, NULL);
    struct prng prng;
    prng_seed(&prng, 7);
    for (int i = 0; i < 500; i++)
        used_ids_add(k, 1 + prng_below(&prng, 200));
    CHECK(used_ids_count(k) <= 200 && used_ids_count(k) > 100);
    for (size_t i = 0; i < used_ids_count(k); i++) {
        CHECK(i == 0 || used_ids_at(k, i - 1) < used_ids_at(k, i));
        CHECK(used_ids_contain(k, used_ids_at(k, i)));
    }
    CHECK(!used_ids_contain(k, 0));
    CHECK(!used_ids_contain(k, 201));
    keyspace_free(k);
}

TEST(the_digest_counts_them_whatever_their_order)
{
    struct keyspace *a = keyspace_new(&seed, NULL);
    struct keyspace *b = keyspace_new(&seed, NULL);
    uint64_t empty = keyspace_digest(a);
    used_ids_add(a, 5);
    used_ids_add(a, UINT64_MAX);
    CHECK(keyspace_digest(a) != empty);
    used_ids_add(b, UINT64_MAX);
    CHECK(keyspace_digest(a) != keyspace_digest(b));
    used_ids_add(b, 5);
    used_ids_add(b, 5);
    CHECK_EQ_UINT(keyspace_digest(a), keyspace_digest(b));
    keyspace_free(a);
    keyspace_free(b);
}

TEST(encoding_round_trip_and_every_truncation)
{
    struct keyspace *a = keyspace_new(&seed, NULL);
    struct keyspace *b = keyspace_new(&seed, NULL);
    struct buf text = {0};
    used_ids_add(b, 99); /* is replaced */
    used_ids_add(a, 3);
    used_ids_add(a, 1);
    used_ids_add(a, 2);
    used_ids_encode(a, &text);
    struct slice whole = buf_slice(&text);
    for (size_t n = 0; n < whole.n; n++)
        CHECK_EQ_INT(used_ids_decode(b, (struct slice){whole.p, n}), ERR_CORRUPT);
    CHECK(used_ids_contain(b, 99));
    CHECK_EQ_INT(used_ids_decode(b, whole), ERR_OK);
    CHECK_EQ_UINT(used_ids_count(b), 3);
    CHECK_EQ_UINT(keyspace_digest(a), keyspace_digest(b));
    text.data[text.start + 5] = 3; /* 3, 2, 3: not rising */
    CHECK_EQ_INT(used_ids_decode(b, buf_slice(&text)), ERR_CORRUPT);
    text.data[text.start] = 2;
    CHECK_EQ_INT(used_ids_decode(b, buf_slice(&text)), ERR_FORMAT);
    CHECK_EQ_UINT(used_ids_count(b), 3);
    buf_deinit(&text);
    keyspace_free(a);
    keyspace_free(b);
}

TEST_MAIN()
