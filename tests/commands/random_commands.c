#include "tests/commands/random_commands.h"

#include <string.h>
#include <time.h>

#include "base/number.h"
#include "commands/dump_format.h"

/* What each family of commands takes, and what it does not. */

enum { LONG_BYTES = 70000 /* more than one chunk of a value */ };

static uint8_t long_bytes[LONG_BYTES];

void command_text_add_slice(struct command_text *c, struct slice arg)
{
    if (c->count < RANDOM_ARGS_MAX) {
        c->arg[c->count++] = arg;
    }
}

void command_text_add(struct command_text *c, const char *text)
{
    command_text_add_slice(c, slice_from_cstr(text));
}

static void add_number(struct command_text *c, int64_t number)
{
    char *at = c->room + c->used;
    size_t n = number_format_i64(number, at);
    c->used += n;
    command_text_add_slice(c, (struct slice){(const uint8_t *)at, n});
}

#define CHOOSE(random, array) (array)[prng_below((random), sizeof(array) / sizeof(array)[0])]

static void add_key(struct command_text *c, struct prng *random)
{
    static const char *const key[] = {"a", "b", "c", "d", "e", "n1", "n2", "n3", "key with blanks"};
    uint64_t what = prng_below(random, 40);
    if (what == 0) {
        command_text_add(c, "");
    } else if (what == 1) {
        command_text_add_slice(c, (struct slice){(const uint8_t *)"nul\0key", 7});
    } else {
        command_text_add(c, CHOOSE(random, key));
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
        command_text_add(c, CHOOSE(random, integers));
    } else if (what < 12) {
        command_text_add(c, CHOOSE(random, no_integers));
    } else if (what == 12) {
        command_text_add_slice(c, (struct slice){(const uint8_t *)"\0\r\n\xff\x80", 5});
    } else if (what == 13) {
        command_text_add_slice(c, (struct slice){long_bytes, 1 + prng_below(random, 300)});
    } else if (what == 14) {
        command_text_add_slice(c, (struct slice){long_bytes, LONG_BYTES - prng_below(random, 10000)});
    } else {
        command_text_add(c, "value");
    }
}

static void add_integer(struct command_text *c, struct prng *random)
{
    command_text_add(c, prng_below(random, 5) ? CHOOSE(random, integers) : CHOOSE(random, no_integers));
}

/* A time for `unit` ("ex", ...): mostly far ahead and each of its own, so that the moment of
 * execution decides nothing. */
static void add_time(struct command_text *c, struct prng *random, bool is_relative, bool is_seconds)
{
    uint64_t what = prng_below(random, 12);
    if (what == 0) {
        command_text_add(c, CHOOSE(random, no_integers));
    } else if (what == 1) {
        /* Far out of range, or long ago; "in a moment" (1, 10) would pass between the two. */
        static const char *const edge[] = {
            "0", "-1", "9223372036854775807", "-9223372036854775808", "-10", "4611686018427387904"};
        command_text_add(c, CHOOSE(random, edge));
    } else if (what == 2) {
        static const char *const edge[] = {"9223372036854775", "9223372036854776",
                                           "-9223372036854775", "-9223372036854776"};
        command_text_add(c, CHOOSE(random, edge));
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
            command_text_add(c, "EX");
            add_time(c, random, true, true);
        } else if (what == 1) {
            command_text_add(c, "px");
            add_time(c, random, true, false);
        } else if (what == 2) {
            command_text_add(c, "exat");
            add_time(c, random, false, true);
        } else if (what == 3) {
            command_text_add(c, "PXAT");
            add_time(c, random, false, false);
        } else if (what == 4 && prng_below(random, 4) == 0) {
            command_text_add_slice(c, (struct slice){(const uint8_t *)"nx\0y", 4});
        } else {
            command_text_add(c, plain[prng_below(random, prng_below(random, 4) ? 8 : 14)]);
        }
    }
}

