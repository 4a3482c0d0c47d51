/* The rows against a real redis-server: the same random commands, with arguments from the edges of
 * what is allowed, go to both, and every reply must be the same bytes, in RESP2 and in RESP3.
 * Replies that count down (TTL, PTTL) may differ by the time that passed in between. Skipped, in
 * words, where redis-server is not installed. */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/number.h"
#include "base/prng.h"
#include "commands/dump_format.h"
#include "tests/commands/redis_server.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

enum {
    ARGS_MAX = 20,
    LONG_BYTES = 70000, /* more than one chunk of a value */
    COUNTDOWN_SLACK_MS = 5000,
};

static uint8_t long_bytes[LONG_BYTES];

struct command_text {
    struct slice arg[ARGS_MAX];
    size_t count;
    char room[512];
    size_t used;
};

static void add_slice(struct command_text *c, struct slice arg)
{
    if (c->count < ARGS_MAX) {
        c->arg[c->count++] = arg;
    }
}

static void add(struct command_text *c, const char *text)
{
    add_slice(c, slice_from_cstr(text));
}

static void add_number(struct command_text *c, int64_t number)
{
    char *at = c->room + c->used;
    size_t n = number_format_i64(number, at);
    c->used += n;
    add_slice(c, (struct slice){(const uint8_t *)at, n});
}

#define CHOOSE(random, array) (array)[prng_below((random), sizeof(array) / sizeof(array)[0])]

static void add_key(struct command_text *c, struct prng *random)
{
    static const char *const key[] = {"a", "b", "c", "d", "e", "n1", "n2", "n3", "key with blanks"};
    uint64_t what = prng_below(random, 40);
    if (what == 0) {
        add(c, "");
    } else if (what == 1) {
        add_slice(c, (struct slice){(const uint8_t *)"nul\0key", 7});
    } else {
        add(c, CHOOSE(random, key));
    }
}

static const char *const integers[] = {"0",
                                       "1",
                                       "-1",
                                       "10",
                                       "9223372036854775807",
                                       "-9223372036854775808",
                                       "9223372036854775806",
                                       "-9223372036854775807",
                                       "4611686018427387904"};
static const char *const no_integers[] = {"",
                                          " 1",
                                          "1 ",
                                          "+1",
                                          "01",
                                          "-0",
                                          "1.0",
                                          "abc",
                                          "0x10",
                                          "1e3",
                                          "9223372036854775808",
                                          "-9223372036854775809",
                                          "--1",
                                          "-"};

static void add_value(struct command_text *c, struct prng *random)
{
    uint64_t what = prng_below(random, 20);
    if (what < 8) {
        add(c, CHOOSE(random, integers));
    } else if (what < 12) {
        add(c, CHOOSE(random, no_integers));
    } else if (what == 12) {
        add_slice(c, (struct slice){(const uint8_t *)"\0\r\n\xff\x80", 5});
    } else if (what == 13) {
        add_slice(c, (struct slice){long_bytes, 1 + prng_below(random, 300)});
    } else if (what == 14) {
        add_slice(c, (struct slice){long_bytes, LONG_BYTES - prng_below(random, 10000)});
    } else {
        add(c, "value");
    }
}

static void add_integer(struct command_text *c, struct prng *random)
{
    add(c, prng_below(random, 5) ? CHOOSE(random, integers) : CHOOSE(random, no_integers));
}

/* A time for `unit` ("ex", ...): mostly far ahead and each of its own, so that the moment of
 * execution decides nothing. */
static void add_time(struct command_text *c, struct prng *random, bool is_relative, bool is_seconds)
{
    uint64_t what = prng_below(random, 12);
    if (what == 0) {
        add(c, CHOOSE(random, no_integers));
    } else if (what == 1) {
        /* Far out of range, or long ago; "in a moment" (1, 10) would pass between the two. */
        static const char *const edge[] = {
            "0", "-1", "9223372036854775807", "-9223372036854775808", "-10", "4611686018427387904"};
        add(c, CHOOSE(random, edge));
    } else if (what == 2) {
        static const char *const edge[] = {"9223372036854775", "9223372036854776",
                                           "-9223372036854775", "-9223372036854776"};
        add(c, CHOOSE(random, edge));
    } else {
        int64_t seconds = (int64_t)prng_below(random, 1000) * 1000 + 100000;
        seconds += is_relative ? 0 : 4000000000;
        add_number(c, is_seconds ? seconds : seconds * 1000 + (int64_t)prng_below(random, 900));
    }
}

