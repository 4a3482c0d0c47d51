#include "tests/lib/corpus.h"

#include "tests/test.h"

static const char good[] = "# The format, told\n"
                           "# in two lines.\n"
                           "\n"
                           "# a/one\n"
                           "> PING\\r\\n\\\\\\x00\\{3*z}\\{2*\\}\n"
                           "< +PONG\\r\\n\n"
                           "= OPEN\n"
                           "\n"
                           "# b/two!norm\n"
                           ">   x \n"
                           "< \n"
                           "> y\n"
                           "< :12\\r\\n$3\n"
                           "= CLOSED\n";

TEST(reads_blocks_steps_and_escapes)
{
    struct corpus c;
    char error[128] = "";
    REQUIRE(corpus_parse(&c, SLICE_LITERAL(good), error, sizeof error));
    REQUIRE(c.count == 2);
    const struct corpus_case *one = &c.item[0];
    CHECK_EQ_STR(one->name, "a/one");
    CHECK_EQ_INT(one->line, 4);
    CHECK(!one->is_normalised && !one->is_closed);
    CHECK(corpus_case_is_in(one, "a") && !corpus_case_is_in(one, "a/one") &&
          !corpus_case_is_in(one, ""));
    REQUIRE(one->step_count == 1);
    static const char sent[] = "PING\r\n\\\0zzz\\\\";
    struct slice got = buf_slice(&one->step[0].sent);
    CHECK_EQ_BYTES(got.p, got.n, sent, sizeof sent - 1);
    CHECK_EQ_SLICE(buf_slice(&one->step[0].expected), "+PONG\r\n");
    const struct corpus_case *two = &c.item[1];
    CHECK_EQ_STR(two->name, "b/two");
    CHECK(two->is_normalised && two->is_closed);
    REQUIRE(two->step_count == 2);
    CHECK_EQ_SLICE(buf_slice(&two->step[0].sent), "  x ");
    CHECK_EQ_SLICE(buf_slice(&two->step[0].expected), "");
    corpus_free(&c);
}

TEST(compares_exactly_or_with_digits_normalised)
{
    struct corpus c;
    char error[128] = "";
    REQUIRE(corpus_parse(&c, SLICE_LITERAL(good), error, sizeof error));
    const struct corpus_case *one = &c.item[0];
    const struct corpus_case *two = &c.item[1];
    CHECK(corpus_step_matches(one, &one->step[0], SLICE_LITERAL("+PONG\r\n")));
    CHECK(!corpus_step_matches(one, &one->step[0], SLICE_LITERAL("+PONG\r\n+")));
    CHECK(corpus_step_matches(two, &two->step[1], SLICE_LITERAL(":7\r\n$345")));
    CHECK(!corpus_step_matches(two, &two->step[1], SLICE_LITERAL(":\r\n$3")));
    CHECK(!corpus_step_matches(two, &two->step[1], SLICE_LITERAL(":1 2\r\n$3")));
    corpus_free(&c);
}

TEST(writes_what_it_reads)
{
    struct buf out = {0};
    corpus_append_escaped(&out, SLICE_LITERAL("a\r\n\\\0\xff aaaaaaaaaaaaaaaaaaaaaaaaa"));
    CHECK_EQ_SLICE(buf_slice(&out), "a\\r\\n\\\\\\x00\\xff \\{25*a}");
    buf_deinit(&out);
}

TEST(refuses_malformed_files)
{
    static const struct {
        const char *text;
        const char *error;
    } rows[] = {
        {"\n# a\n> x\n< y\n", "line 4: the last case has no end"},
        {"\n# a\n> x\n< y\n# b\n> x\n< y\n= OPEN\n", "line 5: a case without an end before"},
        {"\n> x\n", "line 2: a line outside of a case"},
        {"\n# a\n< x\n", "line 3: a line out of order"},
        {"\n# a\n> x\n> x\n", "line 4: a line out of order"},
        {"\n# a\n> x\n< y\n= MAYBE\n", "line 5: neither OPEN nor CLOSED"},
        {"\n# a\n> \\q\n", "line 3: a bad escape"},
        {"\n# a\n> \\x1\n", "line 3: a bad escape"},
        {"\n# a\n> \\{5*\n", "line 3: a bad escape"},
        {"\n# a\n> \\{*a}\n", "line 3: a bad escape"},
        {"\n# a\n> \\{99999999999*a}\n", "line 3: a bad escape"},
        {"\n# a\nhello\n", "line 3: a line outside of a case"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct corpus c;
        char error[128] = "";
        test_context("row %zu", i);
        CHECK(!corpus_parse(&c, slice_from_cstr(rows[i].text), error, sizeof error));
        CHECK_EQ_STR(error, rows[i].error);
    }
}

TEST(names_a_missing_file)
{
    struct corpus c;
    char error[128] = "";
    CHECK(!corpus_load(&c, "tests/data/no_such_file", error, sizeof error));
    CHECK_EQ_STR(error, "tests/data/no_such_file can't be opened");
}

TEST_MAIN()
