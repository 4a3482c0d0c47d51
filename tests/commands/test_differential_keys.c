/* The commands on keys and databases against a real redis-server, over four databases in RESP2 and
 * RESP3: every reply must be the same bytes. KEYS and SCAN answer in another order: their keys are
 * compared as sets, after whole iterations. Skipped, in words, where redis-server is not installed.
 */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/prng.h"
#include "resp/resp_value.h"
#include "tests/commands/redis_server.h"
#include "tests/commands/rows.h"
#include "tests/test.h"

enum { ARGS_MAX = 10, DATABASES = 4 };

#define CHOOSE(random, array) (array)[prng_below((random), sizeof(array) / sizeof(array)[0])]

struct line {
    const char *arg[ARGS_MAX];
    size_t count;
    char number[4][24];
    size_t numbers;
};

static void add(struct line *l, const char *arg)
{
    if (l->count < ARGS_MAX) {
        l->arg[l->count++] = arg;
    }
}

static void add_key(struct line *l, struct prng *random)
{
    static const char *const key[] = {"a",      "b",           "c",   "key",   "key1",
                                      "key22",  "k*y",         "k?y", "[abc]", "k\\*y",
                                      "{tag}1", "with blanks", ""};
    add(l, CHOOSE(random, key));
}

static void add_number(struct line *l, int64_t number)
{
    char *text = l->number[l->numbers++];
    text[number_format_i64(number, text)] = '\0';
    add(l, text);
}

static void add_db(struct line *l, struct prng *random)
{
    static const char *const edge[] = {
        "-1", "16",  "15", "2147483647",  "2147483648",          "-2147483648",        "abc",
        "",   "1.0", " 1", "-2147483649", "9223372036854775807", "9223372036854775808"};
    if (prng_below(random, 6) == 0) {
        add(l, CHOOSE(random, edge));
    } else {
        add_number(l, (int64_t)prng_below(random, DATABASES));
    }
}

static void add_pattern(struct line *l, struct prng *random)
{
    static const char *const pattern[] = {"*",     "k*",    "k?y",  "[abc]", "[^abc]", "key[0-9]",
                                          "*1",    "k\\*y", "",     "**",    "?",      "[a-",
                                          "[z-a]", "k[*]y", "\\[*", "a",     "{*}?",   "KEY*"};
    add(l, CHOOSE(random, pattern));
}

static void make_write(struct line *l, struct prng *random)
{
    add(l, "set");
    add_key(l, random);
    static const char *const value[] = {"value",
                                        "12",
                                        "",
                                        "9999",
                                        "10000",
                                        "-1",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "1.5",
                                        "012",
                                        "forty-four bytes, as many as an embstr holds",
                                        "forty-five bytes, one more than an embstr has"};
    add(l, CHOOSE(random, value));
    if (prng_below(random, 3) == 0) {
        add(l, "pxat"); /* far ahead, so that the moment of execution decides nothing */
        add_number(l, 4000000000000 + (int64_t)prng_below(random, 100000));
    }
}

static void make_copy(struct line *l, struct prng *random)
{
    static const char *const option[] = {"replace", "REPLACE", "db", "foo"};
    add(l, "copy");
    add_key(l, random);
    add_key(l, random);
    for (uint64_t left = prng_below(random, 4); left > 0; left--) {
        size_t which = (size_t)prng_below(random, prng_below(random, 8) ? 3 : 4);
        add(l, option[which]);
        if (which == 2 && l->numbers < 3 && prng_below(random, 10)) {
            add_db(l, random);
        }
    }
}

static void make_scan(struct line *l, struct prng *random)
{
    static const char *const cursor[] = {
        "0", "0", "0", "-0", "abc", "", " 0", "0x", "99999999999999999999"};
    static const char *const count[] = {"1000", "0", "-1", "abc", "9223372036854775807"};
    static const char *const type[] = {"string", "STRING", "list", "foo", ""};
    add(l, "scan");
    add(l, CHOOSE(random, cursor));
    add(l, "COUNT");
    add(l, prng_below(random, 4) ? "1000" : CHOOSE(random, count));
    if (prng_below(random, 2)) {
        add(l, prng_below(random, 8) ? "match" : "matches");
        add_pattern(l, random);
    }
    if (prng_below(random, 3) == 0) {
        add(l, "type");
        add(l, CHOOSE(random, type));
    }
}

