#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

struct line_reply {
    const char *line;
    const char *reply;
};

/* Each line on a keyspace of its own, after `first`. */
static void check_lines(const char *first, const struct line_reply *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        test_context("%s", row[i].line);
        struct rows r;
        rows_init(&r);
        rows_line(&r, first);
        CHECK_EQ_STR(rows_line(&r, row[i].line), row[i].reply);
        rows_deinit(&r);
    }
    test_context("%s", "");
}

#define CHECK_LINES(first, row) check_lines((first), (row), sizeof(row) / sizeof(row)[0])

#define NOT_FLOAT "-ERR value is not a valid float\r\n"
#define NOT_FINITE "-ERR increment would produce NaN or Infinity\r\n"
#define WRONGTYPE "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"

TEST(incrbyfloat_writes_what_redis_writes)
{
    static const struct line_reply row[] = {
        {"incrbyfloat k 0.1", "$4\r\n10.6\r\n"},
        {"incrbyfloat k -10.5", "$1\r\n0\r\n"},
        {"incrbyfloat k 5.0e3", "$6\r\n5010.5\r\n"},
        {"incrbyfloat k 0x10", "$4\r\n26.5\r\n"},
        {"incrbyfloat k inf", NOT_FINITE},
        {"incrbyfloat k -inf", NOT_FINITE},
        {"incrbyfloat k nan", NOT_FLOAT},
        {"incrbyfloat k 1e5000", NOT_FLOAT},
        {"incrbyfloat k 1.5x", NOT_FLOAT},
        {"incrbyfloat k \t1", NOT_FLOAT},
        {"incrbyfloat k  ", NOT_FLOAT},
        {"incrbyfloat new -0", "$1\r\n0\r\n"},
        {"incrbyfloat new 1e-18", "$1\r\n0\r\n"},
        {"incrbyfloat new 1e17", "$18\r\n100000000000000000\r\n"},
    };
    if (rows_has_long_double()) {
        CHECK_LINES("set k 10.5", row);
    }
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set k 1 ex 100");
    rows_line(&r, "incrbyfloat k 1.5");
    CHECK_EQ_STR(rows_line(&r, "ttl k"), ":100\r\n");
    CHECK_EQ_STR(rows_line(&r, "get k"), "$3\r\n2.5\r\n");
    rows_deinit(&r);
}

TEST(getex_moves_the_expiry)
{
    static const struct {
        const char *line;
        const char *ttl;
    } row[] = {{"getex k", ":100000\r\n"},
               {"getex k ex 50", ":50000\r\n"},
               {"getex k px 70 px 80", ":80\r\n"},
               {"getex k exat 1010", ":10000\r\n"},
               {"getex k pxat 1000001", ":1\r\n"},
               {"getex k pxat 1000000", ":-2\r\n"}, /* deleted at once */
               {"getex k exat 1", ":-2\r\n"},
               {"getex k persist", ":-1\r\n"}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].line);
        struct rows r;
        rows_init(&r); /* at 1,000,000 ms */
        rows_line(&r, "set k v ex 100");
        CHECK_EQ_STR(rows_line(&r, row[i].line), "$1\r\nv\r\n");
        CHECK_EQ_STR(rows_line(&r, "pttl k"), row[i].ttl);
        rows_deinit(&r);
    }
    test_context("%s", "");
}

TEST(errors_come_in_the_order_of_redis)
{
    static const struct line_reply row[] = {
        {"getex none ex 0", "$-1\r\n"}, /* a bad time is found behind the key */
        {"getex k ex 0", "-ERR invalid expire time in 'getex' command\r\n"},
        {"getex k ex x", "-ERR value is not an integer or out of range\r\n"},
        {"getex none persist ex 1", "-ERR syntax error\r\n"},
        {"getex none ex 1 persist", "-ERR syntax error\r\n"},
        {"getex none ex 1 px 1", "-ERR syntax error\r\n"},
        {"getex none keepttl", "-ERR syntax error\r\n"},
        {"setex k 0 v", "-ERR invalid expire time in 'setex' command\r\n"},
        {"psetex k -1 v", "-ERR invalid expire time in 'psetex' command\r\n"},
        {"setex k 9223372036854775 v", "-ERR invalid expire time in 'setex' command\r\n"},
        {"msetnx a b c", "-ERR wrong number of arguments for 'msetnx' command\r\n"},
        {"setrange k -1 v", "-ERR offset is out of range\r\n"},
        {"setrange k 536870912 v",
         "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
        {"setrange none 536870912  ", ":0\r\n"},
        {"lcs k k len idx",
         "-ERR If you want both the length and indexes, please just use IDX.\r\n"},
        {"lcs k k minmatchlen", "-ERR syntax error\r\n"},
    };
    CHECK_LINES("set k v", row);
}

TEST(a_key_of_another_type)
{
    static const struct line_reply row[] = {
        {"getex k", WRONGTYPE},
        {"getdel k", WRONGTYPE},
        {"getset k v", WRONGTYPE},
        {"getrange k 0 1", WRONGTYPE},
        {"setrange k 0 x", WRONGTYPE},
        {"setrange k 0  ", WRONGTYPE},
        {"incrbyfloat k x", WRONGTYPE},
        {"setnx k v", ":0\r\n"},
        {"setex k 10 v", "+OK\r\n"},
        {"msetnx j v k v", ":0\r\n"},
        {"lcs k j", "-ERR The specified keys must contain string values\r\n"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].line);
        struct rows r;
        rows_init(&r);
        rows_put_list(&r, "k");
        CHECK_EQ_STR(rows_line(&r, row[i].line), row[i].reply);
        rows_deinit(&r);
    }
    test_context("%s", "");
}

