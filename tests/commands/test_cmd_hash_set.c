/* Hashes and sets against redis-server: random commands, their replies, encodings, and the memory of conversions. Then what Redis
 * leaves to chance: random members, cursors, bounds. */

#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "keyspace/keyspace_internal.h"
#include "keyspace/settings.h"
#include "keyspace/tree.h"
#include "resp/resp_value.h"
#include "tests/commands/differ.h"
#include "tests/test.h"

#define CHOOSE(d, array) (array)[prng_below(&(d)->random, sizeof(array) / sizeof(array)[0])]

static const char *const keys[] = {"a", "b", "c", "d", "e", "f"};

static void add_key(struct differ *d, struct differ_command *c)
{
    differ_word(c, prng_below(&d->random, 50) ? CHOOSE(d, keys) : "string");
}

/* Fields, members and values: few, so that they meet again; integers of all widths, texts around the thresholds. */
static void add_text(struct differ *d, struct differ_command *c, bool is_integers)
{
    static const char *const odd[] = {"",   "0",     "-0",  "007", "+1",   " 1",  "1 ",  "9223372036854775808", "-9223372036854775809",
                                      "1e3", "x\ny", "-1", "32767", "32768", "-32769", "2147483647", "2147483648", "-2147483649",
                                      "9223372036854775807", "-9223372036854775808"};
    uint8_t bytes[100];
    uint64_t what = prng_below(&d->random, 20);
    if (is_integers && what < 19) {
        static const int64_t range[] = {10, 100, 40000, INT64_C(5000000000)};
        differ_number(c, (int64_t)prng_below(&d->random, (uint64_t)CHOOSE(d, range)) - 5);
    } else if (what < 8) {
        differ_number(c, (int64_t)prng_below(&d->random, 12));
    } else if (what < 10) {
        differ_word(c, CHOOSE(d, odd));
    } else if (what < 18) {
        char text[16];
        int n = snprintf(text, sizeof text, "word%d", (int)prng_below(&d->random, 15));
        differ_bytes(c, (struct slice){(const uint8_t *)text, (size_t)n});
    } else {
        size_t n = what == 18 ? 60 + prng_below(&d->random, 8) : prng_below(&d->random, sizeof bytes);
        memset(bytes, 'a' + (int)prng_below(&d->random, 3), n);
        differ_bytes(c, (struct slice){bytes, n});
    }
}

static void add_integer(struct differ *d, struct differ_command *c)
{
    static const char *const edge[] = {"9223372036854775807", "-9223372036854775808", "x", "1.5", "", "4611686018427387904"};
    if (prng_below(&d->random, 4)) {
        differ_number(c, (int64_t)prng_below(&d->random, 40) - 20);
    } else {
        differ_word(c, CHOOSE(d, edge));
    }
}

static void add_float(struct differ *d, struct differ_command *c)
{
    static const char *const number[] = {"0.1", "-0.1", "3e3", "1e-17", "-0", "inf", "-inf", "nan", "1e4932", " 1", "x", "", "0x10", "5.", "1e400"};
    differ_word(c, CHOOSE(d, number));
}

/* --- hashes --- */

static enum differ_order make_hash(struct differ *d, struct differ_command *c)
{
    static const char *const by_field[] = {"HGET", "HEXISTS", "HSTRLEN"};
    static const char *const whole[] = {"HKEYS", "HVALS", "HLEN"};
    uint64_t what = prng_below(&d->random, 100);
    if (what < 30) {
        differ_word(c, prng_below(&d->random, 5) ? "HSET" : "hmset");
        add_key(d, c);
        for (uint64_t n = 1 + prng_below(&d->random, prng_below(&d->random, 4) ? 3 : 20); n > 0; n--) {
            add_text(d, c, false);
            if (n > 1 || prng_below(&d->random, 20)) {
                add_text(d, c, false);
            }
        }
    } else if (what < 36) {
        differ_word(c, "HSETNX");
        add_key(d, c);
        add_text(d, c, false);
        add_text(d, c, false);
    } else if (what < 50) {
        differ_word(c, what < 42 ? "HMGET" : "HDEL");
        add_key(d, c);
        for (uint64_t n = prng_below(&d->random, 8); n > 0; n--) {
            add_text(d, c, false);
        }
        add_text(d, c, false);
    } else if (what < 62) {
        differ_word(c, CHOOSE(d, by_field));
        add_key(d, c);
        add_text(d, c, false);
    } else if (what < 74) {
        bool is_float = what >= 68 && rows_has_long_double();
        differ_word(c, is_float ? "HINCRBYFLOAT" : "HINCRBY");
        add_key(d, c);
        add_text(d, c, false);
        if (is_float) {
            add_float(d, c);
        } else {
            add_integer(d, c);
        }
    } else if (what < 82) {
        differ_word(c, CHOOSE(d, whole));
        add_key(d, c);
        return DIFFER_UNORDERED;
    } else if (what < 90) {
        differ_word(c, "HGETALL");
        add_key(d, c);
        return DIFFER_PAIRS;
    } else if (what < 92) {
        differ_word(c, "HRANDFIELD");
        add_key(d, c);
        differ_number(c, 100000);
        differ_word(c, "withvalues");
        return DIFFER_PAIRS;
    } else {
        static const char *const option[] = {"withvalues", "x", "count", "match"};
        differ_word(c, what < 95 ? "HRANDFIELD" : "HSCAN");
        differ_word(c, prng_below(&d->random, 2) ? "nothing" : "string");
        if (prng_below(&d->random, 6)) {
            add_integer(d, c);
        }
        for (uint64_t n = prng_below(&d->random, 3); n > 0; n--) {
            differ_word(c, CHOOSE(d, option));
        }
    }
    return DIFFER_EXACT;
}

