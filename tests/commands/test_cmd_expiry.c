/* Time in commands: counted from the entry, exact to the millisecond, which a real server can't be
 * asked about. */

#include "base/buf.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

TEST(relative_times_count_from_the_entry)
{
    static const struct {
        const char *line;
        int64_t at_ms;
    } row[] = {{"set k v ex 10", 1010000},     {"set k v px 10", 1000010},
               {"set k v exat 2000", 2000000}, {"set k v pxat 1000500", 1000500},
               {"set k v EX 5 EX 6", 1006000}, {"set k v", KEYSPACE_NO_EXPIRY},
               {"expire k 7", 1007000},        {"pexpire k 7", 1000007},
               {"expireat k 1234", 1234000},   {"pexpireat k 1234567", 1234567}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].line);
        struct rows r;
        rows_init(&r);
        rows_line(&r, "set k v");
        rows_line(&r, row[i].line);
        CHECK(!r.is_error);
        struct keyspace_view view = {.keyspace = r.keyspace, .time_ms = r.time_ms};
        CHECK_EQ_INT(keyspace_expiry(&view, SLICE_LITERAL("k")), row[i].at_ms);
        CHECK_EQ_UINT(keyspace_last_change(&view, SLICE_LITERAL("k")), 2);
        rows_deinit(&r);
    }
    test_context("%s", "");
}

TEST(ttl_rounds_and_ends)
{
    struct rows r;
    rows_init(&r);
    CHECK_EQ_STR(rows_line(&r, "ttl k"), ":-2\r\n");
    rows_line(&r, "set k v");
    CHECK_EQ_STR(rows_line(&r, "ttl k"), ":-1\r\n");
    CHECK_EQ_STR(rows_line(&r, "pttl k"), ":-1\r\n");
    rows_line(&r, "set k v px 10000");
    static const struct {
        int64_t after_ms;
        const char *ttl;
        const char *pttl;
    } row[] = {{0, ":10\r\n", ":10000\r\n"},  {499, ":10\r\n", ":9501\r\n"},
               {500, ":10\r\n", ":9500\r\n"}, {501, ":9\r\n", ":9499\r\n"},
               {9500, ":1\r\n", ":500\r\n"},  {9501, ":0\r\n", ":499\r\n"},
               {9999, ":0\r\n", ":1\r\n"}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        r.time_ms = 1000000 + row[i].after_ms;
        CHECK_EQ_STR(rows_line(&r, "ttl k"), row[i].ttl);
        CHECK(!r.met_due);
        CHECK_EQ_STR(rows_line(&r, "pttl k"), row[i].pttl);
    }
    r.time_ms = 1010000;
    CHECK_EQ_STR(rows_line(&r, "ttl k"), ":-2\r\n");
    CHECK(r.met_due); /* the node proposes a pulse before it answers this */
    CHECK_EQ_STR(rows_line(&r, "get k"), "$-1\r\n");
    CHECK_EQ_STR(rows_line(&r, "del k"), ":0\r\n"); /* an entry: the key is gone for good */
    CHECK_EQ_STR(rows_line(&r, "get k"), "$-1\r\n");
    CHECK(!r.met_due);
    rows_line(&r, "set k v pxat 9223372036854775807");
    CHECK_EQ_STR(rows_line(&r, "ttl k"),
                 ":9223372036853766\r\n"); /* as Redis, if it did not overflow */
    rows_deinit(&r);
}

TEST(times_that_can_not_be_counted)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set k v");
    /* The bound depends on the entry's time: 9223372036854775807 - 1000000. */
    CHECK_EQ_STR(rows_line(&r, "set k w px 9223372036853775808"),
                 "-ERR invalid expire time in 'set' command\r\n");
    CHECK_EQ_STR(rows_line(&r, "get k"), "$1\r\nv\r\n");
    CHECK_EQ_STR(rows_line(&r, "set k w px 9223372036853775807"), "+OK\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpire k 9223372036853775808"),
                 "-ERR invalid expire time in 'pexpire' command\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpire k 9223372036853775807"), ":1\r\n");
    CHECK_EQ_STR(rows_line(&r, "expire k 9223372036854776"),
                 "-ERR invalid expire time in 'expire' command\r\n");
    CHECK_EQ_STR(rows_line(&r, "expireat k -9223372036854776"),
                 "-ERR invalid expire time in 'expireat' command\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpire k -9223372036854775808"), ":1\r\n"); /* long ago: deleted */
    CHECK_EQ_STR(rows_line(&r, "exists k"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "expire k 9223372036854776"),
                 "-ERR invalid expire time in 'expire' command\r\n");
    CHECK_EQ_STR(rows_line(&r, "set k w ex 9223372036854776"),
                 "-ERR invalid expire time in 'set' command\r\n");
    rows_deinit(&r);
}

