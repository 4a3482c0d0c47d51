#include "resp/resp_parser.h"

#include "base/limits.h"
#include "base/mem.h"
#include "tests/resp/feed.h"
#include "tests/test.h"

/* --- Every case at every cut ------------------------------------------------------------------ */

static void *parser_start(void)
{
    struct resp_parser *p = mem_alloc(sizeof *p);
    resp_parser_init(p);
    return p;
}

static void *parser_start_unauthenticated(void)
{
    struct resp_parser *p = parser_start();
    p->is_authenticated = false;
    return p;
}

static bool parser_step(void *state, struct slice input, size_t *consumed, struct buf *log)
{
    struct command command = {0};
    switch (resp_parser_next(state, input, &command, consumed)) {
    case PARSE_OK:
        CHECK(*consumed > 0);
        CHECK(command.arg_count >= 1);
        feed_log_words(log, command.arg, command.arg_count);
        buf_printf(log, "\n");
        return true;
    case PARSE_EMPTY:
        CHECK(*consumed > 0);
        return true; /* Not logged: how often nothing came is nobody's business. */
    case PARSE_NEED_MORE:
        CHECK_EQ_INT(*consumed, 0);
        return false;
    case PARSE_ERROR:
        CHECK_EQ_INT(*consumed, 0);
        return false;
    }
    return false;
}

static void parser_finish(void *state, struct slice rest, struct buf *log)
{
    struct resp_parser *p = state;
    struct command command = {0};
    size_t consumed = 0;
    if (resp_parser_next(p, rest, &command, &consumed) == PARSE_ERROR) {
        buf_printf(log, "%s", resp_parser_error(p));
    } else {
        buf_printf(log, "%zu left, %zu missing", rest.n, resp_parser_missing_bytes(p, rest.n));
    }
    resp_parser_deinit(p);
    mem_free(p);
}

static const struct feed_target parser_target = {parser_start, parser_step, parser_finish};
static const struct feed_target unauthenticated_target = {parser_start_unauthenticated, parser_step,
                                                          parser_finish};

#define BYTES(s) (s), sizeof(s) - 1
#define DONE "0 left, 0 missing"
#define BAD "ERR Protocol error: "

struct parser_row {
    const char *input;
    size_t n;
    const char *log;
};

