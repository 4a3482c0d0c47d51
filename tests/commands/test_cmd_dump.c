#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "commands/dump_format.h"
#include "tests/commands/redis_server.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

#define BODY(s)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(s), sizeof(s) - 1                                                        \
    }

enum { LONG_BYTES = 300000 };

/* Body, version and checksum put together; the result stands in `b`. */
static struct slice payload_of(struct buf *b, struct slice body, uint8_t version)
{
    buf_clear(b, SIZE_MAX);
    buf_append_slice(b, body);
    buf_append_byte(b, version);
    buf_append_byte(b, 0);
    uint64_t crc = crc64(0, b->data + b->start, buf_size(b));
    for (unsigned i = 0; i < 8; i++) {
        buf_append_byte(b, (uint8_t)(crc >> (8 * i)));
    }
    return buf_slice(b);
}

static struct slice
run(struct rows *r, const char *name, const char *key, const char *ttl, struct slice bytes)
{
    const struct slice arg[] = {slice_from_cstr(name), slice_from_cstr(key), slice_from_cstr(ttl),
                                bytes};
    return rows_run(r, arg, 4);
}

static void set(struct rows *r, const char *key, struct slice bytes)
{
    const struct slice arg[] = {SLICE_LITERAL("set"), slice_from_cstr(key), bytes};
    rows_run(r, arg, 3);
}

TEST(crc64_has_the_check_value)
{
    CHECK(crc64(0, "123456789", 9) == UINT64_C(0xe9c6d914c4b8d9ca));
    /* Long inputs go another way: the same bytes in short pieces. */
    uint8_t bytes[3000];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * i);
    }
    for (size_t n = 510; n < sizeof bytes; n += 211) {
        uint64_t crc = 0;
        for (size_t i = 0; i < n; i += 100) {
            crc = crc64(crc, bytes + i, n - i < 100 ? n - i : 100);
        }
        CHECK(crc64(0, bytes, n) == crc);
    }
}

/* As redis-server 7.0.15 dumps them. */
TEST(dumps_are_those_of_redis)
{
    static const struct {
        const char *value;
        struct slice body;
    } row[] = {{"10", BODY("\x00\xc0\x0a")},
               {"-128", BODY("\x00\xc0\x80")},
               {"128", BODY("\x00\xc1\x80\x00")},
               {"-32769", BODY("\x00\xc2\xff\x7f\xff\xff")},
               {"2147483647", BODY("\x00\xc2\xff\xff\xff\x7f")},
               {"2147483648", BODY("\x00\x0a"
                                   "2147483648")},
               {"010", BODY("\x00\x03"
                            "010")},
               {"foo", BODY("\x00\x03"
                            "foo")}};
    struct buf expected;
    buf_init(&expected);
    struct rows r;
    rows_init(&r);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].value);
        set(&r, "k", slice_from_cstr(row[i].value));
        struct slice payload = payload_of(&expected, row[i].body, DUMP_RDB_VERSION);
        const char *reply = rows_line(&r, "dump k");
        char head[16];
        int n = snprintf(head, sizeof head, "$%zu\r\n", payload.n);
        CHECK(strncmp(reply, head, (size_t)n) == 0);
        CHECK(memcmp(reply + n, payload.p, payload.n) == 0);
        run(&r, "restore", "again", "0", payload);
        CHECK(!r.is_error);
        CHECK(strstr(rows_line(&r, "get again"), row[i].value) != NULL);
        rows_line(&r, "del again");
    }
    test_context("%s", "");
    CHECK_EQ_STR(rows_line(&r, "dump none"), "$-1\r\n");
    rows_put_list(&r, "list");
    CHECK_EQ_STR(rows_line(&r, "dump list"), "-ERR DUMP does not know this type yet\r\n");
    rows_deinit(&r);
    buf_deinit(&expected);
}

#define CHECK_REPLY(reply, text) CHECK_EQ_SLICE((reply), (text))

TEST(restore_refuses_in_the_order_of_redis)
{
    struct buf b;
    buf_init(&b);
    struct rows r;
    rows_init(&r);
    rows_line(&r, "set k v");
    struct slice good = payload_of(&b, SLICE_LITERAL("\x00\x01x"), DUMP_RDB_VERSION);
    CHECK_REPLY(run(&r, "restore", "k", "bad", good),
                "-BUSYKEY Target key name already exists.\r\n");
    CHECK_REPLY(run(&r, "restore", "j", "bad", good),
                "-ERR value is not an integer or out of range\r\n");
    CHECK_REPLY(run(&r, "restore", "j", "-1", good), "-ERR Invalid TTL value, must be >= 0\r\n");
    CHECK_REPLY(run(&r, "restore", "j", "9223372036854775807", good),
                "-ERR invalid expire time in 'restore' command\r\n");
    CHECK_REPLY(run(&r, "restore", "j", "0", SLICE_LITERAL("short")),
                "-ERR DUMP payload version or checksum are wrong\r\n");
    static const struct {
        const char *line;
        const char *reply;
    } row[] = {
        {"restore k bad bad freq", "-ERR syntax error\r\n"},
        {"restore k bad bad freq 256", "-ERR Invalid FREQ value, must be >= 0 and <= 255\r\n"},
        {"restore k bad bad idletime -1", "-ERR Invalid IDLETIME value, must be >= 0\r\n"},
        {"restore k bad bad idletime x", "-ERR value is not an integer or out of range\r\n"},
        {"restore k bad bad idletime 1 freq 1", "-ERR syntax error\r\n"},
        {"restore k bad bad freq 1 idletime 1", "-ERR syntax error\r\n"},
        {"restore k bad bad foo", "-ERR syntax error\r\n"}};
    raft_index before = r.index;
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("%s", row[i].line);
        CHECK_EQ_STR(rows_line(&r, row[i].line), row[i].reply);
    }
    test_context("%s", "");
    CHECK_EQ_UINT(r.index, before); /* pure */
    rows_deinit(&r);
    buf_deinit(&b);
}

