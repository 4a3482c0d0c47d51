#include <string.h>

#include "tests/commands/rows.h"
#include "tests/test.h"

/* Comparing and swapping: SET IFEQ and IFNE, DELEX, IGET, ISET, IDEL, JSONCAS. A row is what one line answers on a keyspace of its own
 * where k is "v" (entry 1), j is {"a": [1, 2]} (entry 2), l a list (entry 3), and what `then` answers after it. */
#define WRONGTYPE "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"

struct case_row {
    const char *line;
    const char *reply;
    const char *then;
    const char *then_reply;
};

static void check_rows(const struct case_row *row, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct rows r;
        rows_init(&r);
        rows_line(&r, "set k v");
        struct slice set[] = {SLICE_LITERAL("set"), SLICE_LITERAL("j"), SLICE_LITERAL("{\"a\": [1, 2]}")};
        rows_run(&r, set, 3);
        rows_put_list(&r, "l");
        test_context("%s", row[i].line);
        CHECK_EQ_STR(rows_line(&r, row[i].line), row[i].reply);
        if (row[i].then) {
            CHECK_EQ_STR(rows_line(&r, row[i].then), row[i].then_reply);
        }
        rows_deinit(&r);
    }
    test_context("%s", "");
}
#define CHECK_ROWS(row) check_rows((row), sizeof(row) / sizeof(row)[0])

TEST(set_if_equal_and_if_not)
{
    static const struct case_row row[] = {
        {"set k w ifeq v", "+OK\r\n", "get k", "$1\r\nw\r\n"},
        {"set k w ifeq x", "$-1\r\n", "get k", "$1\r\nv\r\n"},
        {"set k w ifne v", "$-1\r\n", "get k", "$1\r\nv\r\n"},
        {"set k w IFNE x", "+OK\r\n", "get k", "$1\r\nw\r\n"},
        {"set new w ifeq x", "$-1\r\n", "exists new", ":0\r\n"},
        {"set new w ifne x", "+OK\r\n", "get new", "$1\r\nw\r\n"},
        {"set k w ifeq v get", "$1\r\nv\r\n", "get k", "$1\r\nw\r\n"},
        {"set k w ifeq x get", "$1\r\nv\r\n", "get k", "$1\r\nv\r\n"},
        {"set k w ifeq v ex 100", "+OK\r\n", "ttl k", ":100\r\n"},
        {"set l w ifeq v", WRONGTYPE, NULL, NULL},
        {"set l w ifne v", WRONGTYPE, NULL, NULL},
        {"set k w ifeq", "-ERR syntax error\r\n", NULL, NULL},
        {"set k w nx ifeq v", "-ERR syntax error\r\n", NULL, NULL},
        {"set k w ifeq v xx", "-ERR syntax error\r\n", NULL, NULL},
        {"set k w ifeq v ifne x", "-ERR syntax error\r\n", NULL, NULL},
    };
    CHECK_ROWS(row);
}

TEST(delex)
{
    static const struct case_row row[] = {
        {"delex k", ":1\r\n", "exists k", ":0\r\n"},
        {"delex l", ":1\r\n", "exists l", ":0\r\n"},
        {"delex new", ":0\r\n", NULL, NULL},
        {"delex k ifeq v", ":1\r\n", "exists k", ":0\r\n"},
        {"delex k ifeq x", ":0\r\n", "exists k", ":1\r\n"},
        {"delex k ifne v", ":0\r\n", "exists k", ":1\r\n"},
        {"delex k ifne x", ":1\r\n", "exists k", ":0\r\n"},
        {"delex new ifne x", ":0\r\n", NULL, NULL},
        {"delex l ifeq x", "-ERR Key should be of string type if conditions are specified\r\n", NULL, NULL},
        {"delex k ifeq", "-ERR wrong number of arguments for 'delex' command\r\n", NULL, NULL},
        {"delex k foo v", "-ERR Invalid condition. Use IFEQ, IFNE\r\n", NULL, NULL},
        {"delex k ifdeq v", "-ERR IFDEQ and IFDNE are not supported, use IFEQ or IFNE\r\n", NULL, NULL},
    };
    CHECK_ROWS(row);
}

