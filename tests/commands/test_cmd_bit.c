#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/keyspace_internal.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

struct line_reply {
    const char *line;
    const char *reply;
};

/* One after the other on one keyspace. */
static void check_lines(const struct line_reply *row, size_t count)
{
    struct rows r;
    rows_init(&r);
    for (size_t i = 0; i < count; i++) {
        test_context("%s", row[i].line);
        CHECK_EQ_STR(rows_line(&r, row[i].line), row[i].reply);
    }
    test_context("%s", "");
    rows_deinit(&r);
}

#define CHECK_LINES(row) check_lines((row), sizeof(row) / sizeof(row)[0])
#define BAD_OFFSET "-ERR bit offset is not an integer or out of range\r\n"
#define WRONGTYPE "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"

TEST(bits_are_counted_from_the_most_significant)
{
    static const struct line_reply row[] = {
        {"setbit k 7 1", ":0\r\n"},
        {"get k", "$1\r\n\x01\r\n"},
        {"setbit k 7 0", ":1\r\n"},
        {"setbit k 8 1", ":0\r\n"},
        {"strlen k", ":2\r\n"},
        {"getbit k 8", ":1\r\n"},
        {"getbit k 4294967295", ":0\r\n"},
        {"getbit k 4294967296", BAD_OFFSET},
        {"getbit k #1", BAD_OFFSET},
        {"setbit k 0 2", "-ERR bit is not an integer or out of range\r\n"},
        {"setbit none 9 0", ":0\r\n"}, /* makes zeros */
        {"strlen none", ":2\r\n"},
    };
    CHECK_LINES(row);
}

TEST(counting_and_finding_in_ranges)
{
    static const struct line_reply row[] = {
        {"set k foobar", "+OK\r\n"},
        {"bitcount k", ":26\r\n"},
        {"bitcount k 0 0", ":4\r\n"},
        {"bitcount k 1 1", ":6\r\n"},
        {"bitcount k 5 30 BIT", ":17\r\n"},
        {"bitcount k 5 5 BIT", ":1\r\n"},
        {"bitcount k 3 1", ":0\r\n"},
        {"bitcount k 0", "-ERR syntax error\r\n"},
        {"bitcount none 0", ":0\r\n"}, /* it looks at the key first */
        {"bitpos k 1", ":1\r\n"},
        {"bitpos k 0 2 2", ":16\r\n"},
        {"bitpos k 1 10 12 bit", ":10\r\n"},
        {"bitpos none 0", ":0\r\n"},
        {"bitpos none 1", ":-1\r\n"},
        {"setbit ones 0 1", ":0\r\n"},
        {"bitfield ones set u8 0 255", "*1\r\n:128\r\n"},
        {"bitpos ones 0", ":8\r\n"}, /* zeros follow for ever, unless an end is given */
        {"bitpos ones 0 0 -1", ":-1\r\n"},
        {"bitpos k 2", "-ERR The bit argument must be 1 or 0.\r\n"},
    };
    CHECK_LINES(row);
}

TEST(bitfield_overflows_as_told)
{
    static const struct line_reply row[] = {
        {"bitfield k", "*0\r\n"},
        {"exists k", ":0\r\n"},
        {"bitfield k get u8 100", "*1\r\n:0\r\n"},
        {"exists k", ":0\r\n"}, /* reading makes nothing */
        {"bitfield k set u8 0 255 incrby u8 0 10", "*2\r\n:0\r\n:9\r\n"},
        {"bitfield k overflow sat incrby u8 0 255 get i8 0", "*2\r\n:255\r\n:-1\r\n"},
        {"bitfield k overflow fail incrby u8 0 1 overflow wrap incrby u8 0 1",
         "*2\r\n$-1\r\n:0\r\n"},
        {"bitfield k set i64 #1 -9223372036854775808 incrby i64 #1 -1",
         "*2\r\n:0\r\n:9223372036854775807\r\n"},
        {"bitfield k overflow sat set i5 3 100 get i5 3", "*2\r\n:0\r\n:15\r\n"},
        {"bitfield k overflow sat incrby i5 3 -100", "*1\r\n:-16\r\n"},
        {"bitfield k set u1 0 1 get u1 0 set i1 0 0", "*3\r\n:0\r\n:1\r\n:-1\r\n"},
        {"bitfield k get u64 0",
         "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported "
         "but i64 is.\r\n"},
        {"bitfield k overflow foo", "-ERR Invalid OVERFLOW type specified\r\n"},
        {"bitfield k get u8", "-ERR syntax error\r\n"},
        {"bitfield k get u8 #-1", BAD_OFFSET},
        {"bitfield k get i8 #9223372036854775807", BAD_OFFSET},
        {"bitfield k set i64 4294967295 1",
         "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"},
        {"bitfield_ro k set u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand\r\n"},
        {"bitfield_ro k get i64 #1", "*1\r\n:9223372036854775807\r\n"},
    };
    CHECK_LINES(row);
}

