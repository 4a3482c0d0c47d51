#include "base/glob.h"

#include "tests/test.h"

#include "base/prng.h"

struct row {
    const char *pattern;
    const char *text;
    bool is_match;
};

TEST(patterns_of_redis)
{
    static const struct row rows[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"*", "anything", true},
        {"**", "x", true},
        {"?", "", false},
        {"?", "x", true},
        {"?", "xy", false},
        {"h?llo", "hello", true},
        {"h?llo", "hllo", false},
        {"h*llo", "heeeello", true},
        {"h*llo", "hllo", true},
        {"h*llo", "hell", false},
        {"h[ae]llo", "hallo", true},
        {"h[ae]llo", "hillo", false},
        {"h[^e]llo", "hallo", true},
        {"h[^e]llo", "hello", false},
        {"h[a-b]llo", "hbllo", true},
        {"h[a-b]llo", "hcllo", false},
        {"h[b-a]llo", "hbllo", true},
        {"[a-]x", "-x", false},
        {"[\\]]", "]", true},
        {"[\\]]", "\\", false},
        {"\\*", "*", true},
        {"\\*", "x", false},
        {"\\\\", "\\", true},
        {"a\\", "a\\", true},
        {"[abc", "c", true},
        {"[abc", "d", false},
        {"*.conf", "x.conf.conf", true},
        {"*.conf", "x.conf.con", false},
        {"a*b*c", "a1b2b3c", true},
        {"a*b*c", "a1c2b", false},
        {"Hello", "hello", false},
        {"*a*a*a*", "aa", false},
        {"*a*a*a*", "banana", true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        test_context("'%s' against '%s'", rows[i].pattern, rows[i].text);
        CHECK_EQ_INT(glob_match(slice_from_cstr(rows[i].pattern), slice_from_cstr(rows[i].text), false),
                     rows[i].is_match);
    }
}

TEST(nocase_folds_letters_in_text_pattern_and_class)
{
    CHECK(glob_match(SLICE_LITERAL("HeL*"), SLICE_LITERAL("hELlo"), true));
    CHECK(glob_match(SLICE_LITERAL("[A-C]x"), SLICE_LITERAL("bX"), true));
    CHECK(!glob_match(SLICE_LITERAL("[A-C]x"), SLICE_LITERAL("bx"), false));
    CHECK(!glob_match(SLICE_LITERAL("[^A]"), SLICE_LITERAL("a"), true));
}

TEST(bytes_of_any_value)
{
    CHECK(glob_match(SLICE_LITERAL("a\0*"), SLICE_LITERAL("a\0b"), false));
    CHECK(!glob_match(SLICE_LITERAL("a\0c"), SLICE_LITERAL("a\0b"), false));
    CHECK(glob_match(SLICE_LITERAL("[\x80-\xff]"), SLICE_LITERAL("\xf0"), false));
}

/* The definition, by trying every split; only for short inputs of '*' and letters. */
static bool slow_match(struct slice p, struct slice t)
{
    if (p.n == 0)
        return t.n == 0;
    if (p.p[0] == '*') {
        for (size_t n = 0; n <= t.n; n++)
            if (slow_match(slice_skip(p, 1), slice_skip(t, n)))
                return true;
        return false;
    }
    return t.n > 0 && (p.p[0] == '?' || p.p[0] == t.p[0]) && slow_match(slice_skip(p, 1), slice_skip(t, 1));
}

TEST(agrees_with_the_definition)
{
    struct prng random;
    prng_seed(&random, 8);
    for (int i = 0; i < 20000; i++) {
        uint8_t pattern[8];
        uint8_t text[8];
        struct slice p = {pattern, (size_t)prng_below(&random, 8)};
        struct slice t = {text, (size_t)prng_below(&random, 8)};
        for (size_t j = 0; j < sizeof pattern; j++) {
            pattern[j] = (uint8_t) "ab*?"[prng_below(&random, 4)];
            text[j] = (uint8_t) "ab"[prng_below(&random, 2)];
        }
        test_context("'%.*s' against '%.*s'", (int)p.n, (const char *)p.p, (int)t.n, (const char *)t.p);
        CHECK_EQ_INT(glob_match(p, t, false), slow_match(p, t));
    }
}

/* A recursive matcher needs longer than the universe for this. */
TEST(many_stars_do_not_explode)
{
    static uint8_t pattern[2000];
    static uint8_t text[5000];
    for (size_t i = 0; i < sizeof pattern; i += 2) {
        pattern[i] = '*';
        pattern[i + 1] = 'a';
    }
    pattern[sizeof pattern - 1] = 'b';
    memset(text, 'a', sizeof text);
    CHECK(!glob_match((struct slice){pattern, sizeof pattern}, (struct slice){text, sizeof text}, false));
}

TEST(reads_no_byte_too_many)
{
    static const char pattern[] = "a[b-";
    for (size_t n = 0; n < sizeof pattern; n++) {
        uint8_t *copy = test_guard_copy(pattern, n);
        uint8_t *text = test_guard_copy("ab", 2);
        glob_match((struct slice){copy, n}, (struct slice){text, 2}, false);
        CHECK(!glob_match((struct slice){copy, n}, (struct slice){text, 0}, false) || n == 0);
        test_guard_free(copy, n);
        test_guard_free(text, 2);
    }
}

TEST_MAIN()
