/* Sorted sets against a real redis-server: tests/commands/differential.h. Members are added until
 * sets are large ones, too. BYLEX is asked of the key "lex", whose scores are all the same. */

#include "tests/commands/differential.h"
#include "tests/test.h"

static uint8_t long_bytes[3000];

static void add_key(struct line *l, struct prng *random)
{
    static const char *const key[] = {"a", "a",    "a",   "b", "b",   "c",
                                      "d", "text", "lex", "",  "set", "ints"};
    line_add(l, CHOOSE(random, key));
}

static void add_member(struct line *l, struct prng *random)
{
    uint64_t what = prng_below(random, 80);
    if (what == 0) {
        line_add_slice(l, (struct slice){long_bytes, 60 + prng_below(random, 10)});
    } else if (what == 1) {
        line_add_slice(l, (struct slice){long_bytes, 400 + prng_below(random, 2600)});
    } else if (what < 30) {
        line_printf(l, "m%u", (unsigned)prng_below(random, 400));
    } else {
        static const char *const member[] = {"x", "y", "z", "", "0", "-1", "two words", "X"};
        line_add(l, CHOOSE(random, member));
    }
}

static void add_score(struct line *l, struct prng *random)
{
    static const char *const edge[] = {
        "inf",  "-inf",    "+inf", "1e308", "nan",   "abc", "",    " 1",
        "0x10", "1e-5",    "1.5",  "-.5",   "1e400", "3.",  "0.1", "17976931348623157",
        "1e17", "-1e-300", "(1"};
    if (prng_below(random, 5) == 0) {
        line_add(l, CHOOSE(random, edge));
    } else {
        line_printf(l, "%d", (int)prng_below(random, 20) - 8);
    }
}

static void add_integer(struct line *l, struct prng *random)
{
    static const char *const edge[] = {"9223372036854775807",
                                       "-9223372036854775808",
                                       "9223372036854775808",
                                       "abc",
                                       "",
                                       "1.0",
                                       "100000",
                                       "-100000"};
    if (prng_below(random, 15) == 0) {
        line_add(l, CHOOSE(random, edge));
    } else {
        line_printf(l, "%d", (int)prng_below(random, 14) - 6);
    }
}

static void add_score_bound(struct line *l, struct prng *random)
{
    static const char *const edge[] = {"-inf", "+inf", "inf", "(-inf", "(inf", "",
                                       "(",    "abc",  " 1",  "1.5",   "nan",  "((1"};
    uint64_t what = prng_below(random, 10);
    if (what < 3) {
        line_add(l, CHOOSE(random, edge));
    } else {
        line_printf(l, "%s%d", what < 6 ? "(" : "", (int)prng_below(random, 20) - 8);
    }
}

static void add_lex_bound(struct line *l, struct prng *random)
{
    static const char *const edge[] = {"-", "+", "-", "+", "[", "(", "", "x", "+x", "[\xff", "(z"};
    if (prng_below(random, 3) == 0) {
        line_add(l, CHOOSE(random, edge));
    } else {
        line_printf(l, "%sm%u", prng_below(random, 2) ? "(" : "[",
                    (unsigned)prng_below(random, 400));
    }
}

static void make_zadd(struct line *l, struct prng *random)
{
    static const char *const option[] = {"nx", "XX", "gt", "LT", "ch", "INCR", "foo"};
    line_add(l, "zadd");
    add_key(l, random);
    if (slice_equal(l->arg[1], SLICE_LITERAL("lex"))) {
        for (uint64_t left = 1 + prng_below(random, 8); left > 0; left--) {
            line_add(l, "0");
            add_member(l, random);
        }
        return;
    }
    if (prng_below(random, 2)) {
        for (uint64_t left = prng_below(random, 3); left > 0; left--) {
            line_add(l, option[prng_below(random, prng_below(random, 15) ? 6 : 7)]);
        }
    }
    for (uint64_t left = 1 + prng_below(random, prng_below(random, 4) ? 3 : 25); left > 0; left--) {
        add_score(l, random);
        add_member(l, random);
    }
}

