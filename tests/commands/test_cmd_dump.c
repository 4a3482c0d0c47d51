#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "commands/dump_format.h"
#include "rdb/crc64.h"
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
        struct slice payload = payload_of(&expected, row[i].body, 10);
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
    struct slice good = payload_of(&b, SLICE_LITERAL("\x00\x01x"), 10);
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
               {BODY("\x12\x01x"), 10, "-ERR Bad data format\r\n"},
               {BODY("\x12\x00"), 10, "-ERR Bad data format\r\n"}, /* empty */
               {BODY("\x01\x02\x01"
                     "a"),
                10, "-ERR Bad data format\r\n"},
               {BODY("\x05\x01\x01"
                     "a\x00\x00\x00\x00\x00\x00\xf8\x7f"),
                10, "-ERR Bad data format\r\n"}, /* NaN */
               {BODY("\x03\x01\x01"
                     "a\xfd"),
                10, "-ERR Bad data format\r\n"},
               {BODY("\x03\x02\x01"
                     "a\x01"
                     "1\x01"
                     "a\x01"
                     "1"),
                10, "-ERR Bad data format\r\n"}, /* twice */
               {BODY("\x0f\x01x"), 10, "-ERR RESTORE does not know this type yet\r\n"}};
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

/* What redis-server with sanitize-dump-payload answers; without, it takes them and miscounts ever after. */
TEST(restore_counts_the_elements_of_a_listpack)
{
    static const char *const size_of[] = {"hlen k", "zcard k", "llen k"};
    static const uint8_t type[] = {16, 17, 18};
    uint8_t listpack[] = {13, 0, 0, 0, 2, 0, 0x81, 'a', 2, 0x81, '1', 2, 0xff};
    static const unsigned row[] = {2, 65535, 0, 1, 3, 4, 65534};
    struct buf b = {0};
    struct buf body = {0};
    for (size_t i = 0; i < sizeof row / sizeof row[0] * 3; i++) {
        unsigned count = row[i / 3];
        bool is_right = count == 2 || count == 65535; /* 65535: count them */
        bool is_list = type[i % 3] == 18;
        struct rows r;
        test_context("type %u, count %u", type[i % 3], count);
        listpack[4] = (uint8_t)count;
        listpack[5] = (uint8_t)(count >> 8);
        buf_clear(&body, SIZE_MAX);
        buf_append_byte(&body, type[i % 3]);
        buf_append(&body, "\x01\x02", is_list ? 2 : 0);
        buf_append_byte(&body, sizeof listpack);
        buf_append(&body, listpack, sizeof listpack);
        rows_init(&r);
        CHECK_REPLY(run(&r, "restore", "k", "0", payload_of(&b, buf_slice(&body), 10)),
                    is_right ? "+OK\r\n" : "-ERR Bad data format\r\n");
        CHECK_EQ_STR(rows_line(&r, size_of[i % 3]), !is_right ? ":0\r\n" : is_list ? ":2\r\n" : ":1\r\n");
        rows_deinit(&r);
    }
    test_context("%s", "");
    buf_deinit(&body);
    buf_deinit(&b);
}

