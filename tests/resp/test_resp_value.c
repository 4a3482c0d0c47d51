#include "resp/resp_value.h"

#include "base/mem.h"
#include "resp/reply.h"
#include "tests/resp/feed.h"
#include "tests/test.h"

static void *value_start(void)
{
    return mem_alloc_zero(sizeof(struct resp_value_reader));
}

static const char *const type_marks[] = {
    [RESP_SIMPLE] = "+",     [RESP_ERROR] = "-",  [RESP_INTEGER] = ":", [RESP_BULK] = "$",
    [RESP_NULL] = "_",       [RESP_ARRAY] = "*",  [RESP_MAP] = "%",     [RESP_SET] = "~",
    [RESP_PUSH] = ">",       [RESP_DOUBLE] = ",", [RESP_BOOLEAN] = "#", [RESP_VERBATIM] = "=",
    [RESP_BIG_NUMBER] = "(",
};

static void log_value(struct buf *log, const struct resp_value *value)
{
    buf_printf(log, "%s", type_marks[value->type]);
    if (value->type == RESP_INTEGER || value->type == RESP_BOOLEAN) {
        buf_printf(log, "%lld", (long long)value->integer);
    } else if (value->type == RESP_DOUBLE) {
        buf_printf(log, "%g", value->number);
    } else if (value->child_count > 0) {
        buf_printf(log, "(");
        for (size_t i = 0; i < value->child_count; i++) {
            buf_printf(log, "%s", i > 0 ? " " : "");
            log_value(log, &value->child[i]);
        }
        buf_printf(log, ")");
    } else {
        feed_log_words(log, &value->text, 1);
    }
}

static bool value_step(void *state, struct slice input, size_t *consumed, struct buf *log)
{
    struct resp_value *value = NULL;
    if (resp_value_next(state, input, &value, consumed) != PARSE_OK) {
        CHECK_EQ_INT(*consumed, 0);
        CHECK(value == NULL);
        return false;
    }
    log_value(log, value);
    buf_printf(log, "\n");
    resp_value_free(value);
    return true;
}

static void value_finish(void *state, struct slice rest, struct buf *log)
{
    struct resp_value *value = NULL;
    size_t consumed = 0;
    bool is_bad = resp_value_next(state, rest, &value, &consumed) == PARSE_ERROR;
    buf_printf(log, "%s", is_bad ? "bad" : rest.n > 0 ? "more" : "");
    mem_free(state);
}

static const struct feed_target value_target = {value_start, value_step, value_finish};

#define BYTES(s) (s), sizeof(s) - 1