static void make_member(struct line *l, struct prng *random)
{
    static const char *const name[] = {"zscore", "ZRANK", "zrevrank", "zrem", "zmscore", "zcard"};
    size_t which = (size_t)prng_below(random, 7);
    if (which == 6) {
        line_add(l, "zincrby");
        do {
            l->count = 1;
            add_key(l, random);
        } while (slice_equal(l->arg[1], SLICE_LITERAL("lex")));
        add_score(l, random);
        add_member(l, random);
        return;
    }
    line_add(l, name[which]);
    add_key(l, random);
    if (which < 5) {
        add_member(l, random);
    }
    for (uint64_t left = prng_below(random, 3); (which == 3 || which == 4) && left > 0; left--) {
        add_member(l, random);
    }
}

static void add_range_options(struct line *l, struct prng *random)
{
    for (uint64_t left = prng_below(random, 3); left > 0; left--) {
        uint64_t what = prng_below(random, 12);
        if (what < 4) {
            line_add(l, "withscores");
        } else if (what < 10) {
            line_add(l, "LIMIT");
            add_integer(l, random);
            add_integer(l, random);
        } else {
            line_add(l, what == 10 ? "limit" : "rev");
        }
    }
}

static void make_old_range(struct line *l, struct prng *random)
{
    static const char *const name[] = {"zrangebyscore", "ZREVRANGEBYSCORE", "zrange", "zrevrange",
                                       "zrangebylex",   "zrevrangebylex",   "zcount", "zlexcount"};
    size_t which = (size_t)prng_below(random, 8);
    line_add(l, name[which]);
    bool is_lex = which == 4 || which == 5 || which == 7;
    if (is_lex && prng_below(random, 10)) {
        line_add(l, "lex");
    } else if (is_lex) {
        line_add(l, "absent");
    } else {
        add_key(l, random);
    }
    for (int i = 0; i < 2; i++) {
        if (is_lex) {
            add_lex_bound(l, random);
        } else if (which == 2 || which == 3) {
            add_integer(l, random);
        } else {
            add_score_bound(l, random);
        }
    }
    if (which < 6) {
        add_range_options(l, random);
    }
}

static void make_range(struct line *l, struct prng *random)
{
    bool is_store = prng_below(random, 3) == 0;
    uint64_t kind = prng_below(random, 3);
    line_add(l, is_store ? "zrangestore" : "zrange");
    if (is_store) {
        static const char *const to[] = {"c", "d", "text", "b"};
        line_add(l, CHOOSE(random, to));
    }
    if (kind == 2) {
        line_add(l, "lex");
    } else {
        add_key(l, random);
    }
    for (int i = 0; i < 2; i++) {
        if (kind == 0) {
            add_integer(l, random);
        } else if (kind == 1) {
            add_score_bound(l, random);
        } else {
            add_lex_bound(l, random);
        }
    }
    if (kind > 0) {
        line_add(l, kind == 1 ? "byscore" : "BYLEX");
    }
    if (prng_below(random, 3) == 0) {
        line_add(l, "rev");
    }
    add_range_options(l, random);
}

static void make_remove_range(struct line *l, struct prng *random)
{
    uint64_t kind = prng_below(random, 3);
    line_add(l, kind == 0 ? "zremrangebyrank" : kind == 1 ? "zremrangebyscore" : "zremrangebylex");
    if (kind == 2) {
        line_add(l, "lex");
    } else {
        add_key(l, random);
    }
    for (int i = 0; i < 2; i++) {
        if (kind == 0) {
            add_integer(l, random);
        } else if (kind == 1) {
            add_score_bound(l, random);
        } else {
            add_lex_bound(l, random);
        }
    }
}

static void make_combine(struct line *l, struct prng *random)
{
    static const char *const name[] = {"zunion",      "zinter",     "ZDIFF",     "zunionstore",
                                       "zinterstore", "zdiffstore", "zintercard"};
    size_t which = (size_t)prng_below(random, 7);
    line_add(l, name[which]);
    if (which >= 3 && which < 6) {
        static const char *const to[] = {"c", "d", "text", "b", "a"};
        line_add(l, CHOOSE(random, to));
    }
    unsigned keys = 1 + (unsigned)prng_below(random, 3);
    if (prng_below(random, 15) == 0) {
        add_integer(l, random);
    } else {
        line_printf(l, "%u", keys);
    }
    for (unsigned i = 0; i < keys; i++) {
        add_key(l, random);
    }
    for (uint64_t left = prng_below(random, 3); left > 0; left--) {
        uint64_t what = prng_below(random, 4);
        if (what == 0) {
            line_add(l, "weights");
            for (unsigned i = 0; i < keys; i++) {
                add_score(l, random);
            }
        } else if (what == 1) {
            static const char *const how[] = {"sum", "MIN", "max", "avg"};
            line_add(l, "aggregate");
            line_add(l, how[prng_below(random, prng_below(random, 15) ? 3 : 4)]);
        } else if (what == 2) {
            line_add(l, "withscores");
        } else {
            line_add(l, "limit");
            add_integer(l, random);
        }
    }
}

