/* The rows against a real redis-server: the same random commands (random_commands.c) go to both, and every reply must be the same bytes,
 * in RESP2 and in RESP3. Replies that count down (TTL, PTTL) may differ by the time that passed in between. Skipped, in
 * words, where redis-server is not installed. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/number.h"
#include "commands/dump_format.h"
#include "tests/commands/random_commands.h"
#include "tests/commands/redis_server.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

enum { COUNTDOWN_SLACK_MS = 5000 };

static int64_t wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void describe(const struct command_text *c, char *text, size_t size)
{
    struct buf b;
    buf_init(&b);
    for (size_t i = 0; i < c->count; i++) {
        struct slice shown = c->arg[i];
        shown.n = shown.n < 60 ? shown.n : 60;
        buf_append_byte(&b, ' ');
        reply_text_escape(&b, shown);
    }
    buf_append_byte(&b, 0);
    snprintf(text, size, "%s", (const char *)b.data);
    buf_deinit(&b);
}

static bool slice_starts_with(struct slice s, const char *text)
{
    size_t n = strlen(text);
    return s.n >= n && memcmp(s.p, text, n) == 0;
}

/* The payload of a DUMP's reply; Redis compresses long ones. */
static bool dumps_match(struct slice ours, struct slice theirs)
{
    struct slice reply[] = {ours, theirs};
    struct value *value[2] = {NULL, NULL};
    bool is_same = true;
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *end = memchr(reply[i].p, '\n', reply[i].n);
        is_same = is_same && reply[i].p[0] == '$' && end && reply[i].p[1] != '-';
        if (is_same) {
            struct slice bytes = slice_skip(reply[i], (size_t)(end - reply[i].p) + 1);
            bytes.n -= 2;
            const struct keyspace_view strings_need_none = {.keyspace = NULL};
            is_same = dump_read(&strings_need_none, bytes, &value[i]) == DUMP_OK;
        }
    }
    is_same = is_same && value_string_size(value[0]) == value_string_size(value[1]);
    for (size_t at = 0; is_same && at < value_string_size(value[0]);) {
        struct slice part = value_string_part(value[0], at);
        is_same = slice_equal(part, value_string_part(value[1], at));
        at += part.n;
    }
    value_free(value[0]);
    value_free(value[1]);
    return is_same;
}

/* LCS has a smaller limit here. */
static bool replies_match(const struct command_text *c, struct slice ours, struct slice theirs)
{
    if (slice_equal(ours, theirs)) {
        return true;
    }
    if (slice_equal_nocase(c->arg[0], "dump")) {
        return dumps_match(ours, theirs);
    }
    if (slice_equal_nocase(c->arg[0], "lcs") &&
        slice_equal(ours, slice_from_cstr("-ERR Insufficient memory, transient memory for LCS "
                                          "exceeds 64 MiB\r\n"))) {
        return theirs.p[0] != '-' || slice_starts_with(theirs, "-ERR Insufficient memory");
    }
    bool is_ttl = slice_equal_nocase(c->arg[0], "ttl");
    int64_t a;
    int64_t b;
    if ((!is_ttl && !slice_equal_nocase(c->arg[0], "pttl")) || ours.n < 4 || theirs.n < 4 ||
        ours.p[0] != ':' || theirs.p[0] != ':' ||
        !number_parse_i64((struct slice){ours.p + 1, ours.n - 3}, &a) ||
        !number_parse_i64((struct slice){theirs.p + 1, theirs.n - 3}, &b) || a < 0 || b < 0) {
        return false;
    }
    int64_t slack = is_ttl ? COUNTDOWN_SLACK_MS / 1000 : COUNTDOWN_SLACK_MS;
    return a - b <= slack && b - a <= slack;
}

static void compare(struct rows *r, struct redis_server *s, const struct command_text *c)
{
    char text[1024];
    describe(c, text, sizeof text);
    test_context("%s (RESP%d)", text, r->protocol == REPLY_RESP3 ? 3 : 2);
    struct buf theirs;
    buf_init(&theirs);
    r->time_ms = wall_clock_ms();
    struct slice ours = rows_run(r, c->arg, c->count);
    REQUIRE(redis_server_run(s, c->arg, c->count, &theirs));
    if (!replies_match(c, ours, buf_slice(&theirs))) {
        CHECK_EQ_BYTES(ours.p, ours.n, buf_slice(&theirs).p, buf_size(&theirs));
    }
    buf_deinit(&theirs);
}

/* DBSIZE counts due keys until they are removed, which each does at its own time: let both meet
 * them first. */
static void touch_all_keys(struct rows *r, struct redis_server *s)
{
    static const char *const line[] = {"a", "b", "c", "d", "e", "n1", "n2", "n3", "key with blanks",
                                       ""};
    struct command_text c = {.count = 0};
    for (size_t i = 0; i <= 10; i++) {
        c.count = 0;
        command_text_add(&c, "persist");
        if (i < 10) {
            command_text_add(&c, line[i]);
        } else {
            command_text_add_slice(&c, (struct slice){(const uint8_t *)"nul\0key", 7});
        }
        r->time_ms = wall_clock_ms();
        rows_run(r, c.arg, c.count);
        struct buf reply;
        buf_init(&reply);
        redis_server_run(s, c.arg, c.count, &reply);
        buf_deinit(&reply);
    }
}

static bool seen_skip(const char *what)
{
    printf("skip commands/differential %s: redis-server is not installed or did not start\n", what);
    return true;
}

static void run_random(enum reply_protocol protocol, uint64_t seed, size_t steps)
{
    struct redis_server s;
    if (!redis_server_start(&s)) {
        CHECK(seen_skip(protocol == REPLY_RESP3 ? "RESP3" : "RESP2"));
        return;
    }
    random_commands_init();
    struct rows r;
    rows_init(&r);
    r.protocol = protocol;
    if (protocol == REPLY_RESP3) {
        struct buf hello;
        buf_init(&hello);
        REQUIRE(redis_server_run(
            &s, (const struct slice[]){SLICE_LITERAL("HELLO"), SLICE_LITERAL("3")}, 2, &hello));
        buf_deinit(&hello);
    }
    struct prng random;
    prng_seed(&random, seed);
    struct buf payload;
    buf_init(&payload);
    for (size_t step = 0; step < steps; step++) {
        struct command_text c;
        random_command_make(&c, &random, &payload);
        if (slice_equal_nocase(c.arg[0], "incrbyfloat") && !rows_has_long_double()) {
            continue;
        }
        if (slice_equal_nocase(c.arg[0], "dbsize")) {
            touch_all_keys(&r, &s);
        }
        compare(&r, &s, &c);
    }
    test_context("%s", "");
    buf_deinit(&payload);
    rows_deinit(&r);
    redis_server_stop(&s);
}

static size_t steps_wanted(void)
{
    const char *text = getenv("DIFFERENTIAL_STEPS");
    return text ? (size_t)strtoul(text, NULL, 10) : 15000;
}

TEST(random_commands_get_the_same_bytes_in_resp2)
{
    run_random(REPLY_RESP2, 1, steps_wanted());
}

TEST(random_commands_get_the_same_bytes_in_resp3)
{
    run_random(REPLY_RESP3, 2, steps_wanted());
}

TEST_MAIN()