/* --- sets --- */

static void add_keys(struct differ *d, struct differ_command *c)
{
    for (uint64_t n = prng_below(&d->random, 4); n > 0; n--) {
        add_key(d, c);
    }
    add_key(d, c);
}

static void add_members(struct differ *d, struct differ_command *c)
{
    bool is_integers = prng_below(&d->random, 3) > 0;
    for (uint64_t n = prng_below(&d->random, prng_below(&d->random, 4) ? 4 : 30); n > 0; n--) {
        add_text(d, c, is_integers);
    }
    add_text(d, c, is_integers);
}

static enum differ_order make_algebra(struct differ *d, struct differ_command *c)
{
    static const char *const store[] = {"SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"};
    static const char *const read[] = {"SINTER", "SUNION", "SDIFF"};
    uint64_t what = prng_below(&d->random, 10);
    if (what < 4) {
        differ_word(c, CHOOSE(d, store));
        differ_word(c, CHOOSE(d, keys));
        add_keys(d, c);
    } else if (what < 8) {
        differ_word(c, CHOOSE(d, read));
        add_keys(d, c);
    } else {
        static const char *const option[] = {"LIMIT", "limit", "x"};
        differ_word(c, "SINTERCARD");
        if (prng_below(&d->random, 4)) {
            differ_number(c, (int64_t)prng_below(&d->random, 4));
        } else {
            add_integer(d, c);
        }
        add_keys(d, c);
        for (uint64_t n = prng_below(&d->random, 3); n > 0; n--) {
            differ_word(c, CHOOSE(d, option));
            add_integer(d, c);
        }
    }
    return DIFFER_UNORDERED;
}

static enum differ_order make_set(struct differ *d, struct differ_command *c)
{
    uint64_t what = prng_below(&d->random, 100);
    if (what < 30) {
        differ_word(c, "SADD");
        add_key(d, c);
        add_members(d, c);
    } else if (what < 40) {
        differ_word(c, what < 37 ? "SREM" : "SMISMEMBER");
        add_key(d, c);
        add_members(d, c);
    } else if (what < 48) {
        differ_word(c, "SMOVE");
        add_key(d, c);
        add_key(d, c);
        add_text(d, c, false);
    } else if (what < 56) {
        differ_word(c, what < 53 ? "SISMEMBER" : "SCARD");
        add_key(d, c);
        if (what < 53) {
            add_text(d, c, false);
        }
    } else if (what < 63) {
        differ_word(c, "SMEMBERS");
        add_key(d, c);
        return DIFFER_UNORDERED;
    } else if (what < 66) { /* all of it: the one case without chance */
        differ_word(c, what < 65 ? "SRANDMEMBER" : "SPOP");
        add_key(d, c);
        differ_number(c, 1000000);
        return DIFFER_UNORDERED;
    } else if (what < 72) {
        static const char *const name[] = {"SPOP", "SRANDMEMBER", "SSCAN"};
        static const char *const option[] = {"x", "count", "match", "1"};
        differ_word(c, CHOOSE(d, name));
        differ_word(c, prng_below(&d->random, 2) ? "nothing" : "string");
        if (prng_below(&d->random, 6)) {
            add_integer(d, c);
        }
        for (uint64_t n = prng_below(&d->random, 3); n > 0; n--) {
            differ_word(c, CHOOSE(d, option));
        }
    } else {
        return make_algebra(d, c);
    }
    return DIFFER_EXACT;
}