static void add_expire_options(struct command_text *c, struct prng *random)
{
    static const char *const option[] = {"nx", "XX", "gt",  "LT", "xx", "GT",
                                         "lt", "NX", "foo", "",   "g"};
    uint64_t count = prng_below(random, 3);
    for (uint64_t i = 0; i < count; i++) {
        command_text_add(c, option[prng_below(random, prng_below(random, 6) ? 8 : 11)]);
    }
    if (prng_below(random, 50) == 0) {
        command_text_add_slice(c, (struct slice){(const uint8_t *)"\r\nbad\r\noption\r\n", 15});
    }
}

static void make_set(struct command_text *c, struct prng *random)
{
    command_text_add(c, "SET");
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
    command_text_add(c, row[which].name);
    add_key(c, random);
    add_time(c, random, row[which].is_relative, row[which].is_seconds);
    add_expire_options(c, random);
}

static void
make_many(struct command_text *c, struct prng *random, const char *name, bool with_values)
{
    command_text_add(c, name);
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
        command_text_add(c, CHOOSE(random, number));
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
    command_text_add(c, "GetEx");
    add_key(c, random);
    uint64_t count = prng_below(random, 3);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = prng_below(random, 7);
        if (which < 4) {
            command_text_add(c, unit[which]);
            add_time(c, random, which < 2, which % 2 == 0);
        } else {
            command_text_add(c, plain[prng_below(random, prng_below(random, 3) ? 2 : 7)]);
        }
    }
}

static void make_setrange(struct command_text *c, struct prng *random)
{
    command_text_add(c, "setrange");
    add_key(c, random);
    if (prng_below(random, 4)) {
        add_number(c, (int64_t)prng_below(random, prng_below(random, 10) ? 30 : 150000));
    } else {
        static const char *const edge[] = {"-1", "536870911", "536870912", "9223372036854775807"};
        command_text_add(c, prng_below(random, 2) ? CHOOSE(random, edge) : CHOOSE(random, no_integers));
        command_text_add(c, prng_below(random, 2) ? "" : "xy"); /* the longest ones, or one byte too many */
        return;
    }
    add_value(c, random);
}

static void make_lcs(struct command_text *c, struct prng *random)
{
    static const char *const option[] = {"LEN", "idx", "WithMatchLen", "minmatchlen", "foo"};
    command_text_add(c, "lcs");
    add_key(c, random);
    add_key(c, random);
    uint64_t count = prng_below(random, 4);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t which = prng_below(random, prng_below(random, 6) ? 4 : 5);
        command_text_add(c, option[which]);
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
        command_text_add(c, "getdel");
        add_key(c, random);
    } else if (what < 30) {
        command_text_add(c, CHOOSE(random, with_value));
        add_key(c, random);
        add_value(c, random);
    } else if (what < 40) {
        bool is_seconds = prng_below(random, 2);
        command_text_add(c, is_seconds ? "setex" : "PSETEX");
        add_key(c, random);
        add_time(c, random, true, is_seconds);
        add_value(c, random);
    } else if (what < 45) {
        make_many(c, random, "msetnx", true);
    } else if (what < 60) {
        command_text_add(c, CHOOSE(random, ranges));
        add_key(c, random);
        add_position(c, random);
        add_position(c, random);
    } else if (what < 72) {
        make_setrange(c, random);
    } else if (what < 88) {
        command_text_add(c, "incrbyfloat");
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
        command_text_add(c, CHOOSE(random, one_key));
        add_key(c, random);
    } else if (what < 73) {
        command_text_add(c, prng_below(random, 2) ? "incrby" : "DECRBY");
        add_key(c, random);
        add_integer(c, random);
    } else if (what < 81) {
        command_text_add(c, "append");
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
        command_text_add(c, "flushall");
        static const char *const option[] = {"async", "SYNC", "now", "sync"};
        uint64_t count = prng_below(random, 3);
        for (uint64_t i = 0; i < count; i++) {
            command_text_add(c, CHOOSE(random, option));
        }
    } else {
        command_text_add(c, "dbsize");
    }
}