static const struct parser_row multibulk_rows[] = {
    {BYTES("*1\r\n$4\r\nPING\r\n"), "[PING]\n" DONE},
    {BYTES("*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n*1\r\n$4\r\nPING\r\n"), "[ECHO][abc]\n[PING]\n" DONE},
    {BYTES("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\n\0\xff\r\n\\\r\n"),
     "[SET][][\\x00\\xff\\x0d\\x0a\\]\n" DONE},
    {BYTES("*1\r\n$0\r\n\r\n"), "[]\n" DONE},
    /* Nothing, silently. */
    {BYTES("*0\r\n*-1\r\n*-10\r\n*-9223372036854775808\r\n*1\r\n$1\r\na\r\n"), "[a]\n" DONE},
    /* Incomplete. */
    {BYTES(""), DONE},
    {BYTES("*"), "1 left, 0 missing"},
    {BYTES("*1\r"), "3 left, 0 missing"},
    {BYTES("*1\r\n"), "4 left, 0 missing"},
    {BYTES("*1\r\n$4\r"), "7 left, 0 missing"},
    {BYTES("*1\r\n$4\r\n"), "8 left, 6 missing"},
    {BYTES("*1\r\n$4\r\nPI"), "10 left, 4 missing"},
    {BYTES("*1\r\n$4\r\nPING\r"), "13 left, 1 missing"},
    {BYTES("*2\r\n$1\r\na\r\n$1000\r\nb"), "19 left, 1001 missing"},
    {BYTES("*2147483647\r\n"), "13 left, 0 missing"},
    {BYTES("*2\r\n$4\r\nECHO\r\n$536870912\r\n"), "26 left, 536870914 missing"},
    /* Any byte for LF, any two behind a bulk. */
    {BYTES("*1\rX$4\rXPING\rX"), "[PING]\n" DONE},
    {BYTES("*1\r\n$4\r\nPINGxx*1\r\n$1\r\na\r\n"), "[PING]\n[a]\n" DONE},
    {BYTES("*1\r\r$1\r\ra\r\r"), "[a]\n" DONE},
    /* A lone LF ends nothing: the CR that comes later does, and then it is no number. */
    {BYTES("*1\n$4\nPING\n"), "11 left, 0 missing"},
    {BYTES("*1\n$4\nPING\n\r\n"), BAD "invalid multibulk length"},
    /* A NUL hides what follows. */
    {BYTES("*1\0\r\n$4\r\nPING\r\n"), "15 left, 0 missing"},
    {BYTES("*1\r\n$4\0\r\nPING\r\n"), "15 left, 0 missing"},
    {BYTES("*1\r\n\0\r\n"), "7 left, 0 missing"},
    /* Counts. */
    {BYTES("*\r\n"), BAD "invalid multibulk length"},
    {BYTES("*abc\r\n"), BAD "invalid multibulk length"},
    {BYTES("* 1\r\n"), BAD "invalid multibulk length"},
    {BYTES("*1 \r\n"), BAD "invalid multibulk length"},
    {BYTES("*+1\r\n"), BAD "invalid multibulk length"},
    {BYTES("*01\r\n"), BAD "invalid multibulk length"},
    {BYTES("*00\r\n"), BAD "invalid multibulk length"},
    {BYTES("*-0\r\n"), BAD "invalid multibulk length"},
    {BYTES("*-\r\n"), BAD "invalid multibulk length"},
    {BYTES("*1.0\r\n"), BAD "invalid multibulk length"},
    {BYTES("*2147483648\r\n"), BAD "invalid multibulk length"},
    {BYTES("*9223372036854775808\r\n"), BAD "invalid multibulk length"},
    {BYTES("*18446744073709551617\r\n"), BAD "invalid multibulk length"},
    {BYTES("*-9223372036854775809\r\n"), BAD "invalid multibulk length"},
    /* Bulks. */
    {BYTES("*1\r\nPING\r\n"), BAD "expected '$', got 'P'"},
    {BYTES("*1\r\n*1\r\n"), BAD "expected '$', got '*'"},
    {BYTES("*1\r\n\r\n"), BAD "expected '$', got ' '"},
    {BYTES("*1\r\n\n\r\n"), BAD "expected '$', got ' '"},
    {BYTES("*1\r\n\x01\r\n"), BAD "expected '$', got '\x01'"},
    {BYTES("*1\r\n\xff\r\n"), BAD "expected '$', got '\xff'"},
    {BYTES("*2\r\n$1\r\na\r\nb\r\n"), BAD "expected '$', got 'b'"},
    {BYTES("*1\r\n$\r\n"), BAD "invalid bulk length"},
    {BYTES("*1\r\n$-1\r\n"), BAD "invalid bulk length"},
    {BYTES("*1\r\n$-0\r\n"), BAD "invalid bulk length"},
    {BYTES("*1\r\n$abc\r\n"), BAD "invalid bulk length"},
    {BYTES("*1\r\n$ 4\r\n"), BAD "invalid bulk length"},
    {BYTES("*1\r\n$+4\r\n"), BAD "invalid bulk length"},
    {BYTES("*1\r\n$04\r\n"), BAD "invalid bulk length"},
    {BYTES("*1\r\n$536870913\r\n"), BAD "invalid bulk length"},
    {BYTES("*1\r\n$99999999999999999999\r\n"), BAD "invalid bulk length"},
    /* What came before an error counts, what comes behind does not. */
    {BYTES("*1\r\n$1\r\na\r\n*1\r\n$-5\r\n*1\r\n$1\r\nb\r\n"), "[a]\n" BAD "invalid bulk length"},
};