static void add_set_options(struct command_text *c, struct prng *random)
{
    static const char *const plain[] = {"nx",      "NX",      "xx",  "Xx", "get", "GET", "keepttl",
                                        "KEEPTTL", "persist", "foo", "",   "n",   "nxx", "ex"};
    uint64_t count = prng_below(random, 3) ? prng_below(random, 3) : prng_below(random, 5);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t what = prng_below(random, 8);
        if (what == 0) {
            add(c, "EX");
            add_time(c, random, true, true);
        } else if (what == 1) {
            add(c, "px");
            add_time(c, random, true, false);
        } else if (what == 2) {
            add(c, "exat");
            add_time(c, random, false, true);
        } else if (what == 3) {
            add(c, "PXAT");
            add_time(c, random, false, false);
        } else if (what == 4 && prng_below(random, 4) == 0) {
            add_slice(c, (struct slice){(const uint8_t *)"nx\0y", 4});
        } else {
            add(c, plain[prng_below(random, prng_below(random, 4) ? 8 : 14)]);
        }
    }
}

static void add_expire_options(struct command_text *c, struct prng *random)
{
    static const char *const option[] = {"nx", "XX", "gt",  "LT", "xx", "GT",
                                         "lt", "NX", "foo", "",   "g"};
    uint64_t count = prng_below(random, 3);
    for (uint64_t i = 0; i < count; i++) {
        add(c, option[prng_below(random, prng_below(random, 6) ? 8 : 11)]);
    }
    if (prng_below(random, 50) == 0) {
        add_slice(c, (struct slice){(const uint8_t *)"\r\nbad\r\noption\r\n", 15});
    }
}

static void make_set(struct command_text *c, struct prng *random)
{
    add(c, "SET");
    add_key(c, random);
    add_value(c, random);
    add_set_options(c, random);
}

static void make_expire(struct command_text *c, struct prng *random)
{
    static const struct {
        const char *name;
        bool is_relative, is_seconds;
    } row[] = {{"expire", true, true},
               {"PEXPIRE", true, false},
               {"ExpireAt", false, true},
               {"pexpireat", false, false}};
    size_t which = (size_t)prng_below(random, 4);
    add(c, row[which].name);
    add_key(c, random);
    add_time(c, random, row[which].is_relative, row[which].is_seconds);
    add_expire_options(c, random);
}

static void
make_many(struct command_text *c, struct prng *random, const char *name, bool with_values)
{
    add(c, name);
    uint64_t count = 1 + prng_below(random, 4);
    for (uint64_t i = 0; i < count; i++) {
        add_key(c, random);
        if (with_values && (i + 1 < count || prng_below(random, 8))) {
            add_value(c, random);
        }
    }
}

static void add_float(struct command_text *c, struct prng *random)
{
    static const char *const number[] = {"0.1",
                                         "-0.1",
                                         "3.0e3",
                                         "1e-17",
                                         "1e-18",
                                         "5e-18",
                                         "0.5",
                                         "-0",
                                         "+1",
                                         ".5",
                                         "5.",
                                         "1e400",
                                         "1e4932",
                                         "-1e4932",
                                         "inf",
                                         "-inf",
                                         "nan",
                                         "0x10",
                                         "0x.8p1",
                                         "1e5000",
                                         "1e-5000",
                                         " 1",
                                         "1 ",
                                         "\t1",
                                         "",
                                         "1.1x",
                                         "1,5",
                                         "infinity",
                                         "1e",
                                         "-",
                                         "123456789012345678901234567890.125",
                                         "17179869184",
                                         "3.14159265358979323846"};
    uint64_t what = prng_below(random, 8);
    if (what < 5) {
        add(c, CHOOSE(random, number));
    } else {
        add_value(c, random);
    }
}

static void add_position(struct command_text *c, struct prng *random)
{
    uint64_t what = prng_below(random, 10);
    if (what < 6) {
        add_number(c, (int64_t)prng_below(random, 40) - 20);
    } else if (what < 8) {
        add_number(c, (int64_t)prng_below(random, 200000) - 100000);
    } else {
        add_integer(c, random);
    }
}

static void make_getex(struct command_text *c, struct prng *random)
{
    static const char *const plain[] = {"persist", "PERSIST", "keepttl", "nx", "get", "", "ex"};
    static const char *const unit[] = {"EX", "px", "exat", "PXAT"};
    add(c, "GetEx");
    add_key(c, random);
    uint64_t count = prng_below(random, 3);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = prng_below(random, 7);
        if (which < 4) {
            add(c, unit[which]);
            add_time(c, random, which < 2, which % 2 == 0);
        } else {
            add(c, plain[prng_below(random, prng_below(random, 3) ? 2 : 7)]);
        }
    }
}

static void make_setrange(struct command_text *c, struct prng *random)
{
    add(c, "setrange");
    add_key(c, random);
    if (prng_below(random, 4)) {
        add_number(c, (int64_t)prng_below(random, prng_below(random, 10) ? 30 : 150000));
    } else {
        static const char *const edge[] = {"-1", "536870911", "536870912", "9223372036854775807"};
        add(c, prng_below(random, 2) ? CHOOSE(random, edge) : CHOOSE(random, no_integers));
        add(c, prng_below(random, 2) ? "" : "xy"); /* the longest ones, or one byte too many */
        return;
    }
    add_value(c, random);
}

