/* Sorted sets against a flat array of members and scores. */

#include "keyspace/zset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/prng.h"
#include "tests/test.h"

enum { MEMBERS = 400, LONG_BYTES = 3000 };

static const struct siphash_key seed = {{9, 8, 7}};
static const struct zset_rules rules = {&seed, 16, 64};

struct model {
    bool is_there[MEMBERS];
    double score[MEMBERS];
    size_t count;
};

static char name_room[LONG_BYTES];

/* Every eleventh member is long. */
static struct slice name_of(size_t i)
{
    int n = snprintf(name_room, sizeof name_room, "member:%zu", i);
    if (i % 11 == 0) {
        memset(name_room + n, 'x', sizeof name_room - (size_t)n);
        return (struct slice){(const uint8_t *)name_room, sizeof name_room};
    }
    return (struct slice){(const uint8_t *)name_room, (size_t)n};
}

static double draw_score(struct prng *random)
{
    static const double edge[] = {0, 1, -1, (double)INFINITY, -(double)INFINITY, 1e300, -1e-300, 0.1};
    return prng_below(random, 3) ? (double)prng_below(random, 20) - 10
                                 : edge[prng_below(random, 8)];
}

static bool is_model(const struct value *z, const struct model *m)
{
    zset_check(z, &rules);
    if (zset_count(z) != m->count) {
        return false;
    }
    for (size_t i = 0; i < MEMBERS; i++) {
        double score = 77;
        if (zset_find(z, &rules, name_of(i), &score) != m->is_there[i] ||
            (m->is_there[i] && score != m->score[i])) {
            return false;
        }
    }
    struct tree_cursor c;
    struct tree_item item;
    double last = -(double)INFINITY;
    for (tree_seek_rank(zset_order(z), 0, &c); tree_cursor_get(&c, &item); tree_cursor_next(&c)) {
        double score = zset_score(item.key);
        if (score < last || zset_rank(z, item.bytes, score) != tree_cursor_rank(&c)) {
            return false;
        }
        last = score;
    }
    return true;
}

static void step(struct value **z, struct model *m, struct prng *random, unsigned growth)
{
    size_t i = (size_t)prng_below(random, MEMBERS);
    double score = draw_score(random);
    if (!m->is_there[i]) {
        if (prng_below(random, 100) < growth) {
            zset_add(z, &rules, name_of(i), score);
            m->is_there[i] = true;
            m->score[i] = score;
            m->count++;
        }
    } else if (prng_below(random, 100) < growth) {
        zset_move(z, &rules, name_of(i), m->score[i], score);
        m->score[i] = score;
    } else {
        zset_remove(z, &rules, name_of(i), m->score[i]);
        m->is_there[i] = false;
        m->count--;
    }
}

static void forget_range(const struct value *z, struct model *m, uint64_t rank, uint64_t count)
{
    struct tree_cursor c;
    struct tree_item item;
    tree_seek_rank(zset_order(z), rank, &c);
    for (; count > 0 && tree_cursor_get(&c, &item); count--, tree_cursor_next(&c)) {
        char text[24] = "";
        memcpy(text, item.bytes.p, item.bytes.n < 16 ? item.bytes.n : 16);
        m->is_there[strtoul(text + 7, NULL, 10)] = false;
        m->count--;
    }
}

TEST(members_and_scores)
{
    size_t used = mem_used();
    for (uint64_t k = 1; k <= 6; k++) {
        test_context("seed %u", (unsigned)k);
        struct prng random;
        prng_seed(&random, k);
        struct model m = {.count = 0};
        struct value *z = zset_new(&rules, 5);
        for (int i = 0; i < 3000; i++) {
            step(&z, &m, &random, i / 600 % 2 ? 20 : 85);
            if (i % 200 == 0) {
                REQUIRE(is_model(z, &m));
            }
            if (i % 500 == 499 && m.count > 4) {
                uint64_t rank = prng_below(&random, m.count);
                uint64_t count = prng_below(&random, m.count - rank);
                forget_range(z, &m, rank, count);
                value_free(zset_remove_range(&z, &rules, rank, count));
                REQUIRE(is_model(z, &m));
            }
        }
        REQUIRE(is_model(z, &m));
        value_free(z);
    }
    test_context("%s", "");
    CHECK_EQ_UINT(mem_used(), used);
}