TEST(restore_judges_payloads)
{
    static const struct {
        struct slice body;
        uint8_t version;
        const char *reply;
    } row[] = {{BODY("\x00\x01x"), 10, "+OK\r\n"},
               {BODY("\x00\x01x"), 1, "+OK\r\n"},
               {BODY("\x00\x01xtrailing"), 10, "+OK\r\n"},
               {BODY("\x00\x01x"), 11, "-ERR DUMP payload version or checksum are wrong\r\n"},
               {BODY("\x00\x00"), 10, "+OK\r\n"},
               {BODY("\x00\x40\x01x"), 10, "+OK\r\n"},
               {BODY("\x00\x80\x00\x00\x00\x01x"), 10, "+OK\r\n"},
               {BODY("\x00\x81\x00\x00\x00\x00\x00\x00\x00\x01x"), 10, "+OK\r\n"},
               {BODY("\x00\xc3\x04\x06\x00x\x60\x00"), 10, "+OK\r\n"}, /* x six times */
               {BODY(""), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\x02x"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\x82\x01x"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\x81\xff\xff\xff\xff\xff\xff\xff\xffx"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\xc0"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\xc2\x01\x02\x03"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\xc4\x01\x02\x03"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\xc3\x04\x07\x00x\x60\x00"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\xc3\x04\x06\x00x\x60\x01"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x00\xc3\x01\x80\x1f\xff\xff\xff\x00"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x08\x01x"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x14\x01x"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x12\x01x"), 10, "-ERR RESTORE does not know this type yet\r\n"}};
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("row %zu", i);
        struct rows r;
        rows_init(&r);
        CHECK_REPLY(run(&r, "restore", "k", "0", payload_of(&b, row[i].body, row[i].version)),
                    row[i].reply);
        CHECK_EQ_STR(rows_line(&r, "exists k"), row[i].reply[0] == '+' ? ":1\r\n" : ":0\r\n");
        rows_deinit(&r);
    }
    test_context("%s", "");
    buf_deinit(&b);
}

TEST(restore_sets_the_expiry)
{
    struct buf b;
    buf_init(&b);
    struct slice good = payload_of(&b, SLICE_LITERAL("\x00\x01x"), DUMP_RDB_VERSION);
    struct rows r;
    rows_init(&r); /* at 1,000,000 ms */
    rows_line(&r, "set k v ex 100");
    struct slice arg[] = {SLICE_LITERAL("restore"), SLICE_LITERAL("k"),
                          SLICE_LITERAL("0"),       good,
                          SLICE_LITERAL("Replace"), SLICE_LITERAL("absttl"),
                          SLICE_LITERAL("freq"),    SLICE_LITERAL("0")};
    CHECK_REPLY(rows_run(&r, arg, 8), "+OK\r\n");
    CHECK_EQ_STR(rows_line(&r, "pttl k"), ":-1\r\n");
    arg[2] = SLICE_LITERAL("5000");
    CHECK_REPLY(rows_run(&r, arg, 5), "+OK\r\n");
    CHECK_EQ_STR(rows_line(&r, "pttl k"), ":5000\r\n");
    arg[2] = SLICE_LITERAL("1000007");
    CHECK_REPLY(rows_run(&r, arg, 6), "+OK\r\n");
    CHECK_EQ_STR(rows_line(&r, "pttl k"), ":7\r\n");
    arg[2] = SLICE_LITERAL("1000000"); /* over: the old key goes, no new one comes */
    CHECK_REPLY(rows_run(&r, arg, 6), "+OK\r\n");
    CHECK_EQ_STR(rows_line(&r, "exists k"), ":0\r\n");
    rows_deinit(&r);
    buf_deinit(&b);
}

