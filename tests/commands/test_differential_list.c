/* Lists against a real redis-server: tests/commands/differential.h. */

#include "tests/commands/differential.h"
#include "tests/test.h"

enum { LONG_BYTES = 70000 };
static uint8_t long_bytes[LONG_BYTES];

static void add_key(struct line *l, struct prng *random)
{
    static const char *const key[] = {"a", "a", "a", "b", "b", "c", "d", "text", ""};
    line_add(l, CHOOSE(random, key));
}

static void add_element(struct line *l, struct prng *random)
{
    uint64_t what = prng_below(random, 60);
    if (what == 0) {
        line_add_slice(l, (struct slice){long_bytes, LONG_BYTES - prng_below(random, 3)});
    } else if (what == 1) {
        line_add_slice(l, (struct slice){long_bytes, 500 + prng_below(random, 20)});
    } else if (what < 20) {
        line_printf(l, "%u", (unsigned)prng_below(random, 1000));
    } else {
        static const char *const element[] = {"x", "y", "z", "", "0", "-1", "two words"};
        line_add(l, CHOOSE(random, element));
    }
}

static void add_integer(struct line *l, struct prng *random)
{
    static const char *const edge[] = {"9223372036854775807",
                                       "-9223372036854775808",
                                       "-9223372036854775807",
                                       "9223372036854775808",
                                       "abc",
                                       "",
                                       "1.0",
                                       " 1",
                                       "100000",
                                       "-100000"};
    if (prng_below(random, 15) == 0) {
        line_add(l, CHOOSE(random, edge));
    } else {
        line_printf(l, "%d", (int)prng_below(random, 14) - 6);
    }
}

static void add_end(struct line *l, struct prng *random)
{
    static const char *const end[] = {"LEFT", "right", "Left", "RIGHT", "middle", ""};
    line_add(l, end[prng_below(random, prng_below(random, 12) ? 4 : 6)]);
}

static void make_push(struct line *l, struct prng *random)
{
    static const char *const name[] = {"lpush", "RPUSH", "rpush", "lpushx", "rpushx"};
    line_add(l, CHOOSE(random, name));
    add_key(l, random);
    uint64_t most = prng_below(random, 20) == 0 ? 50 : 4;
    for (uint64_t left = 1 + prng_below(random, most); left > 0; left--) {
        add_element(l, random);
    }
}

static void make_look(struct line *l, struct prng *random)
{
    static const char *const name[] = {"lindex", "lrange", "llen", "lpos",
                                       "type",   "exists", "ltrim"};
    size_t which = (size_t)prng_below(random, 7);
    line_add(l, name[which]);
    add_key(l, random);
    if (which == 0) {
        add_integer(l, random);
    } else if (which == 1 || which == 6) {
        if (which == 6 && prng_below(random, 3)) {
            line_add(l, "1");
            line_add(l, "-2");
            return;
        }
        add_integer(l, random);
        add_integer(l, random);
    } else if (which == 3) {
        static const char *const option[] = {"rank", "COUNT", "maxlen", "RANK", "foo"};
        add_element(l, random);
        for (uint64_t left = prng_below(random, 4); left > 0; left--) {
            line_add(l, option[prng_below(random, prng_below(random, 15) ? 4 : 5)]);
            add_integer(l, random);
        }
    }
}

static void make_change(struct line *l, struct prng *random)
{
    uint64_t what = prng_below(random, 4);
    if (what == 0) {
        line_add(l, "lset");
        add_key(l, random);
        add_integer(l, random);
        add_element(l, random);
    } else if (what == 1) {
        static const char *const place[] = {"before", "AFTER", "After", "BEFORE", "behind"};
        line_add(l, "linsert");
        add_key(l, random);
        line_add(l, place[prng_below(random, prng_below(random, 15) ? 4 : 5)]);
        add_element(l, random);
        add_element(l, random);
    } else if (what == 2) {
        line_add(l, "lrem");
        add_key(l, random);
        add_integer(l, random);
        add_element(l, random);
    } else {
        static const char *const name[] = {"lpop", "RPOP"};
        line_add(l, CHOOSE(random, name));
        add_key(l, random);
        if (prng_below(random, 2)) {
            add_integer(l, random);
        }
    }
}

static void make_move(struct line *l, struct prng *random)
{
    uint64_t what = prng_below(random, 3);
    if (what < 2) {
        line_add(l, what ? "lmove" : "rpoplpush");
        add_key(l, random);
        add_key(l, random);
        if (what) {
            add_end(l, random);
            add_end(l, random);
        }
        return;
    }
    static const char *const odd[] = {"0", "-1", "abc", "9223372036854775807", "100"};
    line_add(l, "lmpop");
    unsigned keys = 1 + (unsigned)prng_below(random, 3);
    if (prng_below(random, 15)) {
        line_printf(l, "%u", keys);
    } else {
        line_add(l, CHOOSE(random, odd));
    }
    for (; keys > 0; keys--) {
        add_key(l, random);
    }
    add_end(l, random);
    if (prng_below(random, 2)) {
        line_add(l, prng_below(random, 10) ? "count" : "foo");
        add_integer(l, random);
    }
}

static void make_line(struct line *l, struct prng *random)
{
    uint64_t what = prng_below(random, 100);
    if (what < 40) {
        make_push(l, random);
    } else if (what < 65) {
        make_look(l, random);
    } else if (what < 85) {
        make_change(l, random);
    } else if (what < 96) {
        make_move(l, random);
    } else if (what < 98) {
        line_add(l, prng_below(random, 2) ? "copy" : "rename");
        add_key(l, random);
        add_key(l, random);
    } else if (what < 99) {
        static const char *const name[] = {"get", "strlen", "getdel", "object"};
        size_t which = (size_t)prng_below(random, 4);
        line_add(l, name[which]);
        if (which == 3) {
            line_add(l, "encoding");
            line_add(l, "a");
            return;
        }
        add_key(l, random);
    } else {
        line_add(l, prng_below(random, 2) ? "set" : "del");
        line_add(l, "text");
        if (l->arg[0].p[0] == 's') {
            line_add(l, "value");
        }
    }
    line_spoil(l, random);
}

/* RANK -2^63 overflows in Redis 7.0. */
static enum comparison how(const struct line *l)
{
    for (size_t i = 0; i < l->count; i++) {
        if (slice_equal_nocase(l->arg[0], "lpos") &&
            slice_equal_nocase(l->arg[i], "-9223372036854775808")) {
            return COMPARE_NOTHING;
        }
    }
    return COMPARE_BYTES;
}

static const struct differential lists = {"list", make_line, how, NULL, 15000, 21};

TEST(random_commands_on_lists_get_the_same_in_resp2)
{
    differential_run(&lists, REPLY_RESP2);
}

TEST(random_commands_on_lists_get_the_same_in_resp3)
{
    differential_run(&lists, REPLY_RESP3);
}

TEST_MAIN()