TEST(shares_and_pieces)
{
    size_t used = mem_used();
    struct prng random;
    prng_seed(&random, 5);
    struct model m = {.count = 0};
    struct value *z = zset_new(&rules, 5);
    for (int i = 0; i < 500; i++) {
        step(&z, &m, &random, 90);
    }
    struct model before = m;
    struct value *share = value_share(z);
    z = value_unshare(z);
    for (int i = 0; i < 500; i++) {
        step(&z, &m, &random, 50);
    }
    REQUIRE(is_model(z, &m));
    REQUIRE(is_model(share, &before));
    struct buf piece;
    struct value_cursor cursor = {0, 0};
    struct value_builder b;
    buf_init(&piece);
    value_builder_init(&b);
    while (value_write_piece(share, &cursor, &piece)) {
        REQUIRE(value_builder_add(&b, buf_slice(&piece)));
        buf_clear(&piece, SIZE_MAX);
    }
    struct value *again = value_builder_finish(&b);
    REQUIRE(again != NULL);
    REQUIRE(is_model(again, &before));
    CHECK(tree_get_encoding(again) == tree_get_encoding(share));
    buf_deinit(&piece);
    value_free(again);
    value_free(share);
    value_free(z);
    CHECK_EQ_UINT(mem_used(), used);
}

TEST(keys_order_as_scores_do)
{
    static const double score[] = {-(double)INFINITY, -1e308, -2, -1,    -5e-324,
                                   0,         5e-324, 1,  1e308, (double)INFINITY};
    for (size_t i = 0; i < sizeof score / sizeof score[0]; i++) {
        CHECK(zset_score(zset_key(score[i])) == score[i]);
        CHECK(i == 0 || zset_key(score[i - 1]) < zset_key(score[i]));
    }
    CHECK(zset_key(-0.0) == zset_key(0.0));
    CHECK(!signbit(zset_score(zset_key(-0.0))));
}

/* Redis's listpack makes -0 the integer 0; its skip list keeps it, among the zeros. */
TEST(negative_zero_is_kept_by_the_large_form_alone)
{
    struct value *z = zset_new_large();
    struct zset_rules wide = rules;
    struct tree_cursor c;
    struct tree_item item;
    double score;
    wide.listpack_entries = 128;
    zset_add(&z, &rules, name_of(1), -0.0);
    zset_add(&z, &rules, name_of(2), 0);
    zset_add(&z, &rules, name_of(3), -0.0);
    zset_check(z, &rules);
    CHECK(zset_rank(z, name_of(1), 0) == 0 && zset_rank(z, name_of(2), -0.0) == 1 && zset_rank(z, name_of(3), 0) == 2);
    for (size_t i = 1; i <= 3; i++) {
        tree_seek_rank(zset_order(z), i - 1, &c);
        CHECK(tree_cursor_get(&c, &item));
        CHECK(signbit(zset_item_score(z, &rules, &item)) == (i != 2));
        CHECK(zset_find(z, &rules, name_of(i), &score) && !signbit(score) == (i == 2));
    }
    zset_move(&z, &rules, name_of(1), -0.0, 0);
    zset_move(&z, &rules, name_of(2), 0, -0.0);
    zset_check(z, &rules);
    CHECK(zset_find(z, &rules, name_of(1), &score) && !signbit(score));
    CHECK(zset_find(z, &rules, name_of(2), &score) && signbit(score));
    value_free(zset_remove_range(&z, &rules, 0, 1));
    zset_check(z, &rules);
    struct value *share = value_share(z);
    z = value_unshare(z);
    zset_remove(&z, &rules, name_of(3), -0.0);
    zset_check(z, &rules);
    zset_check(share, &rules);
    CHECK(zset_find(share, &rules, name_of(3), &score) && signbit(score));
    share = value_unshare(share);
    zset_make_small(&share, &wide);
    zset_check(share, &wide);
    CHECK(tree_get_encoding(share) == TREE_ENCODING_LISTPACK && zset_count(share) == 2);
    CHECK(zset_find(share, &wide, name_of(3), &score) && !signbit(score));
    value_free(share);
    value_free(z);
}

TEST(form_and_encoding)
{
    struct value *z = zset_new(&rules, 64);
    for (size_t i = 1; i <= 10; i++) {
        zset_add(&z, &rules, name_of(i), 1);
    }
    CHECK(tree_get_encoding(z) == TREE_ENCODING_LISTPACK);
    zset_add(&z, &rules, name_of(11), 1); /* long */
    CHECK(tree_get_encoding(z) == TREE_ENCODING_SKIPLIST);
    zset_remove(&z, &rules, name_of(11), 1);
    CHECK(tree_get_encoding(z) == TREE_ENCODING_SKIPLIST);
    value_free(z);
    z = zset_new(&rules, 65);
    CHECK(tree_get_encoding(z) == TREE_ENCODING_SKIPLIST);
    value_free(z);
}

TEST_MAIN()
