#include "base/log.h"

#include "tests/test.h"

struct seen {
    int count;
    enum log_level level;
    char line[2000];
};

static void remember(void *ctx, enum log_level level, const char *line)
{
    struct seen *s = ctx;
    s->count++;
    s->level = level;
    strncpy(s->line, line, sizeof s->line - 1);
}

TEST(lines_below_the_level_are_dropped)
{
    struct seen s = {0};
    struct log_sink sink = {LOG_NOTICE, remember, &s};
    log_line(&sink, LOG_VERBOSE, "no %d", 1);
    CHECK_EQ_INT(s.count, 0);
    log_line(&sink, LOG_NOTICE, "yes %d", 2);
    CHECK_EQ_INT(s.count, 1);
    CHECK_EQ_INT(s.level, LOG_NOTICE);
    CHECK_EQ_STR(s.line, "yes 2");
    log_line(&sink, LOG_WARNING, "too");
    CHECK_EQ_INT(s.count, 2);
    log_line(NULL, LOG_WARNING, "nowhere");
}

TEST(foreign_bytes_cannot_forge_a_line)
{
    struct seen s = {0};
    struct log_sink sink = {LOG_DEBUG, remember, &s};
    log_line(&sink, LOG_DEBUG, "name %s.", "a\r\nb\x1b[2J\x7f");
    CHECK_EQ_STR(s.line, "name a??b?[2J?.");
}

TEST(long_lines_are_cut)
{
    struct seen s = {0};
    struct log_sink sink = {LOG_DEBUG, remember, &s};
    char text[1500];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = 0;
    log_line(&sink, LOG_DEBUG, "%s", text);
    CHECK_EQ_INT(strlen(s.line), 1023);
    CHECK_EQ_STR(s.line + 1018, "xx...");
    text[1023] = 0;
    log_line(&sink, LOG_DEBUG, "%s", text);
    CHECK_EQ_STR(s.line, text);
}

TEST_MAIN()
