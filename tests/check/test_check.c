/* The checker on histories known to be good and bad, and against a search through all orders. */
#include "tests/check/builder.h"
#include "tests/test.h"

static const struct {
    const char *name;
    enum verdict verdict;
    const char *text;
} known[] = {
    {"a read sees the write before it", GOOD, "a 1 2 ok set x 1\nb 3 4 ok get x =1"},
    {"a read of nothing after a write was answered", BAD, "a 1 2 ok set x 1\nb 3 4 ok get x =nil"},
    {"a read of nothing while the write is under way", GOOD, "a 1 9 ok set x 1\nb 3 4 ok get x =nil"},
    {"new, then old", BAD, "a 1 20 ok set x 1\nb 2 3 ok get x =1\nc 4 5 ok get x =nil"},
    {"two readers see two writes in two orders", BAD,
     "a 1 30 ok set x 1\nb 1 30 ok set x 2\nc 2 3 ok get x =1\nd 4 5 ok get x =2\ne 6 7 ok get x =1"},
    {"an unknown write seen much later", GOOD, "a 1 - unknown set x 1\nb 5 6 ok get x =nil\nb 7 8 ok get x =1"},
    {"an unknown write seen and unseen again", BAD, "a 1 - unknown set x 1\nb 5 6 ok get x =1\nb 7 8 ok get x =nil"},
    {"a refused write is seen", BAD, "a 1 2 fail set x 1\nb 5 6 ok get x =1"},
    {"a refused write is not seen", GOOD, "a 1 2 fail set x 1\nb 5 6 ok get x =nil"},
    {"a value from nowhere", BAD, "a 1 2 ok set x 1\nb 5 6 ok get x =2"},
    {"a write is read before it began", BAD, "b 1 2 ok get x =1\na 3 4 ok set x 1"},
    {"moments that touch overlap", GOOD, "a 1 5 ok set x 1\nb 5 6 ok get x =nil"},
    {"keys are judged apart", GOOD, "a 1 2 ok set x 1\nb 1 2 ok set y 1\nc 3 4 ok get x =1\nc 3 4 ok get y =1"},
    {"counter: each increment once", GOOD, "a 1 5 ok incr n =2\nb 1 5 ok incr n =1\nc 6 7 ok get n =2"},
    {"counter: two increments get one value", BAD, "a 1 5 ok incr n =1\nb 1 5 ok incr n =1"},
    {"counter: a lost increment", BAD, "a 1 2 ok incr n =1\nb 3 4 ok incr n =2\nc 5 6 ok get n =1"},
    {"counter: an unknown increment explains a gap", GOOD, "a 1 2 ok incr n =1\nb 1 - unknown incr n\nc 5 6 ok incr n =3"},
    {"counter: one unknown increment explains no gap of two", BAD, "a 1 2 ok incr n =1\nb 1 - unknown incr n\nc 5 6 ok incr n =4"},
    {"counter: order against time", BAD, "a 1 2 ok incr n =2\nb 3 4 ok incr n =1"},
    {"cas: one of two wins", GOOD, "a 1 2 ok set x 0\nb 3 9 ok cas x 1 0 =1\nc 3 9 ok cas x 2 0 =0\nd 10 11 ok get x =1"},
    {"cas: both win", BAD, "a 1 2 ok set x 0\nb 3 9 ok cas x 1 0 =1\nc 3 9 ok cas x 2 0 =1"},
    {"setnx: two winners", BAD, "a 1 9 ok setnx x 1 =1\nb 1 9 ok setnx x 2 =1"},
    {"setnx and del", GOOD, "a 1 2 ok setnx x 1 =1\nb 3 9 ok setnx x 2 =1\nc 4 8 ok del x =1\nd 10 11 ok get x =2"},
    {"getset hands on", GOOD, "a 1 2 ok getset x 1 =nil\nb 3 4 ok getset x 2 =1\nc 5 6 ok getdel x =2\nc 7 8 ok exists x =0"},
    {"string append", GOOD, "a 1 5 ok append x ab =2\nb 1 5 ok append x c =3\nc 6 7 ok get x =abc"},
    {"string append in another order", BAD, "a 1 5 ok append x ab =2\nb 1 5 ok append x c =3\nc 6 7 ok get x =cab"},
    {"list: both ends", GOOD, "a 1 2 ok rpush l b =1\na 3 4 ok lpush l a =2\na 5 6 ok rpush l c =3\nb 7 8 ok lpop l =a\nb 9 10 ok rpop l =c\nb 11 12 ok llen l =1"},
    {"list: an element popped twice", BAD, "a 1 2 ok rpush l b =1\na 3 4 ok rpush l c =2\nb 5 9 ok lpop l =b\nc 5 9 ok lpop l =b"},
    {"list: popped from the middle", BAD, "a 1 2 ok rpush l a =1\na 3 4 ok rpush l b =2\na 3 5 ok rpush l c =3\nb 6 7 ok lpop l =b"},
    {"set: added once", GOOD, "a 1 5 ok sadd s x =1\nb 1 5 ok sadd s x =0\nc 6 7 ok smembers s =[x]\nc 8 9 ok spop s =x\nc 10 11 ok scard s =0"},
    {"set: popped twice", BAD, "a 1 2 ok sadd s x =1\nb 3 9 ok spop s =x\nc 3 9 ok spop s =x"},
    {"set: any order of members", GOOD, "a 1 2 ok sadd s x =1\na 3 4 ok sadd s y =1\nb 5 6 ok smembers s =[y,x]"},
    {"kinds: a push on a string did nothing", GOOD, "a 1 2 ok set x 1\nb 3 - unknown rpush x 2\nc 5 6 ok get x =1\nc 7 8 ok incr x =2"},
    {"transaction: both or none", GOOD, "a 1 2 ok set x 1; incr y =1\nb 3 4 ok get x =1; get y =1"},
    {"transaction: half of it", BAD, "a 1 9 ok set x 1; incr y =1\nb 3 4 ok get x =1; get y =nil"},
    {"transactions: each sees the other's absence", BAD, "a 1 9 ok get x =nil; set y 1\nb 1 9 ok get y =nil; set x 1"},
    {"transactions: across keys, against time", BAD, "a 1 2 ok set x 1\nb 3 4 ok set y 1\nc 3 9 ok get y =1; get x =nil"},
    {"appends: prefixes", GOOD, "a 1 5 ok rpush l 1\nb 1 5 ok rpush l 2\nc 2 4 ok lrange l =[2]\nc 6 7 ok lrange l =[2,1]"},
    {"appends: two orders", BAD, "a 1 5 ok rpush l 1\nb 1 5 ok rpush l 2\nc 2 4 ok lrange l =[2]\nc 6 7 ok lrange l =[1,2]"},
    {"appends: lost", BAD, "a 1 2 ok rpush l 1\nb 3 4 ok rpush l 2\nc 5 6 ok lrange l =[2]"},
    {"appends: lost at the end", BAD, "a 1 2 ok rpush l 1\nb 3 4 ok rpush l 2\nc 5 6 ok lrange l =[1]"},
    {"appends: read empty after an answer", BAD, "a 1 2 ok rpush l 1\nc 5 6 ok lrange l =[]"},
    {"appends: twice in the list", BAD, "a 1 2 ok rpush l 1\nc 5 6 ok lrange l =[1,1]"},
    {"appends: refused and there", BAD, "a 1 2 fail rpush l 1\nc 5 6 ok lrange l =[1]"},
    {"appends: unknown and there, unknown and not", GOOD, "a 1 - unknown rpush l 1\nb 1 - unknown rpush l 2\nc 5 6 ok lrange l =[1]"},
    {"appends: unknown, there and gone", BAD, "a 1 - unknown rpush l 1\nc 5 6 ok lrange l =[1]\nc 7 8 ok lrange l =[]"},
    {"appends: lengths", GOOD, "a 1 2 ok rpush l 1 =1\nb 3 4 ok rpush l 2 =2\nc 5 6 ok lrange l =[1,2]"},
    {"appends: a wrong length", BAD, "a 1 2 ok rpush l 1 =1\nb 3 4 ok rpush l 2 =3\nc 5 6 ok lrange l =[1,2]"},
    {"append transactions: G0", BAD, "a 1 9 ok rpush x 1; rpush y 1\nb 1 9 ok rpush x 2; rpush y 2\nc 10 11 ok lrange x =[1,2]; lrange y =[2,1]"},
    {"append transactions: G1c", BAD, "a 1 9 ok rpush x 1; lrange y =[1]\nb 1 9 ok rpush y 1; lrange x =[1]"},
    {"append transactions: G2, write skew", BAD, "a 1 9 ok lrange x =[]; rpush y 1\nb 1 9 ok lrange y =[]; rpush x 1\nc 10 11 ok lrange x =[1]; lrange y =[1]"},
    {"append transactions: own appends are seen", GOOD, "a 1 2 ok rpush x 1; lrange x =[1]; rpush x 2; lrange x =[1,2]\nb 3 4 ok lrange x =[1,2]"},
    {"append transactions: own append not seen", BAD, "a 1 2 ok rpush x 1; lrange x =[]\nb 3 4 ok lrange x =[1]"},
    {"append transactions: torn", BAD, "a 1 9 ok rpush x 1; rpush y 1\nb 2 3 ok lrange x =[1]; lrange y =[]\nc 10 11 ok lrange x =[1]; lrange y =[1]"},
    {"append transactions: serial", GOOD, "a 1 9 ok rpush x 1; rpush y 1\nb 2 3 ok lrange x =[]; lrange y =[]\nc 10 11 ok lrange x =[1]; lrange y =[1]"},
    {"append transactions: stale read of another key", BAD, "a 1 2 ok rpush x 1\nb 3 4 ok rpush y 1\nc 5 6 ok lrange y =[1]; lrange x =[]\nd 7 8 ok lrange x =[1]"},
};