/* --- both --- */

static enum differ_order make_other(struct differ *d, struct differ_command *c)
{
    static const char *const name[] = {"TYPE", "OBJECT", "OBJECT", "OBJECT", "DEL", "EXISTS", "COPY", "RENAME", "STRLEN", "GET"};
    static const char *const into[] = {"a", "b", "c"};
    const char *chosen = CHOOSE(d, name);
    differ_word(c, chosen);
    if (strcmp(chosen, "OBJECT") == 0) {
        differ_word(c, "ENCODING");
    }
    differ_word(c, CHOOSE(d, keys));
    if (strcmp(chosen, "COPY") == 0 || strcmp(chosen, "RENAME") == 0) {
        differ_word(c, CHOOSE(d, into));
    }
    return DIFFER_EXACT;
}

/* A setting, in both. */
static void set_setting(struct differ *d, enum setting s, int64_t value)
{
    char number[24];
    struct buf reply = {0};
    snprintf(number, sizeof number, "%lld", (long long)value);
    struct slice arg[] = {SLICE_LITERAL("CONFIG"), SLICE_LITERAL("SET"), slice_from_cstr(setting_at(s)->name), slice_from_cstr(number)};
    REQUIRE(redis_server_run(&d->server, arg, 4, &reply));
    CHECK_EQ_SLICE(buf_slice(&reply), "+OK\r\n");
    buf_deinit(&reply);
    keyspace_set_setting(d->rows.keyspace, s, value);
}

static void change_settings(struct differ *d)
{
    static const int64_t entries[] = {0, 1, 5, 20, 512, 100000};
    static const int64_t value[] = {0, 4, 63, 64, 65, 1000};
    set_setting(d, SETTING_HASH_MAX_LISTPACK_ENTRIES, CHOOSE(d, entries));
    set_setting(d, SETTING_HASH_MAX_LISTPACK_VALUE, CHOOSE(d, value));
    set_setting(d, SETTING_SET_MAX_INTSET_ENTRIES, CHOOSE(d, entries));
}

static size_t steps_wanted(void)
{
    const char *text = getenv("DIFFERENTIAL_STEPS");
    return text ? (size_t)strtoul(text, NULL, 10) : 8000;
}

static void run_random(enum reply_protocol protocol, uint64_t seed)
{
    struct differ d;
    if (!differ_begin(&d, protocol, seed, "hashes and sets")) {
        return;
    }
    differ_line(&d, DIFFER_EXACT, "SET string value");
    for (size_t i = 0; i < steps_wanted(); i++) {
        struct differ_command c = {.count = 0};
        enum differ_order order;
        uint64_t what = prng_below(&d.random, 100);
        if (i % 500 == 499) {
            change_settings(&d);
        }
        order = what < 45 ? make_hash(&d, &c) : what < 90 ? make_set(&d, &c) : make_other(&d, &c);
        differ_run(&d, &c, order);
    }
    keyspace_check(d.rows.keyspace);
    differ_end(&d);
}

TEST(random_commands_get_the_same_replies_in_resp2)
{
    run_random(REPLY_RESP2, 11);
}

TEST(random_commands_get_the_same_replies_in_resp3)
{
    run_random(REPLY_RESP3, 12);
}

/* --- DUMP and RESTORE: what one writes the other reads --- */

static struct slice bulk_of(struct slice reply)
{
    const uint8_t *end = memchr(reply.p, '\n', reply.n);
    REQUIRE(reply.p[0] == '$' && end && reply.p[1] != '-');
    struct slice bytes = slice_skip(reply, (size_t)(end - reply.p) + 1);
    bytes.n -= 2;
    return bytes;
}

static void exchange(struct differ *d, const char *name)
{
    struct slice dump[] = {SLICE_LITERAL("DUMP"), slice_from_cstr(name)};
    struct slice restore[] = {SLICE_LITERAL("RESTORE"), slice_from_cstr(name), SLICE_LITERAL("0"), {NULL, 0}, SLICE_LITERAL("REPLACE")};
    struct buf ours = {0};
    struct buf theirs = {0};
    struct buf reply = {0};
    buf_append_slice(&ours, rows_run(&d->rows, dump, 2));
    REQUIRE(redis_server_run(&d->server, dump, 2, &theirs));
    struct slice made = buf_slice(&ours);
    REQUIRE(made.p != NULL && made.n > 1);
    if (made.p && made.p[1] != '-') {
        restore[3] = bulk_of(made);
        REQUIRE(redis_server_run(&d->server, restore, 5, &reply));
        CHECK_EQ_SLICE(buf_slice(&reply), "+OK\r\n");
        restore[3] = bulk_of(buf_slice(&theirs));
        CHECK_EQ_SLICE(rows_run(&d->rows, restore, 5), "+OK\r\n");
    }
    buf_deinit(&ours);
    buf_deinit(&theirs);
    buf_deinit(&reply);
}