static const struct parser_row inline_rows[] = {
    {BYTES("PING\r\n"), "[PING]\n" DONE},
    {BYTES("PING\n"), "[PING]\n" DONE},
    {BYTES("PING"), "4 left, 0 missing"},
    {BYTES("PING\r"), "5 left, 0 missing"},
    {BYTES("\r\n\n  \r\n\t\nPING\r\n"), "[PING]\n" DONE},
    {BYTES("  SET \t k   v  \r\n"), "[SET][k][v]\n" DONE},
    {BYTES("ECHO \"a b\"\r\nECHO 'c'\n"), "[ECHO][a b]\n[ECHO][c]\n" DONE},
    {BYTES("ECHO a\rb\r\n"), "[ECHO][a][b]\n" DONE},
    {BYTES("\"\"\n"), "[]\n" DONE},
    {BYTES("ECHO \"abc\r\nPING\r\n"), BAD "unbalanced quotes in request"},
    {BYTES("PING\nECHO 'abc\n"), "[PING]\n" BAD "unbalanced quotes in request"},
    {BYTES("ECHO \"a\"b\r\n"), BAD "unbalanced quotes in request"},
    {BYTES("ECHO a\0b\r\nPING\r\n"), "16 left, 0 missing"},
    {BYTES("$4\r\n+PING\r\n:1\r\n%1\r\n"), "[$4]\n[+PING]\n[:1]\n[%1]\n" DONE},
    {BYTES(" *1\r\n"), "[*1]\n" DONE},
    {BYTES("*1\r\n$1\r\na\r\nPING\r\n*1\r\n$1\r\nb\r\nECHO y\n"),
     "[a]\n[PING]\n[b]\n[ECHO][y]\n" DONE},
};

static const struct parser_row unauthenticated_rows[] = {
    {BYTES("*1\r\n$4\r\nPING\r\n"), "[PING]\n" DONE},
    {BYTES("*10\r\n"), "5 left, 0 missing"},
    {BYTES("*11\r\n"), BAD "unauthenticated multibulk length"},
    {BYTES("*2147483647\r\n"), BAD "unauthenticated multibulk length"},
    {BYTES("*2147483648\r\n"), BAD "invalid multibulk length"},
    {BYTES("*1\r\n$16384\r\n"), "12 left, 16386 missing"},
    {BYTES("*1\r\n$16385\r\n"), BAD "unauthenticated bulk length"},
    {BYTES("*1\r\n$536870913\r\n"), BAD "invalid bulk length"},
};

static void check_rows(const struct feed_target *target,
                       const char *table,
                       const struct parser_row *row,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buf name = {0};
        buf_printf(&name, "%s row %zu", table, i);
        buf_append_byte(&name, 0);
        struct slice input = {(const uint8_t *)row[i].input, row[i].n};
        feed_check(target, (const char *)buf_slice(&name).p, input, row[i].log);
        buf_deinit(&name);
    }
}

#define CHECK_ROWS(target, rows) check_rows(target, #rows, rows, sizeof rows / sizeof rows[0])

TEST(multibulk_at_every_cut)
{
    CHECK_ROWS(&parser_target, multibulk_rows);
}

TEST(inline_at_every_cut)
{
    CHECK_ROWS(&parser_target, inline_rows);
}

TEST(unauthenticated_at_every_cut)
{
    CHECK_ROWS(&unauthenticated_target, unauthenticated_rows);
}

/* --- Options and limits ------------------------------------------------------------------------
 */

TEST(authentication_counts_from_the_next_command_on)
{
    struct resp_parser p;
    resp_parser_init(&p);
    p.is_authenticated = false;
    struct command command;
    size_t consumed;
    CHECK_EQ_INT(resp_parser_next(&p, SLICE_LITERAL("AUTH x\r\n"), &command, &consumed), PARSE_OK);
    p.is_authenticated = true;
    CHECK_EQ_INT(resp_parser_next(&p, SLICE_LITERAL("*11\r\n"), &command, &consumed),
                 PARSE_NEED_MORE);
    resp_parser_deinit(&p);
}