TEST(restore_sets_the_expiry)
{
    struct buf b;
    buf_init(&b);
    struct slice good = payload_of(&b, SLICE_LITERAL("\x00\x01x"), 10);
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

/* Bytes that are random but for their beginning and end, so that they are taken for what they say
 * they are. */
static void shape_body(struct prng *random, uint8_t *body, size_t *n)
{
    static const uint8_t intset[] = {2, 0, 0, 0, 3, 0, 0, 0, 1, 0};
    uint8_t size = (uint8_t)(*n - 2);
    const uint8_t listpack[] = {size, 0, 0, 0, 0xff, 0xff, 0x81, 'x', 2, 0x81};
    const uint8_t ziplist[] = {size, 0, 0, 0, 10, 0, 0, 0, 0xff, 0xff, 0, 0xf2, 2, 1};
    const uint8_t zipmap[] = {1, 1, 'k', 1, 0, 'v', 1, 'j'};
    static const uint8_t quicklist[] = {1, 2};
    uint8_t type = body[0];
    if (*n < 20) {
        return;
    }
    if (type == 18 || type == 14) { /* a node */
        size_t head = type == 18 ? 2 : 1;
        memcpy(body + 1, quicklist, head);
        body[1 + head] = (uint8_t)(*n - 2 - head);
        memcpy(body + 2 + head, type == 18 ? listpack : ziplist,
               type == 18 ? sizeof listpack : sizeof ziplist);
        body[2 + head] = (uint8_t)(*n - 2 - head);
    } else if (type == 11) {
        *n = 16;
        body[1] = 14;
        memcpy(body + 2, intset, sizeof intset);
        return;
    } else if (type == 16 || type == 17) {
        body[1] = size;
        memcpy(body + 2, listpack, sizeof listpack);
    } else if (type == 10 || type == 12 || type == 13) {
        body[1] = size;
        memcpy(body + 2, ziplist, sizeof ziplist);
    } else if (type == 9) {
        body[1] = size;
        memcpy(body + 2, zipmap, sizeof zipmap);
    } else if (type != 0) {
        body[1] = (uint8_t)prng_below(random, 4);
        body[2] = (uint8_t)prng_below(random, 4);
        return;
    } else {
        return;
    }
    body[*n - 1] = 0xff;
}

/* Random bytes in a payload whose checksum is right: no crash, no value that is too long. */
TEST(damaged_payloads_are_safe)
{
    static const uint8_t type[] = {0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 16, 17, 18};
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
        shape_body(&random, body, &n);
        if (body[0] == 0 && prng_below(&random, 2) && n > 3) { /* LZF of plausible sizes */
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

/* Replies of both to one command, which must be the same. */
static void both_say(struct rows *r, struct redis_server *s, const char *line)
{
    struct slice arg[16];
    size_t count = 0;
    struct buf theirs;
    buf_init(&theirs);
    const char *word = line;
    while (*word) {
        size_t n = strcspn(word, " ");
        arg[count++] = (struct slice){(const uint8_t *)word, n};
        word += n + (word[n] ? 1 : 0);
    }
    ask(s, &theirs, arg, count);
    struct slice ours = rows_run(r, arg, count);
    if (!slice_equal(ours, buf_slice(&theirs))) {
        CHECK(false); /* they are the same */
        printf("%s: %.*s, redis %.*s\n", line, (int)(ours.n < 400 ? ours.n : 400),
               (const char *)ours.p, (int)(buf_size(&theirs) < 400 ? buf_size(&theirs) : 400),
               (const char *)buf_slice(&theirs).p);
    }
    buf_deinit(&theirs);
}

/* What no version writes any more that is at hand: both must make the same of it. */
TEST(old_encodings_are_read_as_redis_reads_them)
{
#define ZIPLIST                                                                                    \
    "\x2f\0\0\0\x24\0\0\0\x08\0\0\x01"                                                             \
    "a\x03\xf3\x02\xfe\xff\x03\xc0\xe8\x03\x04\xf0\x01\x02\x80\x05\xd0\x00\x00\x00\x40\x06\x01"    \
    "b\x03\xe0\x01\x02\x03\x04\x05\x06\x07\x08\xff"
    static const struct {
        const char *read;
        struct slice body;
    } row[] = {
        {"lrange k 0 -1", BODY("\x01\x03\x01"
                               "a\xc0\x05\xc3\x04\x06\x00x\x60\x00")},
        {"lrange k 0 -1", BODY("\x0a"
                               "\x2f" ZIPLIST)},
        {"lrange k 0 -1", BODY("\x0e\x02\x2f" ZIPLIST "\x0d"
                               "\x0d\0\0\0\x0a\0\0\0\x01\0\0\xf1\xff")},
        {"lrange k 0 -1", BODY("\x12\x02\x01\x03"
                               "abc\x02\x09\x09\0\0\0\x01\0\x07\x01\xff")},
        {"hgetall k", BODY("\x0d\x2f" ZIPLIST)},
        {"hgetall k", BODY("\x09\x14\x02\x03"
                           "foo\x03\x01"
                           "bar_\x01"
                           "k\x04\x00"
                           "vvvv\xff")},
        {"zrange k 0 -1 withscores", BODY("\x03\x03\x01"
                                          "a\x03"
                                          "1.5\x01"
                                          "b\xfe\x01"
                                          "c\xff")},
        {"zrange k 0 -1 withscores", BODY("\x05\x02\x01"
                                          "a\0\0\0\0\0\0\xf0\x3f\x01"
                                          "b\0\0\0\0\0\0\xf0\xbf")},
        {"zrange k 0 -1 withscores", BODY("\x0c\x15\x15\0\0\0\x12\0\0\0\x04\0\0\x01"
                                          "a\x03\xf2\x02\x01"
                                          "b\x03\xf3\xff")},
    };
    struct redis_server s;
    if (!redis_server_start(&s)) {
        printf("skip commands/cmd_dump: redis-server is not installed or did not start\n");
        return;
    }
    struct rows r;
    struct buf payload;
    struct buf theirs;
    rows_init(&r);
    buf_init(&payload);
    buf_init(&theirs);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        test_context("row %zu", i);
        const struct slice restore[] = {SLICE_LITERAL("restore"), SLICE_LITERAL("k"),
                                        SLICE_LITERAL("0"), payload_of(&payload, row[i].body, 6),
                                        SLICE_LITERAL("replace")};
        ask(&s, &theirs, restore, 5);
        CHECK_EQ_SLICE(buf_slice(&theirs), "+OK\r\n");
        CHECK_EQ_SLICE(rows_run(&r, restore, 5), "+OK\r\n");
        both_say(&r, &s, row[i].read);
    }
    test_context("%s", "");
    buf_deinit(&payload);
    buf_deinit(&theirs);
    rows_deinit(&r);
    redis_server_stop(&s);
}

/* Our DUMP restored there, theirs here: the same value at each station, and the same encoding. */
static void collection_there_and_back(struct rows *r, struct redis_server *s, const char *read)
{
    const struct slice dump[] = {SLICE_LITERAL("dump"), SLICE_LITERAL("k")};
    struct slice restore[] = {SLICE_LITERAL("restore"),
                              SLICE_LITERAL("k"),
                              SLICE_LITERAL("0"),
                              {NULL, 0},
                              SLICE_LITERAL("replace")};
    struct buf theirs;
    buf_init(&theirs);
    restore[3] = bulk_of(rows_run(r, dump, 2));
    ask(s, &theirs, restore, 5);
    CHECK_EQ_SLICE(buf_slice(&theirs), "+OK\r\n");
    both_say(r, s, read);
    both_say(r, s, "object encoding k");
    ask(s, &theirs, dump, 2);
    restore[3] = bulk_of(buf_slice(&theirs));
    rows_line(r, "del k");
    CHECK_EQ_SLICE(rows_run(r, restore, 5), "+OK\r\n");
    both_say(r, s, read);
    both_say(r, s, "object encoding k");
    buf_deinit(&theirs);
}

/* An element of many kinds. */
static struct slice element_of(struct prng *random, uint8_t *room)
{
    static const char *const text[] = {
        "0",    "-1",    "127",      "128",        "-4096",
        "4096", "65536", "-8388609", "2147483648", "9223372036854775807",
        "00",   "+1",    "",         "x"};
    static const size_t size[] = {5, 63, 64, 65, 4095, 4096, 8200, 20000};
    uint64_t what = prng_below(random, 60);
    if (what < 14) {
        return slice_from_cstr(text[what]);
    }
    if (what == 59) {
        size_t n = size[prng_below(random, 8)];
        for (size_t i = 0; i < n; i++) {
            room[i] = (uint8_t)(prng_next(random) & (n % 2 ? 255 : 3));
        }
        return (struct slice){room, n};
    }
    return (struct slice){room, (size_t)snprintf((char *)room, 64, what < 40 ? "%d" : "member %d",
                                                 (int)prng_below(random, 1000000) - 500000)};
}

TEST(collections_travel_to_redis_and_back)
{
    struct redis_server s;
    if (!redis_server_start(&s)) {
        printf("skip commands/cmd_dump: redis-server is not installed or did not start\n");
        return;
    }
    struct rows r;
    rows_init(&r);
    struct prng random;
    prng_seed(&random, 11);
    uint8_t room[20000];
    static const size_t size[] = {1, 2, 10, 127, 128, 129, 600, 3000};
    static const char *const score[] = {
        "1", "-0.1", "inf", "-inf", "1e300", "0", "123456789012345678", "3.25", "-7", "5e-324"};
    for (size_t i = 0; i < sizeof size / sizeof size[0]; i++) {
        rows_line(&r, "del k");
        for (size_t k = 0; k < size[i]; k++) {
            struct slice push[] = {SLICE_LITERAL("rpush"), SLICE_LITERAL("k"),
                                   element_of(&random, room)};
            rows_run(&r, push, 3);
        }
        test_context("a list of %zu", size[i]);
        collection_there_and_back(&r, &s, "lrange k 0 -1");
        for (unsigned small = 0; small < 2;
             small++) { /* with short members alone it stays a listpack */
            rows_line(&r, "del k");
            for (size_t k = 0; k < size[i]; k++) {
                struct slice member = element_of(&random, room);
                struct slice add[] = {SLICE_LITERAL("zadd"), SLICE_LITERAL("k"),
                                      slice_from_cstr(score[prng_below(&random, 10)]),
                                      small && member.n > 64 ? slice_from_cstr("short") : member};
                rows_run(&r, add, 4);
            }
            test_context("a sorted set of %zu, small %u", size[i], small);
            collection_there_and_back(&r, &s, "zrange k 0 -1 withscores");
        }
    }
    test_context("%s", "");
    rows_deinit(&r);
    redis_server_stop(&s);
}

TEST_MAIN()