static void make_object(struct line *l, struct prng *random)
{
    static const char *const subcommand[] = {"encoding", "ENCODING", "freq", "REFCOUNT", "help"};
    static const char *const samples[] = {"0", "5", "-1", "abc", "9223372036854775807"};
    if (prng_below(random, 4)) {
        add(l, "object");
        add(l, CHOOSE(random, subcommand));
        if (strcmp(l->arg[1], "help") != 0) {
            add_key(l, random);
        }
        return;
    }
    add(l, "memory");
    add(l, "usage");
    if (prng_below(random,
                   2)) { /* of a key that is there only whether it answers can be compared */
        add(l, "absent");
    } else {
        add_key(l, random);
    }
    if (prng_below(random, 2)) {
        add(l, prng_below(random, 6) ? "Samples" : "foo");
        add(l, CHOOSE(random, samples));
    }
}

static void make_line(struct line *l, struct prng *random)
{
    static const char *const many[] = {"unlink", "TOUCH", "exists", "Unlink"};
    static const char *const one[] = {"expiretime", "PEXPIRETIME", "get", "type", "persist"};
    static const char *const option[] = {"async", "SYNC", "now"};
    l->count = 0;
    l->numbers = 0;
    uint64_t what = prng_below(random, 100);
    if (what < 22) {
        make_write(l, random);
    } else if (what < 25) {
        add(l, prng_below(random, 3) ? "append" : "incr");
        add_key(l, random);
        if (strcmp(l->arg[0], "append") == 0) {
            add(l, "1"); /* "" makes Redis's encoding raw, and leaves ours alone */
        }
    } else if (what < 37) {
        make_copy(l, random);
    } else if (what < 52) {
        add(l, what < 46 ? "rename" : "RenameNX");
        add_key(l, random);
        add_key(l, random);
    } else if (what < 60) {
        add(l, "move");
        add_key(l, random);
        add_db(l, random);
    } else if (what < 63) {
        add(l, "swapdb");
        add_db(l, random);
        add_db(l, random);
    } else if (what < 70) {
        add(l, CHOOSE(random, many));
        for (uint64_t left = 1 + prng_below(random, 3); left > 0; left--) {
            add_key(l, random);
        }
    } else if (what < 82) {
        add(l, CHOOSE(random, one));
        add_key(l, random);
    } else if (what < 88) {
        add(l, "keys");
        add_pattern(l, random);
    } else if (what < 93) {
        make_scan(l, random);
    } else if (what < 97) {
        make_object(l, random);
    } else if (what < 98) {
        add(l, "flushdb");
        if (prng_below(random, 2)) {
            add(l, CHOOSE(random, option));
        }
    } else {
        add(l, "dbsize");
    }
    if (prng_below(random, 40) == 0 && l->count > 1) {
        l->count--;
    } else if (prng_below(random, 40) == 0) {
        add(l, "more");
    }
}

static int order_of_slices(const void *a, const void *b)
{
    return slice_compare(((const struct resp_value *)a)->text,
                         ((const struct resp_value *)b)->text);
}

/* The reply with the keys in it (the only array that holds nothing but bulks) sorted, as text. */
static void flatten(struct buf *out, struct resp_value *v)
{
    buf_printf(out, "%d(%lld %.*s", (int)v->type, (long long)v->integer, (int)v->text.n,
               v->text.n ? (const char *)v->text.p : "");
    bool is_keys = v->type == RESP_ARRAY && v->child_count > 1;
    for (size_t i = 0; i < v->child_count; i++) {
        is_keys &= v->child[i].type == RESP_BULK;
    }
    if (is_keys) {
        qsort(v->child, v->child_count, sizeof v->child[0], order_of_slices);
    }
    for (size_t i = 0; i < v->child_count; i++) {
        flatten(out, &v->child[i]);
    }
    buf_append_byte(out, ')');
}

