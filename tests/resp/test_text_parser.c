#include "base/limits.h"
#include "base/mem.h"
#include "resp/text_parser.h"
#include "tests/resp/feed.h"
#include "tests/test.h"

static void *text_start(void)
{
    struct text_parser *p = mem_alloc(sizeof *p);
    text_parser_init(p);
    return p;
}

static bool text_step(void *state, struct slice input, size_t *consumed, struct buf *log)
{
    struct command command;
    switch (text_parser_next(state, input, &command, consumed)) {
    case TEXT_OK:
        feed_log_words(log, command.arg, command.arg_count);
        buf_printf(log, "\n");
        return true;
    case TEXT_NEED_MORE:
        CHECK_EQ_INT(*consumed, 0);
        return false;
    case TEXT_EMPTY:
        buf_printf(log, "empty\n");
        return true;
    case TEXT_UNCLOSED_QUOTE:
        feed_log_words(log, command.arg, command.arg_count);
        buf_printf(log, "!\n");
        return true;
    case TEXT_TOO_LONG:
        CHECK_EQ_INT(*consumed, 0);
        return false;
    }
    return false;
}

static void text_finish(void *state, struct slice rest, struct buf *log)
{
    struct command command;
    size_t consumed = 0;
    if (text_parser_next(state, rest, &command, &consumed) == TEXT_TOO_LONG) {
        buf_printf(log, "too long\n");
    } else {
        buf_printf(log, "%zu left\n", rest.n);
    }
    text_parser_deinit(state);
    mem_free(state);
}

static const struct feed_target text_target = {text_start, text_step, text_finish};

#define BYTES(s) (s), sizeof(s) - 1

static const struct {
    const char *input;
    size_t n;
    const char *log;
} rows[] = {
    {BYTES(""), "0 left\n"},
    {BYTES("get a"), "5 left\n"},
    {BYTES("get a\n"), "[get][a]\n0 left\n"},
    {BYTES("get a\r\n"), "[get][a]\n0 left\n"},
    {BYTES("get a\r\r\n"), "[get][a]\n0 left\n"},
    {BYTES("\n"), "empty\n0 left\n"},
    {BYTES("\r\n"), "empty\n0 left\n"},
    {BYTES(" \t \n\n"), "empty\nempty\n0 left\n"},
    {BYTES("put a 1\nget a\nqui"), "[put][a][1]\n[get][a]\n3 left\n"},
    {BYTES("put key1 \"hello world\"\n"), "[put][key1][hello world]\n0 left\n"},
    {BYTES("put k \"a\\nb\" 'c d'\n"), "[put][k][a\\x0ab][c d]\n0 left\n"},
    {BYTES("put k \"\"\n"), "[put][k][]\n0 left\n"},
    {BYTES("put k \"a\nget k\n"), "[put][k]!\n[get][k]\n0 left\n"},
    {BYTES("\"put k\n"), "!\n0 left\n"},
    {BYTES("put a\0b \xff\n"), "[put][a\\x00b][\\xff]\n0 left\n"},
};

TEST(lines_at_every_cut)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char name[32];
        struct buf text = {0};
        buf_printf(&text, "row %zu", i);
        memcpy(name, text.data + text.start, buf_size(&text));
        name[buf_size(&text)] = '\0';
        buf_deinit(&text);
        struct slice input = {(const uint8_t *)rows[i].input, rows[i].n};
        feed_check(&text_target, name, input, rows[i].log);
    }
}

/* A line of `size` bytes without its LF, fed in two ways that must agree. */
static void check_long_line(size_t size, bool is_taken)
{
    uint8_t *line = mem_alloc(size + 1);
    memset(line, 'a', size);
    line[size] = '\n';
    static const size_t pieces[] = {1u << 20, 4096, 65536, 65537};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        test_context("%zu bytes in pieces of %zu", size, pieces[i]);
        struct buf log = {0};
        feed_pieces(&text_target, (struct slice){line, size + 1}, pieces[i], pieces[i], &log);
        buf_append_byte(&log, 0);
        if (is_taken) {
            CHECK_CONTAINS((const char *)log.data, "]\n0 left\n");
        } else {
            CHECK_EQ_STR((const char *)log.data, "too long\n");
        }
        buf_deinit(&log);
    }
    test_context("%s", "");
    mem_free(line);
}

TEST(limit_is_the_same_however_the_line_arrives)
{
    check_long_line(LIMIT_INLINE_BYTES, true);
    check_long_line(LIMIT_INLINE_BYTES + 1u, false);
    check_long_line(LIMIT_INLINE_BYTES * 3u, false);
}

/* Bytes searched in vain are not searched again: were they, it would see the LF planted there. */
TEST(search_goes_on_where_it_ended)
{
    struct text_parser p;
    text_parser_init(&p);
    struct command command;
    size_t consumed;
    CHECK_EQ_INT(text_parser_next(&p, SLICE_LITERAL("get aaaa"), &command, &consumed),
                 TEXT_NEED_MORE);
    CHECK_EQ_INT(text_parser_next(&p, SLICE_LITERAL("get\naaaab"), &command, &consumed),
                 TEXT_NEED_MORE);
    CHECK_EQ_INT(text_parser_next(&p, SLICE_LITERAL("get\naaaab\n"), &command, &consumed), TEXT_OK);
    CHECK_EQ_INT(consumed, 10);
    text_parser_deinit(&p);
}

TEST_MAIN()