TEST(bitop_stores_or_deletes)
{
    static const struct line_reply row[] = {
        {"mset a abc b AB empty  ", "+OK\r\n"},
        {"set to old ex 100", "+OK\r\n"},
        {"bitop and to a b", ":3\r\n"},
        {"get to", "$3\r\nAB\0\r\n"},
        {"ttl to", ":-1\r\n"},
        {"bitop xor to a b none", ":3\r\n"},
        {"get to", "$3\r\n  c\r\n"},
        {"bitop or a a to", ":3\r\n"}, /* onto one of the sources */
        {"get a", "$3\r\nabc\r\n"},
        {"bitop not to a b", "-ERR BITOP NOT must be called with a single source key.\r\n"},
        {"bitop nand to a b", "-ERR syntax error\r\n"},
        {"bitop or to none empty", ":0\r\n"},
        {"exists to", ":0\r\n"},
    };
    CHECK_LINES(row);
}

TEST(a_key_of_another_type)
{
    static const char *const line[] = {
        "setbit k 0 1",    "getbit k 0",          "bitcount k",    "bitpos k 1",
        "bitop or to j k", "bitfield k get u8 0", "bitfield_ro k", "bitfield k set u8 0 1"};
    for (size_t i = 0; i < sizeof line / sizeof line[0]; i++) {
        test_context("%s", line[i]);
        struct rows r;
        rows_init(&r);
        rows_put_list(&r, "k");
        CHECK_EQ_STR(rows_line(&r, line[i]), WRONGTYPE);
        rows_deinit(&r);
    }
    test_context("%s", "");
}

/* What changes no bit doesn't count as a change (WATCH). */
TEST(a_write_of_the_same_bits_leaves_the_last_change_alone)
{
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set k abcdefgh");
    struct keyspace_view view = {.keyspace = r.keyspace, .time_ms = r.time_ms};
    raft_index before = keyspace_last_change(&view, slice_from_cstr("k"));
    static const char *const line[] = {"setbit k 1 1", "bitfield k set u8 0 97",
                                       "bitfield k get u8 0",
                                       "bitfield k overflow fail incrby i8 0 127"};
    for (size_t i = 0; i < sizeof line / sizeof line[0]; i++) {
        rows_line(&r, line[i]);
        CHECK_EQ_UINT(keyspace_last_change(&view, slice_from_cstr("k")), before);
    }
    rows_line(&r, "setbit k 1 0");
    CHECK(keyspace_last_change(&view, slice_from_cstr("k")) > before);
    keyspace_check(r.keyspace);
    rows_deinit(&r);
}

/* --- over many chunks, against a flat array --- */

enum { BYTES = 200000 };

static int64_t run_number(struct rows *r, const char *line)
{
    const char *reply = rows_line(r, line);
    REQUIRE(reply[0] == ':');
    return strtoll(reply + 1, NULL, 10);
}

static bool model_bit(const uint8_t *model, size_t at)
{
    return model[at / 8] >> (7 - at % 8) & 1;
}

TEST(bits_over_many_chunks)
{
    uint8_t *model = mem_alloc_zero(BYTES);
    struct prng random;
    prng_seed(&random, 5);
    struct rows r;
    rows_init(&r);
    rows_line(&r, "setbit k 1599999 0");
    char line[100];
    for (size_t step = 0; step < 400; step++) {
        size_t at = (size_t)prng_below(&random, BYTES * 8 - 64);
        unsigned width = 1 + (unsigned)prng_below(&random, 63);
        uint64_t number = prng_next(&random) >> (64 - width);
        snprintf(line, sizeof line, "bitfield k set u%u %zu %llu", width, at,
                 (unsigned long long)number);
        rows_line(&r, line);
        for (unsigned i = 0; i < width; i++) {
            uint8_t mask = (uint8_t)(0x80u >> ((at + i) % 8));
            bool is_set = number >> (width - 1 - i) & 1;
            uint8_t *byte = &model[(at + i) / 8];
            *byte = (uint8_t)(is_set ? *byte | mask : *byte & ~mask);
        }
        size_t first = (size_t)prng_below(&random, BYTES * 8);
        size_t last = first + (size_t)prng_below(&random, BYTES * 8 - first);
        int64_t count = 0;
        int64_t found = -1;
        for (size_t i = first; i <= last; i++) {
            bool bit = model_bit(model, i);
            count += bit;
            found = bit && found < 0 ? (int64_t)i : found;
        }
        snprintf(line, sizeof line, "bitcount k %zu %zu bit", first, last);
        CHECK_EQ_INT(run_number(&r, line), count);
        snprintf(line, sizeof line, "bitpos k 1 %zu %zu bit", first, last);
        CHECK_EQ_INT(run_number(&r, line), found);
    }
    rows_line(&r, "bitop not j k");
    for (size_t i = 0; i < 1000; i++) {
        size_t at = (size_t)prng_below(&random, BYTES * 8);
        snprintf(line, sizeof line, "getbit j %zu", at);
        CHECK_EQ_INT(run_number(&r, line), !model_bit(model, at));
    }
    rows_deinit(&r);
    mem_free(model);
}

TEST_MAIN()