static void add_bit_offset(struct command_text *c, struct prng *random, bool may_be_long)
{
    uint64_t what = prng_below(random, 20);
    if (what == 0) {
        command_text_add(c, CHOOSE(random, no_integers));
    } else if (what == 1) {
        static const char *const edge[] = {"4294967296", "-1", "9223372036854775807", "4294967297"};
        command_text_add(c, CHOOSE(random, edge));
    } else if (what == 2 && may_be_long) {
        command_text_add(c, "4294967295");
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
    command_text_add(c, is_read_only ? "bitfield_ro" : "BitField");
    add_key(c, random);
    uint64_t count = prng_below(random, 4);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t what = is_read_only && prng_below(random, 10) ? 1 : prng_below(random, 10);
        if (what == 0) {
            command_text_add(c, "overflow");
            command_text_add(c, overflow[prng_below(random, prng_below(random, 8) ? 3 : 4)]);
            what = 9;
        }
        command_text_add(c, what < 3 ? "get" : what < 6 ? "SET" : what < 9 || !is_read_only ? "incrby" : "foo");
        command_text_add(c, type[prng_below(random, prng_below(random, 8) ? 15 : 23)]);
        if (prng_below(random, 4)) {
            add_bit_offset(c, random, what < 3);
        } else {
            command_text_add(c, multiple[prng_below(random, prng_below(random, 4) ? 3 : 8)]);
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
        command_text_add(c, "setbit");
        add_key(c, random);
        add_bit_offset(c, random, false);
        command_text_add(c, bit[prng_below(random, prng_below(random, 5) ? 4 : 8)]);
    } else if (what < 27) {
        command_text_add(c, "GetBit");
        add_key(c, random);
        add_bit_offset(c, random, true);
    } else if (what < 55) {
        bool is_count = prng_below(random, 2);
        command_text_add(c, is_count ? "bitcount" : "bitpos");
        add_key(c, random);
        if (!is_count) {
            command_text_add(c, bit[prng_below(random, prng_below(random, 8) ? 4 : 8)]);
        }
        uint64_t count = prng_below(random, 4);
        for (uint64_t i = 0; i < count && i < 2; i++) {
            add_position(c, random);
        }
        if (count == 3) {
            command_text_add(c, unit[prng_below(random, prng_below(random, 8) ? 4 : 6)]);
        }
    } else if (what < 70) {
        command_text_add(c, "bitop");
        command_text_add(c, operation[prng_below(random, prng_below(random, 8) ? 5 : 7)]);
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
        command_text_add(c, "dump");
        add_key(c, random);
        return;
    }
    command_text_add(c, "Restore");
    add_key(c, random);
    command_text_add(c, prng_below(random, 8) ? "0" : CHOOSE(random, no_integers));
    struct command_text value = {.count = 0};
    add_value(&value, random);
    struct value *made = value_new_string(value.arg[0]);
    buf_clear(payload, SIZE_MAX);
    dump_write(payload, NULL, made);
    value_free(made);
    if (prng_below(random, 10) == 0) {
        payload->data[payload->start + prng_below(random, buf_size(payload))] ^= 1;
    }
    command_text_add_slice(c, buf_slice(payload));
    uint64_t count = prng_below(random, 3);
    for (uint64_t i = 0; i < count; i++) {
        command_text_add(c, option[prng_below(random, prng_below(random, 5) ? 3 : 7)]);
        if (prng_below(random, 10) == 0) {
            add_position(c, random);
        }
    }
}

void random_command_make(struct command_text *c, struct prng *random, struct buf *payload)
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

void random_commands_init(void)
{
    for (size_t i = 0; i < LONG_BYTES; i++) {
        long_bytes[i] = (uint8_t)('a' + i % 26);
    }
}