TEST(bulk_limit_is_an_option)
{
    struct resp_parser p;
    resp_parser_init(&p);
    p.max_bulk_bytes = 5;
    struct command command;
    size_t consumed;
    struct slice good = SLICE_LITERAL("*1\r\n$5\r\nabcde\r\n");
    CHECK_EQ_INT(resp_parser_next(&p, good, &command, &consumed), PARSE_OK);
    CHECK_EQ_INT(consumed, good.n);
    struct slice bad = SLICE_LITERAL("*1\r\n$6\r\n");
    CHECK_EQ_INT(resp_parser_next(&p, bad, &command, &consumed), PARSE_ERROR);
    CHECK_EQ_STR(resp_parser_error(&p), BAD "invalid bulk length");
    resp_parser_deinit(&p);
}

/* `head`, then `byte` until `size` bytes are there, fed at once and in pieces. */
static void check_overlong(const char *head, uint8_t byte, size_t size, const char *expected)
{
    uint8_t *bytes = mem_alloc(size);
    memset(bytes, byte, size);
    memcpy(bytes, head, strlen(head));
    static const size_t pieces[] = {1u << 20, 1000, 65536};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        test_context("%s and %zu bytes in pieces of %zu", head, size, pieces[i]);
        struct buf log = {0};
        feed_pieces(&parser_target, (struct slice){bytes, size}, pieces[i], pieces[i], &log);
        CHECK_EQ_SLICE(buf_slice(&log), expected);
        buf_deinit(&log);
    }
    test_context("%s", "");
    mem_free(bytes);
}

TEST(lines_without_an_end_are_refused_past_64_kib)
{
    check_overlong("*", '1', LIMIT_INLINE_BYTES, "65536 left, 0 missing");
    check_overlong("*", '1', LIMIT_INLINE_BYTES + 1u, BAD "too big mbulk count string");
    check_overlong("*1\r\n$", '1', LIMIT_INLINE_BYTES + 4u, "65540 left, 0 missing");
    check_overlong("*1\r\n$", '1', LIMIT_INLINE_BYTES + 5u, BAD "too big bulk count string");
    check_overlong("a", 'a', LIMIT_INLINE_BYTES, "65536 left, 0 missing");
    check_overlong("a", 'a', LIMIT_INLINE_BYTES + 1u, BAD "too big inline request");
    check_overlong("a", 0, LIMIT_INLINE_BYTES + 1u, BAD "too big inline request");
}

TEST(longer_inline_line_is_taken_when_it_came_whole)
{
    enum { SIZE = 70000 };
    uint8_t *line = mem_alloc(SIZE + 6);
    memset(line, 'a', SIZE + 6);
    memcpy(line, "ECHO ", 5);
    line[SIZE + 5] = '\n';
    struct resp_parser p;
    resp_parser_init(&p);
    struct command command;
    size_t consumed;
    CHECK_EQ_INT(resp_parser_next(&p, (struct slice){line, SIZE + 6}, &command, &consumed),
                 PARSE_OK);
    CHECK_EQ_INT(command.arg[1].n, SIZE);
    resp_parser_deinit(&p);
    mem_free(line);
}

/* --- Cost ---------------------------------------------------------------------------------------
 */

/* Shows one more byte each time. Were any byte looked at again each time, these would not end in a
 * day. Returns the number of commands. */
static size_t feed_growing(struct resp_parser *p, struct slice input)
{
    struct command command;
    size_t consumed = 0;
    size_t count = 0;
    for (size_t n = 0; n <= input.n; n++) {
        if (resp_parser_next(p, (struct slice){input.p, n}, &command, &consumed) == PARSE_OK) {
            count++;
            CHECK_EQ_INT(consumed, input.n);
        }
    }
    return count;
}

