/* Geo commands against a real redis-server: tests/commands/differential.h. Distances that are stored must be the same to
 * the last bit: both use the same libm. Where points are equally far and COUNT cuts among them, the two may choose others;
 * so such points are at the key "odd" alone, which COUNT is not asked of: the edges of the world, scores that no GEOADD
 * made, and what was stored. */

#include <string.h>

#include "tests/commands/differential.h"
#include "tests/test.h"

static void add_key(struct line *l, struct prng *random)
{
    static const char *const key[] = {"a", "a", "a", "b", "b", "c", "odd", "odd", "text", "none"};
    line_add(l, CHOOSE(random, key));
}

static void add_member(struct line *l, struct prng *random)
{
    line_printf(l, "m%u", (unsigned)prng_below(random, prng_below(random, 4) ? 40 : 400));
}

static bool is_odd(const struct line *l)
{
    for (size_t i = 1; i < l->count; i++) {
        if (slice_equal(l->arg[i], SLICE_LITERAL("odd"))) {
            return true;
        }
    }
    return false;
}

static void add_coordinate(struct line *l, struct prng *random, double max)
{
    static const char *const edge[] = {"180", "-180", "0", "85.05112878", "-85.05112878", "181", "86", "nan", "abc", "-inf", "inf", ""};
    if (prng_below(random, is_odd(l) ? 10 : 80) == 0) {
        line_add(l, edge[is_odd(l) ? prng_below(random, 12) : 5 + prng_below(random, 7)]);
    } else {
        double part = (double)prng_below(random, 2000001) / 1000000 - 1;
        line_printf(l, "%.*f", is_odd(l) ? (int)prng_below(random, 7) : 9, (prng_below(random, 3) ? max : 2) * part);
    }
}

static void add_point(struct line *l, struct prng *random)
{
    add_coordinate(l, random, 179.9);
    add_coordinate(l, random, 85);
}

static void add_length(struct line *l, struct prng *random)
{
    static const char *const edge[] = {"0", "-1", "abc", "1e300", "inf", "5e-324", "0.0001", "40000000", ""};
    if (prng_below(random, 20) == 0) {
        line_add(l, CHOOSE(random, edge));
    } else {
        static const unsigned top[] = {10, 1000, 100000, 5000000, 20000000};
        line_printf(l, "%u.%u", (unsigned)prng_below(random, CHOOSE(random, top)), (unsigned)prng_below(random, 1000));
    }
}

static void add_unit(struct line *l, struct prng *random)
{
    static const char *const unit[] = {"m", "km", "KM", "ft", "mi", "M", "miles", ""};
    line_add(l, unit[prng_below(random, prng_below(random, 20) ? 6 : 8)]);
}

static void make_geoadd(struct line *l, struct prng *random)
{
    static const char *const option[] = {"nx", "XX", "ch", "CH", "gt"};
    line_add(l, "geoadd");
    add_key(l, random);
    for (uint64_t left = prng_below(random, 4) == 0 ? prng_below(random, 3) : 0; left > 0; left--) {
        line_add(l, option[prng_below(random, prng_below(random, 15) ? 4 : 5)]);
    }
    for (uint64_t left = 1 + prng_below(random, 6); left > 0; left--) {
        add_point(l, random);
        add_member(l, random);
    }
}

static void make_read(struct line *l, struct prng *random)
{
    static const char *const name[] = {"geodist", "geopos", "GEOHASH", "zscore"};
    uint64_t which = prng_below(random, 4);
    line_add(l, name[which]);
    add_key(l, random);
    add_member(l, random);
    if (which != 3) {
        add_member(l, random);
    }
    if (prng_below(random, 2)) {
        if (which == 0) {
            add_unit(l, random);
        } else {
            add_member(l, random);
        }
    }
}

static void add_options(struct line *l, struct prng *random, bool may_store)
{
    static const char *const option[] = {"withdist", "WITHHASH", "withcoord", "asc", "DESC"};
    static const char *const store[] = {"store", "STOREDIST"};
    for (uint64_t left = prng_below(random, 4); left > 0; left--) {
        line_add(l, CHOOSE(random, option));
    }
    if (prng_below(random, 3) == 0 && !is_odd(l)) {
        line_add(l, "count");
        line_printf(l, "%d", prng_below(random, 15) ? 1 + (int)prng_below(random, 30) : -1 + (int)prng_below(random, 2));
        if (prng_below(random, 3) == 0) {
            line_add(l, "any");
        }
    }
    if (may_store && prng_below(random, 3) == 0) {
        line_add(l, CHOOSE(random, store));
        line_add(l, prng_below(random, 2) ? "odd" : "to");
    }
}

static void make_radius(struct line *l, struct prng *random)
{
    static const char *const name[] = {"georadius", "georadius_ro", "georadiusbymember", "georadiusbymember_ro"};
    uint64_t which = prng_below(random, 4);
    line_add(l, name[which]);
    add_key(l, random);
    if (which < 2) {
        add_point(l, random);
    } else {
        add_member(l, random);
    }
    add_length(l, random);
    add_unit(l, random);
    add_options(l, random, which % 2 == 0 || prng_below(random, 20) == 0);
}

static void make_search(struct line *l, struct prng *random)
{
    bool is_store = prng_below(random, 3) == 0;
    line_add(l, is_store ? "geosearchstore" : "geosearch");
    if (is_store) {
        line_add(l, "to");
    }
    add_key(l, random);
    if (prng_below(random, 25)) {
        if (prng_below(random, 2)) {
            line_add(l, "FROMMEMBER");
            add_member(l, random);
        } else {
            line_add(l, "fromlonlat");
            add_point(l, random);
        }
    }
    if (prng_below(random, 25)) {
        bool is_box = prng_below(random, 2) == 0;
        line_add(l, is_box ? "bybox" : "BYRADIUS");
        add_length(l, random);
        if (is_box) {
            add_length(l, random);
        }
        add_unit(l, random);
    }
    if (is_store && prng_below(random, 2)) {
        line_add(l, "storedist");
    }
    add_options(l, random, prng_below(random, 20) == 0);
}

static void make_other(struct line *l, struct prng *random)
{
    static const char *const line[] = {"zrange to 0 -1 withscores", "zrange odd 0 -1 withscores", "object encoding to", "set text x",
                                       "del odd b", "zadd odd inf m1 -inf m2 -5 m3 1e30 m4 0 m5", "del to"};
    const char *word = line[prng_below(random, prng_below(random, 10) ? 4 : 7)];
    while (*word) {
        size_t n = strcspn(word, " ");
        line_printf(l, "%.*s", (int)n, word);
        word += n + (word[n] ? 1 : 0);
    }
}

static void make(struct line *l, struct prng *random)
{
    switch (prng_below(random, 8)) {
    case 0:
    case 1:
        make_geoadd(l, random);
        break;
    case 2:
        make_read(l, random);
        break;
    case 3:
    case 4:
        make_radius(l, random);
        break;
    case 5:
    case 6:
        make_search(l, random);
        break;
    default:
        make_other(l, random);
    }
    if (prng_below(random, 30) == 0) {
        line_spoil(l, random);
    }
}

TEST(geo_as_in_redis_resp2)
{
    differential_run(&(struct differential){.name = "geo", .make = make, .steps = 8000, .seed = 5}, REPLY_RESP2);
}

TEST(geo_as_in_redis_resp3)
{
    differential_run(&(struct differential){.name = "geo", .make = make, .steps = 8000, .seed = 6}, REPLY_RESP3);
}

TEST_MAIN()
