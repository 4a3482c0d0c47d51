/* Ranges by lex of small sets whose scores differ, against redis-server: it calls the answer unspecified, but of a listpack it is always
 * the same one. Larger sets are not compared: there it is up to the levels of Redis's skip list. */

#include "tests/commands/differ.h"
#include "tests/test.h"

static const char *const bound[] = {"-", "+", "[a", "(a", "[b", "(c", "[d", "(inf", "[", "(zz"};
enum { BOUNDS = sizeof bound / sizeof bound[0] };

static void compare_all(struct differ *d)
{
    for (size_t i = 0; i < BOUNDS * BOUNDS; i++) {
        const char *low = bound[i / BOUNDS];
        const char *high = bound[i % BOUNDS];
        differ_line(d, DIFFER_EXACT, "ZRANGEBYLEX mixed %s %s", low, high);
        differ_line(d, DIFFER_EXACT, "ZREVRANGEBYLEX mixed %s %s", high, low);
        differ_line(d, DIFFER_EXACT, "ZREVRANGEBYLEX mixed %s %s LIMIT 1 2", high, low);
        differ_line(d, DIFFER_EXACT, "ZLEXCOUNT mixed %s %s", low, high);
        differ_line(d, DIFFER_EXACT, "ZRANGE mixed %s %s BYLEX REV", high, low);
    }
}

TEST(small_sets_with_different_scores_answer_as_a_listpack)
{
    struct differ d;
    if (!differ_begin(&d, REPLY_RESP2, 31, "ranges by lex")) {
        return;
    }
    for (uint64_t round = 0; round < 6; round++) {
        differ_line(&d, DIFFER_EXACT, "DEL mixed");
        for (int i = 0; i < 7; i++) {
            differ_line(&d, DIFFER_EXACT, "ZADD mixed %d %c", (int)prng_below(&d.random, 4), "abcdxyz"[i]);
        }
        compare_all(&d);
        differ_line(&d, DIFFER_EXACT, "ZREMRANGEBYLEX mixed [b (y");
        differ_line(&d, DIFFER_EXACT, "ZINCRBY mixed NX 5");
        differ_line(&d, DIFFER_EXACT, "ZRANGE mixed 0 -1 WITHSCORES");
    }
    differ_end(&d);
}

TEST_MAIN()
