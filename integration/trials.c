/* Figures about leaders that come and go, on real processes: how long writes stop, and that nothing is lost, doubled or stale. In `make
 * test` each runs a few times; `make trials` runs them at full length (TRIALS, SECONDS; see integration/run). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "integration/lib/hammer.h"

enum { TRIALS_MOST = 2000 };

static size_t trials_wanted(const char *name, size_t in_tests)
{
    const char *text = getenv(name);
    size_t n = text != NULL && text[0] != '\0' ? strtoul(text, NULL, 10) : in_tests;
    return n > TRIALS_MOST ? TRIALS_MOST : n;
}

/* Is this a run whose figures are to be held to their bounds? A test among others on a busy machine is not. */
static bool trials_are_measured(void)
{
    return getenv("TRIALS") != NULL;
}

static void trials_print(const char *what, double *ms, size_t count, double p50_most, double p99_most)
{
    char text[128];
    double p50;
    double p99 = hammer_quantiles(ms, count, text, sizeof text, &p50);
    itest_note("%s, %zu times: longest time between two acknowledged writes %s", what, count, text);
    if (trials_are_measured() && (p99 > p99_most || (p50_most > 0 && p50 > p50_most))) {
        itest_fail("p50 was to be at most %.0f ms, p99 at most %.0f ms", p50_most, p99_most);
    }
}

/* Everybody follows one leader, and holds what it holds. */
static int trials_settle(const struct cluster *c)
{
    int leader = cluster_leader(c, -1, 20000);
    REQUIRE(leader >= 0);
    for (size_t i = 0; i < c->count; i++) {
        for (int64_t deadline = itest_now_ms() + 20000; itest_now_ms() < deadline; itest_sleep_ms(5)) {
            uint64_t last = cluster_info_u64(c, (size_t)leader, "raft_commit_index");
            if (cluster_info_u64(c, i, "raft_applied_index") + 2000 >= last && cluster_info_u64(c, i, "raft_session_open") == 1) {
                break;
            }
        }
    }
    return cluster_leader(c, -1, 5000);
}

static int trials_status(struct cluster *c, size_t i)
{
    int code = cluster_node_stop(c, i);
    if (code != 0) {
        itest_fail("node %zu did not stop cleanly on SIGTERM: %d", i + 1, code);
    }
    return code;
}

/* Rolling restart by SIGTERM under load. */
ITEST(rolling_restart, ITEST_CLUSTER, 3600)
{
    static struct cluster c;
    static double ms[TRIALS_MOST];
    size_t hand_overs = trials_wanted("TRIALS", 6);
    size_t count = 0;
    cluster_start(&c, 3, 0, "");
    struct hammer *h = hammer_start(&c, 50, HAMMER_STRICT);
    REQUIRE(hammer_wait(h, 200, 10000));
    for (size_t node = 0; count < hand_overs && !itest_has_failed(); node = (node + 1) % c.count) {
        int leader = trials_settle(&c);
        /* In turn; a node that doesn't lead is restarted too, but hands nothing over. */
        bool hands_over = leader == (int)node;
        itest_sleep_ms(200);
        hammer_mark(h);
        trials_status(&c, node);
        REQUIRE(hammer_wait(h, 50, 10000));
        if (hands_over) {
            ms[count++] = hammer_longest_ms(h);
        }
        cluster_node_start(&c, node);
        if (!hands_over) {
            continue;
        }
    }
    trials_settle(&c);
    hammer_stop(h);
    trials_print("leader restarted by SIGTERM", ms, count, 0, 50);
}

enum trials_end { TRIALS_KILL, TRIALS_STOP, TRIALS_CUT };

static void trials_end_leader(struct cluster *c, int leader, enum trials_end how)
{
    switch (how) {
    case TRIALS_KILL:
        cluster_node_kill(c, (size_t)leader);
        break;
    case TRIALS_STOP:
        cluster_node_suspend(c, (size_t)leader);
        break;
    case TRIALS_CUT:
        for (int i = 0; i < (int)c->count; i++) {
            if (i != leader) {
                proxy_rule_from_to(c->proxy, i, leader, PROXY_ANY_ROLE, PROXY_HOLD);
                proxy_rule_from_to(c->proxy, leader, i, PROXY_ANY_ROLE, PROXY_HOLD);
            }
        }
        break;
    }
}

