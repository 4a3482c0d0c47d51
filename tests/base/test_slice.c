#include "base/slice.h"

#include "tests/test.h"

TEST(equal_compares_bytes_and_length)
{
    CHECK(slice_equal(SLICE_LITERAL("abc"), slice_from_cstr("abc")));
    CHECK(!slice_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("abd")));
    CHECK(!slice_equal(SLICE_LITERAL("abc"), SLICE_LITERAL("ab")));
    CHECK(slice_equal((struct slice){NULL, 0}, SLICE_LITERAL("")));
    CHECK(slice_equal(SLICE_LITERAL("a\0b"), (struct slice){(const uint8_t *)"a\0b", 3}));
    CHECK(!slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
}

TEST(equal_nocase_folds_ascii_letters_only)
{
    CHECK(slice_equal_nocase(SLICE_LITERAL("GeT"), "gEt"));
    CHECK(!slice_equal_nocase(SLICE_LITERAL("GET"), "GETX"));
    CHECK(!slice_equal_nocase(SLICE_LITERAL("GETX"), "GET"));
    CHECK(slice_equal_nocase(SLICE_LITERAL(""), ""));
    /* '[' and '{', '@' and '`' differ in the bit that makes letters small. */
    CHECK(!slice_equal_nocase(SLICE_LITERAL("["), "{"));
    CHECK(!slice_equal_nocase(SLICE_LITERAL("@"), "`"));
    CHECK(!slice_equal_nocase(SLICE_LITERAL("\xc4"), "\xe4"));
    CHECK(!slice_equal_nocase(SLICE_LITERAL("a\0b"), "a"));
}

TEST(compare_orders_like_memcmp_then_by_length)
{
    static const char *const ordered[] = {"", "a", "aa", "ab", "b", "\x80", "\xff"};
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 7; j++) {
            int order = slice_compare(slice_from_cstr(ordered[i]), slice_from_cstr(ordered[j]));
            test_context("%d against %d", i, j);
            CHECK_EQ_INT((order > 0) - (order < 0), (i > j) - (i < j));
        }
}

TEST(skip_keeps_the_rest)
{
    CHECK_EQ_SLICE(slice_skip(SLICE_LITERAL("hello"), 2), "llo");
    CHECK_EQ_SLICE(slice_skip(SLICE_LITERAL("hello"), 5), "");
    CHECK_EQ_INT(slice_skip((struct slice){NULL, 0}, 0).n, 0);
}

static void skip_too_far(void *ctx)
{
    (void)ctx;
    (void)slice_skip(SLICE_LITERAL("ab"), 3);
}

TEST(skip_past_the_end_aborts)
{
    CHECK_ABORTS(skip_too_far, NULL);
}

TEST_MAIN()