TEST(known_histories)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct history h;
        test_context("%s", known[i].name);
        build(&h, known[i].text);
        CHECK_EQ_INT(verdict_of(&h, WGL_STATES_DEFAULT, NULL), known[i].verdict);
        CHECK_EQ_INT(brute_force(&h) ? GOOD : BAD, known[i].verdict);
        history_deinit(&h);
    }
    test_context("");
}

TEST(expiring_registers)
{
    struct history h;
    build(&h, "a 1 2 ok set x 1\nb 3 4 ok get x =nil\nb 5 6 ok get x =nil");
    h.step[0].may_expire = true;
    CHECK_EQ_INT(verdict_of(&h, WGL_STATES_DEFAULT, NULL), GOOD);
    history_deinit(&h);
    build(&h, "a 1 2 ok set x 1\nb 3 4 ok get x =nil\nb 5 6 ok get x =1");
    h.step[0].may_expire = true;
    CHECK_EQ_INT(verdict_of(&h, WGL_STATES_DEFAULT, NULL), BAD);
    history_deinit(&h);
}

/* Every method against all orders; about half of these histories are bad. */
TEST(random_small_histories_agree_with_all_orders)
{
    struct prng p;
    uint32_t bad = 0;
    uint32_t methods[3] = {0, 0, 0};
    prng_seed(&p, 1);
    for (int i = 0; i < 6000; i++) {
        struct random_history r = {.operations = 4 + (uint32_t)prng_below(&p, 4), .clients = 1 + (uint32_t)prng_below(&p, 4), .keys = 1 + (uint32_t)prng_below(&p, 2),
                                   .kind = i % 4, .damage = 200000, .unknown = prng_below(&p, 2) ? 300000 : 0,
                                   .has_transactions = i / 4 % 2 == 1, .has_unique_values = i / 8 % 4 != 0};
        struct history h;
        struct check_report report;
        random_history(&h, &p, &r);
        test_context("history %d", i);
        bool has_order = brute_force(&h);
        bad += !has_order;
        CHECK_EQ_INT(verdict_of(&h, WGL_STATES_DEFAULT, &report), has_order ? GOOD : BAD);
        methods[0] += report.by_zones;
        methods[1] += report.by_cycles;
        methods[2] += report.by_search;
        history_deinit(&h);
    }
    test_context("");
    CHECK(bad > 1000 && bad < 5000);
    CHECK(methods[0] > 500 && methods[1] > 500 && methods[2] > 2000);
}