static void trials_heal(struct cluster *c, int leader, enum trials_end how)
{
    switch (how) {
    case TRIALS_KILL:
        cluster_node_start(c, (size_t)leader);
        break;
    case TRIALS_STOP:
        cluster_node_resume(c, (size_t)leader);
        break;
    case TRIALS_CUT:
        proxy_clear_rules(c->proxy);
        for (int i = 0; i < (int)c->count; i++) {
            if (i != leader) {
                proxy_cut_between(c->proxy, i, leader, PROXY_ANY_ROLE);
            }
        }
        break;
    }
}

static void trials_fail_over(size_t nodes, enum trials_end how, size_t in_tests, const char *what, double p50_most, double p99_most)
{
    static struct cluster c;
    static double ms[TRIALS_MOST];
    size_t count = trials_wanted("TRIALS", in_tests);
    char text[96];
    cluster_start(&c, nodes, how == TRIALS_CUT ? CLUSTER_PROXIED : 0, "");
    struct hammer *h = hammer_start(&c, 20, HAMMER_DEATHS);
    REQUIRE(hammer_wait(h, 200, 10000));
    for (size_t i = 0; i < count && !itest_has_failed(); i++) {
        int leader = trials_settle(&c);
        REQUIRE(leader >= 0);
        itest_sleep_ms(200 + (int)(itest_random() % 100));
        hammer_mark(h);
        trials_end_leader(&c, leader, how);
        REQUIRE(hammer_wait(h, 5, 20000));
        REQUIRE(cluster_leader(&c, leader, 20000) >= 0);
        itest_sleep_ms(300);
        ms[i] = hammer_longest_ms(h);
        trials_heal(&c, leader, how);
    }
    trials_settle(&c);
    hammer_stop(h);
    snprintf(text, sizeof text, "%s, %zu nodes", what, nodes);
    trials_print(text, ms, count, p50_most, p99_most);
}

ITEST(fail_over_kill_3, ITEST_CLUSTER, 3600)
{
    trials_fail_over(3, TRIALS_KILL, 3, "leader killed by kill -9", 450, 1000);
}

ITEST(fail_over_kill_5, ITEST_CLUSTER, 3600)
{
    trials_fail_over(5, TRIALS_KILL, 2, "leader killed by kill -9", 450, 1000);
}

ITEST(fail_over_stop, ITEST_CLUSTER, 3600)
{
    trials_fail_over(3, TRIALS_STOP, 2, "leader stopped by SIGSTOP", 0, 1200);
}

ITEST(fail_over_cut, ITEST_CLUSTER, 3600)
{
    trials_fail_over(3, TRIALS_CUT, 2, "leader cut off", 0, 1200);
}

/* Nothing fails, and the machine is saturated: no election, no error. SECONDS says for how long. */
ITEST(saturation, ITEST_CLUSTER, 7200)
{
    static struct cluster c;
    const char *text = getenv("SECONDS_SATURATED");
    int seconds = text != NULL ? atoi(text) : 5;
    uint64_t terms[2];
    cluster_start(&c, 3, 0, "");
    trials_settle(&c);
    int leader = cluster_leader(&c, -1, 5000);
    terms[0] = cluster_info_u64(&c, (size_t)leader, "raft_term");
    struct hammer *h = hammer_start(&c, 200, HAMMER_STRICT);
    for (int i = 0; i < seconds && !itest_has_failed(); i++) {
        itest_sleep_ms(1000);
    }
    double longest = hammer_longest_ms(h);
    hammer_stop(h);
    int last = cluster_leader(&c, -1, 5000);
    REQUIRE(last >= 0);
    terms[1] = cluster_info_u64(&c, (size_t)last, "raft_term");
    itest_note("%d s with 200 connections: terms %llu to %llu, longest time between two acknowledged writes %.1f ms", seconds,
               (unsigned long long)terms[0], (unsigned long long)terms[1], longest);
    CHECK(leader == last && terms[0] == terms[1]);
}

ITEST_MAIN()
