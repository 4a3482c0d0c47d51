#include "resp/reply.h"

#include <float.h>
#include <math.h>

#include "base/mem.h"
#include "tests/test.h"

/* Run `call` with `r` in each protocol and compare what was written. */
#define CHECK_REPLY(call, resp2, resp3, text)                                                      \
    do {                                                                                           \
        CHECK_REPLY_IN(REPLY_RESP2, call, resp2);                                                  \
        CHECK_REPLY_IN(REPLY_RESP3, call, resp3);                                                  \
        CHECK_REPLY_IN(REPLY_TEXT, call, text);                                                    \
        struct reply discard = {.out = NULL, .protocol = REPLY_DISCARD};                           \
        struct reply *r = &discard;                                                                \
        call;                                                                                      \
    } while (0)

#define CHECK_REPLY_IN(protocol_, call, expected)                                                  \
    do {                                                                                           \
        struct buf out = {0};                                                                      \
        struct reply reply_in = {.out = &out, .protocol = (protocol_)};                            \
        struct reply *r = &reply_in;                                                               \
        call;                                                                                      \
        CHECK_EQ_BYTES(buf_slice(&out).p, buf_size(&out), expected, sizeof(expected) - 1);         \
        buf_deinit(&out);                                                                          \
    } while (0)

TEST(simple_strings_and_errors)
{
    CHECK_REPLY(reply_simple(r, "OK"), "+OK\r\n", "+OK\r\n", "OK\n");
    CHECK_REPLY(reply_simple(r, "a\r\nb"), "+a  b\r\n", "+a  b\r\n", "a  b\n");
    CHECK_REPLY(reply_simple(r, ""), "+\r\n", "+\r\n", "\n");
    CHECK_REPLY(reply_error(r, REPLY_SYNTAX), "-ERR syntax error\r\n", "-ERR syntax error\r\n",
                "ERROR: syntax error\n");
    CHECK_REPLY(reply_error(r, "ERR a\nb\r"), "-ERR a b \r\n", "-ERR a b \r\n", "ERROR: a b \n");
    CHECK_REPLY(reply_error(r, "CLUSTERDOWN no leader"), "-CLUSTERDOWN no leader\r\n",
                "-CLUSTERDOWN no leader\r\n", "ERROR: Leader unavailable. Try again later.\n");
    CHECK_REPLY(reply_error_slice(r, SLICE_LITERAL("ERR x\0y")), "-ERR x\0y\r\n", "-ERR x\0y\r\n",
                "ERROR: x\0y\n");
    CHECK_REPLY(reply_errorf(r, "ERR unknown '%s' %d\r\n", "f\no", 7), "-ERR unknown 'f o' 7\r\n",
                "-ERR unknown 'f o' 7\r\n", "ERROR: unknown 'f o' 7\n");
}

TEST(errors_are_marked_in_every_protocol)
{
    static const enum reply_protocol protocols[] = {REPLY_RESP2, REPLY_RESP3, REPLY_TEXT,
                                                    REPLY_DISCARD};
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        struct buf out = {0};
        struct reply r = {.out = i == 3 ? NULL : &out, .protocol = protocols[i]};
        reply_simple(&r, "OK");
        CHECK(!r.is_error);
        reply_errorf(&r, "ERR %d", 1);
        CHECK(r.is_error);
        buf_deinit(&out);
    }
}

TEST(long_formatted_errors_are_whole)
{
    char *text = mem_alloc(5001);
    memset(text, 'x', 5000);
    text[5000] = '\0';
    struct buf out = {0};
    struct reply r = {.out = &out, .protocol = REPLY_RESP2};
    reply_errorf(&r, "ERR %s!", text);
    CHECK_EQ_INT(buf_size(&out), strlen("-ERR ") + 5000 + strlen("!\r\n"));
    CHECK(memcmp(buf_slice(&out).p + 5005, "!\r\n", 3) == 0);
    buf_deinit(&out);
    mem_free(text);
}

TEST(integers)
{
    CHECK_REPLY(reply_int(r, 0), ":0\r\n", ":0\r\n", "0\n");
    CHECK_REPLY(reply_int(r, -1), ":-1\r\n", ":-1\r\n", "-1\n");
    CHECK_REPLY(reply_int(r, INT64_MAX), ":9223372036854775807\r\n", ":9223372036854775807\r\n",
                "9223372036854775807\n");
    CHECK_REPLY(reply_int(r, INT64_MIN), ":-9223372036854775808\r\n", ":-9223372036854775808\r\n",
                "-9223372036854775808\n");
    CHECK_REPLY(reply_bulk_int(r, -12), "$3\r\n-12\r\n", "$3\r\n-12\r\n", "-12\n");
    CHECK_REPLY(reply_bool(r, true), ":1\r\n", "#t\r\n", "1\n");
    CHECK_REPLY(reply_bool(r, false), ":0\r\n", "#f\r\n", "0\n");
}