static void make_pop(struct line *l, struct prng *random)
{
    uint64_t what = prng_below(random, 4);
    if (what < 2) {
        line_add(l, what ? "zpopmin" : "ZPOPMAX");
        add_key(l, random);
        if (prng_below(random, 2)) {
            add_integer(l, random);
        }
        return;
    }
    if (what == 2) {
        line_add(l, "zrandmember");
        add_key(l, random);
        if (prng_below(random, 2)) {
            static const char *const count[] = {
                "1", "-1", "0", "5", "-5", "1000", "abc", "-10", "9223372036854775807"};
            line_add(l, CHOOSE(random, count));
            if (prng_below(random, 2)) {
                line_add(l, "withscores");
            }
        }
        return;
    }
    line_add(l, "zmpop");
    unsigned keys = 1 + (unsigned)prng_below(random, 3);
    line_printf(l, "%u", prng_below(random, 15) ? keys : 0);
    for (; keys > 0; keys--) {
        add_key(l, random);
    }
    line_add(l, prng_below(random, 12) ? (prng_below(random, 2) ? "min" : "MAX") : "mid");
    if (prng_below(random, 2)) {
        line_add(l, "count");
        add_integer(l, random);
    }
}

static void make_scan(struct line *l, struct prng *random)
{
    static const char *const cursor[] = {"0", "0", "0", "abc", ""};
    static const char *const count[] = {"10000", "10000", "10000", "0", "abc"};
    static const char *const pattern[] = {"*", "m1*", "m?", "[xyz]", ""};
    line_add(l, "zscan");
    add_key(l, random);
    line_add(l, CHOOSE(random, cursor));
    line_add(l, "count");
    line_add(l, CHOOSE(random, count));
    if (prng_below(random, 2)) {
        line_add(l, prng_below(random, 10) ? "match" : "type");
        line_add(l, CHOOSE(random, pattern));
    }
}

static void make_line(struct line *l, struct prng *random)
{
    uint64_t what = prng_below(random, 100);
    if (what < 30) {
        make_zadd(l, random);
    } else if (what < 45) {
        make_member(l, random);
    } else if (what < 58) {
        make_old_range(l, random);
    } else if (what < 70) {
        make_range(l, random);
    } else if (what < 74) {
        make_remove_range(l, random);
    } else if (what < 84) {
        make_combine(l, random);
    } else if (what < 91) {
        make_pop(l, random);
    } else if (what < 95) {
        make_scan(l, random);
    } else if (what < 96) {
        line_add(l, "sadd");
        line_add(l, prng_below(random, 2) ? "set" : "ints");
        if (slice_equal(l->arg[1], SLICE_LITERAL("ints"))) {
            line_printf(l, "%u", (unsigned)prng_below(random, 100));
        } else {
            add_member(l, random);
        }
    } else if (what < 98) {
        static const char *const from[] = {"a", "b", "c", "d"};
        line_add(l, prng_below(random, 2) ? "copy" : "rename");
        line_add(l, CHOOSE(random, from));
        line_add(l, CHOOSE(random, from));
    } else if (what < 99) {
        line_add(l, "object");
        line_add(l, "encoding");
        line_add(l, "a");
    } else {
        line_add(l, prng_below(random, 2) ? "set" : "del");
        line_add(l, "text");
        if (l->arg[0].p[0] == 's') {
            line_add(l, "value");
        }
    }
    line_spoil(l, random);
}

static enum comparison how(const struct line *l)
{
    return slice_equal_nocase(l->arg[0], "zscan")         ? COMPARE_PAIRS
           : slice_equal_nocase(l->arg[0], "zrandmember") ? COMPARE_NOTHING
                                                          : COMPARE_BYTES;
}

static const struct differential zsets = {"zset", make_line, how, NULL, 15000, 31};

TEST(random_commands_on_sorted_sets_get_the_same_in_resp2)
{
    differential_run(&zsets, REPLY_RESP2);
}

TEST(random_commands_on_sorted_sets_get_the_same_in_resp3)
{
    differential_run(&zsets, REPLY_RESP3);
}

TEST_MAIN()