TEST(huge_bulk_byte_by_byte)
{
    struct buf input = {0};
    buf_printf(&input, "*2\r\n$4\r\nECHO\r\n$%d\r\n", 16 << 20);
    memset(buf_reserve(&input, (16u << 20) + 2), '\r', (16u << 20) + 2);
    buf_commit(&input, (16u << 20) + 2);
    struct resp_parser p;
    resp_parser_init(&p);
    CHECK_EQ_INT(feed_growing(&p, buf_slice(&input)), 1);
    resp_parser_deinit(&p);
    buf_deinit(&input);
}

/* Bytes searched in vain are not searched again: were they, it would see the line end planted
 * there. */
TEST(search_goes_on_where_it_ended)
{
    static const struct {
        struct {
            const char *bytes;
            size_t n;
        } call[3];
        enum parse_result last;
    } rows_of_calls[] = {
        {{{BYTES("PING aaaa")}, {BYTES("PING\naaaab")}, {BYTES("PING\naaaab\n")}}, PARSE_OK},
        {{{BYTES("*00000")}, {BYTES("*00\r\n01")}, {BYTES("*00\r\n01\r\n")}}, PARSE_ERROR},
        {{{BYTES("*1\r\n$00000")}, {BYTES("*1\r\n$00\r\n01")}, {BYTES("*1\r\n$00\r\n01\r\n")}},
         PARSE_ERROR},
        {{{BYTES("*1\r\nxxxxx")}, {BYTES("*1\r\n\r\nxxx1")}, {BYTES("*1\r\n\r\nxxx1\r\n")}},
         PARSE_ERROR},
    };
    for (size_t i = 0; i < sizeof rows_of_calls / sizeof rows_of_calls[0]; i++) {
        test_context("row %zu", i);
        struct resp_parser p;
        resp_parser_init(&p);
        for (size_t j = 0; j < 3; j++) {
            struct slice input = {(const uint8_t *)rows_of_calls[i].call[j].bytes,
                                  rows_of_calls[i].call[j].n};
            struct command command;
            size_t consumed;
            enum parse_result wanted = j < 2 ? PARSE_NEED_MORE : rows_of_calls[i].last;
            CHECK_EQ_INT(resp_parser_next(&p, input, &command, &consumed), wanted);
        }
        resp_parser_deinit(&p);
    }
    test_context("%s", "");
}

TEST(many_arguments_byte_by_byte)
{
    enum { COUNT = 500000 };
    struct buf input = {0};
    buf_printf(&input, "*%d\r\n", COUNT);
    for (int i = 0; i < COUNT; i++) {
        buf_append(&input, "$1\r\nx\r\n", 7);
    }
    struct resp_parser p;
    resp_parser_init(&p);
    CHECK_EQ_INT(feed_growing(&p, buf_slice(&input)), 1);
    CHECK(resp_parser_memory(&p) <= 32u * COUNT);

    /* And the next command gives it back. */
    struct command command;
    size_t consumed;
    CHECK_EQ_INT(resp_parser_next(&p, SLICE_LITERAL("*1\r\n$1\r\na\r\n"), &command, &consumed),
                 PARSE_OK);
    CHECK(resp_parser_memory(&p) <= 4096);
    resp_parser_deinit(&p);
    buf_deinit(&input);
}

TEST(announced_counts_allocate_nothing)
{
    struct resp_parser p;
    resp_parser_init(&p);
    struct command command;
    size_t consumed;
    struct slice input = SLICE_LITERAL("*2147483647\r\n$1\r\na\r\n$536870912\r\n");
    CHECK_EQ_INT(resp_parser_next(&p, input, &command, &consumed), PARSE_NEED_MORE);
    CHECK(resp_parser_memory(&p) <= 4096);
    resp_parser_deinit(&p);
}

TEST(arguments_are_not_copied)
{
    struct resp_parser p;
    resp_parser_init(&p);
    struct command command;
    size_t consumed;
    struct slice input = SLICE_LITERAL("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    CHECK_EQ_INT(resp_parser_next(&p, input, &command, &consumed), PARSE_OK);
    CHECK(command.arg[0].p == input.p + 8);
    CHECK(command.arg[1].p == input.p + 17);
    resp_parser_deinit(&p);
}

TEST_MAIN()
