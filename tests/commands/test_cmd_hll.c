/* HyperLogLogs: the same bytes as redis-server after any commands, and what corrupt ones do. */

#include <stdio.h>
#include <string.h>

#include "commands/hll.h"
#include "keyspace/settings.h"
#include "tests/commands/differ.h"
#include "tests/test.h"

static const char *const key[] = {"a", "b", "c", "d"};

static void add_key(struct differ *d, struct differ_command *c)
{
    differ_word(c, key[prng_below(&d->random, 4)]);
}

/* The string without the cached count, which PFCOUNT stores in Redis only (cmd_hll.c). */
static void check_bytes(struct differ *d, const char *name)
{
    struct slice get[] = {SLICE_LITERAL("GET"), slice_from_cstr(name)};
    struct buf theirs = {0};
    REQUIRE(redis_server_run(&d->server, get, 2, &theirs));
    struct slice ours = rows_run(&d->rows, get, 2);
    struct slice a = ours;
    struct slice b = buf_slice(&theirs);
    const uint8_t *start = memchr(a.p, 'H', a.n);
    if (CHECK_EQ_UINT(a.n, b.n) && start && a.n > 30) {
        size_t at = (size_t)(start - a.p) + 8;
        CHECK_EQ_BYTES(a.p, at, b.p, at);
        CHECK_EQ_BYTES(a.p + at + 8, a.n - at - 8, b.p + at + 8, b.n - at - 8);
    }
    buf_deinit(&theirs);
}

static void add_elements(struct differ *d, struct differ_command *c, uint64_t universe)
{
    uint64_t count = prng_below(&d->random, 4) ? prng_below(&d->random, 5) : prng_below(&d->random, 100);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t n = prng_below(&d->random, universe);
        uint8_t bytes[24];
        memset(bytes, 'x', sizeof bytes);
        memcpy(bytes, &n, sizeof n);
        differ_bytes(c, (struct slice){bytes, n % sizeof bytes});
    }
}

static void make_one(struct differ *d, struct differ_command *c, uint64_t universe)
{
    static const char *const debug[] = {"GETREG", "decode", "Encoding", "todense", "foo"};
    uint64_t what = prng_below(&d->random, 100);
    if (what < 70) {
        differ_word(c, "PFADD");
        add_key(d, c);
        add_elements(d, c, universe);
    } else if (what < 80) {
        differ_word(c, what < 75 ? "PFCOUNT" : "PFMERGE");
        for (uint64_t i = prng_below(&d->random, 4); i < 4; i++) {
            add_key(d, c);
        }
    } else if (what < 97) {
        differ_word(c, "PFCOUNT");
        add_key(d, c);
    } else if (what < 99) {
        differ_word(c, "PFDEBUG");
        differ_word(c, debug[prng_below(&d->random, prng_below(&d->random, 20) ? 3 : 5)]);
        add_key(d, c);
    } else {
        differ_word(c, "DEL");
        add_key(d, c);
    }
}

static void run_random(enum reply_protocol protocol, uint64_t seed, int steps, uint64_t universe)
{
    struct differ d;
    if (!differ_begin(&d, protocol, seed, "HyperLogLog")) {
        return;
    }
    for (int i = 0; i < steps; i++) {
        struct differ_command c = {.count = 0};
        make_one(&d, &c, universe);
        differ_run(&d, &c, DIFFER_EXACT);
        if (i % 7 == 0) {
            check_bytes(&d, key[prng_below(&d.random, 4)]);
        }
    }
    differ_end(&d);
}

TEST(random_commands_answer_as_redis_with_the_same_bytes)
{
    run_random(REPLY_RESP2, 1, 2000, 3000);
    run_random(REPLY_RESP3, 2, 2000, 100000);
}

/* Without PFCOUNT in between, the cache too: the whole string, and DUMP. */
TEST(get_and_dump_are_bytes_of_redis)
{
    struct differ d;
    if (!differ_begin(&d, REPLY_RESP2, 3, "HyperLogLog bytes")) {
        return;
    }
    for (int i = 0; i < 1500; i++) {
        struct differ_command c = {.count = 0};
        differ_word(&c, "PFADD");
        add_key(&d, &c);
        add_elements(&d, &c, 1u << 20);
        differ_run(&d, &c, DIFFER_EXACT);
        if (i % 5 == 0) {
            differ_line(&d, DIFFER_EXACT, "GET %s", key[i % 4]);
            differ_line(&d, DIFFER_EXACT, "OBJECT ENCODING %s", key[i % 4]);
        }
        if (i % 100 == 0) {
            differ_line(&d, DIFFER_EXACT, "PFMERGE d a b");
        }
    }
    differ_end(&d);
}