TEST(bulks)
{
    CHECK_REPLY(reply_bulk(r, SLICE_LITERAL("a\r\nb")), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n",
                "\"a\\r\\nb\"\n");
    CHECK_REPLY(reply_bulk(r, ((struct slice){NULL, 0})), "$0\r\n\r\n", "$0\r\n\r\n", "\n");
    CHECK_REPLY(reply_bulk_cstr(r, "hello"), "$5\r\nhello\r\n", "$5\r\nhello\r\n", "hello\n");
    CHECK_REPLY((reply_bulk_begin(r, 5), reply_bulk_part(r, SLICE_LITERAL("he")),
                 reply_bulk_part(r, SLICE_LITERAL("llo")), reply_bulk_end(r)),
                "$5\r\nhello\r\n", "$5\r\nhello\r\n", "hello\n");
    CHECK_REPLY(reply_verbatim(r, "txt", SLICE_LITERAL("Some\nlines")), "$10\r\nSome\nlines\r\n",
                "=14\r\ntxt:Some\nlines\r\n", "\"Some\\nlines\"\n");
    CHECK_REPLY(reply_null(r), "$-1\r\n", "_\r\n", "(nil)\n");
    CHECK_REPLY(reply_null_array(r), "*-1\r\n", "_\r\n", "(nil)\n");
}

TEST(aggregates)
{
    CHECK_REPLY((reply_array(r, 2), reply_int(r, 1), reply_int(r, 2)), "*2\r\n:1\r\n:2\r\n",
                "*2\r\n:1\r\n:2\r\n", "1\n2\n");
    CHECK_REPLY(reply_array(r, 0), "*0\r\n", "*0\r\n", "");
    CHECK_REPLY(reply_map(r, 7), "*14\r\n", "%7\r\n", "");
    CHECK_REPLY(reply_set(r, 3), "*3\r\n", "~3\r\n", "");
    CHECK_REPLY(reply_push(r, 3), "*3\r\n", ">3\r\n", "");
}

/* Recorded in the corpus (resp2/zset, resp3/zset) or printed by Redis 7.0.15's %.17g. */
TEST(doubles)
{
    CHECK_REPLY(reply_double(r, 3), "$1\r\n3\r\n", ",3\r\n", "3\n");
    CHECK_REPLY(reply_double(r, 2.1), "$18\r\n2.1000000000000001\r\n", ",2.1000000000000001\r\n",
                "2.1000000000000001\n");
    CHECK_REPLY(reply_double(r, 1e20), "$5\r\n1e+20\r\n", ",1e+20\r\n", "1e+20\n");
    CHECK_REPLY(reply_double(r, 0.0), "$1\r\n0\r\n", ",0\r\n", "0\n");
    CHECK_REPLY(reply_double(r, -12345), "$6\r\n-12345\r\n", ",-12345\r\n", "-12345\n");
    CHECK_REPLY(reply_double(r, 1e15), "$16\r\n1000000000000000\r\n", ",1000000000000000\r\n", "1000000000000000\n");
    CHECK_REPLY(reply_double(r, 1e15 + 1), "$16\r\n1000000000000001\r\n", ",1000000000000001\r\n", "1000000000000001\n");
    CHECK_REPLY(reply_double(r, -0.0), "$2\r\n-0\r\n", ",-0\r\n", "-0\n");
    CHECK_REPLY(reply_double(r, HUGE_VAL), "$3\r\ninf\r\n", ",inf\r\n", "inf\n");
    CHECK_REPLY(reply_double(r, -HUGE_VAL), "$4\r\n-inf\r\n", ",-inf\r\n", "-inf\n");
    CHECK_REPLY(reply_double(r, (double)NAN), "$3\r\nnan\r\n", ",nan\r\n", "nan\n");
    CHECK_REPLY(reply_double(r, -(double)NAN), "$3\r\nnan\r\n", ",nan\r\n", "nan\n");
    CHECK_REPLY(reply_double(r, -DBL_MAX), "$24\r\n-1.7976931348623157e+308\r\n",
                ",-1.7976931348623157e+308\r\n", "-1.7976931348623157e+308\n");
}

TEST(lines_have_no_marks_in_any_protocol)
{
    CHECK_REPLY(reply_line(r, SLICE_LITERAL("key1 -> value1")), "key1 -> value1\n",
                "key1 -> value1\n", "key1 -> value1\n");
}

TEST_MAIN()