/* Zones and cycles against the search, on histories too long for all orders. */
TEST(methods_agree_on_longer_histories)
{
    struct prng p;
    uint32_t bad = 0;
    prng_seed(&p, 2);
    for (int i = 0; i < 1500; i++) {
        struct random_history r = {.operations = 60, .clients = 1 + (uint32_t)prng_below(&p, 5), .keys = 1 + (uint32_t)prng_below(&p, 3),
                                   .kind = i % 2 ? 2 : 0, .damage = i % 3 ? 10000 : 0, .unknown = i % 5 ? 0 : 50000,
                                   .has_transactions = i % 2 && i % 4 == 1, .has_unique_values = true};
        struct history h;
        random_history(&h, &p, &r);
        test_context("history %d", i);
        uint32_t *all = NULL;
        uint32_t list[64];
        for (uint32_t o = 0; o < h.operation_count; o++)
            list[o] = o;
        all = list;
        struct wgl_limits limits = {WGL_STATES_DEFAULT};
        struct wgl_result w = wgl_check(&h, all, h.operation_count, &limits);
        enum verdict v = verdict_of(&h, WGL_STATES_DEFAULT, NULL);
        if (w.verdict != WGL_INCONCLUSIVE)
            CHECK_EQ_INT(v, w.verdict == WGL_LINEARIZABLE ? GOOD : BAD);
        bad += v == BAD;
        if (i % 3 == 0)
            CHECK_EQ_INT(v, GOOD);
        history_deinit(&h);
    }
    test_context("");
    CHECK(bad > 200);
}

