/* Big collections of every type are walked in pieces while commands change them at every point: what comes out is the state at the
 * walk's index, byte for byte, by a digest that knows nothing of walks; and what is read from it answers as the old one did. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/prng.h"
#include "keyspace/state.h"
#include "rows.h"
#include "tests/test.h"

enum { ITEMS = 400, ITEM_BYTES = 60 };

/* %d: an item, drawn; at most one %s each: it is padded to ITEM_BYTES, so that values have many nodes and pieces. */
static const char *const change[] = {
    "RPUSH list %d-%s",
    "LPUSH list %d-%s",
    "LPOP list",
    "RPOP list",
    "LSET list %d changed-%s",
    "LTRIM list 3 -3",
    "SADD set %d-%s",
    "SREM set %d-%s",
    "SPOP set",
    "SADD numbers %d",
    "SREM numbers %d",
    "ZADD zset %d %d-%s",
    "ZREM zset %d-%s",
    "ZINCRBY zset 3 %d-%s",
    "ZPOPMIN zset",
    "ZREMRANGEBYRANK zset %d 300",
    "HSET hash %d-%s v",
    "HDEL hash %d-%s",
    "HINCRBY hash count-%d 1",
    "APPEND text %d-%s",
    "SETRANGE text %d %s",
    "PFADD hll %d-%s",
    "RENAME list list2",
    "RENAME list2 list",
    "COPY zset zset2 REPLACE",
    "DEL hash2",
    "COPY hash hash2",
    "EXPIRE set 100000",
    "PERSIST set",
    "DEL zset2",
    "SWAPDB 0 1",
    "SWAPDB 0 1",
    "UNLINK hash2",
    "FLUSHDB",
};
enum { CHANGES = sizeof change / sizeof change[0] };

static const char pad[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/* The item twice where it is asked for twice (ZADD's score and member). */
static void run_change(struct rows *r, const char *template, unsigned item)
{
    char line[512];
    size_t n = 0;
    for (const char *p = template; *p && n + ITEM_BYTES + 16 < sizeof line; p++) {
        if (p[0] == '%' && p[1] == 'd')
            n += (size_t)snprintf(line + n, sizeof line - n, "%u", item), p++;
        else if (p[0] == '%' && p[1] == 's')
            n += (size_t)snprintf(line + n, sizeof line - n, "%s", pad), p++;
        else
            line[n++] = *p;
    }
    line[n] = '\0';
    rows_line(r, line);
}

static void fill(struct rows *r)
{
    static const char *const one[] = {"RPUSH list %d-%s", "SADD set %d-%s", "SADD numbers %d", "ZADD zset %d %d-%s",
                                      "HSET hash %d-%s v", "APPEND text %d-%s"};
    for (unsigned i = 0; i < ITEMS; i++)
        for (size_t k = 0; k < sizeof one / sizeof one[0]; k++)
            run_change(r, one[k], i);
    rows_line(r, "PFADD hll a b c d e");
}

static struct keyspace *read_stream(const struct rows *r, struct slice stream)
{
    struct keyspace *k = keyspace_new(keyspace_seed(r->keyspace), NULL);
    struct state_reader *reader = state_reader_new(k, stream.n);
    enum err e = ERR_OK;
    for (size_t at = 0; at < stream.n && e == ERR_OK; at += 4099)
        e = state_reader_feed(reader, (struct slice){stream.p + at, stream.n - at < 4099 ? stream.n - at : 4099});
    if (e == ERR_OK)
        e = state_reader_finish(reader);
    CHECK_EQ_INT(e, ERR_OK);
    state_reader_free(reader);
    return k;
}

/* The walk goes `first` steps; then one change of the kind `only`, or changes of any kind between all further steps. */
static void check_walk(uint64_t seed, size_t first, int only)
{
    struct rows r;
    struct prng random;
    prng_seed(&random, seed);
    rows_init(&r);
    fill(&r);
    uint64_t digest = keyspace_digest(r.keyspace);
    raft_index index = keyspace_index(r.keyspace);
    struct state_walk *walk = state_walk_new(r.keyspace, STATE_SNAPSHOT);
    test_context("seed %d, after %d steps, change %d", (int)seed, (int)first, only);
    for (size_t i = 0; i < first && state_walk_step(walk); i++) {
    }
    if (only >= 0)
        for (unsigned i = 0; i < 10; i++)
            run_change(&r, change[only], (unsigned)prng_below(&random, ITEMS));
    while (state_walk_step(walk)) {
        if (only < 0 && prng_below(&random, 4) > 0)
            run_change(&r, change[prng_below(&random, prng_below(&random, 30) == 0 ? CHANGES : 30)], (unsigned)prng_below(&random, ITEMS));
        keyspace_idle(r.keyspace);
    }
    CHECK_EQ_UINT(state_walk_index(walk), index);
    CHECK_EQ_UINT(state_walk_digest(walk), digest);
    struct keyspace *again = read_stream(&r, buf_slice(state_walk_output(walk)));
    CHECK_EQ_UINT(keyspace_digest(again), digest);
    state_walk_free(walk);
    /* It answers, and can be changed, as the one that it was. */
    keyspace_take_over(r.keyspace, again);
    CHECK_EQ_STR(rows_line(&r, "LLEN list"), ":400\r\n");
    CHECK_EQ_STR(rows_line(&r, "SCARD set"), ":400\r\n");
    CHECK_EQ_STR(rows_line(&r, "ZCARD zset"), ":400\r\n");
    CHECK_EQ_STR(rows_line(&r, "HLEN hash"), ":400\r\n");
    CHECK_EQ_STR(rows_line(&r, "ZRANGEBYSCORE zset 7 7 WITHSCORES") + 9, "7-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n$1\r\n7\r\n");
    rows_deinit(&r);
    test_context("%s", "");
}

TEST(big_collections_are_exact_whatever_changes_them)
{
    size_t memory = mem_used();
    for (uint64_t seed = 0; seed < 6; seed++)
        check_walk(seed, (size_t)seed * 3, -1);
    CHECK_EQ_UINT(mem_used(), memory);
}

TEST(each_change_at_each_point_of_a_walk)
{
    for (int i = 0; i < (int)CHANGES; i++)
        for (size_t first = 0; first < 24; first += 3 + (size_t)i % 5)
            check_walk((uint64_t)i, first, i);
}

TEST_MAIN()