static void flatten_reply(struct buf *out, struct slice bytes)
{
    struct resp_value_reader reader = {0};
    struct resp_value *value = NULL;
    size_t consumed;
    REQUIRE(resp_value_next(&reader, bytes, &value, &consumed) == PARSE_OK && consumed == bytes.n);
    flatten(out, value);
    resp_value_free(value);
}

static void compare(struct rows *r, struct redis_server *s, const struct line *l)
{
    struct slice arg[ARGS_MAX];
    char context[512] = "";
    for (size_t i = 0; i < l->count; i++) {
        arg[i] = slice_from_cstr(l->arg[i]);
        size_t n = strlen(context);
        snprintf(context + n, sizeof context - n, " '%s'", l->arg[i]);
    }
    test_context("%s (db %u, RESP%d)", context, r->db, r->protocol == REPLY_RESP3 ? 3 : 2);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    r->time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    struct buf theirs;
    struct buf flat_ours;
    struct buf flat_theirs;
    buf_init(&theirs);
    buf_init(&flat_ours);
    buf_init(&flat_theirs);
    struct slice ours = rows_run(r, arg, l->count);
    bool is_refcount = l->count > 1 && slice_equal_nocase(arg[1], "refcount");
    bool is_usage =
        l->count > 1 && slice_equal_nocase(arg[0], "memory") && ours.n > 0 && ours.p[0] == ':';
    REQUIRE(redis_server_run(s, arg, l->count, &theirs));
    bool is_integer = buf_size(&theirs) > 0 && theirs.data && theirs.data[theirs.start] == ':';
    bool is_walk = slice_equal_nocase(arg[0], "keys") || slice_equal_nocase(arg[0], "scan");
    if (is_refcount && ours.n > 0 && ours.p[0] == ':') {
        CHECK(is_integer); /* Redis doesn't share what COPY made */
    } else if (is_usage) {
        CHECK(is_integer); /* how many bytes it takes is each one's own */
    } else if (is_walk) {
        flatten_reply(&flat_ours, ours);
        flatten_reply(&flat_theirs, buf_slice(&theirs));
        CHECK_EQ_BYTES(buf_slice(&flat_ours).p, buf_size(&flat_ours), buf_slice(&flat_theirs).p,
                       buf_size(&flat_theirs));
    } else {
        CHECK_EQ_BYTES(ours.p, ours.n, buf_slice(&theirs).p, buf_size(&theirs));
    }
    buf_deinit(&theirs);
    buf_deinit(&flat_ours);
    buf_deinit(&flat_theirs);
}

static void run_quietly(struct redis_server *s, const char *a, const char *b)
{
    const struct slice arg[] = {slice_from_cstr(a), slice_from_cstr(b)};
    struct buf reply;
    buf_init(&reply);
    REQUIRE(redis_server_run(s, arg, 2, &reply));
    buf_deinit(&reply);
}

static void run_random(enum reply_protocol protocol, uint64_t seed)
{
    struct redis_server s;
    if (!redis_server_start(&s)) {
        printf("skip commands/differential_keys: redis-server is not installed or did not start\n");
        return;
    }
    struct rows r;
    rows_init(&r);
    r.protocol = protocol;
    run_quietly(&s, "HELLO", protocol == REPLY_RESP3 ? "3" : "2");
    struct prng random;
    prng_seed(&random, seed);
    const char *steps = getenv("DIFFERENTIAL_STEPS");
    for (size_t left = steps ? (size_t)strtoul(steps, NULL, 10) : 15000; left > 0; left--) {
        if (prng_below(&random, 20) == 0) {
            char db[2] = {(char)('0' + prng_below(&random, DATABASES)), 0};
            r.db = (uint32_t)(db[0] - '0');
            run_quietly(&s, "SELECT", db);
        }
        struct line l;
        make_line(&l, &random);
        compare(&r, &s, &l);
    }
    test_context("%s", "");
    rows_deinit(&r);
    redis_server_stop(&s);
}

TEST(random_commands_on_keys_get_the_same_in_resp2)
{
    run_random(REPLY_RESP2, 11);
}

TEST(random_commands_on_keys_get_the_same_in_resp3)
{
    run_random(REPLY_RESP3, 12);
}

TEST_MAIN()