static void make_lcs(struct command_text *c, struct prng *random)
{
    static const char *const option[] = {"LEN", "idx", "WithMatchLen", "minmatchlen", "foo"};
    add(c, "lcs");
    add_key(c, random);
    add_key(c, random);
    uint64_t count = prng_below(random, 4);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = prng_below(random, prng_below(random, 6) ? 4 : 5);
        add(c, option[which]);
        if (which == 3 && prng_below(random, 8)) {
            add_position(c, random);
        }
    }
}

/* The less common string commands. */
static void make_string_more(struct command_text *c, struct prng *random)
{
    static const char *const with_value[] = {"getset", "SETNX"};
    static const char *const ranges[] = {"getrange", "SUBSTR"};
    uint64_t what = prng_below(random, 100);
    if (what < 15) {
        make_getex(c, random);
    } else if (what < 20) {
        add(c, "getdel");
        add_key(c, random);
    } else if (what < 30) {
        add(c, CHOOSE(random, with_value));
        add_key(c, random);
        add_value(c, random);
    } else if (what < 40) {
        bool is_seconds = prng_below(random, 2);
        add(c, is_seconds ? "setex" : "PSETEX");
        add_key(c, random);
        add_time(c, random, true, is_seconds);
        add_value(c, random);
    } else if (what < 45) {
        make_many(c, random, "msetnx", true);
    } else if (what < 60) {
        add(c, CHOOSE(random, ranges));
        add_key(c, random);
        add_position(c, random);
        add_position(c, random);
    } else if (what < 72) {
        make_setrange(c, random);
    } else if (what < 88) {
        add(c, "incrbyfloat");
        add_key(c, random);
        add_float(c, random);
    } else {
        make_lcs(c, random);
    }
}

static void make_basic(struct command_text *c, struct prng *random)
{
    static const char *const one_key[] = {"get", "GET",  "incr",    "decr", "strlen", "type",
                                          "ttl", "pttl", "persist", "incr", "get"};
    uint64_t what = prng_below(random, 100);
    if (what < 22) {
        make_set(c, random);
    } else if (what < 42) {
        make_expire(c, random);
    } else if (what < 65) {
        add(c, CHOOSE(random, one_key));
        add_key(c, random);
    } else if (what < 73) {
        add(c, prng_below(random, 2) ? "incrby" : "DECRBY");
        add_key(c, random);
        add_integer(c, random);
    } else if (what < 81) {
        add(c, "append");
        add_key(c, random);
        add_value(c, random);
    } else if (what < 85) {
        make_many(c, random, "mget", false);
    } else if (what < 89) {
        make_many(c, random, "mset", true);
    } else if (what < 93) {
        make_many(c, random, "del", false);
    } else if (what < 97) {
        make_many(c, random, "exists", false);
    } else if (what < 98) {
        add(c, "flushall");
        static const char *const option[] = {"async", "SYNC", "now", "sync"};
        uint64_t count = prng_below(random, 3);
        for (uint64_t i = 0; i < count; i++) {
            add(c, CHOOSE(random, option));
        }
    } else {
        add(c, "dbsize");
    }
}

static void add_bit_offset(struct command_text *c, struct prng *random, bool may_be_long)
{
    uint64_t what = prng_below(random, 20);
    if (what == 0) {
        add(c, CHOOSE(random, no_integers));
    } else if (what == 1) {
        static const char *const edge[] = {"4294967296", "-1", "9223372036854775807", "4294967297"};
        add(c, CHOOSE(random, edge));
    } else if (what == 2 && may_be_long) {
        add(c, "4294967295");
    } else if (what < 5) {
        add_number(c, (int64_t)prng_below(random, 600000));
    } else {
        add_number(c, (int64_t)prng_below(random, 200));
    }
}

static void make_bitfield(struct command_text *c, struct prng *random)
{
    static const char *const type[] = {"u1",  "i1",  "u8",  "i8",  "u7",  "i5", "u16", "i16",
                                       "u32", "i32", "u63", "i64", "i63", "u2", "i2",  "u64",
                                       "i65", "u0",  "x8",  "8",   "",    "i",  "u08"};
    static const char *const overflow[] = {"wrap", "SAT", "fail", "foo"};
    static const char *const multiple[] = {"#0",  "#1", "#7", "#-1", "#", "#9223372036854775807",
                                           "##1", "#01"};
    bool is_read_only = prng_below(random, 4) == 0;
    add(c, is_read_only ? "bitfield_ro" : "BitField");
    add_key(c, random);
    uint64_t count = prng_below(random, 4);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t what = is_read_only && prng_below(random, 10) ? 1 : prng_below(random, 10);
        if (what == 0) {
            add(c, "overflow");
            add(c, overflow[prng_below(random, prng_below(random, 8) ? 3 : 4)]);
            what = 9;
        }
        add(c, what < 3 ? "get" : what < 6 ? "SET" : what < 9 || !is_read_only ? "incrby" : "foo");
        add(c, type[prng_below(random, prng_below(random, 8) ? 15 : 23)]);
        if (prng_below(random, 4)) {
            add_bit_offset(c, random, what < 3);
        } else {
            add(c, multiple[prng_below(random, prng_below(random, 4) ? 3 : 8)]);
        }
        if (what < 3) {
            continue;
        }
        if (prng_below(random, 2)) {
            add_number(c, (int64_t)prng_below(random, 600) - 300);
        } else {
            add_integer(c, random);
        }
    }
}

