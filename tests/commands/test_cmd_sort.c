/* SORT and SORT_RO against redis-server. Elements that compare equal may come in any order there: so weights are all different, or
 * the elements themselves decide. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/commands/differ.h"
#include "tests/test.h"

#define CHOOSE(d, array) (array)[prng_below(&(d)->random, sizeof(array) / sizeof(array)[0])]

static void make(struct differ *d, struct differ_command *c)
{
    static const char *const key[] = {"list", "set", "ints", "zset", "words", "string", "nothing", "hash"};
    static const char *const by[] = {"w_*", "nosort", "h_*->w", "*", "w_*x", "h_*->nothing", "#", "", "h_*->", "*->w"};
    static const char *const get[] = {"#", "w_*", "h_*->name", "h_*->w", "o_*", "fixed", "h_*->nothing", "#x", "*"};
    static const char *const limit[] = {"0", "1", "3", "-1", "100", "5", "x", "9223372036854775807", "-9223372036854775808"};
    bool may_store = prng_below(&d->random, 3) > 0;
    differ_word(c, may_store ? "SORT" : "sort_ro");
    differ_word(c, CHOOSE(d, key));
    for (uint64_t n = prng_below(&d->random, 5); n > 0; n--) {
        switch (prng_below(&d->random, 8)) {
        case 0:
            differ_word(c, "ASC");
            break;
        case 1:
            differ_word(c, "desc");
            break;
        case 2:
            differ_word(c, "ALPHA");
            break;
        case 3:
            differ_word(c, "LIMIT");
            differ_word(c, limit[prng_below(&d->random, prng_below(&d->random, 5) ? 6 : 9)]);
            differ_word(c, limit[prng_below(&d->random, prng_below(&d->random, 5) ? 6 : 9)]);
            break;
        case 4:
            differ_word(c, "BY");
            differ_word(c, CHOOSE(d, by));
            break;
        case 5:
            differ_word(c, "STORE");
            differ_word(c, "result");
            break;
        case 6:
            differ_word(c, prng_below(&d->random, 10) ? "GET" : "foo");
            differ_word(c, CHOOSE(d, get));
            break;
        default:
            differ_word(c, "GET");
            differ_word(c, CHOOSE(d, get));
            break;
        }
    }
}

static bool word_is(struct slice word, const char *text)
{
    return slice_equal_nocase(word, text);
}

/* Whether the order of the answer is one that Redis leaves open: a set that isn't sorted, or texts that compare equal. */
static bool is_open(const struct differ_command *c)
{
    bool is_alpha = false;
    bool is_unsorted = false;
    bool is_stored = false;
    struct slice by = {NULL, 0};
    for (size_t i = 2; i < c->count; i++) {
        if (word_is(c->arg[i], "BY") && i + 1 < c->count) {
            by = c->arg[++i];
            is_unsorted = is_unsorted || by.n == 0 || !memchr(by.p, '*', by.n);
        } else if (word_is(c->arg[i], "STORE")) {
            is_stored = true;
            i++;
        } else if (word_is(c->arg[i], "LIMIT")) {
            i += 2;
        } else if (word_is(c->arg[i], "GET")) {
            i++;
        } else {
            is_alpha = is_alpha || word_is(c->arg[i], "ALPHA");
        }
    }
    bool is_set = word_is(c->arg[1], "set") || word_is(c->arg[1], "ints") || word_is(c->arg[1], "words");
    if (is_unsorted) {
        return is_set && !is_stored;
    }
    return is_alpha && by.p && (word_is(c->arg[1], "words") || (!word_is(by, "w_*") && !word_is(by, "h_*->w")));
}

static void fill(struct differ *d)
{
    differ_line(d, DIFFER_EXACT, "SET string 1");
    differ_line(d, DIFFER_EXACT, "HSET hash a 1");
    differ_line(d, DIFFER_EXACT, "SADD words b a c zz abc");
    for (int i = 0; i < 200; i++) { /* a skiplist: two trees */
        differ_line(d, DIFFER_EXACT, "ZADD zlong %d %d", 1000 - i, i);
    }
    differ_line(d, DIFFER_EXACT, "SORT_RO zlong LIMIT 0 5");
    differ_line(d, DIFFER_EXACT, "SORT zlong DESC ALPHA LIMIT 10 7");
    differ_line(d, DIFFER_EXACT, "SORT_RO zlong BY nosort LIMIT 3 4");
    differ_line(d, DIFFER_EXACT, "SORT_RO zlong BY nosort DESC LIMIT 3 4");
    for (int i = 0; i < 20; i++) {
        int n = i * 37 % 101;
        differ_line(d, DIFFER_EXACT, "RPUSH list %d", n);
        differ_line(d, DIFFER_EXACT, "SADD set %d.5", n);
        differ_line(d, DIFFER_EXACT, "SADD ints %d", n);
        differ_line(d, DIFFER_EXACT, "ZADD zset %d %d", 1000 - n, n);
        differ_line(d, DIFFER_EXACT, "SET w_%d %d", n, n * 53 % 1009);
        differ_line(d, DIFFER_EXACT, "SET w_%d.5 %d.25", n, n * 59 % 1009);
        differ_line(d, DIFFER_EXACT, "HSET h_%d w %d name name%d", n, n * 71 % 1009, n);
        differ_line(d, DIFFER_EXACT, "HSET h_%d.5 w %d name name%d", n, n * 73 % 1009, n);
        if (i % 3) {
            differ_line(d, DIFFER_EXACT, "SET o_%d object%d", n, n);
        }
    }
}