static const struct {
    const char *input;
    size_t n;
    const char *log;
} rows[] = {
    {BYTES("+OK\r\n"), "+[OK]\n"},
    {BYTES("+\r\n"), "+[]\n"},
    {BYTES("-ERR x\r\n"), "-[ERR x]\n"},
    {BYTES(":0\r\n:-7\r\n:9223372036854775807\r\n"), ":0\n:-7\n:9223372036854775807\n"},
    {BYTES("$3\r\na\r\n\r\n$0\r\n\r\n"), "$[a\\x0d\\x0a]\n$[]\n"},
    {BYTES("$-1\r\n*-1\r\n_\r\n"), "_[]\n_[]\n_[]\n"},
    {BYTES("*0\r\n"), "*[]\n"},
    {BYTES("*3\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n$-1\r\n+x\r\n"), "*(:1 *($[a] *[]) _[])\n+[x]\n"},
    {BYTES("%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n:2\r\n"), "%(+[a] :1 +[b] ~(:2))\n"},
    {BYTES(">2\r\n+message\r\n$1\r\nx\r\n"), ">(+[message] $[x])\n"},
    {BYTES(",2.5\r\n,inf\r\n,-inf\r\n,1e+20\r\n"), ",2.5\n,inf\n,-inf\n,1e+20\n"},
    {BYTES("#t\r\n#f\r\n"), "#1\n#0\n"},
    {BYTES("=6\r\ntxt:ab\r\n"), "=[ab]\n"},
    {BYTES("!5\r\nERR x\r\n"), "-[ERR x]\n"},
    {BYTES("(123456789012345678901234567890\r\n"), "([123456789012345678901234567890]\n"},
    /* Attributes are left out, wherever they stand. */
    {BYTES("|1\r\n+a\r\n+b\r\n:1\r\n"), ":1\n"},
    {BYTES("*2\r\n|1\r\n+a\r\n*1\r\n+b\r\n:1\r\n|0\r\n:2\r\n"), "*(:1 :2)\n"},
    /* Incomplete. */
    {BYTES("+OK\r"), "more"},
    {BYTES("$3\r\nab"), "more"},
    {BYTES("*2\r\n:1\r\n"), "more"},
    {BYTES("*1099511627776\r\n:1\r\n"), "more"},
    {BYTES("|1\r\n+a\r\n+b\r\n"), "more"},
    /* No replies. */
    {BYTES("x"), "bad"},
    {BYTES("\0"), "bad"},
    {BYTES(":1\r\nPING\r\n"), ":1\nbad"},
    {BYTES(":abc\r\n"), "bad"},
    {BYTES(":\r\n"), "bad"},
    {BYTES("+OK\rX"), "bad"},
    {BYTES("$1\r\nab\r\n"), "bad"},
    {BYTES("$-2\r\n"), "bad"},
    {BYTES("$?\r\n"), "bad"},
    {BYTES("*-2\r\n"), "bad"},
    {BYTES("%-1\r\n"), "bad"},
    {BYTES("*9223372036854775807\r\n"), "bad"},
    {BYTES("#x\r\n"), "bad"},
    {BYTES("#tt\r\n"), "bad"},
    {BYTES("=3\r\nabc\r\n"), "bad"},
    {BYTES("=5\r\ntxt-a\r\n"), "bad"},
};

TEST(values_at_every_cut)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf name = {0};
        buf_printf(&name, "row %zu", i);
        buf_append_byte(&name, 0);
        struct slice input = {(const uint8_t *)rows[i].input, rows[i].n};
        feed_check(&value_target, (const char *)buf_slice(&name).p, input, rows[i].log);
        buf_deinit(&name);
    }
}

static enum parse_result read_nested(size_t depth)
{
    struct buf input = {0};
    for (size_t i = 0; i < depth; i++) {
        buf_printf(&input, "*1\r\n");
    }
    buf_printf(&input, ":1\r\n");
    struct resp_value_reader r = {0};
    struct resp_value *value = NULL;
    size_t consumed = 0;
    enum parse_result result = resp_value_next(&r, buf_slice(&input), &value, &consumed);
    resp_value_free(value);
    buf_deinit(&input);
    return result;
}

TEST(depth_is_bounded)
{
    CHECK_EQ_INT(read_nested(RESP_VALUE_DEPTH_MAX), PARSE_OK);
    CHECK_EQ_INT(read_nested(RESP_VALUE_DEPTH_MAX + 1), PARSE_ERROR);
    CHECK_EQ_INT(read_nested(100000), PARSE_ERROR);
}

/* What reply.c writes, this reads. */
TEST(reads_what_replies_write)
{
    struct buf out = {0};
    struct reply r = {.out = &out, .protocol = REPLY_RESP3};
    reply_map(&r, 3);
    reply_simple(&r, "null");
    reply_null_array(&r);
    reply_bulk_cstr(&r, "double");
    reply_double(&r, 2.1);
    reply_verbatim(&r, "txt", SLICE_LITERAL("info"));
    reply_set(&r, 2);
    reply_bool(&r, true);
    reply_error(&r, "ERR x");
    struct resp_value_reader reader = {0};
    struct resp_value *value = NULL;
    size_t consumed = 0;
    REQUIRE(resp_value_next(&reader, buf_slice(&out), &value, &consumed) == PARSE_OK);
    CHECK_EQ_INT(consumed, buf_size(&out));
    struct buf log = {0};
    log_value(&log, value);
    CHECK_EQ_SLICE(buf_slice(&log), "%(+[null] _[] $[double] ,2.1 =[info] ~(#1 -[ERR x]))");
    CHECK(value->child[3].number >= 2.1 && value->child[3].number <= 2.1);
    resp_value_free(value);
    buf_deinit(&log);
    buf_deinit(&out);
}

TEST_MAIN()
