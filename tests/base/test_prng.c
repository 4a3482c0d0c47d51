#include "base/prng.h"

#include "tests/test.h"

/* Recorded: a seed must mean the same run on every machine and in every later version. */
TEST(sequence_is_stable)
{
    static const uint64_t expected[][4] = {
        {11091344671253066420u, 13793997310169335082u, 1900383378846508768u, 7684712102626143532u},
        {12966619160104079557u, 9600361134598540522u, 10590380919521690900u, 7218738570589545383u},
        {6953568656051850222u, 6503000389084428900u, 3560310358598170614u, 14712033927354065207u},
    };
    static const uint64_t seeds[] = {0, 1, 12345678901234567u};
    for (int i = 0; i < 3; i++) {
        struct prng p;
        prng_seed(&p, seeds[i]);
        for (int j = 0; j < 4; j++) {
            test_context("seed %d, number %d", i, j);
            CHECK_EQ_UINT(prng_next(&p), expected[i][j]);
        }
    }
}

/* The authors' generator, from the state 1, 2, 3, 4. */
TEST(xoshiro_reference)
{
    static const uint64_t expected[] = {11520,
                                        0,
                                        1509978240,
                                        1215971899390074240,
                                        1216172134540287360,
                                        607988272756665600,
                                        16172922978634559625u,
                                        8476171486693032832,
                                        10595114339597558777u,
                                        2904607092377533576};
    struct prng p = {{1, 2, 3, 4}};
    for (int i = 0; i < 10; i++)
        CHECK_EQ_UINT(prng_next(&p), expected[i]);
}

TEST(below_is_in_range_and_roughly_uniform)
{
    struct prng p;
    int hits[7] = {0};
    prng_seed(&p, 99);
    for (int i = 0; i < 70000; i++) {
        uint64_t x = prng_below(&p, 7);
        REQUIRE(x < 7);
        hits[x]++;
    }
    for (int i = 0; i < 7; i++)
        CHECK(hits[i] > 9500 && hits[i] < 10500);
    for (int i = 0; i < 100; i++)
        CHECK_EQ_UINT(prng_below(&p, 1), 0);
    CHECK(prng_below(&p, UINT64_MAX) < UINT64_MAX);
}

TEST(chance_has_its_ends_and_its_rate)
{
    struct prng p;
    int hits = 0;
    prng_seed(&p, 5);
    for (int i = 0; i < 1000; i++) {
        CHECK(!prng_chance(&p, 0));
        CHECK(prng_chance(&p, 1000000));
    }
    for (int i = 0; i < 100000; i++)
        hits += prng_chance(&p, 250000);
    CHECK(hits > 24300 && hits < 25700);
}

static void below_zero(void *ctx)
{
    prng_below(ctx, 0);
}

TEST(below_zero_aborts)
{
    struct prng p;
    prng_seed(&p, 5);
    CHECK_ABORTS(below_zero, &p);
}

TEST_MAIN()