static void run_random(enum reply_protocol protocol, uint64_t seed)
{
    struct differ d;
    const char *text = getenv("DIFFERENTIAL_STEPS");
    size_t steps = text ? (size_t)strtoul(text, NULL, 10) : 2500;
    if (!differ_begin(&d, protocol, seed, "SORT")) {
        return;
    }
    fill(&d);
    for (size_t i = 0; i < steps; i++) {
        struct differ_command c = {.count = 0};
        make(&d, &c);
        if (is_open(&c)) {
            rows_run(&d.rows, c.arg, c.count); /* it must only come back */
            rows_line(&d.rows, "DEL result");
            redis_server_run(&d.server, (const struct slice[]){SLICE_LITERAL("DEL"), SLICE_LITERAL("result")}, 2, &d.theirs);
            continue;
        }
        differ_run(&d, &c, DIFFER_EXACT);
        differ_line(&d, DIFFER_EXACT, "LRANGE result 0 -1");
        if (i % 10 == 0) {
            differ_line(&d, DIFFER_EXACT, "DEL result");
        }
    }
    differ_end(&d);
}

TEST(random_sorts_in_resp2)
{
    run_random(REPLY_RESP2, 21);
}

TEST(random_sorts_in_resp3)
{
    run_random(REPLY_RESP3, 22);
}

/* As COMMAND GETKEYS shows it: the key of STORE, wherever it stands. */
TEST(the_key_behind_store_is_one_of_its_keys)
{
    static const struct {
        const char *word[8];
        size_t count;
        size_t store; /* its position; 0: none */
    } at[] = {
        {{"sort", "k"}, 2, 0},
        {{"sort", "k", "STORE", "to"}, 4, 3},
        {{"sort", "k", "store", "to", "desc", "store", "other"}, 7, 6},
        {{"sort", "k", "by", "store", "get", "STORE"}, 6, 0},
        {{"sort", "k", "limit", "store", "x", "store", "to"}, 7, 6},
        {{"sort", "k", "store"}, 3, 0},
        {{"sort_ro", "k", "store", "to"}, 4, 0},
    };
    struct command_family family[COMMANDS_FAMILY_COUNT];
    commands_all(family);
    struct command_table *t = command_table_new(family, COMMANDS_FAMILY_COUNT);
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        struct slice arg[8];
        for (size_t k = 0; k < at[i].count; k++) {
            arg[k] = slice_from_cstr(at[i].word[k]);
        }
        struct command command = {arg, at[i].count};
        const struct command_row *row = command_table_by_name(t, arg[0]);
        CHECK(row && command_key_count(row, &command) == (at[i].store ? 2u : 1u));
        CHECK(command_key_position(row, &command, 0) == 1);
        CHECK(at[i].store == 0 || command_key_position(row, &command, 1) == at[i].store);
    }
    command_table_free(t);
}

TEST(values_that_are_no_numbers_are_refused)
{
    struct differ d;
    if (!differ_begin(&d, REPLY_RESP2, 23, "SORT of texts")) {
        return;
    }
    static const char *const member[] = {"nan", "x", "1 ", "0x10", "inf", "-inf", "", "+5", "1e400"};
    /* The one out of range comes last: Redis doesn't reset errno, and refuses numbers after it. */
    for (size_t i = 0; i < sizeof member / sizeof member[0]; i++) {
        struct differ_command c = {.count = 0};
        differ_word(&c, "RPUSH");
        differ_word(&c, "l");
        differ_word(&c, member[i]);
        differ_word(&c, "3");
        differ_run(&d, &c, DIFFER_EXACT);
        differ_line(&d, DIFFER_EXACT, "SORT l");
        differ_line(&d, DIFFER_EXACT, "SORT l ALPHA");
        differ_line(&d, DIFFER_EXACT, "SORT l STORE x");
        differ_line(&d, DIFFER_EXACT, "DEL l");
    }
    differ_end(&d);
}

TEST_MAIN()
