#include "base/mem.h"
#include "resp/words.h"
#include "tests/resp/feed.h"
#include "tests/test.h"

#define BYTES(s) (s), sizeof(s) - 1

/* Expected: the words; then '!' when the quotes are unbalanced. Checked against Redis's
 * sdssplitargs by the corpus (inline/...) for the rows a server can show. */
static const struct {
    const char *line;
    size_t n;
    const char *words;
} rows[] = {
    {BYTES(""), ""},
    {BYTES("   "), ""},
    {BYTES(" \t\n\v\f\r "), ""},
    {BYTES("a"), "[a]"},
    {BYTES("a b"), "[a][b]"},
    {BYTES("  a \t b  "), "[a][b]"},
    {BYTES("a\rb\nc"), "[a][b][c]"},
    /* \v and \f are skipped between words but don't end one. */
    {BYTES("\va\vb \fc"), "[a\\x0bb][c]"},
    {BYTES("\"\""), "[]"},
    {BYTES("''"), "[]"},
    {BYTES("a \"\" b"), "[a][][b]"},
    {BYTES("\"a b\""), "[a b]"},
    {BYTES("'a b'"), "[a b]"},
    {BYTES("a\"b c\""), "[ab c]"},
    {BYTES("a'b c' d"), "[ab c][d]"},
    {BYTES("\"a'b\" 'c\"d'"), "[a'b][c\"d]"},
    {BYTES("\"\\n\\r\\t\\b\\a\\\\\\\"\\q\""), "[\\x0a\\x0d\\x09\\x08\\x07\\\"q]"},
    {BYTES("\"\\x41\\xfF\\x00\""), "[A\\xff\\x00]"},
    {BYTES("\"\\xZZ\\x4\""), "[xZZx4]"},
    {BYTES("\"\\x4"), "!"},
    {BYTES("\"\\x\""), "[x]"},
    {BYTES("'it\\'s \\n'"), "[it's \\n]"},
    {BYTES("'\\\\'"), "!"}, /* the second backslash hides the quote */
    {BYTES("\\n"), "[\\n]"},
    {BYTES("a\\ b"), "[a\\][b]"},
    {BYTES("\""), "!"},
    {BYTES("'"), "!"},
    {BYTES("\"a"), "!"},
    {BYTES("'a"), "!"},
    {BYTES("a \"b"), "[a]!"},
    {BYTES("a b'c"), "[a]!"},
    {BYTES("\"a\\"), "!"},
    {BYTES("\"a\\\""), "!"},
    {BYTES("'a\\'"), "!"},
    {BYTES("\"a\"b"), "!"},
    {BYTES("\"a\"\"b\""), "!"},
    {BYTES("'a''b'"), "!"},
    {BYTES("\"a\"\vb"), "[a][b]"},
    {BYTES("a\0b \"\0\""), "[a\\x00b][\\x00]"},
    {BYTES("\xc3\xa9"), "[\\xc3\\xa9]"},
};

TEST(splits_as_redis_does)
{
    struct word_list w;
    word_list_init(&w);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        test_context("row %zu", i);
        /* Right before a page without access: the splitter never looks for a NUL. */
        uint8_t *line = test_guard_copy(rows[i].line, rows[i].n);
        bool ok = word_list_split(&w, (struct slice){line, rows[i].n});
        struct buf log = {0};
        feed_log_words(&log, w.word, w.count);
        buf_printf(&log, "%s", ok ? "" : "!");
        CHECK_EQ_SLICE(buf_slice(&log), rows[i].words);
        buf_deinit(&log);
        test_guard_free(line, rows[i].n);
    }
    word_list_deinit(&w);
}

TEST(words_without_quotes_are_not_copied)
{
    struct word_list w;
    word_list_init(&w);
    struct slice line = SLICE_LITERAL("put key value");
    CHECK(word_list_split(&w, line));
    CHECK_EQ_INT(w.count, 3);
    CHECK(w.word[1].p == line.p + 4);
    CHECK_EQ_INT(w.scratch_capacity, 0);
    word_list_deinit(&w);
}

TEST(shrink_gives_back_what_a_long_line_took)
{
    enum { SIZE = 200000 };
    uint8_t *line = mem_alloc(SIZE);
    for (size_t i = 0; i < SIZE; i++) {
        line[i] = i % 2 ? ' ' : 'a';
    }
    line[SIZE - 2] = '"';
    line[SIZE - 1] = '"';
    struct word_list w;
    word_list_init(&w);
    CHECK(word_list_split(&w, (struct slice){line, SIZE}));
    CHECK_EQ_INT(w.count, SIZE / 2);
    CHECK(word_list_memory(&w) >= SIZE);
    CHECK(word_list_memory(&w) <= 32u * w.count + SIZE);
    word_list_shrink(&w);
    CHECK_EQ_INT(word_list_memory(&w), 0);
    CHECK(word_list_split(&w, SLICE_LITERAL("x 'y'")));
    CHECK_EQ_INT(w.count, 2);
    word_list_deinit(&w);
    mem_free(line);
}

TEST_MAIN()