/* The limits the checklist names: at most ten clients at once, a thousand operations on a key. */
TEST(long_histories_are_decided)
{
    static const struct {
        int kind;
        uint32_t operations, clients, unknown;
    } row[] = {{1, 5000, 5, 0}, {1, 1000, 10, 0}, {3, 1000, 5, 0}, {0, 50000, 30, 20000}, {2, 10000, 30, 20000}, {1, 1000, 5, 20000}};
    struct prng p;
    prng_seed(&p, 3);
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct random_history r = {.operations = row[i].operations, .clients = row[i].clients, .keys = row[i].kind == 2 ? 9 : 1, .kind = row[i].kind,
                                   .unknown = row[i].unknown, .has_unique_values = row[i].kind != 3};
        struct history h;
        random_history(&h, &p, &r);
        test_context("row %zu", i);
        CHECK_EQ_INT(verdict_of(&h, WGL_STATES_DEFAULT, NULL), GOOD);
        history_deinit(&h);
    }
    test_context("");
}

TEST(a_search_that_is_too_long_says_so)
{
    struct prng p;
    struct random_history r = {.operations = 400, .clients = 30, .keys = 1, .kind = 3, .unknown = 100000};
    struct history h;
    struct check_report report;
    prng_seed(&p, 4);
    random_history(&h, &p, &r);
    enum verdict v = verdict_of(&h, 20, &report);
    CHECK_EQ_INT(v, UNDECIDED);
    CHECK_EQ_UINT(report.inconclusive, 1);
    history_deinit(&h);
}

TEST_MAIN()
