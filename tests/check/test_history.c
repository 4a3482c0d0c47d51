/* The file format: what is read, what is written, and what is refused with which words. */
#include <stdio.h>

#include "check/check.h"
#include "tests/test.h"

static bool read_one(struct history *h, const char *line, char *why, size_t size)
{
    *why = 0;
    return history_read_line(h, slice_from_cstr(line), 1, why, size);
}

static const char *const lines[] = {
    "{\"client\":\"1\",\"start\":10,\"end\":20,\"outcome\":\"ok\",\"f\":\"set\",\"key\":\"x\",\"value\":\"5\"}\n",
    "{\"client\":\"1\",\"start\":10,\"end\":20,\"outcome\":\"ok\",\"f\":\"get\",\"key\":\"x\",\"result\":null}\n",
    "{\"client\":\"a \\\"b\\\\\",\"start\":0,\"end\":null,\"outcome\":\"unknown\",\"f\":\"incr\",\"key\":\"n\",\"value\":\"-2\"}\n",
    "{\"client\":\"1\",\"start\":1,\"end\":2,\"outcome\":\"fail\",\"f\":\"cas\",\"key\":\"x\",\"value\":\"2\",\"expected\":null}\n",
    "{\"client\":\"1\",\"start\":1,\"end\":2,\"outcome\":\"ok\",\"f\":\"lrange\",\"key\":\"l\",\"result\":[]}\n",
    "{\"client\":\"1\",\"start\":1,\"end\":2,\"outcome\":\"ok\",\"f\":\"smembers\",\"key\":\"s\",\"result\":[\"a\",\"\",\"\\u0007\"]}\n",
    "{\"client\":\"1\",\"start\":1,\"end\":2,\"outcome\":\"ok\",\"f\":\"set\",\"key\":\"x\",\"value\":\"2\",\"expires\":true}\n",
    "{\"client\":\"1\",\"start\":1,\"end\":2,\"outcome\":\"ok\",\"ops\":[{\"f\":\"rpush\",\"key\":\"l\",\"value\":\"1\",\"result\":\"1\"},{\"f\":\"lrange\",\"key\":\"m\",\"result\":[\"a\"]}]}\n",
    "{\"client\":\"1\",\"start\":1,\"end\":2,\"outcome\":\"ok\",\"ops\":[]}\n",
    "{\"client\":\"1\",\"start\":1,\"end\":2,\"outcome\":\"ok\",\"f\":\"get\",\"key\":\"\xc3\xa4\xf0\x9f\x98\x80\"}\n",
};

TEST(what_is_written_is_read_and_the_other_way_round)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct history h = {0};
        struct buf out = {0};
        char why[256];
        test_context("line %zu", i);
        CHECK(read_one(&h, lines[i], why, sizeof why));
        CHECK_EQ_STR(why, "");
        REQUIRE(h.operation_count == 1);
        history_write_line(&h, 0, &out);
        CHECK_EQ_SLICE(buf_slice(&out), lines[i]);
        buf_deinit(&out);
        history_deinit(&h);
    }
    test_context("");
}

TEST(numbers_escapes_and_blanks)
{
    struct history h = {0};
    char why[256];
    CHECK(read_one(&h, " \t\r\n", why, sizeof why));
    CHECK_EQ_UINT(h.operation_count, 0);
    CHECK(read_one(&h, "{ \"f\" : \"get\", \"key\":7, \"client\":3,\"extra\":[{\"a\":1}],\"start\":1 ,\"end\":2,\"outcome\":\"ok\",\"result\":12}", why, sizeof why));
    CHECK_EQ_SLICE(texts_get(&h.texts, h.step[0].key), "7");
    CHECK_EQ_SLICE(texts_get(&h.texts, h.step[0].result), "12");
    CHECK(read_one(&h, "{\"f\":\"set\",\"key\":\"\\u00e4\\ud83d\\ude00\\n\\/\",\"value\":1.5,\"client\":3,\"start\":1,\"end\":2,\"outcome\":\"ok\"}", why, sizeof why));
    CHECK_EQ_SLICE(texts_get(&h.texts, h.step[1].key), "\xc3\xa4\xf0\x9f\x98\x80\n/");
    CHECK_EQ_SLICE(texts_get(&h.texts, h.step[1].value), "1.5");
    CHECK(read_one(&h, "{\"f\":\"incr\",\"key\":1,\"client\":3,\"start\":1,\"end\":2,\"outcome\":\"ok\"}", why, sizeof why));
    CHECK_EQ_SLICE(texts_get(&h.texts, h.step[2].value), "1");
    history_deinit(&h);
}