/* Random bytes in a payload whose checksum is right: no crash, no value that is too long. */
TEST(damaged_payloads_are_safe)
{
    static const uint8_t type[] = {0, 2, 4, 11, 16};
    struct rows r;
    rows_init(&r);
    struct keyspace_view view = {.keyspace = r.keyspace};
    struct buf b;
    buf_init(&b);
    struct prng random;
    prng_seed(&random, 3);
    for (size_t step = 0; step < 20000; step++) {
        uint8_t body[40];
        size_t n = 1 + (size_t)prng_below(&random, sizeof body - 1);
        for (size_t i = 0; i < n; i++) {
            body[i] = (uint8_t)prng_next(&random);
        }
        body[0] = type[step % sizeof type];
        if (body[0] >= 11 && n > 16) { /* an intset or a listpack of the right size */
            static const uint8_t intset[] = {2, 0, 0, 0, 3, 0, 0, 0, 1, 0};
            n = body[0] == 11 ? 16 : n;
            body[1] = (uint8_t)(n - 2);
            memcpy(body + 2, body[0] == 11 ? intset : (const uint8_t[]){(uint8_t)(n - 2), 0, 0, 0, 1, 0, 0x81, 'x', 2, 0x81},
                   sizeof intset);
            body[n - 1] = body[0] == 11 ? body[n - 1] : 0xff;
        } else if (body[0] == 2 || body[0] == 4) {
            body[1] = (uint8_t)prng_below(&random, 4);
            body[2] = (uint8_t)prng_below(&random, 4);
        } else if (prng_below(&random, 2) && n > 3) { /* LZF of plausible sizes */
            body[1] = 0xc3;
            body[2] = (uint8_t)prng_below(&random, n);
            body[3] = (uint8_t)prng_below(&random, 64);
        }
        struct value *value;
        if (dump_read(&view, payload_of(&b, (struct slice){body, n}, 10), &value) == DUMP_OK) {
            value_free(value);
        } else {
            CHECK(value == NULL);
        }
    }
    rows_deinit(&r);
    buf_deinit(&b);
}

/* --- to and from a real redis-server --- */

/* The bytes of a bulk reply. */
static struct slice bulk_of(struct slice reply)
{
    const uint8_t *end = memchr(reply.p, '\n', reply.n);
    REQUIRE(reply.p[0] == '$' && end && reply.n > 2);
    struct slice bytes = slice_skip(reply, (size_t)(end - reply.p) + 1);
    bytes.n -= 2;
    return bytes;
}

static void ask(struct redis_server *s, struct buf *reply, const struct slice *arg, size_t count)
{
    buf_clear(reply, SIZE_MAX);
    REQUIRE(redis_server_run(s, arg, count, reply));
}

static void there_and_back(struct rows *r, struct redis_server *s, struct slice bytes)
{
    struct buf theirs;
    buf_init(&theirs);
    const struct slice dump[] = {SLICE_LITERAL("dump"), SLICE_LITERAL("k")};
    const struct slice get[] = {SLICE_LITERAL("get"), SLICE_LITERAL("k")};
    struct slice restore[] = {SLICE_LITERAL("restore"),
                              SLICE_LITERAL("k"),
                              SLICE_LITERAL("0"),
                              {NULL, 0},
                              SLICE_LITERAL("replace")};
    set(r, "k", bytes);
    restore[3] = bulk_of(rows_run(r, dump, 2));
    ask(s, &theirs, restore, 5);
    CHECK_EQ_SLICE(buf_slice(&theirs), "+OK\r\n");
    ask(s, &theirs, get, 2);
    CHECK(slice_equal(bulk_of(buf_slice(&theirs)), bytes));
    ask(s, &theirs, dump, 2); /* compressed, where that is shorter */
    restore[3] = bulk_of(buf_slice(&theirs));
    rows_line(r, "del k");
    CHECK_EQ_SLICE(rows_run(r, restore, 5), "+OK\r\n");
    CHECK(slice_equal(bulk_of(rows_run(r, get, 2)), bytes));
    buf_deinit(&theirs);
}

TEST(values_travel_to_redis_and_back)
{
    struct redis_server s;
    if (!redis_server_start(&s)) {
        printf("skip commands/cmd_dump: redis-server is not installed or did not start\n");
        return;
    }
    struct rows r;
    rows_init(&r);
    uint8_t *bytes = mem_alloc(LONG_BYTES);
    struct prng random;
    prng_seed(&random, 9);
    static const size_t size[] = {0,    1,     20,    21,    63,    64,    100,
                                  1000, 16383, 16384, 65535, 65536, 70000, LONG_BYTES};
    for (size_t i = 0; i < 3 * sizeof size / sizeof size[0]; i++) {
        size_t n = size[i / 3];
        for (size_t at = 0; at < n; at++) { /* noise; one letter; what repeats */
            char regular = i % 3 == 1 ? 'a' : "coracle "[at * at / 7 % 8];
            bytes[at] = i % 3 == 0 ? (uint8_t)prng_next(&random) : (uint8_t)regular;
        }
        test_context("%zu bytes, kind %zu", n, i % 3);
        there_and_back(&r, &s, (struct slice){bytes, n});
    }
    test_context("%s", "");
    mem_free(bytes);
    rows_deinit(&r);
    redis_server_stop(&s);
}

TEST_MAIN()