static void make_bit(struct command_text *c, struct prng *random)
{
    static const char *const unit[] = {"BIT", "byte", "Bit", "BYTE", "bits", ""};
    static const char *const operation[] = {"and", "OR", "Xor", "not", "NOT", "nand", ""};
    static const char *const bit[] = {"0", "1", "0", "1", "2", "-1", "x", ""};
    uint64_t what = prng_below(random, 100);
    if (what < 20) {
        add(c, "setbit");
        add_key(c, random);
        add_bit_offset(c, random, false);
        add(c, bit[prng_below(random, prng_below(random, 5) ? 4 : 8)]);
    } else if (what < 27) {
        add(c, "GetBit");
        add_key(c, random);
        add_bit_offset(c, random, true);
    } else if (what < 55) {
        bool is_count = prng_below(random, 2);
        add(c, is_count ? "bitcount" : "bitpos");
        add_key(c, random);
        if (!is_count) {
            add(c, bit[prng_below(random, prng_below(random, 8) ? 4 : 8)]);
        }
        uint64_t count = prng_below(random, 4);
        for (uint64_t i = 0; i < count && i < 2; i++) {
            add_position(c, random);
        }
        if (count == 3) {
            add(c, unit[prng_below(random, prng_below(random, 8) ? 4 : 6)]);
        }
    } else if (what < 70) {
        add(c, "bitop");
        add(c, operation[prng_below(random, prng_below(random, 8) ? 5 : 7)]);
        uint64_t count = prng_below(random, 3) ? 2 : 1 + prng_below(random, 5);
        for (uint64_t i = 0; i < count; i++) {
            add_key(c, random);
        }
    } else {
        make_bitfield(c, random);
    }
}

/* DUMP, and RESTORE of what a DUMP gave (`payload` keeps its bytes) or of something else. */
static void make_dump(struct command_text *c, struct prng *random, struct buf *payload)
{
    static const char *const option[] = {"REPLACE",  "replace", "absttl", "freq 1",
                                         "idletime", "freq",    "foo"};
    if (prng_below(random, 3) == 0) {
        add(c, "dump");
        add_key(c, random);
        return;
    }
    add(c, "Restore");
    add_key(c, random);
    add(c, prng_below(random, 8) ? "0" : CHOOSE(random, no_integers));
    struct command_text value = {.count = 0};
    add_value(&value, random);
    struct value *made = value_new_string(value.arg[0]);
    buf_clear(payload, SIZE_MAX);
    dump_write(payload, NULL, made);
    value_free(made);
    if (prng_below(random, 10) == 0) {
        payload->data[payload->start + prng_below(random, buf_size(payload))] ^= 1;
    }
    add_slice(c, buf_slice(payload));
    uint64_t count = prng_below(random, 3);
    for (uint64_t i = 0; i < count; i++) {
        add(c, option[prng_below(random, prng_below(random, 5) ? 3 : 7)]);
        if (prng_below(random, 10) == 0) {
            add_position(c, random);
        }
    }
}

static void make_one(struct command_text *c, struct prng *random, struct buf *payload)
{
    *c = (struct command_text){.count = 0};
    uint64_t what = prng_below(random, 100);
    if (what < 45) {
        make_basic(c, random);
    } else if (what < 50) {
        make_dump(c, random, payload);
    } else if (what < 75) {
        make_bit(c, random);
    } else {
        make_string_more(c, random);
    }
    if (prng_below(random, 30) == 0 && c->count > 1) {
        c->count--; /* too few */
    } else if (prng_below(random, 30) == 0) {
        add_value(c, random); /* too many */
    }
}

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
        add(&c, "persist");
        if (i < 10) {
            add(&c, line[i]);
        } else {
            add_slice(&c, (struct slice){(const uint8_t *)"nul\0key", 7});
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
    for (size_t i = 0; i < LONG_BYTES; i++) {
        long_bytes[i] = (uint8_t)('a' + i % 26);
    }
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
        make_one(&c, &random, &payload);
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