TEST(dump_goes_to_redis_and_back)
{
    struct differ d;
    if (!differ_begin(&d, REPLY_RESP2, 13, "DUMP of hashes and sets")) {
        return;
    }
    differ_line(&d, DIFFER_EXACT, "SET string value");
    for (size_t i = 0; i < 3000; i++) {
        struct differ_command c = {.count = 0};
        enum differ_order order = i % 2 ? make_hash(&d, &c) : make_set(&d, &c);
        differ_run(&d, &c, order);
        if (i % 10 == 0) {
            exchange(&d, keys[i / 10 % 6]);
            differ_line(&d, DIFFER_EXACT, "OBJECT ENCODING %s", keys[i / 10 % 6]);
        }
        if (i % 400 == 399) {
            static const int64_t entries[] = {5, 20, 512, 100000};
            set_setting(&d, SETTING_HASH_MAX_LISTPACK_ENTRIES, CHOOSE(&d, entries));
            set_setting(&d, SETTING_SET_MAX_INTSET_ENTRIES, CHOOSE(&d, entries));
        }
    }
    /* Longer than is packed here, and of all widths. */
    set_setting(&d, SETTING_SET_MAX_INTSET_ENTRIES, 100000);
    set_setting(&d, SETTING_HASH_MAX_LISTPACK_ENTRIES, 100000);
    for (int i = 0; i < 3000; i++) {
        long long number = (long long)i * i * i * i * (i % 2 ? -1 : 1);
        differ_line(&d, DIFFER_EXACT, "SADD long %lld", number);
        differ_line(&d, DIFFER_EXACT, "HSET longhash %lld %d", number, i);
        if (i % 700 == 0 || i == 1023 || i == 1024) {
            exchange(&d, "long");
            exchange(&d, "longhash");
            differ_line(&d, DIFFER_EXACT, "OBJECT ENCODING long");
            differ_line(&d, DIFFER_EXACT, "OBJECT ENCODING longhash");
            differ_line(&d, DIFFER_UNORDERED, "SMEMBERS long");
            differ_line(&d, DIFFER_PAIRS, "HGETALL longhash");
        }
    }
    differ_end(&d);
}

/* --- what Redis leaves to chance --- */

