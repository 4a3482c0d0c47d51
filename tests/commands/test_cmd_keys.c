/* KEYS, SCAN, RENAME and their like where a real server can't be asked: limits, log time, indices.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

TEST(both_keys_of_a_rename_change_in_one_entry)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set a 1 px 5000");
    rows_line(&r, "set b 2");
    CHECK_EQ_STR(rows_line(&r, "rename a b"), "+OK\r\n");
    struct keyspace_view view = {.keyspace = r.keyspace, .time_ms = r.time_ms};
    CHECK_EQ_UINT(keyspace_last_change(&view, SLICE_LITERAL("b")), 3);
    CHECK_EQ_STR(rows_line(&r, "pttl b"), ":5000\r\n");
    CHECK_EQ_STR(rows_line(&r, "copy b c"), ":1\r\n");
    CHECK_EQ_UINT(keyspace_last_change(&view, SLICE_LITERAL("c")), 4);
    CHECK_EQ_UINT(keyspace_last_change(&view, SLICE_LITERAL("b")), 3); /* a copy doesn't touch it */
    CHECK_EQ_STR(rows_line(&r, "pexpiretime c"), ":1005000\r\n");
    CHECK_EQ_STR(rows_line(&r, "rename b b"), "+OK\r\n");
    CHECK_EQ_UINT(keyspace_last_change(&view, SLICE_LITERAL("b")), 3); /* nothing changed */
    CHECK_EQ_STR(rows_line(&r, "move b 2"), ":1\r\n");
    view.db = 2;
    CHECK_EQ_UINT(keyspace_last_change(&view, SLICE_LITERAL("b")), 6);
    rows_deinit(&r);
}

TEST(what_is_due_is_neither_renamed_nor_in_the_way)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set a 1 px 10");
    rows_line(&r, "set b 2");
    rows_line(&r, "set c 3 px 10");
    r.time_ms += 10;
    CHECK_EQ_STR(rows_line(&r, "rename a b"), "-ERR no such key\r\n");
    CHECK_EQ_STR(rows_line(&r, "renamenx b c"), ":1\r\n");
    CHECK_EQ_STR(rows_line(&r, "get c"), "$1\r\n2\r\n");
    CHECK_EQ_STR(rows_line(&r, "ttl c"), ":-1\r\n");
    CHECK_EQ_STR(rows_line(&r, "keys *"), "*1\r\n$1\r\nc\r\n");
    rows_deinit(&r);
}

static void fill(struct rows *r, size_t count)
{
    char line[64];
    for (size_t i = 0; i < count; i++) {
        snprintf(line, sizeof line, "set k%zu v", i);
        rows_line(r, line);
    }
}

TEST(keys_is_refused_above_its_limit_and_scan_is_not)
{
    struct rows r;
    rows_init(&r);
    fill(&r, LIMIT_KEYS_PER_WALK);
    rows_line(&r, "keys *");
    CHECK(!r.is_error);
    rows_line(&r, "set one-more v");
    rows_line(&r, "keys *");
    CHECK(r.is_error);
    rows_line(&r, "scan 0 match one-m* count 9223372036854775807");
    CHECK(!r.is_error);
    rows_deinit(&r);
}

TEST(a_scan_ends_with_all_keys_at_any_count)
{
    struct rows r;
    rows_init(&r);
    fill(&r, 500);
    for (size_t count = 1; count < 2000; count = count * 3 + 1) {
        char cursor[32] = "0";
        size_t keys = 0;
        do {
            char line[96];
            snprintf(line, sizeof line, "scan %s count %zu", cursor, count);
            const char *reply = rows_line(&r, line);
            unsigned n;
            size_t in_reply;
            int used;
            REQUIRE(sscanf(reply, "*2\r\n$%u\r\n%31[0-9]\r\n*%zu%n", &n, cursor, &in_reply,
                           &used) == 3);
            CHECK_EQ_UINT(strlen(cursor), n);
            CHECK(strtoull(cursor, NULL, 10) < 1ull << 53);
            keys += in_reply;
        } while (strcmp(cursor, "0") != 0);
        CHECK_EQ_UINT(keys, 500);
    }
    rows_deinit(&r);
}

TEST(walks_wait_for_the_time_they_judge_by)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set a 1 px 10");
    r.time_ms += 10;
    CHECK_EQ_STR(rows_line(&r, "keys *"), "*0\r\n");
    CHECK(r.met_due);
    CHECK_EQ_STR(rows_line(&r, "scan 0"), "*2\r\n$1\r\n0\r\n*0\r\n");
    CHECK(r.met_due);
    CHECK_EQ_STR(rows_line(&r, "randomkey"), "$-1\r\n");
    CHECK(r.met_due);
    rows_line(&r, "set b 1");
    CHECK_EQ_STR(rows_line(&r, "keys *"), "*1\r\n$1\r\nb\r\n");
    CHECK(!r.met_due);
    rows_deinit(&r);
}

TEST(objects_tell_what_redis_would)
{
    static const struct {
        const char *line;
        const char *encoding;
        const char *refcount;
    } row[] = {{"set k 9999", "$3\r\nint\r\n", ":2147483647\r\n"},
               {"incr k", "$3\r\nint\r\n", ":1\r\n"},
               {"set k 012", "$6\r\nembstr\r\n", ":1\r\n"},
               {"append k 3", "$3\r\nraw\r\n", ":1\r\n"},
               {"copy k k2", "$3\r\nraw\r\n", ":1\r\n"},
               {"set k -1", "$3\r\nint\r\n", ":1\r\n"}};
    struct rows r;
    rows_init(&r);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].line);
        rows_line(&r, row[i].line);
        CHECK_EQ_STR(rows_line(&r, "object encoding k"), row[i].encoding);
        CHECK_EQ_STR(rows_line(&r, "object refcount k"), row[i].refcount);
    }
    test_context("%s", "");
    CHECK_EQ_STR(rows_line(&r, "object encoding k2"),
                 "$3\r\nraw\r\n"); /* as what it was copied from */
    CHECK_EQ_STR(rows_line(&r, "object idletime k"), ":0\r\n");
    CHECK_EQ_STR(rows_line(&r, "object idletime absent"), "$-1\r\n");
    CHECK_EQ_STR(rows_line(&r, "memory usage absent"), "$-1\r\n");
    rows_line(&r, "memory usage k");
    CHECK(!r.is_error);
    rows_deinit(&r);
}

TEST(a_pattern_of_too_many_stars_matches_nothing)
{
    struct rows r;
    rows_init(&r);
    char line[5 + 2 * 1001 + 1] = "keys ";
    rows_line(&r, "set aaaa 1");
    for (size_t i = 0; i < 4; i++) {
        memcpy(line + 5 + 2 * i, "*a", 2);
    }
    memset(line + 5 + 8, '*', 2 * 997); /* one run, whatever its length */
    CHECK_EQ_STR(rows_line(&r, line), "*1\r\n$4\r\naaaa\r\n");
    for (size_t i = 0; i < 1001; i++) {
        memcpy(line + 5 + 2 * i, "*?", 2);
    }
    char key[1010] = "set ";
    memset(key + 4, 'a', 1002);
    memcpy(key + 1006, " 1", 3);
    rows_line(&r, key);
    CHECK_EQ_STR(rows_line(&r, line), "*0\r\n");
    line[5 + 2 * 1000] = '\0'; /* a thousand of them */
    CHECK_CONTAINS(rows_line(&r, line), "*1\r\n$1002\r\n");
    rows_deinit(&r);
}

TEST_MAIN()