TEST(by_index)
{
    static const struct case_row row[] = {
        {"iget k", "*2\r\n:1\r\n$1\r\nv\r\n", NULL, NULL},
        {"iget new", "$-1\r\n", NULL, NULL},
        {"iget l", WRONGTYPE, NULL, NULL},
        {"iset k w", "*2\r\n:1\r\n:4\r\n", "iget k", "*2\r\n:4\r\n$1\r\nw\r\n"},
        {"iset k w nx", "*2\r\n:0\r\n:1\r\n", "get k", "$1\r\nv\r\n"},
        {"iset new w nx", "*2\r\n:1\r\n:4\r\n", "get new", "$1\r\nw\r\n"},
        {"iset k w xx", "*2\r\n:1\r\n:4\r\n", NULL, NULL},
        {"iset new w xx", "*2\r\n:0\r\n$-1\r\n", "exists new", ":0\r\n"},
        {"iset k w ifindex 1", "*2\r\n:1\r\n:4\r\n", "get k", "$1\r\nw\r\n"},
        {"iset k w ifindex 7 1", "*2\r\n:1\r\n:4\r\n", NULL, NULL},
        {"iset k w ifindex 2", "*2\r\n:0\r\n:1\r\n", "get k", "$1\r\nv\r\n"},
        {"iset new w ifindex 0", "*2\r\n:0\r\n$-1\r\n", "exists new", ":0\r\n"},
        {"iset k w ifindex", "-ERR syntax error\r\n", NULL, NULL},
        {"iset k w ifindex x", "-ERR index is not an integer or out of range\r\n", NULL, NULL},
        {"iset k w nx xx", "-ERR syntax error\r\n", NULL, NULL},
        {"iset l w ifindex 3", "*2\r\n:1\r\n:4\r\n", "type l", "+string\r\n"},
        {"idel k", "*2\r\n:1\r\n:4\r\n", "exists k", ":0\r\n"},
        {"idel new", "*2\r\n:0\r\n$-1\r\n", NULL, NULL},
        {"idel k ifindex 1", "*2\r\n:1\r\n:4\r\n", "exists k", ":0\r\n"},
        {"idel k ifindex 2 3", "*2\r\n:0\r\n:1\r\n", "exists k", ":1\r\n"},
        {"idel k nx", "-ERR syntax error\r\n", NULL, NULL},
    };
    CHECK_ROWS(row);
}

TEST(json_compare_and_swap)
{
    static const struct case_row row[] = {
        {"jsoncas j {\"a\":[1,2]} 7", "*2\r\n:1\r\n$-1\r\n", "get j", "$1\r\n7\r\n"},
        {"jsoncas j {\"a\":[1,2.0]} 7", "*2\r\n:0\r\n$13\r\n{\"a\": [1, 2]}\r\n", NULL, NULL},
        {"jsoncas j {\"a\":[1,2]} null", "*2\r\n:1\r\n$-1\r\n", "exists j", ":0\r\n"},
        {"jsoncas new null {\"b\":1}", "*2\r\n:1\r\n$-1\r\n", "get new", "$7\r\n{\"b\":1}\r\n"},
        {"jsoncas new null null", "*2\r\n:1\r\n$-1\r\n", "exists new", ":0\r\n"},
        {"jsoncas new 1 2", "*2\r\n:0\r\n$-1\r\n", "exists new", ":0\r\n"},
        {"jsoncas j null 2", "*2\r\n:0\r\n$13\r\n{\"a\": [1, 2]}\r\n", NULL, NULL},
        /* "v" is no JSON text: it stands for the JSON string. */
        {"jsoncas k \"v\" 2", "*2\r\n:1\r\n$-1\r\n", "get k", "$1\r\n2\r\n"},
        {"jsoncas k \"\\u0076\" 2", "*2\r\n:1\r\n$-1\r\n", NULL, NULL},
        {"jsoncas k \"w\" 2", "*2\r\n:0\r\n$1\r\nv\r\n", NULL, NULL},
        {"jsoncas l 1 2", WRONGTYPE, NULL, NULL},
        {"jsoncas k v 2", "-ERR the expected value is not JSON\r\n", NULL, NULL},
        {"jsoncas k 1 {", "-ERR the desired value is not JSON\r\n", NULL, NULL},
    };
    CHECK_ROWS(row);
}

TEST_MAIN()