TEST(an_instant_that_has_come_deletes)
{
    struct rows r;
    rows_init(&r);
    static const char *const line[] = {"expire k 0",          "expire k -1",     "pexpire k 0",
                                       "pexpireat k 1000000", "expireat k 1000", "expireat k -5"};
    for (size_t i = 0; i < sizeof line / sizeof line[0]; i++) {
        test_context("%s", line[i]);
        rows_line(&r, "set k v");
        CHECK_EQ_STR(rows_line(&r, line[i]), ":1\r\n");
        CHECK_EQ_STR(rows_line(&r, "dbsize"), ":0\r\n");
        CHECK_EQ_STR(rows_line(&r, line[i]), ":0\r\n");
    }
    test_context("%s", "");
    CHECK_EQ_STR(rows_line(&r, "set k v pxat 1000000"), "+OK\r\n"); /* stored, and due at once */
    CHECK_EQ_STR(rows_line(&r, "get k"), "$-1\r\n");
    CHECK(!r.met_due);
    CHECK_EQ_STR(rows_line(&r, "set k v pxat 1000001"), "+OK\r\n");
    CHECK_EQ_STR(rows_line(&r, "get k"), "$1\r\nv\r\n");
    rows_deinit(&r);
}

TEST(conditions)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set k v");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 2000000 xx"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 2000000 gt"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 2000000 xx lt"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 2000000 lt"),
                 ":1\r\n"); /* never is later than any time */
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 3000000 nx"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 2000000 gt"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 2000000 lt"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 2000001 gt xx"), ":1\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 2000000 LT XX"), ":1\r\n");
    CHECK_EQ_STR(rows_line(&r, "persist k"), ":1\r\n");
    CHECK_EQ_STR(rows_line(&r, "persist k"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "pexpireat k 1 nx"), ":1\r\n");
    CHECK_EQ_STR(rows_line(&r, "get k"), "$-1\r\n");
    rows_deinit(&r);
}

TEST(what_keeps_and_what_drops_an_expiry)
{
    static const struct {
        const char *line;
        bool keeps;
    } row[] = {{"set k 1", false},
               {"set k 1 keepttl", true},
               {"incr k", true},
               {"append k 1", true},
               {"mset k 1", false},
               {"set k 1 nx", true},
               {"set k 1 xx", false},
               {"get k", true},
               {"decrby k 3", true},
               {"set k 1 get", false},
               {"set k 1 xx get keepttl", true}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].line);
        struct rows r;
        rows_init(&r);
        rows_line(&r, "set k 5 ex 100");
        rows_line(&r, row[i].line);
        CHECK_EQ_STR(rows_line(&r, "ttl k"), row[i].keeps ? ":100\r\n" : ":-1\r\n");
        rows_deinit(&r);
    }
    test_context("%s", "");
}

/* The check refuses only what is wrong in the arguments alone: all of it is found without a key. */
TEST(checks_are_pure)
{
    struct rows r;
    rows_init(&r);
    static const struct {
        const char *line;
        const char *reply;
    } row[] = {
        {"set k v foo", "-ERR syntax error\r\n"},
        {"set k v ex", "-ERR syntax error\r\n"},
        {"set k v ex 10 px 10", "-ERR syntax error\r\n"},
        {"set k v nx xx", "-ERR syntax error\r\n"},
        {"set k v ex 0", "-ERR invalid expire time in 'set' command\r\n"},
        {"set k v ex x", "-ERR value is not an integer or out of range\r\n"},
        {"incrby k x", "-ERR value is not an integer or out of range\r\n"},
        {"decrby k -9223372036854775808", "-ERR decrement would overflow\r\n"},
        {"mset a b c", "-ERR wrong number of arguments for 'mset' command\r\n"},
        {"expire k x foo", "-ERR Unsupported option foo\r\n"},
        {"expire k x gt lt", "-ERR GT and LT options at the same time are not compatible\r\n"},
        {"flushall now", "-ERR syntax error\r\n"}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        CHECK_EQ_STR(rows_line(&r, row[i].line), row[i].reply);
        CHECK(r.is_error);
        CHECK_EQ_UINT(r.index, 0); /* nothing was logged */
    }
    rows_deinit(&r);
}

TEST(a_key_of_another_type)
{
    static const struct {
        const char *line;
        const char *reply;
    } row[] = {{"get k", "-" REPLY_WRONGTYPE "\r\n"},
               {"strlen k", "-" REPLY_WRONGTYPE "\r\n"},
               {"append k x", "-" REPLY_WRONGTYPE "\r\n"},
               {"incr k", "-" REPLY_WRONGTYPE "\r\n"},
               {"decrby k 5", "-" REPLY_WRONGTYPE "\r\n"},
               {"set k v get", "-" REPLY_WRONGTYPE "\r\n"},
               {"set k v nx get", "-" REPLY_WRONGTYPE "\r\n"},
               {"set k v nx", "$-1\r\n"},
               {"set k v xx", "+OK\r\n"},
               {"set k v", "+OK\r\n"},
               {"mset k v", "+OK\r\n"},
               {"mget k j", "*2\r\n$-1\r\n$-1\r\n"},
               {"type k", "+list\r\n"},
               {"exists k", ":1\r\n"},
               {"expire k 100", ":1\r\n"},
               {"del k", ":1\r\n"},
               {"text.get k", "ERROR: Key holds a list, not a string.\n"},
               {"text.update k v", "ERROR: Key holds a list, not a string.\n"},
               {"text.delete k", "ERROR: Key holds a list, not a string.\n"},
               {"text.put k v", "ERROR: Key already exists.\n"}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].line);
        struct rows r;
        rows_init(&r);
        rows_put_list(&r, "k");
        CHECK_EQ_STR(rows_line(&r, row[i].line), row[i].reply);
        CHECK(r.is_error == (row[i].reply[0] == '-' || row[i].reply[0] == 'E'));
        rows_deinit(&r);
    }
    test_context("%s", "");
}

TEST_MAIN()