/* Strings that begin like one, with any bytes behind: the same errors, and no harm. */
TEST(corrupt_ones_are_refused_as_in_redis)
{
    struct differ d;
    if (!differ_begin(&d, REPLY_RESP2, 4, "corrupt HyperLogLogs")) {
        return;
    }
    for (int i = 0; i < 3000; i++) {
        struct differ_command c = {.count = 0};
        uint8_t bytes[64] = {'H', 'Y', 'L', 'L', 1};
        size_t n = prng_below(&d.random, 20) ? HLL_HEADER_BYTES + prng_below(&d.random, 40) : prng_below(&d.random, 20);
        for (size_t j = HLL_CACHE_FLAG_AT; j < sizeof bytes; j++) {
            bytes[j] = (uint8_t)prng_next(&d.random);
        }
        bytes[HLL_ENCODING_AT] = (uint8_t)(prng_below(&d.random, 10) ? 1 : prng_below(&d.random, 3));
        bytes[HLL_CACHE_FLAG_AT] |= prng_below(&d.random, 8) ? 0x80 : 0;
        if (prng_below(&d.random, 2) && n > HLL_HEADER_BYTES + 2) {
            /* a valid end: what is left in one XZERO */
            bytes[HLL_HEADER_BYTES] = 0x7f;
            bytes[HLL_HEADER_BYTES + 1] = (uint8_t)(255 - prng_below(&d.random, 4));
        }
        differ_word(&c, "SET");
        differ_word(&c, "x");
        differ_bytes(&c, (struct slice){bytes, n});
        differ_run(&d, &c, DIFFER_EXACT);
        differ_line(&d, DIFFER_EXACT, "PFCOUNT x y");
        differ_line(&d, DIFFER_EXACT, "PFCOUNT x");
        differ_line(&d, DIFFER_EXACT, "PFDEBUG %s x", i % 3 ? "DECODE" : "encoding");
        differ_line(&d, DIFFER_EXACT, "PFADD x %d", i);
        differ_line(&d, DIFFER_EXACT, "PFMERGE z x");
        if (i % 50 == 0) {
            differ_line(&d, DIFFER_EXACT, "PFDEBUG TODENSE x");
            differ_line(&d, DIFFER_EXACT, "PFDEBUG GETREG x");
        }
    }
    differ_line(&d, DIFFER_EXACT, "SET n 12345");
    differ_line(&d, DIFFER_EXACT, "PFADD n a");
    differ_line(&d, DIFFER_EXACT, "PFADD new");
    differ_line(&d, DIFFER_EXACT, "PFADD new");
    differ_line(&d, DIFFER_EXACT, "PFCOUNT new nothing");
    differ_line(&d, DIFFER_EXACT, "PFDEBUG GETREG nothing");
    differ_end(&d);
}

TEST(many_opcodes_that_cover_nothing_are_corrupt_at_any_length)
{
    struct rows r;
    static uint8_t bytes[200000] = {'H', 'Y', 'L', 'L', 1};
    rows_init(&r);
    bytes[HLL_CACHE_FLAG_AT] = 0x80;
    for (size_t n = HLL_SPARSE_BYTES_MAX - 3; n < sizeof bytes; n += n < HLL_SPARSE_BYTES_MAX + 10 ? 1 : 50000) {
        struct slice set[] = {SLICE_LITERAL("SET"), SLICE_LITERAL("x"), {bytes, n}};
        rows_run(&r, set, 3);
        CHECK_EQ_STR(rows_line(&r, "PFCOUNT x"), "-INVALIDOBJ Corrupted HLL object detected\r\n");
        CHECK_EQ_STR(rows_line(&r, "PFMERGE y x"), "-INVALIDOBJ Corrupted HLL object detected\r\n");
        rows_line(&r, "PFADD x a b c d");
        rows_line(&r, "PFDEBUG DECODE x");
    }
    rows_deinit(&r);
}

TEST(selftest_passes)
{
    struct rows r;
    rows_init(&r);
    CHECK_EQ_STR(rows_line(&r, "PFSELFTEST"), "+OK\r\n");
    rows_deinit(&r);
}

/* A small hll-sparse-max-bytes, and no sparse ones at all. */
TEST(the_setting_decides_when_it_becomes_dense)
{
    struct differ d;
    if (!differ_begin(&d, REPLY_RESP2, 5, "hll-sparse-max-bytes")) {
        return;
    }
    static const int64_t sizes[] = {0, 18, 19, 40, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", (int)sizes[i]);
        struct slice set[] = {SLICE_LITERAL("CONFIG"), SLICE_LITERAL("SET"), SLICE_LITERAL("hll-sparse-max-bytes"),
                              slice_from_cstr(number)};
        struct buf reply = {0};
        REQUIRE(redis_server_run(&d.server, set, 4, &reply));
        buf_deinit(&reply);
        keyspace_set_setting(d.rows.keyspace, SETTING_HLL_SPARSE_MAX_BYTES, sizes[i]);
        for (int j = 0; j < 300; j++) {
            struct differ_command c = {.count = 0};
            make_one(&d, &c, 500);
            differ_run(&d, &c, DIFFER_EXACT);
            check_bytes(&d, key[j % 4]);
        }
    }
    differ_end(&d);
}

TEST_MAIN()