static const struct {
    const char *line;
    const char *says;
} bad[] = {
    {"x", "not JSON"},
    {"{", "not JSON"},
    {"{\"a\":1", "not JSON"},
    {"{\"a\":\"\\x\"}", "not JSON"},
    {"{\"a\":\"\\ud800\\u0041\"}", "not JSON"},
    {"{\"a\":\"\n\"}", "not JSON"},
    {"[[[[[[[[[[[[1]]]]]]]]]]]]", "not JSON"},
    {"{} {}", "more than one"},
    {"[1]", "must be an object"},
    {"{}", "\"client\""},
    {"{\"client\":1}", "\"start\""},
    {"{\"client\":1,\"start\":-1}", "\"start\""},
    {"{\"client\":1,\"start\":1.5}", "\"start\""},
    {"{\"client\":1,\"start\":\"1\"}", "\"start\""},
    {"{\"client\":1,\"start\":1}", "\"outcome\""},
    {"{\"client\":1,\"start\":1,\"outcome\":\"maybe\"}", "\"outcome\""},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\"}", "\"end\""},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":null}", "\"end\""},
    {"{\"client\":1,\"start\":5,\"outcome\":\"ok\",\"end\":4}", "before"},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2}", "\"f\""},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"f\":\"frobnicate\"}", "frobnicate"},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"f\":\"get\"}", "\"key\""},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"f\":\"set\",\"key\":\"a\"}", "\"value\""},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"f\":\"cas\",\"key\":\"a\",\"value\":1}", "\"expected\""},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"f\":\"incr\",\"key\":\"a\",\"value\":\"b\"}", "whole number"},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"f\":\"get\",\"key\":\"a\",\"result\":[1]}", "no list"},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"f\":\"lrange\",\"key\":\"a\",\"result\":1}", "a list"},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"ops\":{}}", "\"ops\""},
    {"{\"client\":1,\"start\":1,\"outcome\":\"ok\",\"end\":2,\"ops\":[1]}", "\"ops\""},
};

TEST(bad_lines_are_refused_in_words)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct history h = {0};
        char why[256];
        test_context("%s", bad[i].line);
        CHECK(!read_one(&h, bad[i].line, why, sizeof why));
        CHECK_CONTAINS(why, bad[i].says);
        history_deinit(&h);
    }
    test_context("");
}

/* Every beginning of every line is refused or read, and never more than it has is read. */
TEST(every_beginning_of_a_line)
{
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t n = strlen(lines[i]);
        for (size_t k = 0; k <= n; k++) {
            struct history h = {0};
            char why[256];
            uint8_t *copy = test_guard_copy(lines[i], k);
            bool is_ok = history_read_line(&h, (struct slice){copy, k}, 1, why, sizeof why);
            CHECK(is_ok == (k == 0 || k >= n - 1));
            test_guard_free(copy, k);
            history_deinit(&h);
        }
    }
}

TEST(a_violation_names_key_values_and_line)
{
    static const char *const text[] = {
        "{\"client\":1,\"start\":1,\"end\":2,\"outcome\":\"ok\",\"f\":\"set\",\"key\":\"fruit\",\"value\":\"pear\"}",
        "{\"client\":1,\"start\":3,\"end\":4,\"outcome\":\"ok\",\"f\":\"get\",\"key\":\"fruit\",\"result\":null}",
        "{\"client\":1,\"start\":1,\"end\":2,\"outcome\":\"ok\",\"f\":\"incr\",\"key\":\"n\",\"result\":2}",
    };
    struct history h = {0};
    struct check_report r;
    struct wgl_limits limits = {WGL_STATES_DEFAULT};
    char why[256];
    CHECK(history_read_line(&h, slice_from_cstr(text[0]), 1, why, sizeof why) && history_read_line(&h, slice_from_cstr(text[1]), 2, why, sizeof why));
    check_history(&h, &limits, &r);
    CHECK(r.is_violated);
    CHECK_CONTAINS(r.text, "key \"fruit\"");
    CHECK_CONTAINS(r.text, "\"pear\"");
    history_deinit(&h);
    CHECK(history_read_line(&h, slice_from_cstr(text[2]), 3, why, sizeof why));
    check_history(&h, &limits, &r);
    CHECK(r.is_violated);
    CHECK_CONTAINS(r.text, "line 3");
    history_deinit(&h);
}

TEST_MAIN()