TEST(a_write_that_changes_nothing_leaves_the_last_change_alone)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set k v");
    struct keyspace_view view = {.keyspace = r.keyspace, .time_ms = r.time_ms};
    raft_index before = keyspace_last_change(&view, slice_from_cstr("k"));
    static const char *const line[] = {"getex k",        "getex k persist", "setnx k w",
                                       "msetnx k w j w", "setrange k 0  ",   "getset j",
                                       "getdel j"};
    for (size_t i = 0; i < sizeof line / sizeof line[0]; i++) {
        rows_line(&r, line[i]);
        CHECK_EQ_UINT(keyspace_last_change(&view, slice_from_cstr("k")), before);
    }
    rows_line(&r, "setrange k 0 v");
    CHECK(keyspace_last_change(&view, slice_from_cstr("k")) > before);
    rows_deinit(&r);
}

/* SETRANGE and GETRANGE over the edges of chunks, against a flat array. */
TEST(ranges_over_many_chunks)
{
    enum { SIZE = 300000, STEPS = 300 };
    uint8_t *model = mem_alloc_zero(SIZE);
    uint8_t *bytes = mem_alloc(SIZE);
    size_t size = 0;
    struct prng random;
    prng_seed(&random, 7);
    struct rows r;
    rows_init(&r);
    for (size_t step = 0; step < STEPS; step++) {
        size_t offset = (size_t)prng_below(&random, SIZE / 2);
        size_t n = 1 + (size_t)prng_below(&random, prng_below(&random, 4) ? 100 : SIZE / 2);
        memset(bytes, (int)('a' + step % 26), n);
        memcpy(model + offset, bytes, n);
        size = offset + n > size ? offset + n : size;
        char text[32];
        snprintf(text, sizeof text, "%zu", offset);
        struct slice arg[] = {
            SLICE_LITERAL("setrange"), SLICE_LITERAL("k"), slice_from_cstr(text), {bytes, n}};
        rows_run(&r, arg, 4);
        CHECK(!r.is_error);
        size_t first = (size_t)prng_below(&random, size);
        size_t last = first + (size_t)prng_below(&random, size - first);
        char line[80];
        snprintf(line, sizeof line, "getrange k %zu %zu", first, last);
        const char *reply = strchr(rows_line(&r, line), '\n') + 1;
        REQUIRE(buf_size(&r.out) > last - first + 1);
        CHECK(memcmp(reply, model + first, last - first + 1) == 0);
    }
    rows_deinit(&r);
    mem_free(model);
    mem_free(bytes);
}

TEST(lcs_as_the_documentation_shows)
{
    static const struct line_reply row[] = {
        {"lcs key1 key2", "$6\r\nmytext\r\n"},
        {"lcs key1 key2 len", ":6\r\n"},
        {"lcs key1 none", "$0\r\n\r\n"},
        {"lcs key1 key2 idx",
         "*4\r\n$7\r\nmatches\r\n*2\r\n*2\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n*2\r\n*2\r\n:2\r\n"
         ":3\r\n*2\r\n:0\r\n:1\r\n$3\r\nlen\r\n:6\r\n"},
        {"lcs key1 key2 idx minmatchlen 4 withmatchlen",
         "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$"
         "3\r\nlen\r\n"
         ":6\r\n"},
    };
    CHECK_LINES("mset key1 ohmytext key2 mynewtext", row);
}

TEST(lcs_refuses_what_would_take_long)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "setrange k 5000 x");
    CHECK_EQ_STR(rows_line(&r, "lcs k k len"),
                 "-ERR Insufficient memory, transient memory for LCS exceeds 64 MiB\r\n");
    CHECK_EQ_STR(rows_line(&r, "lcs k none len"), ":0\r\n");
    rows_deinit(&r);
}

TEST_MAIN()