static struct resp_value *ask(struct rows *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static struct resp_value *ask(struct rows *r, const char *format, ...)
{
    static char line[256];
    struct resp_value_reader reader = {0};
    struct resp_value *value = NULL;
    size_t consumed;
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    const char *reply = rows_line(r, line);
    REQUIRE(resp_value_next(&reader, slice_from_cstr(reply), &value, &consumed) == PARSE_OK);
    return value;
}

static void fill(struct rows *r, int count, bool is_integers)
{
    for (int i = 0; i < count; i++) {
        char line[64];
        snprintf(line, sizeof line, "SADD s %s%d", is_integers ? "" : "m", i);
        rows_line(r, line);
        snprintf(line, sizeof line, "HSET h f%d v%d", i, i);
        rows_line(r, line);
    }
}

/* The number in a member or field; -1: it is none of ours. */
static int number_of(struct slice text)
{
    char digits[16] = "";
    size_t skip = text.n > 0 && (text.p[0] < '0' || text.p[0] > '9');
    if (text.n - skip >= sizeof digits) {
        return -1;
    }
    memcpy(digits, text.p + skip, text.n - skip);
    return atoi(digits);
}

TEST(random_members_are_members_each_as_likely_as_the_next)
{
    static const int sizes[] = {1, 7, 100, 600};
    for (size_t s = 0; s < 2 * sizeof sizes / sizeof sizes[0]; s++) {
        struct rows r;
        int size = sizes[s / 2];
        rows_init(&r);
        fill(&r, size, s % 2);
        static const char *const form[] = {"SRANDMEMBER s", "HRANDFIELD h"};
        for (int which = 0; which < 2; which++) {
            int seen[600] = {0};
            int draws = size * 20;
            for (int round = 0; round < 10; round++) {
                r.seed = (uint64_t)round * 77 + s;
                struct resp_value *v = ask(&r, "%s -%d", form[which], draws);
                REQUIRE((int)v->child_count == draws);
                for (size_t i = 0; i < v->child_count; i++) {
                    int n = number_of(v->child[i].text);
                    REQUIRE(n >= 0 && n < size);
                    seen[n]++;
                }
                resp_value_free(v);
            }
            for (int i = 0; i < size; i++) {
                CHECK(seen[i] > 200 - 90 && seen[i] < 200 + 90); /* 200 expected, 6 standard deviations are 85 */
            }
        }
        rows_deinit(&r);
    }
}

TEST(different_members_are_different)
{
    struct rows r;
    rows_init(&r);
    fill(&r, 600, false);
    for (int count = 0; count <= 700; count += 7) {
        static const char *const form[] = {"SRANDMEMBER s", "HRANDFIELD h"};
        for (int which = 0; which < 2; which++) {
            bool seen[600] = {false};
            r.seed = (uint64_t)count;
            struct resp_value *v = ask(&r, "%s %d", form[which], count);
            CHECK_EQ_UINT(v->child_count, (uint64_t)(count < 600 ? count : 600));
            for (size_t i = 0; i < v->child_count; i++) {
                int n = number_of(v->child[i].text);
                REQUIRE(n >= 0 && n < 600 && !seen[n]);
                seen[n] = true;
            }
            resp_value_free(v);
        }
    }
    rows_deinit(&r);
}

/* So many members, none of which is there any more. */
static void check_popped(struct rows *r, struct slice reply, int count)
{
    struct resp_value_reader reader = {0};
    struct resp_value *v = NULL;
    size_t consumed;
    REQUIRE(resp_value_next(&reader, reply, &v, &consumed) == PARSE_OK);
    CHECK_EQ_UINT(v->child_count, (uint64_t)count);
    for (size_t i = 0; i < v->child_count; i++) {
        struct slice is_member[] = {SLICE_LITERAL("SISMEMBER"), SLICE_LITERAL("s"), v->child[i].text};
        CHECK_EQ_SLICE(rows_run(r, is_member, 3), ":0\r\n");
    }
    resp_value_free(v);
}

TEST(spop_takes_what_it_answers_and_the_seed_decides)
{
    struct rows r[2];
    for (int s = 0; s < 2; s++) {
        rows_init(&r[0]);
        rows_init(&r[1]);
        for (int i = 0; i < 2; i++) {
            fill(&r[i], 900, s == 1);
        }
        /* Another history, the same members. */
        for (int i = 0; i < 900; i++) {
            char line[64];
            snprintf(line, sizeof line, "SADD s %s%d", s == 1 ? "-" : "gone", 5000 + i);
            rows_line(&r[1], line);
            line[1] = 'R';
            line[2] = 'E';
            line[3] = 'M';
            rows_line(&r[1], line);
        }
        int left = 900;
        for (int step = 0; left > 0; step++) {
            int count = 1 + step * step % 130;
            int taken = count < left ? count : left;
            struct buf reply[2] = {{0}, {0}};
            for (int i = 0; i < 2; i++) {
                char line[32];
                snprintf(line, sizeof line, "SPOP s %d", count);
                r[i].seed = (uint64_t)step;
                buf_printf(&reply[i], "%s", rows_line(&r[i], line));
            }
            CHECK(slice_equal(buf_slice(&reply[0]), buf_slice(&reply[1])));
            check_popped(&r[0], buf_slice(&reply[0]), taken);
            buf_deinit(&reply[0]);
            buf_deinit(&reply[1]);
            left -= taken;
            CHECK_EQ_STR(rows_line(&r[0], "EXISTS s"), left ? ":1\r\n" : ":0\r\n");
        }
        rows_deinit(&r[0]);
        rows_deinit(&r[1]);
    }
}

static void scan_all(struct rows *r, const char *form, const char *options, int size, int step)
{
    int seen[3000] = {0};
    char cursor[32] = "0";
    int calls = 0;
    do {
        struct resp_value *v = ask(r, "%s %s%s", form, cursor, options);
        REQUIRE(v->child_count == 2);
        snprintf(cursor, sizeof cursor, "%.*s", (int)v->child[0].text.n, (const char *)v->child[0].text.p);
        for (size_t i = 0; i < v->child[1].child_count; i += (size_t)step) {
            int n = number_of(v->child[1].child[i].text);
            REQUIRE(n >= 0 && n < size);
            seen[n]++;
        }
        resp_value_free(v);
        CHECK(strtoull(cursor, NULL, 10) < UINT64_C(1) << 53);
        calls++;
    } while (strcmp(cursor, "0") != 0 && calls < 10000);
    for (int i = 0; i < size; i++) {
        CHECK_EQ_INT(seen[i], 1);
    }
}

TEST(a_scan_sees_everything_once)
{
    static const int sizes[] = {0, 1, 11, 513, 3000};
    for (size_t s = 0; s < 2 * sizeof sizes / sizeof sizes[0]; s++) {
        struct rows r;
        rows_init(&r);
        fill(&r, sizes[s / 2], s % 2);
        scan_all(&r, "SSCAN s", "", sizes[s / 2], 1);
        scan_all(&r, "SSCAN s", " COUNT 100", sizes[s / 2], 1);
        scan_all(&r, "HSCAN h", " COUNT 7", sizes[s / 2], 2);
        rows_deinit(&r);
    }
}

/* As a snapshot takes them apart and makes them again: every form. */
TEST(pieces_make_the_same_value_again)
{
    static const int sizes[] = {1, 5, 500, 513, 1024, 1025, 3000};
    for (size_t s = 0; s < 4 * sizeof sizes / sizeof sizes[0]; s++) {
        struct rows r;
        rows_init(&r);
        if (s & 2) {
            keyspace_set_setting(r.keyspace, SETTING_SET_MAX_INTSET_ENTRIES, 100000);
            keyspace_set_setting(r.keyspace, SETTING_HASH_MAX_LISTPACK_ENTRIES, 100000);
        }
        fill(&r, sizes[s / 4], s & 1);
        struct keyspace_view view = {.keyspace = r.keyspace};
        static const char *const names[] = {"s", "h"};
        for (size_t i = 0; i < 2; i++) {
            const struct value *v = keyspace_get(&view, slice_from_cstr(names[i]));
            struct value_builder builder;
            struct value_cursor cursor = {0};
            struct buf piece = {0};
            value_builder_init(&builder);
            while (value_write_piece(v, &cursor, &piece)) {
                CHECK(value_builder_add(&builder, buf_slice(&piece)));
                buf_clear(&piece, 0);
            }
            struct value *again = value_builder_finish(&builder);
            if (CHECK(again != NULL)) {
                struct value_digest a = {{0}, 0};
                struct value_digest b = {{0}, 0};
                static const struct siphash_key key = {{1}};
                while (value_digest_step(v, &key, &a)) {
                }
                while (value_digest_step(again, &key, &b)) {
                }
                CHECK_EQ_UINT(a.hash, b.hash);
                CHECK_EQ_INT(tree_get_encoding(again), tree_get_encoding(v));
            }
            value_free(again);
            value_builder_deinit(&builder);
            buf_deinit(&piece);
        }
        rows_deinit(&r);
    }
}

TEST(refusals_in_words)
{
    struct rows r;
    rows_init(&r);
    fill(&r, 10, true);
    CHECK(strncmp(rows_line(&r, "HRANDFIELD h -2147483648"), "-ERR refused: 2147483648 items", 30) == 0);
    CHECK(strncmp(rows_line(&r, "SRANDMEMBER s -2147483648"), "-ERR refused: 2147483648 items", 30) == 0);
    CHECK_EQ_STR(rows_line(&r, "HRANDFIELD h -9223372036854775808"),
                 "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n");
    CHECK_EQ_STR(rows_line(&r, "HRANDFIELD h -9223372036854770000 WITHVALUES"), "-ERR value is out of range\r\n");
    /* A few long values, drawn often: more than memory should hold. */
    struct buf value = {0};
    size_t n = LIMIT_RANDOM_REPLY_BYTES / 100;
    memset(buf_reserve(&value, n), 'v', n);
    buf_commit(&value, n);
    struct slice set[] = {SLICE_LITERAL("HSET"), SLICE_LITERAL("big"), SLICE_LITERAL("f"), buf_slice(&value)};
    rows_run(&r, set, 4);
    CHECK(strncmp(rows_line(&r, "HRANDFIELD big -200 WITHVALUES"), "-ERR refused: the answer would be longer", 40) == 0);
    CHECK(strncmp(rows_line(&r, "HRANDFIELD big -90 WITHVALUES"), "*180", 4) == 0);
    buf_deinit(&value);
    rows_deinit(&r);
}

TEST_MAIN()
